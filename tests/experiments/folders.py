"""Folders as trainings and tests leave them, without either."""

import csv
import json

import numpy as np

CLASSES = ('sky', 'road', 'car')


def write_log(run, steps, *, attempt='20260101_000000', seconds=0.5, val=(), **metrics):
    """One attempt's scalars: a line at each step, with `metrics` as functions of it."""
    lines = [
        {
            'lr': 0.1,
            'loss': 100 / step,
            'time': seconds,
            'iter': step,
            'step': step,
            **{name: values(step) for name, values in metrics.items()},
        }
        for step in steps
    ]
    lines += [{'mIoU': mean, 'time': 9.0, 'step': step} for step, mean in val]
    path = run / attempt / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    return path


def areas_of(seed, pictures=20, classes=CLASSES, skill=0.7, pixels=1000):
    """Intersections and unions (N,C) of predictions that are right by `skill`.

    The label's areas are the same for every seed, so that the test set is.
    """
    shares = np.random.default_rng(99).dirichlet(np.ones(len(classes)), pictures)
    label = np.stack([np.random.default_rng(7).multinomial(pixels, s) for s in shares])
    rng = np.random.default_rng(seed)
    right = rng.binomial(label, skill)
    wrong = [
        rng.multinomial(n, np.ones(len(classes)) / len(classes))
        for n in (label - right).sum(1)
    ]
    # A wrong pixel may land in its own class: then it is right after all.
    extra = np.minimum(wrong, label - right) // 4
    predicted = right + wrong
    right = right + extra
    return right, predicted + label - right


def write_test(
    run, scalars, areas=None, *, attempt='20260102_000000', names=None, classes=CLASSES
):
    """A test's result, and its counts of pictures."""
    folder = run / 'test' / attempt
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{attempt}.json').write_text(json.dumps(scalars))
    if areas is None:
        return folder
    intersection, union = (np.asarray(each) for each in areas)
    names = names or [f'{i:03}.png' for i in range(len(union))]
    with (folder / 'calib_per_image.csv').open('w', newline='') as file:
        rows = csv.writer(file)
        kinds = ('intersection', 'union')
        rows.writerow(['name', *(f'{k}.{c}' for c in classes for k in kinds), 'mIoU'])
        for i, name in enumerate(names):
            pairs = zip(intersection[i], union[i], strict=True)
            rows.writerow([name, *(n for pair in pairs for n in pair), 1.5])
    return folder


def write_run(run, areas, *, ece=3.0, classes=CLASSES, **options):
    """A finished run: a log, and a test whose figures are those of its counts."""
    write_log(run, range(50, 201, 50), val=[(100, 20.0), (200, 30.0)])
    intersection, union = (np.asarray(each, float) for each in areas)
    total = intersection.sum(0), union.sum(0)
    pixels = (union.sum() + intersection.sum()) / 2
    scalars = {
        'calib/Acc': 100 * intersection.sum() / pixels,
        'mIoU': 100 * np.nanmean(total[0] / total[1]),
        'calib/ECE': ece,
        'calib/BECE': 5 * ece,
    }
    write_test(run, scalars, areas, classes=classes, **options)
    return scalars
