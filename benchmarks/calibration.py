"""Time, memory and faults of calibration metrics, ours and the peers', in one run.

    python benchmarks/calibration.py [--threads 1] [--rounds 7] [--out FILE]

One picture of (19,512,1024) a step. Prints a Markdown table of ratios to that picture's
softmax and maximum; then, for each claim about a peer, an example and what it gives.
"""

import argparse
import ctypes
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from calibration_peers import BASELINE, CLASSES, Contestant, contestants
from measure import M_MMAP_THRESHOLD, interleaved, keep_freed_pages, peak_bytes, spread
from torch import Tensor

SHAPE = (CLASSES, 512, 1024)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Logits that are mostly right, a label of blobs with 5 % ignored, the argmax."""
    generator = torch.Generator().manual_seed(0)
    c, h, w = SHAPE
    blobs = torch.randint(0, c, (1, 1, h // 32, w // 32), generator=generator).float()
    label = torch.nn.functional.interpolate(blobs, (h, w))[0, 0].long()
    logits = torch.randn(SHAPE, generator=generator) * 2
    logits.scatter_add_(0, label[None], torch.full((1, h, w), 5.0))
    label[: h // 20] = 255
    return logits, label, logits.argmax(0)


def rows(entries: dict[str, Contestant], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds, ratio to the baseline, peak and kept bytes of each."""
    picture = inputs()

    def call(contestant: Contestant) -> Callable[[], None]:
        return lambda: contestant.update(*picture)

    # What is freed goes back at once: the peak is then what was held together.
    ctypes.CDLL('libc.so.6').mallopt(M_MMAP_THRESHOLD, 2**16)
    found = {}
    for name, contestant in entries.items():
        before = contestant.kept()
        call(contestant)()
        kept = contestant.kept() - before
        found[name] = {'kept': kept, 'peak': peak_bytes(call(contestant))}
    keep_freed_pages()
    calls = {name: call(contestant) for name, contestant in entries.items()}
    for name, times in interleaved(calls, rounds, 60.0, _progress).items():
        found[name]['seconds'], found[name]['iqr'] = spread(times)
        found[name]['least'] = min(times)
    for row in found.values():
        row['ratio'] = row['seconds'] / found[BASELINE]['seconds']
        row['least_ratio'] = row['least'] / found[BASELINE]['least']
    return found


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f'\r\x1b[K{text}', end='', file=sys.stderr, flush=True)


