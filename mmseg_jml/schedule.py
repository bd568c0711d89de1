"""Change the length of a training run, and everything that counts its iterations.

If only `train_cfg.max_iters` is changed, the learning rate still follows the schedule
of the original length, and so do the intervals of checkpoints and validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What MMEngine's schedulers count in iterations, if `by_epoch` is False.
COUNTED = ('begin', 'end', 'T_max', 'step_size', 'total_steps', 'milestones', 'periods')
HOOKS = {
    'CheckpointHook': ('interval', 'save_begin'),
    'LoggerHook': ('interval',),
    'PseudoLabelHook': ('interval',),
    'EMAHook': ('begin_iter',),
}
FOREVER = 10**9  # MMEngine's `end` where none is given


def change_length(cfg: dict[str, Any], max_iters: int) -> None:
    """Change the number of iterations, and scale everything in proportion.

    These are multiplied by the ratio of the new length to the old one, and rounded:
    `train_cfg.val_interval`, `val_begin` and `dynamic_intervals`; `begin`, `end` and
    similar settings of every scheduler that counts iterations; the intervals of
    checkpoints and of the log; `begin_iter` of an EMAHook; `model.ramp_up` of a
    semi-supervised model. A scheduler without any iteration left, such as a short
    warm-up, is removed.

    >>> cfg = {
    ...     'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 100},
    ...     'param_scheduler': [{'type': 'PolyLR', 'by_epoch': False, 'end': 100}],
    ... }
    >>> change_length(cfg, 10)
    >>> cfg['train_cfg']['max_iters'], cfg['param_scheduler'][0]['end']
    (10, 10)

    Raises:
        ValueError: `max_iters` is not positive, or the config counts epochs.
    """
    train = cfg.get('train_cfg') or {}
    if isinstance(max_iters, bool) or not isinstance(max_iters, int) or max_iters < 1:
        raise ValueError(
            f'`max_iters` must be a whole number that is at least 1, got {max_iters!r}'
        )
    if train.get('max_iters') is None:
        raise ValueError(
            '`max_iters` can only be used with a config that sets '
            '`train_cfg.max_iters`; this one has '
            f'train_cfg.type={train.get("type")!r} and '
            f'max_epochs={train.get("max_epochs")!r}. Change `train_cfg.max_epochs` '
            'and the schedulers in the config instead'
        )
    scale = _Scale(train['max_iters'], max_iters)
    train['max_iters'] = max_iters
    scale.values(train, ('val_interval',), least=1)
    scale.values(train, ('val_begin',), least=1)
    if train.get('dynamic_intervals'):
        train['dynamic_intervals'] = [
            (scale(begin, 0), scale(interval, 1))
            for begin, interval in train['dynamic_intervals']
        ]
    if cfg.get('param_scheduler'):
        cfg['param_scheduler'] = _schedulers(cfg['param_scheduler'], scale)
    for hook, keys in _hooks(cfg):
        scale.values(hook, keys, least=1)
    scale.values(cfg.get('model') or {}, ('ramp_up',), least=0)


def remark_on_length(cfg: dict[str, Any]) -> str | None:
    """A warning if the learning rate schedule has another length, else None."""
    length = (cfg.get('train_cfg') or {}).get('max_iters')
    ends = [
        each['end']
        for each in _listed(cfg.get('param_scheduler'))
        if _counts_iterations(each) and each.get('end', FOREVER) < FOREVER
    ]
    if not length or not ends or max(ends) == length:
        return None
    return (
        f'training ends after {length} iterations (`train_cfg.max_iters`), but the '
        f'learning rate schedule ends after {max(ends)} (`end` in `param_scheduler`). '
        'To change the length of both, use the flag `--max-iters` of `train`, or '
        '`max_iters` in a plan'
    )


class _Scale:
    """Multiplies iteration counts by the ratio of the new length to the old one."""

    def __init__(self, before: int, after: int) -> None:
        self.before, self.after = before, after

    def __call__(self, count: int, least: int) -> int:
        if count >= FOREVER:
            return count
        # In whole numbers, half up: 0.5 would be rounded to the even number.
        return max((2 * count * self.after + self.before) // (2 * self.before), least)

    def values(self, mapping: Any, keys: tuple[str, ...], least: int) -> None:
        for key in keys:
            found = mapping.get(key)
            if isinstance(found, list | tuple):
                mapping[key] = [self(each, least) for each in found]
            elif isinstance(found, int | float) and found > 0:
                mapping[key] = self(int(found), least)


def _listed(schedulers: Any) -> list[Any]:
    if isinstance(schedulers, dict):
        if 'type' in schedulers:
            return [schedulers]
        return [each for part in schedulers.values() for each in _listed(part)]
    return list(schedulers or [])


def _schedulers(found: Any, scale: _Scale) -> Any:
    if isinstance(found, dict) and 'type' not in found:  # of several optimizers
        return {name: _schedulers(part, scale) for name, part in found.items()}
    kept = []
    for each in _listed(found):
        if _counts_iterations(each):
            scale.values(each, COUNTED, least=0)
            for key in ('T_max', 'step_size', 'total_steps'):
                if key in each:
                    each[key] = max(each[key], 1)
            if 'gamma' in each and 'Exponential' in str(each['type']):
                each['gamma'] **= scale.before / scale.after
            # A warm-up reaches its end at its second iteration at the earliest: one of
            # a single iteration would leave the rate where it starts.
            least = 2 if _warms_up(each) else 1
            if each.get('end', FOREVER) - each.get('begin', 0) < least:
                continue
        kept.append(each)
    return kept


def _warms_up(scheduler: Any) -> bool:
    return str(scheduler['type']).rpartition('.')[2].startswith(('Linear', 'Constant'))


def _counts_iterations(scheduler: Any) -> bool:
    return scheduler.get('by_epoch', True) is False


def _hooks(cfg: dict[str, Any]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The hooks, each with its keys that count iterations."""
    hooks = [
        *(cfg.get('default_hooks') or {}).values(),
        *(cfg.get('custom_hooks') or []),
    ]
    for hook in hooks:
        if isinstance(hook, dict):
            kind = str(getattr(hook.get('type'), '__name__', hook.get('type')))
            keys = HOOKS.get(kind.rpartition('.')[2], ())
            if kind.endswith('CheckpointHook') and hook.get('by_epoch', True):
                keys = ()
            yield hook, keys
