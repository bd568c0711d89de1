"""Write the kinds of TIFF that Pillow does not: bands, planes, an alpha tag, pages."""

import struct

import numpy as np

KINDS = {'u': 1, 'i': 2, 'f': 3}
ROOM = 4096  # for what does not fit into an entry


def write_tiff(path, pixels, *, planar=False, alpha=False, pages=1, big=False):
    """Write (H, W, bands) uncompressed; `alpha` tags the fourth band."""
    word = 'Q' if big else 'I'
    file = struct.pack('<2sHHHQ', b'II', 43, 8, 0, 16) if big else b'II*\0\x08\0\0\0'
    for page in range(pages):
        last = page == pages - 1
        file += _page(pixels, len(file), planar, alpha, last, word)
    path.write_bytes(file)


def _page(pixels, start, planar, alpha, last, word):
    height, width, bands = pixels.shape
    raw = (pixels.transpose(2, 0, 1) if planar else pixels).tobytes()
    parts = bands if planar else 1
    size, bits = len(raw) // parts, pixels.dtype.itemsize * 8
    tags = {
        256: ('I', [width]),
        257: ('I', [height]),
        258: ('H', [bits] * bands),
        259: ('H', [1]),
        262: ('H', [2 if bands >= 3 else 1]),
        273: ('I', None),
        277: ('H', [bands]),
        278: ('I', [height]),
        279: ('I', [size] * parts),
        284: ('H', [2 if planar else 1]),
        339: ('H', [KINDS[pixels.dtype.kind]] * bands),
    }
    if bands > 3:
        tags[338] = ('H', [2 if alpha else 0] + [0] * (bands - 4))
    big = word == 'Q'
    room = len(tags) * (20 if big else 12) + (16 if big else 6)
    extra, data = start + room, start + room + ROOM
    tags[273] = ('I', [data + part * size for part in range(parts)])
    entries, beyond = b'', b''
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f'<{len(values)}{kind}', *values)
        if len(packed) > struct.calcsize(word):
            place = struct.pack(f'<{word}', extra + len(beyond))
            beyond += packed
        else:
            place = packed.ljust(struct.calcsize(word), b'\0')
        code = {'H': 3, 'I': 4}[kind]
        entries += struct.pack(f'<HH{word}', tag, code, len(values)) + place
    following = 0 if last else data + len(raw)
    count = struct.pack('<Q' if big else '<H', len(tags))
    after = struct.pack(f'<{word}', following)
    return count + entries + after + beyond.ljust(ROOM, b'\0') + raw


def noise(height, width, bands, kind=np.uint16):
    """Made-up pixels."""
    values = np.random.default_rng(0).integers(0, 255, (height, width, bands))
    return values.astype(kind)
