"""Optional libraries, and what each of them is for."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from ..installation import BUILD_MMCV


class Part(NamedTuple):
    """A library that only some configs or commands need."""

    name: str
    module: str
    hint: str


OPTIONAL = (
    Part(
        'torchvision',
        'torchvision',
        'MMPretrain and timm need it: `pip install torchvision`, in the version for '
        'your PyTorch',
    ),
    Part(
        'mmpretrain',
        'mmpretrain.models',
        'for its backbones (ConvNeXt): `pip install onedl-mmpretrain torchvision`, or '
        "`mmpretrain` with OpenMMLab's own MMSegmentation",
    ),
    Part('timm', 'timm', 'for its backbones: `pip install timm torchvision`'),
    Part('scipy', 'scipy', "to convert SBD's masks: `pip install scipy`"),
    Part('rasterio', 'rasterio', 'to write GeoTIFFs: `pip install rasterio`'),
    Part('submitit', 'submitit', 'to run trainings on Slurm: `pip install submitit`'),
    Part(
        "mmcv's compiled operators",
        'mmcv._ext',
        'for models that use them (deformable convolutions, PointRend), with '
        f"OpenMMLab's own MMSegmentation: {BUILD_MMCV}",
    ),
)


@contextlib.contextmanager
def quietly() -> Iterator[io.StringIO]:
    """Capture what libraries print: greetings, logs and warnings."""
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter('ignore')
        yield said


def import_failure(module: str) -> Exception | None:
    """The error that importing a module raises, or None if it works.

    >>> import_failure('zipfile')
    >>> import_failure('no_such_module')
    ModuleNotFoundError("No module named 'no_such_module'")
    """
    with quietly():
        try:
            import_module(module)
        except Exception as error:  # a library that does not fit raises what it likes
            return error
    return None
