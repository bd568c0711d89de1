"""The checks of the keys and values of a plan."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

import yaml

from ...suggestion import did_you_mean


def require(right: object, name: str, allowed: str, value: object) -> None:
    """Raise unless a value is allowed.

    Raises:
        ValueError: `right` is false; the message says what is allowed.
    """
    if not right:
        raise ValueError(f'`{name}` must be {allowed}, got {value!r}')


def require_one_of(value: object, allowed: Collection[object], name: str) -> None:
    """Raise unless a value is one of those that are allowed.

    Raises:
        ValueError: it is not; the message suggests the nearest allowed value.
    """
    if value not in allowed:
        raise ValueError(
            f'`{name}` must be one of {list(allowed)}, got {value!r}'
            f'{did_you_mean(value, allowed)}'
        )


def mapping_of(
    found: Any, allowed: Mapping[str, Any], where: str = ''
) -> dict[str, Any]:
    """Check that a mapping has only allowed keys, with values of the right type.

    Raises:
        ValueError: it does not; `where` is the key of the mapping, '' for the plan.
    """
    place, keys = f'`{where}`' if where else 'the plan', ', '.join(allowed)
    if not isinstance(found, dict):
        raise ValueError(
            f'{place} must be a mapping with the keys {keys}; got {found!r}'
        )
    for key, value in found.items():
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            raise ValueError(
                f'unknown key {key!r} in {place}{hint}; allowed keys: {keys}'
            )
        kinds = allowed[key] if isinstance(allowed[key], tuple) else (allowed[key],)
        expected = ' or '.join(kind.__name__ for kind in kinds)
        name = f'{where}.{key}'.removeprefix('.')
        require(type(value) in kinds, name, f'of type {expected}', value)
    return found


def numbers_of(
    found: Mapping[str, Any], key: str, default: Any, prefix: str = ''
) -> tuple[int, ...]:
    """A list of different whole numbers, or `default` if the key is missing."""
    if key not in found:
        return default
    numbers = found[key]
    right = numbers and all(type(n) is int and n >= 0 for n in numbers)
    require(
        right and len(set(numbers)) == len(numbers),
        f'{prefix}{key}',
        'a list of different whole numbers that are not negative',
        numbers,
    )
    return tuple(numbers)


def flatten(nested: Mapping[str, Any], name: str, prefix: str = '') -> dict[str, Any]:
    """Replace nested keys with dotted ones.

    >>> flatten({'train_cfg': {'max_iters': 10}, 'model.type': 'A'}, 'overrides')
    {'train_cfg.max_iters': 10, 'model.type': 'A'}

    Raises:
        ValueError: a value cannot be passed on a command line.
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        require(isinstance(key, str), name, 'a mapping whose keys are strings', key)
        if isinstance(value, dict):
            flat |= flatten(value, name, f'{prefix}{key}.')
        else:
            require(
                _is_plain(value),
                f'{name}.{prefix}{key}',
                'a number, a string, true, false, null or a list of these (write any '
                'other value in a config file)',
                value,
            )
            flat[f'{prefix}{key}'] = value
    return flat


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


class UniqueKeys(yaml.SafeLoader):
    """A loader that rejects a repeated key, of which YAML's own keeps the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Build the mapping of a node."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        double = [str(key) for key in keys if keys.count(key) > 1]
        if double:
            raise ValueError(f'the key {double[0]!r} is given twice; give it once')
        return super().construct_mapping(node, deep)
