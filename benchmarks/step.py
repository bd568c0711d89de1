"""A whole training step: cross-entropy against CE + JML, hard and boundary-smoothed.

    python benchmarks/step.py [--rounds 5] [--out FILE]

The model is that of the demo, in two batch sizes and two crops.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from measure import interleaved, keep_freed_pages, spread
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_jml  # noqa: F401 registers the losses

CONFIGS = Path(__file__).resolve().parent.parent / 'configs' / '_base_'
LOSSES = {
    'CE (torch, by mmseg)': dict(type='CrossEntropyLoss', avg_non_ignore=True),
    'CE': 'ce.py',
    'CE + JML': 'jml.py',
    'CE + JML, BLS': 'jml-bls.py',
}
SIZES = ((4, 160, 224), (8, 160, 224), (4, 256, 352), (8, 256, 352))
NUM_CLASSES = 19


def build(loss: str | dict) -> torch.nn.Module:
    """The model with one of the losses, in training mode."""
    config = Config.fromfile(CONFIGS / 'models' / 'deeplabv3plus_m-v2-w05-d16.py')
    if isinstance(loss, str):
        loss = Config.fromfile(CONFIGS / 'losses' / loss).loss_decode
    config.model.decode_head.update(num_classes=NUM_CLASSES, loss_decode=loss)
    config.model.data_preprocessor.size = None
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    return model.cuda() if torch.cuda.is_available() else model


def stepper(
    model: torch.nn.Module,
    size: tuple[int, int, int],
    num_classes: int = NUM_CLASSES,
) -> Callable[[], None]:
    """One forward, backward and update of a made batch."""
    n, h, w = size
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, h, w, generator=generator).to(device)
    blobs = torch.randint(0, num_classes, (n, 1, h // 32, w // 32), generator=generator)
    label = torch.nn.functional.interpolate(blobs.float(), (h, w)).long().to(device)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=each)) for each in label]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        losses = model.loss(images, samples)
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optimizer.step()

    return step


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, help='a JSON file')
    args = parser.parse_args()
    keep_freed_pages()
    init_default_scope('mmseg')
    models = {name: build(loss) for name, loss in LOSSES.items()}
    results = {}
    for size in SIZES:
        steps = {name: stepper(model, size) for name, model in models.items()}
        times = interleaved(steps, args.rounds, 60.0, lambda _: None)
        spreads = {name: spread(values) for name, values in times.items()}
        results[f'{size[0]} × {size[1]}×{size[2]}'] = spreads
    print(step_table(results))
    if args.out:
        args.out.write_text(json.dumps(results, indent=1))


def step_table(results: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Milliseconds and the ratio to the first loss: a row a size."""
    lines = ['| batch × crop | ' + ' | '.join(LOSSES) + ' |']
    lines.append('| --- |' + ' --- |' * len(LOSSES))
    for size, spreads in results.items():
        first = spreads[next(iter(LOSSES))][0]
        cells = [
            f'{median * 1e3:.0f} ms, {median / first:.2f} [{iqr / first:.2f}]'
            for median, iqr in (spreads[name] for name in LOSSES)
        ]
        lines.append(f'| {size} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
