"""The one late import: of what costs memory and time that only few need, or only later."""

import importlib
from types import ModuleType


def import_late(name: str) -> ModuleType:
    """The module of this name.

    Raises:
        ImportError: there is none.
    """
    return importlib.import_module(name)
