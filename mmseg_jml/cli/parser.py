"""The argument parser of every command: it suggests what was probably meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

UNKNOWN_FLAGS = 'unrecognized arguments: '


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that answers a misspelled flag or choice with the nearest."""

    def error(self, message: str) -> NoReturn:
        """End with the usage and `message`, and the flags nearest to unknown ones."""
        if message.startswith(UNKNOWN_FLAGS):
            words = message.removeprefix(UNKNOWN_FLAGS).split()
            unknown = [word.split('=')[0] for word in words if word.startswith('-')]
            message += ''.join(did_you_mean(word, self._flags()) for word in unknown)
        super().error(message)

    def _flags(self) -> list[str]:
        """The long flags of this parser and of those below it."""
        flags = [flag for flag in self._option_string_actions if flag[:2] == '--']
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    flags += parser._flags()
        return flags

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            hint = did_you_mean(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f'{error.message}{hint}') from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known word nearest to `word`, '' if none is near.

    >>> did_you_mean('--work_dir', ['--work-dir', '--resume'])
    '; did you mean --work-dir?'
    >>> did_you_mean('--zzz', ['--work-dir', '--resume'])
    ''
    """
    near = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean {near[0]}?' if near else ''
