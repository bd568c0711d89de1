"""What a benchmark is to run."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training of the comparison, to be repeated over seeds or folds."""

    name: str
    title: str
    config: str
    overrides: dict[str, Any] = field(default_factory=dict)
    teacher: str | None = None
    swept: dict[str, Any] = field(default_factory=dict)
    paper: str | None = None
    seeds: tuple[int, ...] | None = None
    family: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What was swept: the name of the axis and its values."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Cells to train and test, each once for each seed and fold."""

    name: str
    baseline: str | None = None
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()
    sweep: Sweep | None = None
    paper: str | None = None
    description: str = ''

    def seeds_of(self, cell: Cell) -> tuple[int | None, ...]:
        """The seeds of a cell; (None,) is the config's own."""
        return (self.seeds if cell.seeds is None else cell.seeds) or (None,)
