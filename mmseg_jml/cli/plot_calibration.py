"""Compare runs: what `tools/plot_calibration.py` runs. No model is needed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from ..files import walk_files, whole_file
from ..shipped import find_config
from .launch import errors_as_sentence, prepare_mmseg
from .parser import Parser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..functional import BinTable

BINS = '*_bins.csv'


def run_plot(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Draw as the command line `argv` says."""
    args = _parser(prog).parse_args(argv)
    with errors_as_sentence():
        figure = args.draw(args)
    with whole_file(args.out) as temporary:
        figure.savefig(temporary)
    print(args.out)
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(prog=prog, description='Several runs side by side, as one picture.')
    kinds = parser.add_subparsers(required=True, metavar='KIND')
    bins = kinds.add_parser('reliability', help='reliability diagrams')
    bins.add_argument(
        'runs',
        nargs='+',
        metavar='NAME=PATH',
        help='a name to show, and a CSV that CalibrationHook wrote, or a work dir: its '
        'newest one',
    )
    bins.add_argument(
        '--split',
        choices=('val', 'test'),
        help='which figures to take of a work dir (default: those that it has)',
    )
    bins.add_argument(
        '--mixed',
        action='store_true',
        help='draw runs that were measured on different images',
    )
    bins.add_argument(
        '--pixels',
        nargs='+',
        default=['all', 'boundary'],
        metavar='WHICH',
        help='rows of the picture, as the CSV names them (default: all boundary)',
    )
    bins.add_argument('--out', type=Path, default=Path('reliability.png'))
    bins.set_defaults(draw=reliability)
    maps = kinds.add_parser('maps', help="one picture's confidence in each run")
    maps.add_argument('picture', type=Path)
    maps.add_argument(
        'runs',
        nargs='+',
        metavar='NAME=NPZ',
        help='a name to show, and what `predict --format npz` made of the picture',
    )
    maps.add_argument(
        '--config',
        help='read the picture with the loader of the test pipeline of this config '
        '(default: LoadImageFromFile without options)',
    )
    maps.add_argument('--out', type=Path, default=Path('maps.png'))
    maps.set_defaults(draw=maps_of_runs)
    return parser


def parse_runs(words: Sequence[str]) -> dict[str, Path]:
    """Paths by the name of their run, from NAME=PATH.

    Raises:
        ValueError: A word has no name, or two have the same.
    """
    runs: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition('=')
        if not (name and equals and path):
            raise ValueError(f'a run must be NAME=PATH, got {word!r}')
        if name in runs:
            raise ValueError(f'two runs have the name {name!r}')
        runs[name] = Path(path)
    return runs


def bins_file(path: Path, split: str | None = None) -> Path:
    """The CSV of a run: `path` itself, or the newest of the split below a work dir.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are some of val and of test, and `split` is not given.
    """
    if not path.is_dir():
        return path
    pattern = f'{split or ""}{BINS}'
    files = [file for file in walk_files(path).files if file.match(pattern)]
    found = sorted(filter(Path.is_file, files), key=lambda file: file.stat().st_mtime)
    if not found:
        raise FileNotFoundError(
            f'no {pattern} in {path} or below: test the run with a CalibrationHook'
        )
    if len({split_of(file) for file in found}) > 1:
        raise ValueError(
            f'{path} holds figures of the val split and of the test split: say '
            '`--split val` or `--split test`, or name the file'
        )
    return found[-1]


def split_of(file: Path) -> str | None:
    """The split that CalibrationHook measured, by the name that it gives to files."""
    split = file.name.partition('_')[0]
    return split if split in ('val', 'test') else None


def require_same_images(
    files: Mapping[str, Path], tables: Mapping[str, Mapping[str, BinTable]]
) -> None:
    """Refuse figures that no difference between the runs explains.

    Raises:
        ValueError: They are of different splits, or of other numbers of pixels.
    """
    splits = {name: split_of(file) for name, file in files.items()}
    pixels = {
        name: int(of_run['all'].count.sum())
        for name, of_run in tables.items()
        if 'all' in of_run
    }
    known = {name: split for name, split in splits.items() if split}
    for what, found in (('split', known), ('number of labelled pixels', pixels)):
        if len(set(found.values())) > 1:
            told = ', '.join(f'{name}: {value}' for name, value in found.items())
            raise ValueError(
                f'the runs were not measured on the same images; their {what} differs '
                f'({told}). Give figures of one data set, or say `--mixed`'
            )


def reliability(args: argparse.Namespace) -> Figure:
    """One column a run, one row for each kind of pixels.

    Raises:
        ValueError: A run's file does not hold the pixels that were asked for, or is of
            other images than another's.
    """
    from ..visualization import read_bin_tables, reliability_diagram

    files = {
        name: bins_file(path, args.split)
        for name, path in parse_runs(args.runs).items()
    }
    for name, file in files.items():
        print(f'{name}: {file}')
    tables = {name: read_bin_tables(file) for name, file in files.items()}
    for name, of_run in tables.items():
        missing = [pixels for pixels in args.pixels if pixels not in of_run]
        if missing:
            raise ValueError(
                f'{files[name]} has no {missing}, `--pixels` may be of {list(of_run)}'
            )
    if not args.mixed:
        require_same_images(files, tables)
    panels = {
        f'{name}: {pixels}': of_run[pixels]
        for pixels in args.pixels
        for name, of_run in tables.items()
    }
    return reliability_diagram(panels, columns=len(files))


def maps_of_runs(args: argparse.Namespace) -> Figure:
    """The picture, then prediction and confidence of each run.

    Raises:
        ValueError: A file holds no predictions, or those of other classes than the
            first run's.
    """
    from ..visualization import prediction_sheet

    picture = _read(args.picture, args.config)
    paths = parse_runs(args.runs)
    runs = {name: _load(path) for name, path in paths.items()}
    first = next(iter(runs.values()))
    for name, maps in runs.items():
        if maps['classes'].tolist() != first['classes'].tolist():
            raise ValueError(f'{paths[name]} is of other classes than the first run')
    return prediction_sheet(
        [picture],
        None,
        {name: [(m['prediction'], m['confidence'])] for name, m in runs.items()},
        classes=first['classes'].tolist(),
        palette=first['palette'].tolist(),
    )


def _read(picture: Path, config: str | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, as the pipeline reads it that the maps were made with."""
    prepare_mmseg()
    from mmengine.config import Config

    from ..datasets.reading import Reader
    from .predict import unlabelled_pipeline

    pipeline = []
    if config:
        pipeline = unlabelled_pipeline(Config.fromfile(find_config(config)))
    return Reader(pipeline).rgb({'img_path': str(picture)})


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open('rb') as opened, np.load(opened, allow_pickle=False) as file:
            return {
                key: file[key]
                for key in ('prediction', 'confidence', 'classes', 'palette')
            }
    except (KeyError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f'{path} is not what `predict --format npz` writes: {error}'
        ) from error
