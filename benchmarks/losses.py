"""Time and peak memory of the losses, ours and the peers', in one run.

    python benchmarks/losses.py [--allocator warm|default] [--rounds 7] [--out FILE]

Prints Markdown tables, time as ratios to F.cross_entropy and memory in units of the
logits, and writes all figures as JSON.
`--shape N,C,H,W` measures a shape of yours in place of those of `SHAPES`.
"""

import argparse
import datetime
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from contestants import BASELINE, Loss, contestants
from measure import (
    interleaved,
    keep_freed_pages,
    peak_bytes,
    release_freed_pages,
    spread,
)
from torch import Tensor

SHAPES = {
    'Cityscapes': (2, 19, 512, 1024),
    'VOC': (2, 21, 512, 512),
    'Land': (2, 7, 512, 512),
    'ADE20K': (2, 150, 512, 512),
    # Many small images, where the number of steps counts more than the pixels.
    'patches': (256, 3, 32, 32),
    'thumbnails': (64, 2, 16, 16),
}


def inputs(shape: tuple[int, ...], device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Logits that require grad, a label map of blobs with 5 % ignored, a teacher."""
    generator = torch.Generator().manual_seed(0)
    n, c, h, w = shape
    logits = torch.randn(shape, generator=generator)
    blobs = torch.randint(0, c, (n, 1, h // 32 + 1, w // 32 + 1), generator=generator)
    label = torch.nn.functional.interpolate(blobs.float(), (h, w), mode='nearest')
    label = label.squeeze(1).long()
    label[:, : max(h // 20, 1)] = 255
    teacher = torch.randn(shape, generator=generator)
    return logits.to(device).requires_grad_(), label.to(device), teacher.to(device)


def measure_shape(
    shape: tuple[int, ...], losses: dict[str, Loss], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Median, spread, ratio, memory and value of each loss, or why it failed."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    logits, label, teacher = inputs(shape, device)

    def step(loss: Loss) -> Callable[[], None]:
        def call() -> None:
            logits.grad = None
            loss(logits, label, teacher).backward()

        return call

    rows: dict[str, dict] = {}
    calls = {}
    for name, loss in losses.items():
        try:
            value = loss(logits, label, teacher)
            value.backward()
            logits.grad = None
            peak = peak_bytes(step(loss))
            rows[name] = {
                'value': value.item(),
                'memory': peak / (logits.numel() * logits.element_size()),
            }
            calls[name] = step(loss)
        except Exception as error:  # a peer's failure is a figure of its own
            rows[name] = {'error': f'{type(error).__name__}: {error}'.split('\n')[0]}
        logits.grad = None
        release_freed_pages()
    for name, times in interleaved(calls, rounds, seconds, _progress).items():
        rows[name]['seconds'], rows[name]['iqr'] = spread(times)
    for row in rows.values():
        if 'seconds' in row:
            row['ratio'] = row['seconds'] / rows[BASELINE]['seconds']
    return rows


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f'\r\x1b[K{text}', end='', file=sys.stderr, flush=True)


def time_table(results: dict[str, dict[str, dict]]) -> str:
    """Ratios to the baseline's median, interquartile ranges too: a column a shape."""

    def cell(row: dict) -> str:
        if 'error' in row:
            return 'fails'
        if row['ratio'] == 1:
            milliseconds = row['seconds'] * 1e3
            return f'1 ({milliseconds:.{0 if milliseconds >= 1 else 2}f} ms)'
        spread_ratio = row['iqr'] / row['seconds'] * row['ratio']
        return f'{row["ratio"]:.2f} [{spread_ratio:.2f}]'

    return _table(results, cell)


def memory_table(results: dict[str, dict[str, dict]]) -> str:
    """Peaks in units of the logits: a column a shape."""
    return _table(
        results, lambda row: 'fails' if 'error' in row else f'{row["memory"]:.2f}'
    )


def _table(results: dict[str, dict[str, dict]], cell: Callable[[dict], str]) -> str:
    lines = ['| loss | ' + ' | '.join(results) + ' |']
    lines.append('| --- |' + ' --- |' * len(results))
    for name in next(iter(results.values())):
        cells = [cell(rows[name]) for rows in results.values()]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _processor() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    for line in cpuinfo.read_text().splitlines() if cpuinfo.is_file() else ():
        if line.startswith('model name'):
            return line.split(':')[1].strip()
    return platform.machine()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--allocator', choices=('warm', 'default'), default='default')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=15.0, help='most time a loss')
    parser.add_argument('--shape', help='N,C,H,W in place of SHAPES')
    parser.add_argument('--only', help='names with one of these words, by commas')
    parser.add_argument('--out', type=Path, help='a JSON file')
    args = parser.parse_args()
    if args.allocator == 'warm':
        keep_freed_pages()
    losses, missing = contestants()
    if args.only:
        words = [BASELINE, *args.only.split(',')]
        losses = {k: v for k, v in losses.items() if any(w in k for w in words)}
    shapes = SHAPES
    if args.shape:
        shapes = {args.shape: tuple(int(size) for size in args.shape.split(','))}
    results = {
        name: measure_shape(shape, losses, args.rounds, args.seconds)
        for name, shape in shapes.items()
    }
    print(time_table(results), memory_table(results), sep='\n\n')
    for name, why in missing.items():
        print(f'\n{name} is not measured: {why}')
    if args.out:
        machine = {
            'processor': _processor(),
            'date': datetime.date.today().isoformat(),
            'threads': torch.get_num_threads(),
            'torch': torch.__version__,
            'cuda': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            'allocator': args.allocator,
        }
        document = {'machine': machine, 'missing': missing, 'results': results}
        args.out.write_text(json.dumps(document, indent=1))


if __name__ == '__main__':
    main()
