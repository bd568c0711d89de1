"""The command `plot-calibration`, which compares runs and needs no model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from ..files import walk_files, whole_file
from ..shipped import find_config
from ..suggestion import did_you_mean
from .launch import errors_as_sentence, prepare_mmseg
from .parser import Parser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..functional import BinTable

BINS = '*_bins.csv'


def run_plot(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Draw a figure with the arguments `argv`."""
    args = _parser(prog).parse_args(argv)
    with errors_as_sentence():
        figure = args.draw(args)
    with whole_file(args.out) as temporary:
        figure.savefig(temporary)
    print(args.out)
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(prog=prog, description='Compare several runs in one figure.')
    kinds = parser.add_subparsers(required=True, metavar='KIND')
    bins = kinds.add_parser('reliability', help='reliability diagrams')
    bins.add_argument(
        'runs',
        nargs='+',
        metavar='NAME=PATH',
        help='the name to show, and a CSV file from CalibrationHook or a work dir, '
        'whose newest such file is used',
    )
    bins.add_argument(
        '--split',
        choices=('val', 'test'),
        help='the split to read from a work dir (default: the only one in it)',
    )
    bins.add_argument(
        '--mixed',
        action='store_true',
        help='allow runs that were measured on different images',
    )
    bins.add_argument(
        '--pixels',
        nargs='+',
        default=['all', 'boundary'],
        metavar='WHICH',
        help='the rows of the figure, named as in the CSV file (default: all boundary)',
    )
    bins.add_argument(
        '--out',
        type=Path,
        default=Path('reliability.png'),
        help='the file of the figure (default: %(default)s)',
    )
    bins.set_defaults(draw=reliability)
    maps = kinds.add_parser('maps', help="an image and each run's confidence")
    maps.add_argument('picture', type=Path, metavar='IMAGE', help='the image file')
    maps.add_argument(
        'runs',
        nargs='+',
        metavar='NAME=NPZ',
        help='the name to show, and the file that `predict --format npz` wrote',
    )
    maps.add_argument(
        '--config',
        help='read the image as the test pipeline of this config does (default: '
        'LoadImageFromFile without options)',
    )
    maps.add_argument(
        '--out',
        type=Path,
        default=Path('maps.png'),
        help='the file of the figure (default: %(default)s)',
    )
    maps.set_defaults(draw=maps_of_runs)
    return parser


def parse_runs(words: Sequence[str]) -> dict[str, Path]:
    """The path of each run by its name, from arguments NAME=PATH.

    Raises:
        ValueError: An argument has no name, or two have the same name.
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
    """The CSV file of a run: `path` itself, or the newest of the split in a work dir.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are files for both val and test, and `split` is not given.
    """
    if not path.is_dir():
        return path
    pattern = f'{split or ""}{BINS}'
    files = [file for file in walk_files(path).files if file.match(pattern)]
    found = sorted(filter(Path.is_file, files), key=lambda file: file.stat().st_mtime)
    if not found:
        raise FileNotFoundError(
            f'there is no {pattern} in {path} or its subfolders: test the run with a '
            'CalibrationHook'
        )
    if len({split_of(file) for file in found}) > 1:
        raise ValueError(
            f'{path} has results for both the val split and the test split: add '
            '`--split val` or `--split test`, or give the path of a CSV file'
        )
    return found[-1]


def split_of(file: Path) -> str | None:
    """The split that CalibrationHook measured, from the name of its file."""
    split = file.name.partition('_')[0]
    return split if split in ('val', 'test') else None


def require_same_images(
    files: Mapping[str, Path], tables: Mapping[str, Mapping[str, BinTable]]
) -> None:
    """Raise if the runs were not measured on the same images.

    Raises:
        ValueError: Their splits or their numbers of pixels differ.
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
                f'({told}). Compare runs on one dataset, or add `--mixed`'
            )


def reliability(args: argparse.Namespace) -> Figure:
    """One column for each run, and one row for each kind of pixels.

    Raises:
        ValueError: The file of a run lacks pixels that were asked for, or runs were
            measured on different images.
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
                f'`--pixels` must be some of {list(of_run)}, which are in '
                f'{files[name]}, got {missing[0]!r}{did_you_mean(missing[0], of_run)}'
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
    """The image, then the prediction and the confidence of each run.

    Raises:
        ValueError: A file has no predictions, or the classes of the runs differ.
    """
    from ..visualization import prediction_sheet

    picture = _read(args.picture, args.config)
    paths = parse_runs(args.runs)
    runs = {name: _load(path) for name, path in paths.items()}
    first = next(iter(runs.values()))
    for name, maps in runs.items():
        if maps['classes'].tolist() != first['classes'].tolist():
            raise ValueError(
                f'the classes in {paths[name]} differ from those of the first run'
            )
    return prediction_sheet(
        [picture],
        None,
        {name: [(m['prediction'], m['confidence'])] for name, m in runs.items()},
        classes=first['classes'].tolist(),
        palette=first['palette'].tolist(),
    )


def _read(picture: Path, config: str | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, as the pipeline that made the maps reads it."""
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
            f'{path} is not a file from `predict --format npz`: {error}'
        ) from error
