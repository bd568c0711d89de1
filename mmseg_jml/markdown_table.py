"""Tables as Markdown, whatever their cells hold."""

from collections.abc import Sequence


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, padded: bool = False
) -> str:
    """A Markdown table.

    With `padded` the cells of a column are equally wide, which reads well on a screen,
    and all columns but the first are flush right, as numbers should be.

    >>> print(table(['a', 'b'], [['1', 'x|y']]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    >>> print(table(['class', '%'], [['car', '12.5']], padded=True))
    | class |    % |
    | ----- | ---: |
    | car   | 12.5 |
    """
    lines = [[_cell(each) for each in line] for line in (head, *rows)]
    if not padded:
        return '\n'.join(map(_line, [lines[0], ['---'] * len(head), *lines[1:]]))
    widths = [max(map(len, column), default=0) for column in zip(*lines, strict=True)]
    rules = ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])]
    lines = [
        [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]
        for line in lines
    ]
    return '\n'.join(map(_line, [lines[0], rules, *lines[1:]]))


def _cell(text: str) -> str:
    """A text that ends neither its cell nor its row."""
    return ' '.join(text.split('\n')).replace('|', '\\|')


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
