"""Parse `--cfg-options KEY=VALUE` with MMEngine's syntax, but keep spaces in values.

MMEngine's own `DictAction` deletes every space, so `data_root=data/my city` would read
the folder `data/mycity`. Importing it also takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

QUOTES = '\'"'
CLOSING = {'(': ')', '[': ']'}
CONSTANTS = {'true': True, 'false': False}


class ConfigOptions(argparse.Action):
    """Collect arguments KEY=VALUE in a dictionary; the flag may be used repeatedly."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the arguments to the namespace, or exit with an error message."""
        found = dict(getattr(namespace, self.dest, None) or {})
        for word in values or ():
            key, equals, text = word.partition('=')
            if not (key.strip() and equals):
                parser.error(_no_pair(word, option_string))
            try:
                found[key.strip()] = read_value(text)
            except ValueError as error:
                parser.error(f'{option_string} {key}: {error}')
        setattr(namespace, self.dest, found)


def _no_pair(word: str, flag: str | None) -> str:
    return (
        f'{flag} takes arguments of the form KEY=VALUE, got {word!r}. Write them '
        'without spaces around the equals sign, put a value that has spaces in '
        f'quotation marks, and put the config and other arguments before {flag}.'
    )


def read_value(text: str) -> Any:
    """The value of an option: a number, True, False, None, a list, a tuple or a string.

    A list is written with commas or in brackets, which may be nested. Spaces around an
    element are ignored, and spaces inside it are kept.

    >>> read_value('data/my city'), read_value('car, traffic light')
    ('data/my city', ['car', 'traffic light'])
    >>> read_value('[(1, 0.5), None, "a"]')
    [(1, 0.5), None, 'a']

    Raises:
        ValueError: The brackets do not match.
    """
    # A quotation mark never makes a number a string, and may stand at one end alone.
    inner = text.strip().strip(QUOTES)
    bare = inner.strip()
    if bare[:1] in CLOSING and bare.endswith(CLOSING[bare[0]]) and _is_one(bare):
        values = [read_value(each) for each in _elements(bare[1:-1])]
        return tuple(values) if bare[0] == '(' else values
    if ',' in bare:
        return [read_value(each) for each in _elements(bare)]
    return _scalar(inner)


def _is_one(text: str) -> bool:
    """Whether the first bracket is closed by the last one: not in '(1),(2)'."""
    depths = [depth for _, depth in _depths(text)]
    return 0 not in depths[:-1]


def _elements(text: str) -> list[str]:
    """The parts between the commas that are outside of brackets."""
    commas = [i for i, depth in _depths(text) if text[i] == ',' and depth == 0]
    ends = [*commas, len(text)]
    starts = [0, *(comma + 1 for comma in commas)]
    parts = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return parts if parts[-1].strip() else parts[:-1]  # a comma may end a list


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Each character's index, and how many brackets are open after it."""
    expected: list[str] = []
    for index, character in enumerate(text):
        if character in CLOSING:
            expected.append(CLOSING[character])
        elif character in CLOSING.values() and (
            not expected or expected.pop() != character
        ):
            break
        yield index, len(expected)
    else:
        if not expected:
            return
    raise ValueError(f'the brackets of {text!r} do not match')


def _scalar(text: str) -> Any:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    bare = text.strip()
    return None if bare == 'None' else CONSTANTS.get(bare.lower(), text)
