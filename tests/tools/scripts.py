"""Import a script of `tools/` as a module, to call it without a new process."""

import importlib.util
from types import ModuleType

from tests.processes import ROOT


def load_script(path: str) -> ModuleType:
    """Return `tools/<path>` as a module."""
    spec = importlib.util.spec_from_file_location('script', ROOT / 'tools' / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
