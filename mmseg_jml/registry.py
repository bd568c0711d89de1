"""The registry of losses and label transforms, which need PyTorch alone.

They stand in `MODELS` below until MMSegmentation is imported, and are then handed over
to its own `MODELS`. So importing a loss never imports MMSegmentation.
"""

from typing import Any, TypeVar

from .installation import require_mmseg

Class = TypeVar('Class', bound=type)


class Registry:
    """Classes by their name; MMSegmentation's registry builds whatever is not here."""

    def __init__(self) -> None:
        self.classes: dict[str, type] = {}
        self.handed_over = False

    def register_module(self, module: Class) -> Class:
        """Keep a class under its name and return it: a decorator."""
        self.classes[module.__name__] = module
        if self.handed_over:
            self._give(module)
        return module

    def build(self, config: dict[str, Any]) -> Any:
        """The object that a config such as `dict(type='JaccardMetricLoss')` describes.

        Raises:
            ValueError: it has no `type`.
            ImportError: the type is none of ours, and MMSegmentation does not import.
        """
        options = dict(config)
        if 'type' not in options:
            raise ValueError(
                "a config must have a `type`, as in dict(type='JaccardMetricLoss'), "
                f'got {config!r}'
            )
        kind = options.pop('type')
        kind = kind if isinstance(kind, type) else self.classes.get(kind)
        if kind is not None and not self.handed_over:
            return kind(**options)
        require_mmseg()
        from mmseg.registry import MODELS as OF_MMSEG

        return OF_MMSEG.build(config)

    def hand_over(self) -> None:
        """Register every class with MMSegmentation, which builds them from then on."""
        if self.handed_over:
            return
        for each in self.classes.values():
            self._give(each)
        self.handed_over = True

    def _give(self, module: type) -> None:
        from mmseg.registry import MODELS as OF_MMSEG

        OF_MMSEG.register_module(module=module)


MODELS = Registry()