def table(found: dict[str, dict[str, float]]) -> str:
    """A row each: medians and least times as ratios, memory beyond the logits."""
    lines = [
        '| metric | median | least | peak, MB | kept a picture, kB |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name, row in found.items():
        cells = [f'{row["ratio"]:.2f}', f'{row["least_ratio"]:.2f}']
        if name == BASELINE:
            cells = [f'1 ({row[key] * 1e3:.0f} ms)' for key in ('seconds', 'least')]
        cells += [f'{row["peak"] / 1e6:.0f}', f'{row["kept"] / 1e3:.1f}']
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def our_ece(confidence: Tensor, correct: Tensor, num_bins: int = 10) -> float | None:
    """ECE by this package."""
    from mmseg_jml.functional import bin_table, expected_calibration_error

    return expected_calibration_error(
        bin_table(confidence, correct.bool(), num_bins=num_bins)
    )


def torchmetrics_ece(confidence: Tensor, correct: Tensor) -> float:
    """ECE by torchmetrics, of confidences that are already there."""
    module = import_module('torchmetrics.functional.classification')
    # Of a binary task the confidence is the prediction, and the target its rightness.
    return module.binary_calibration_error(confidence, correct.long(), 10).item()


def monai_ece(confidence: Tensor, correct: Tensor) -> float:
    """ECE by MONAI, of one picture of one channel."""
    metric = import_module('monai.metrics').CalibrationErrorMetric(num_bins=10)
    metric(confidence[None, None], correct[None, None].float())
    return metric.aggregate().item()


def saturation() -> tuple[Tensor, Tensor, float]:
    """2**25 confidences of 0.95, half of them right: the error is 0.45."""
    number = 2**25
    return torch.full((number,), 0.95), torch.arange(number) % 2 == 0, 0.45


def one() -> tuple[Tensor, Tensor, float]:
    """A wrong prediction of confidence 1 beside a right one of 0.95, in one bin."""
    return torch.tensor([1.0, 0.95]), torch.tensor([False, True]), 0.475


def edge() -> str:
    """The bin, of [0,1/4), [1/4,1/2), ..., that MONAI puts 1/4 into."""
    binning = import_module('monai.metrics').calibration_binning
    confidence = torch.tensor([[[0.25]]])
    count = binning(confidence, torch.ones(1, 1, 1), num_bins=4, right=False)[2]
    return f'bin {count[0, 0].argmax().item()}'


def agreement() -> str:
    """The largest difference to torchmetrics where it is right."""
    generator = torch.Generator().manual_seed(0)
    differences = []
    for _ in range(20):
        confidence = torch.rand(10_000, generator=generator).double() * 0.999
        correct = torch.rand(10_000, generator=generator) < confidence
        theirs = torchmetrics_ece(confidence, correct)
        differences.append(abs(our_ece(confidence, correct) - theirs))
    return f'{max(differences):.1e}'


def classwise() -> tuple[float, float]:
    """Class-wise ECE of a calibrated model, ours and as the paper's code defines it.

    There a class counts as right only where it is also the prediction.
    """
    from mmseg_jml.functional import bin_table, calibration_measures, classwise_tables

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(10**6, 10, generator=generator)
    probs = logits.softmax(1)
    label = torch.multinomial(probs, 1, generator=generator)
    tables = classwise_tables(logits.T[None], label.T)
    ours = calibration_measures(tables)['ECE'].mean().item()
    hit = (label == probs.argmax(1, keepdim=True)) & (label == torch.arange(10))
    rows_ = [bin_table(probs[:, c], hit[:, c]) for c in range(10)]
    theirs = [calibration_measures(each)['ECE'] for each in rows_]
    return ours, torch.stack(theirs).mean().item()


def claims() -> list[tuple[str, str, str]]:
    """What is claimed, what is right, what the peer gives."""
    found = []

    def claim(text: str, right: str, given: Callable[[], str]) -> None:
        try:
            found.append((text, right, given()))
        except ModuleNotFoundError as error:
            found.append((text, right, f'not measured: {error}'))

    for peer, ece in (('torchmetrics', torchmetrics_ece), ('MONAI', monai_ece)):
        *rows_, right = saturation()
        text = f'{peer}: float32 sums stop at 2**24 (2**25 pixels of one confidence)'
        stated = f'{right}, ours {our_ece(*rows_):.4f}'
        claim(text, stated, lambda ece=ece, rows_=rows_: f'{ece(*rows_):.4f}')
    *rows_, right = one()
    text = 'torchmetrics: confidence 1 has a bin of its own (1 wrong, 0.95 right)'
    stated = f'{right}, ours {our_ece(*rows_):.4f}'
    claim(text, stated, lambda: f'{torchmetrics_ece(*rows_):.4f}')
    text = 'MONAI: `right=False`, documented as [left, right), is closed on the right'
    claim(text, 'bin 1 of [1/4, 1/2)', edge)
    ours, theirs = classwise()
    text = "the paper's code: class-wise ECE of a calibrated model of 10 classes"
    claim(text, f'0, ours {ours:.4f}', lambda: f'{theirs:.4f}')
    text = 'torchmetrics: equal where it is right (float64, below 1), 20 draws'
    claim(text, 'difference 0', agreement)
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--out', type=Path, help='a JSON file')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    entries, missing = contestants()
    found = rows(entries, args.rounds)
    print(table(found))
    for name, why in missing.items():
        print(f'\n{name} is not measured: {why}')
    print('\n| claim | right | given |\n| --- | --- | --- |')
    checked = claims()
    for cells in checked:
        print('| ' + ' | '.join(cells) + ' |')
    if args.out:
        document = {'threads': args.threads, 'rows': found, 'claims': checked}
        args.out.write_text(json.dumps(document, indent=1))


if __name__ == '__main__':
    main()
