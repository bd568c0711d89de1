"""Lines of validation and test that can be read."""

from typing import Any

from mmengine.runner import LogProcessor
from mmseg.registry import LOG_PROCESSORS

SHOWN = ('ECE', 'BECE')


@LOG_PROCESSORS.register_module()
class ShortLogProcessor(LogProcessor):
    """A LogProcessor whose lines leave out what CalibrationMetric shows as a table.

    Of the `calib/` figures the line of a validation or a test keeps ECE and BECE. All
    of them still reach `scalars.json`, the visualizer and `save_best`. Options are
    those of MMEngine's LogProcessor.

        log_processor = dict(type='ShortLogProcessor', by_epoch=False)

    >>> LOG_PROCESSORS.get('ShortLogProcessor') is ShortLogProcessor
    True
    """

    def get_log_after_epoch(
        self, runner: Any, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """All figures, and the line."""
        tag, line = super().get_log_after_epoch(
            runner, batch_idx, mode, with_non_scalar
        )
        for key, value in tag.items():
            if is_in_table(key) and isinstance(value, float):
                line = line.replace(f'  {key}: {value:.{self.num_digits}f}', '', 1)
        return tag, line


def is_in_table(key: str) -> bool:
    """Whether a figure is left to the table.

    >>> [is_in_table(key) for key in ('mIoU', 'calib/ECE', 'ema/calib/MCE')]
    [False, False, True]
    """
    *prefixes, name = key.split('/')
    return 'calib' in prefixes and name not in SHOWN
