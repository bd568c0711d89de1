"""Refusals of bad options: what is wrong, what is allowed, what came."""

import math
from numbers import Integral, Real

from torch import Tensor


def check_number(
    name: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse a number outside [low, high], or outside the open end where one is asked.

    Raises:
        TypeError: not a real number.
        ValueError: not finite, or outside the range.

    >>> check_number('epsilon', 0.5, 0, 1)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'`{name}` must be a number, got {value!r}')
    number = float(value)  # of NumPy's scalars too
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (above and below and math.isfinite(number)):
        left, right = '(' if open_low else '[', ')' if open_high else ']'
        if math.isinf(high):
            allowed = f'a finite number {">" if open_low else ">="} {low:g}'
        else:
            allowed = f'in {left}{low:g}, {high:g}{right}'
        raise ValueError(f'`{name}` must be {allowed}, got {value!r}')


def check_int(name: str, value: object, low: float = -math.inf) -> None:
    """Refuse what is no integer, or one below `low`.

    Raises:
        TypeError: not an int, or a bool.
        ValueError: below `low`.

    >>> check_int('num_bins', 10, 1)
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'`{name}` must be an int, got {value!r}')
    if int(value) < low:
        raise ValueError(f'`{name}` must be at least {low}, got {value}')


def check_bool(name: str, value: object) -> None:
    """Refuse anything but True and False.

    >>> check_bool('use_sigmoid', False)
    """
    if not isinstance(value, bool):
        raise TypeError(f'`{name}` must be True or False, got {value!r}')


def check_label(label: Tensor) -> None:
    """Refuse a hard label that is not made of integers."""
    if label.is_floating_point() or label.is_complex():
        raise TypeError(
            f'`label` must be an integer tensor, got {label.dtype}; convert class ids '
            'with `label.long()`'
        )
