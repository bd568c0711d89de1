"""The argument parser that every command uses. It suggests what was meant."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from ..suggestion import did_you_mean

UNKNOWN_FLAGS = 'unrecognized arguments: '


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that suggests the nearest flag or choice for an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Exit with the usage and the message, and suggest a flag for unknown ones."""
        if message.startswith(UNKNOWN_FLAGS):
            words = message.removeprefix(UNKNOWN_FLAGS).split()
            unknown = [word.split('=')[0] for word in words if word.startswith('-')]
            message += ''.join(did_you_mean(word, self._flags()) for word in unknown)
        super().error(message)

    def _flags(self) -> list[str]:
        """The long flags of this parser and of its subcommands."""
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
            hint = did_you_mean(value, action.choices or ())
            raise argparse.ArgumentError(action, f'{error.message}{hint}') from None
