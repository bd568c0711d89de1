"""A training step with a teacher: what the teacher costs, and what its losses cost.

    python benchmarks/distillation.py [--rounds 10] [--out FILE]

The students and the teacher are those of configs/distillation/camvid, their weights
random. The losses' time is what a step takes more than one without a teacher, less the
teacher's evaluation; the share is that of the whole step.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import torch
from measure import interleaved, keep_freed_pages
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from step import stepper

import mmseg_jml  # noqa: F401 registers the segmentors

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
STUDENT = 'distillation/camvid/deeplabv3plus_m-v2-w025-d16_1xb8-{}-1k_camvid-160x224.py'
SIZE, NUM_CLASSES = (8, 160, 224), 11
# What each method adds to.
WITHOUT = {'ce-kd': 'ce', 'jml-kd': 'jml', 'kl': 'ce', 'cwd': 'ce', 'dist': 'ce'}


def config(loss: str) -> Config:
    """The model of a leaf, for pictures of any size."""
    cfg = Config.fromfile(CONFIGS / STUDENT.format(loss)).model
    cfg.data_preprocessor.size = None
    return cfg


def build(loss: str, checkpoint: str) -> torch.nn.Module:
    """A student in training mode."""
    cfg = config(loss)
    if loss in WITHOUT:
        cfg.teacher_checkpoint = checkpoint
    torch.manual_seed(0)
    model = MODELS.build(cfg).train()
    return model.cuda() if torch.cuda.is_available() else model


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--out', type=Path, help='a JSON file')
    args = parser.parse_args()
    keep_freed_pages()
    init_default_scope('mmseg')
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = f'{folder}/teacher.pth'
        leaf = CONFIGS.parent / config('jml-kd').teacher
        teacher = MODELS.build(Config.fromfile(leaf).model)
        torch.save(teacher.state_dict(), checkpoint)
        losses = ('ce', 'jml', *WITHOUT)
        steps = {
            loss: stepper(build(loss, checkpoint), SIZE, NUM_CLASSES) for loss in losses
        }
        student = build('jml-kd', checkpoint)
        images = torch.randn(SIZE[0], 3, *SIZE[1:]).to(
            next(student.parameters()).device
        )
        steps['teacher'] = lambda: student.teacher.logits(student, images, SIZE[1:])
        times = interleaved(steps, args.rounds, 600.0, lambda _: None)
    median = {name: statistics.median(values) for name, values in times.items()}
    print('| loss | step | without a teacher | teacher | losses | share |')
    print('| --- | --- | --- | --- | --- | --- |')
    for loss, plain in WITHOUT.items():
        rest = median[loss] - median[plain] - median['teacher']
        cells = [median[loss], median[plain], median['teacher'], rest]
        cells = [f'{1e3 * value:.0f} ms' for value in cells]
        share = f'{100 * rest / median[loss]:.1f} %'
        print(f'| {loss} | ' + ' | '.join(cells) + f' | {share} |')
    if args.out:
        args.out.write_text(json.dumps(median, indent=1))


if __name__ == '__main__':
    main()
