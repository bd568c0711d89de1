"""Backbones of libraries that need not be installed."""

from importlib import import_module
from typing import Any

from mmseg.registry import MODELS
from torch import nn

# What has to import, and how to get it.
LIBRARIES = {
    'timm': ('timm', 'pip install timm'),
    'mmpretrain': ('mmpretrain.models', 'pip install onedl-mmpretrain'),
}


@MODELS.register_module()
def optional_backbone(*, library: str, backbone: dict[str, Any]) -> nn.Module:
    """Build a backbone of timm or MMPretrain, or say what is missing.

    Without this a config names a class that is not there, and the error speaks of a
    registry. The module is the backbone itself: nothing of this is in a checkpoint.

    Args:
        library: 'timm' | 'mmpretrain'.
        backbone: its config, e.g. dict(type='TIMMBackbone', model_name='resnet18d').

    Raises:
        ImportError: the library, or one that it needs, is not installed.

    >>> optional_backbone(library='tim', backbone={})
    Traceback (most recent call last):
    ValueError: `library` must be one of ['mmpretrain', 'timm'], got 'tim'
    """
    if library not in LIBRARIES:
        raise ValueError(
            f'`library` must be one of {sorted(LIBRARIES)}, got {library!r}'
        )
    module, command = LIBRARIES[library]
    try:
        import_module(module)
    except ImportError as error:
        raise ImportError(
            f'the backbone {backbone.get("type")!r} needs {library}, which cannot '
            f'be imported ({error}). Run `{command} torchvision`, with the torchvision '
            'that was built for your version of PyTorch'
        ) from error
    return MODELS.build(backbone)
