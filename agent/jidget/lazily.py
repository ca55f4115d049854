"""Modules that others import and that we rarely need: loaded when they are used, so that an idle agent stays small."""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType


class _Unloaded(ModuleType):
    """A module that becomes itself as soon as something is asked of it.

    `importlib.util.LazyLoader` of Python 3.11 loads at the `import` already.
    """

    def __getattr__(self, name: str) -> object:
        self.__class__ = ModuleType  # type: ignore[assignment]  # which modules may
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def load_lazily(name: str) -> None:
    """Have a top-level module loaded at the first use of what is in it, wherever it is imported.

    Nothing is done if it is loaded already, or not installed.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = _Unloaded
        sys.modules[name] = module
