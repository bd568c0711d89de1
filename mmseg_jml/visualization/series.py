"""How lines and points of several series are told apart, with any colour vision."""

from collections.abc import Iterable

# Okabe and Ito's colours, with wine in place of yellow, which is faint on white.
COLOURS = (
    '#0072B2',
    '#D55E00',
    '#009E73',
    '#CC79A7',
    '#E69F00',
    '#56B4E9',
    '#882255',
    '#000000',
)
LINES = ('-', '--', '-.', ':')
# Inches of a legend of 9 points: what stands before a name, and a line of names.
HANDLE_WIDTH, NAME_HEIGHT = 0.7, 0.22
MARKERS = 'osD^vPX'  # as many as make a pair with a colour new for longest


def colour(index: int) -> str:
    """The colour of a series.

    >>> colour(0), colour(8) == colour(0)
    ('#0072B2', True)
    """
    return COLOURS[index % len(COLOURS)]


def line(index: int) -> str:
    """The line of a series: it changes where the colours begin again.

    >>> line(7), line(8)
    ('-', '--')
    """
    return LINES[index // len(COLOURS) % len(LINES)]


def marker(index: int) -> str:
    """The marker of a series.

    >>> marker(1)
    's'
    """
    return MARKERS[index % len(MARKERS)]


def name_width(names: Iterable[str]) -> float:
    """About the width of the longest name in a legend, in inches.

    >>> name_width(['CE', 'JML-BLS'])
    0.56
    """
    return 0.08 * max(map(len, names))
