"""Short names of images that stay distinct across subfolders."""

from collections.abc import Sequence
from pathlib import PurePosixPath


def names_below_common_folder(paths: Sequence[str]) -> list[str]:
    """The paths or URLs of images, relative to the deepest folder that holds them all.

    Different paths get different names, also where several subfolders have an image
    with the same file name.

    >>> names_below_common_folder(['val/city/a/1.png', 'val/city/b/1.png'])
    ['a/1.png', 'b/1.png']
    >>> names_below_common_folder(['val/1.png', 'val/2.png', 'val/2.png'])
    ['1.png', '2.png', '2.png']
    """
    parts = [PurePosixPath(path.replace('\\', '/')).parts for path in paths]
    folders = [each[:-1] for each in parts]
    if not folders:
        return []
    shared = 0
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    return ['/'.join(each[shared:]) for each in parts]
