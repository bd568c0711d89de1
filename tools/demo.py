"""Compare CE and JML-BLS on synthetic images: `python tools/demo.py`.

This takes a few minutes on two CPU cores, and writes a table and two figures to
`work_dirs/demo`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODEL, DATA = 'deeplabv3plus_m-v2-w05-d16', 'synthetic-shapes-128x176'
RUNS = {
    'CE': f'configs/demo/{MODEL}_1xb4-ce-600_{DATA}.py',
    'JML-BLS': f'configs/demo/{MODEL}_1xb4-jml-bls-600_{DATA}.py',
}
METRICS = {
    'Acc': 'aAcc',
    'mIoU': 'mIoU',
    'ECE': 'calib/ECE',
    'BECE': 'calib/BECE',
}
DIAGRAMS = {'all': 'all pixels', 'boundary': 'boundary pixels'}
LEGEND = """All values are per cent on the synthetic test images. ECE is the difference
between confidence and accuracy, and BECE is the same near object boundaries. Lower is
better for both."""
UNSHOWN = re.compile(r'calib/(?!B?ECE:)\w+: \S+\s*')  # two dozen figures in a line
SHOWN = 4  # pictures on the sheet
NEXT = """What to try next
  see the predictions   {work_dir}/sheet.png
  see the calibration   {work_dir}/reliability.png
  change the smoothing  python tools/train.py {config} \\
                            --work-dir {work_dir}/weaker --cfg-options \\
                            model.decode_head.loss_decode.label_smoothing.epsilon=0.1
  use real images       configs/jml/camvid, described in docs/
  use your own config   README.md, "Add it to your config\""""


class Result(NamedTuple):
    """The results of one trained model on the test images."""

    scores: dict[str, float]
    pictures: list[np.ndarray]  # (H, W, 3) uint8 RGB
    labels: list[np.ndarray]  # (H, W)
    predictions: list[tuple[np.ndarray, np.ndarray]]  # prediction, confidence
    metainfo: dict
    tables: dict  # bins of confidence, by the pixels they hold


