"""Names of the calibration metric's figures: each choice but the default is named."""

import re
from typing import NamedTuple

from ..functional.calibration import Closed
from .entries import Region

PREFIX: dict[Region, str] = {'all': '', 'boundary': 'B', 'interior': 'I'}
BINNED = ('ECE', 'MCE', 'RMSCE', 'cwECE', 'mECE')
ADAPTIVE = 'AECE'


class Keys(NamedTuple):
    """The choices that a key names."""

    num_bins: int = 10
    closed: Closed = 'left'
    kernel_size: int = 3

    def __call__(self, measure: str, region: Region = 'all', ending: str = '') -> str:
        """The key of a measure in a region; `ending` says its form.

        >>> Keys(num_bins=15, kernel_size=5)('ECE', 'boundary', '_image')
        'BECE_bins15_k5_image'
        """
        choices = ''
        binned = measure.split('.')[0] in BINNED
        if self.num_bins != 10 and (binned or measure == ADAPTIVE):
            choices += f'_bins{self.num_bins}'
        if self.closed != 'left' and binned:
            choices += f'_{self.closed}'
        if self.kernel_size != 3 and region != 'all':
            choices += f'_k{self.kernel_size}'
        return f'{PREFIX[region]}{measure}{choices}{ending}'


def of_class(measure: str, name: str) -> str:
    """The measure of one class: what is no letter or digit becomes a hyphen.

    >>> of_class('ECE', 'traffic light')
    'ECE.traffic-light'
    """
    return f'{measure}.' + re.sub(r'[^\w-]+', '-', name)
