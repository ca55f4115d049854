"""How tests come by servers."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from jidget.demo.process import ServerProcess

Options = ParamSpec("Options")
ServerT = TypeVar("ServerT", bound=ServerProcess)


def require(server: type[ServerProcess]) -> None:
    """Skip the test where the server is not installed; fail it in CI, where everything has to be."""
    missing = server.missing()
    if missing is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


class FreshServers:
    """Starts servers that belong to one test: `fresh_server(Prosody, pep=False)`."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self._root = root
        self._stack = stack
        self._number = count(1)

    def __call__(
        self, kind: Callable[Concatenate[Path, Options], ServerT], *args: Options.args, **options: Options.kwargs
    ) -> ServerT:
        """Start one with these options; it is stopped after the test, unless the test did so."""
        server = kind(self.next_root(), *args, **options)
        require(type(server))
        self._stack.enter_context(server)
        return server

    def next_root(self) -> Path:
        """Return a directory for one more server."""
        return self._root / f"server-{next(self._number)}"
