"""The bins of reliability diagrams as CSV files, and back."""

import csv
from collections.abc import Mapping
from pathlib import Path

import torch

from ..files import write_csv
from ..functional.calibration import BinTable

EXACT = ('count', 'correct', 'confidence_sum')
COLUMNS = ('pixels', 'bin', 'low', 'high', *EXACT, 'accuracy', 'confidence', 'gap')


def write_bin_tables(path: str | Path, tables: Mapping[str, BinTable]) -> None:
    """Write one row a bin: its range, counts, accuracy, mean confidence and their gap.

    Args:
        path: The file; one that is there stays whole until it is replaced.
        tables: Bins by the name of the pixels that they hold.

    Ranges, accuracy, confidence and gap (confidence - accuracy) are fractions, and the
    last three stay blank where a bin is empty; `count`, `correct` and `confidence_sum`
    are exact, so that tables of several files can be added up.

    >>> import tempfile
    >>> count, correct = torch.tensor([0, 4]), torch.tensor([0, 3])
    >>> table = BinTable(count, torch.tensor([0.0, 3.5]).double(), correct)
    >>> path = Path(tempfile.mkdtemp()) / 'bins.csv'
    >>> write_bin_tables(path, {'all': table})
    >>> print(path.read_text().splitlines()[2])
    all,1,0.5,1.0,4,3,3.5,0.75,0.875,0.125
    """
    rows = (row for name, table in tables.items() for row in _rows(name, table))
    write_csv(Path(path), [COLUMNS, *rows])


def _rows(name: str, table: BinTable) -> list[list]:
    counts, correct, confidence = (
        values.tolist() for values in (table.count, table.correct, table.confidence)
    )
    bins = len(counts)
    rows = []
    for index in range(bins):
        row = [name, index, index / bins, (index + 1) / bins]
        row += [counts[index], correct[index], confidence[index]]
        if counts[index]:
            accuracy = correct[index] / counts[index]
            mean = confidence[index] / counts[index]
            row += [accuracy, mean, mean - accuracy]
        else:
            row += ['', '', '']
        rows.append(row)
    return rows


def read_bin_tables(path: str | Path) -> dict[str, BinTable]:
    """Read what `write_bin_tables` wrote: bins by the name of their pixels, exact.

    Raises:
        ValueError: The file is no such table.
        FileNotFoundError: There is no such file.
    """
    found: dict[str, list[tuple[int, float, int]]] = {}
    with Path(path).open(newline='', encoding='utf-8') as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f'{path} must have the columns {",".join(COLUMNS)}, '
                f'got {",".join(reader.fieldnames or ())!r}'
            )
        try:
            for row in reader:
                bins = found.setdefault(row['pixels'], [])
                count, correct, confidence = (row[column] for column in EXACT)
                bins.append((int(count), float(confidence), int(correct)))
        except (TypeError, ValueError) as error:
            raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
    return {name: _table(bins) for name, bins in found.items()}


def _table(bins: list[tuple[int, float, int]]) -> BinTable:
    counts, confidence, correct = zip(*bins, strict=True)
    return BinTable(
        torch.tensor(counts),
        torch.tensor(confidence, dtype=torch.float64),
        torch.tensor(correct),
    )
