"""The agent itself as a private process, for the demo and the tests of the whole."""

import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from jidget.demo.process import ServerProcess


class AgentProcess(ServerProcess):
    """`jidget run`, ready when it says so to its service manager (sd_notify(3))."""

    name: ClassVar[str] = "jidget"
    programs: ClassVar[Mapping[str, str]] = {}
    stop_limit: ClassVar[float] = 15.0

    def __init__(self, root: Path, config: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        """`arguments` and environment `variables` are given to it besides the configuration file."""
        super().__init__(root)
        self._config = config
        self._arguments = arguments
        self._variables = dict(variables or {})
        self._notify: socket.socket | None = None
        self.exit_code: int | None = None

    def prepare(self) -> None:
        """Open the socket on which it tells that it is ready."""
        self._close_socket()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._notify.bind("")  # an abstract address (unix(7)): a path may be too long

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "jidget", "run", "--config", str(self._config), *self._arguments]

    def environment(self) -> dict[str, str]:
        """Return the variables it gets in addition to ours."""
        address = self._notify.getsockname() if self._notify is not None else b""
        return {**super().environment(), "NOTIFY_SOCKET": address.decode().replace("\0", "@"), **self._variables}

    def answers(self) -> bool:
        """Say whether it has told that it is ready."""
        if self._notify is None or not select.select((self._notify,), (), (), 0.2)[0]:
            return False
        return b"READY=1" in self._notify.recv(4096)

    def stop(self) -> None:
        """Stop it as systemd would."""
        process = self._process
        super().stop()
        self._note_end(process)

    def kill(self) -> None:
        """Crash it."""
        process = self._process
        super().kill()
        self._note_end(process)

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself and return its exit code.

        Raises:
            TimeoutError: it still runs.
        """
        process = self._running_process() if self.running else self._process
        if process is None:
            raise TimeoutError("it was never started")
        try:
            self.exit_code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {seconds:g} s") from None
        return self.exit_code

    def _note_end(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is not None:
            self.exit_code = process.returncode
        self._close_socket()

    def _close_socket(self) -> None:
        if self._notify is not None:
            self._notify.close()
            self._notify = None
