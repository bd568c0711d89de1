"""What mkdocstrings reads in place of our docstrings."""

import runpy
from pathlib import Path
from typing import Any

import griffe

to_markdown = runpy.run_path(str(Path(__file__).with_name('reference.py')))[
    'to_markdown'
]


class Docstrings(griffe.Extension):
    """Make Markdown of each docstring before it is taken apart."""

    def on_instance(self, *, obj: griffe.Object, **options: Any) -> None:
        """Griffe calls it by this name."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