def main() -> None:
    """Train and test both models, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--max-iters',
        type=int,
        default=600,
        help='the length of each training run; a small number only shows that it works',
    )
    args = parser.parse_args()
    start = time.monotonic()
    results = {}
    for name, config in RUNS.items():
        folder = args.work_dir / name.lower()
        train(name, config, folder, args.max_iters)
    for name, config in RUNS.items():
        print(f'Testing {name} on images that it has not seen ...', flush=True)
        results[name] = evaluate(config, args.work_dir / name.lower(), args.max_iters)
    write_table(results, args.work_dir)
    write_sheet(results, args.work_dir)
    write_diagrams(results, args.work_dir)
    print(f'\nDone in {time.monotonic() - start:.0f} s.\n')
    print(NEXT.format(config=RUNS['JML-BLS'], work_dir=args.work_dir))


def train(name: str, config: str, folder: Path, max_iters: int) -> None:
    """Run `tools/train.py` and show its progress. A killed run is continued."""
    if checkpoint(folder, max_iters).exists():
        print(f'{name} is already trained; delete {folder} to train it again.')
        return
    command = [sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / config)]
    command += ['--work-dir', str(folder), '--resume', '--max-iters', str(max_iters)]
    folder.mkdir(parents=True, exist_ok=True)
    print(f'Training {name}, {max_iters} iterations: {config}', flush=True)
    last = deque(maxlen=30)
    with (
        (folder / 'output.txt').open('w') as log,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {'PYTHONUNBUFFERED': '1'},
        ) as process,
    ):
        for line in process.stdout:
            log.write(line)
            last.append(line)
            if 'Iter(' in line:
                shown = UNSHOWN.sub('', line.split(' - ')[-1])
                print(f'  {name:8}', shown.strip(), flush=True)
    if process.returncode:
        sys.exit(f'{"".join(last)}\nTraining {name} failed: see {folder}/output.txt')


def checkpoint(folder: Path, max_iters: int) -> Path:
    """The checkpoint of a finished training run."""
    return folder / f'iter_{max_iters}.pth'


def evaluate(config: str, folder: Path, max_iters: int) -> Result:
    """Results on the test split, and some of its images."""
    # The framework's own words, scores by class among them, stay in a file.
    with (
        (folder / 'test.txt').open('w') as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        return _evaluate(config, folder, max_iters)


def _evaluate(config: str, folder: Path, max_iters: int) -> Result:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmseg_jml.visualization import read_bin_tables

    cfg = Config.fromfile(ROOT / config)
    cfg.work_dir = str(folder / 'test')
    cfg.load_from = str(checkpoint(folder, max_iters))
    runner = Runner.from_cfg(cfg)
    scores = runner.test()
    name = f'calibration/test_iter_{max_iters}_bins.csv'
    bins = max((folder / 'test').glob(f'*/{name}'))  # folders are named by their time
    dataset = runner.test_dataloader.dataset
    shown = [predict(runner.model, dataset[index]) for index in varied(dataset)]
    pictures, labels, predictions = zip(*shown, strict=True)
    return Result(
        {name: float(scores[key]) for name, key in METRICS.items()},
        list(pictures),
        list(labels),
        list(predictions),
        dataset.metainfo,
        read_bin_tables(bins),
    )


def varied(dataset) -> list[int]:
    """The images with the most classes, among the first 50."""
    labels = [dataset[index]['data_samples'].gt_sem_seg.data for index in range(50)]
    return sorted(range(50), key=lambda index: -labels[index].unique().numel())[:SHOWN]


def predict(model, sample: dict) -> tuple:
    """An image, its label, and (prediction, confidence)."""
    import torch
    from mmengine.dataset import pseudo_collate

    with torch.no_grad():
        (output,) = model.test_step(pseudo_collate([sample]))
    probs = output.seg_logits.data.softmax(dim=0)
    confidence, prediction = (values.cpu().numpy() for values in probs.max(dim=0))
    picture = sample['inputs'].numpy()[::-1].transpose(1, 2, 0)  # BGR to RGB
    label = sample['data_samples'].gt_sem_seg.data[0].numpy()
    return picture, label, (prediction, confidence)


def write_table(results: dict[str, Result], work_dir: Path) -> None:
    """Print the results, and save them as Markdown and CSV."""
    from mmseg_jml.markdown_table import table

    header = ['training', *METRICS]
    rows = [
        [name, *(f'{result.scores[metric]:.2f}' for metric in METRICS)]
        for name, result in results.items()
    ]
    text = table(header, rows, padded=True)
    print(f'\n{text}\n\n{LEGEND}', flush=True)
    (work_dir / 'results.md').write_text(f'{text}\n')
    with (work_dir / 'results.csv').open('w', newline='') as file:
        csv.writer(file).writerows([header, *rows])


def write_sheet(results: dict[str, Result], work_dir: Path) -> Path:
    """Save a sheet of images, labels, predictions and confidence; return its path."""
    from mmseg_jml.visualization import prediction_sheet

    first = next(iter(results.values()))
    figure = prediction_sheet(
        first.pictures,
        first.labels,
        {name: result.predictions for name, result in results.items()},
        classes=first.metainfo['classes'],
        palette=first.metainfo['palette'],
    )
    path = work_dir / 'sheet.png'
    figure.savefig(path)
    return path


def write_diagrams(results: dict[str, Result], work_dir: Path) -> Path:
    """Save reliability diagrams with a column for each run; return their path."""
    from mmseg_jml.visualization import reliability_diagram

    panels = {
        f'{run}: {title}': result.tables[pixels]
        for pixels, title in DIAGRAMS.items()
        for run, result in results.items()
    }
    path = work_dir / 'reliability.png'
    reliability_diagram(panels, columns=len(results)).savefig(path)
    return path


if __name__ == '__main__':
    main()
