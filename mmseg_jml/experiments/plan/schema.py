"""What the keys of a plan may hold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import yaml


def require(right: object, name: str, allowed: str, value: object) -> None:
    """Refuse a value.

    Raises:
        ValueError: `right` is false; the message says what is allowed and what came.
    """
    if not right:
        raise ValueError(f'`{name}` must be {allowed}, got {value!r}')


def mapping_of(found: Any, allowed: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A mapping with some of the allowed keys, each of its type."""
    require(isinstance(found, dict), where, f'a mapping of {list(allowed)}', found)
    for key, value in found.items():
        require(key in allowed, where, f'of the keys {list(allowed)}', key)
        kinds = allowed[key] if isinstance(allowed[key], tuple) else (allowed[key],)
        expected = ' or '.join(kind.__name__ for kind in kinds)
        require(type(value) in kinds, f'{where}.{key}', f'of type {expected}', value)
    return found


def numbers_of(
    found: Mapping[str, Any], key: str, default: Any, prefix: str = ''
) -> tuple[int, ...]:
    """A list of different whole numbers, `default` where the key is missing."""
    if key not in found:
        return default
    numbers = found[key]
    right = numbers and all(type(n) is int and n >= 0 for n in numbers)
    require(
        right and len(set(numbers)) == len(numbers),
        f'{prefix}{key}',
        'different whole numbers of 0 or more',
        numbers,
    )
    return tuple(numbers)


def flatten(nested: Mapping[str, Any], name: str, prefix: str = '') -> dict[str, Any]:
    """Dotted keys for nested ones.

    >>> flatten({'train_cfg': {'max_iters': 10}, 'model.type': 'A'}, 'overrides')
    {'train_cfg.max_iters': 10, 'model.type': 'A'}

    Raises:
        ValueError: a value that a command line cannot carry.
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        require(isinstance(key, str), name, 'keys of letters', key)
        if isinstance(value, dict):
            flat |= flatten(value, name, f'{prefix}{key}.')
        else:
            require(
                _is_plain(value),
                f'{name}.{prefix}{key}',
                'a number, a word, true, false, null or a list of such: more needs a '
                'config of its own',
                value,
            )
            flat[f'{prefix}{key}'] = value
    return flat


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


class UniqueKeys(yaml.SafeLoader):
    """Refuses what YAML's loader takes: the last of two equal keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        double = [str(key) for key in keys if keys.count(key) > 1]
        require(not double, ''.join(double[:1]), 'given once', 'it twice')
        return super().construct_mapping(node, deep)
