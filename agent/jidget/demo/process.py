"""Private servers on loopback: child processes of ours, for the demo and the tests.

A server is a foreground child in its own session (a Ctrl-C at the terminal reaches us, not it) which the kernel kills
when we die (`PR_SET_PDEATHSIG`, prctl(2)). `setpriv` of util-linux sets that between fork and exec, so no Python runs
in the forked child: a `preexec_fn` may deadlock there as soon as another thread holds a lock.

The kernel sends that signal when the *thread* that forked ends. So a server is always forked in the calling thread,
also by `astart`; call from one that lives as long as the server, normally the main thread.
"""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from jidget.demo.loopback import LOOPBACK, free_ports, is_free, listeners, sockets
from jidget.errors import JidgetError

_PORT_ATTEMPTS = 5

_PROBE_PAUSE = 0.02
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
_TAIL_LINES = 20


class ServerError(JidgetError):
    """A private server did not start, or is not in the state it was asked to act from."""


class ProgramMissing(ServerError):
    """A program that a private server needs is not installed.

    Attributes:
        program: its name.
        package: the Debian package that brings it.
    """

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} is not installed: sudo apt install {package}")
        self.program = program
        self.package = package


def find_program(program: str, package: str) -> str:
    """Return the path of `program`, also from the sbin directories that are not on an ordinary user's path.

    Raises:
        ProgramMissing: it is not there.
    """
    found = shutil.which(program) or shutil.which(program, path=SYSTEM_PATH)
    if found is None:
        raise ProgramMissing(program, package)
    return found


class ServerProcess(ABC):
    """A server with a directory and ports of its own. Start and stop it with `with`, `async with` or by method.

    `start`, `stop`, `kill`, `freeze` and `thaw` block for as long as they take; `astart` and `astop` wait in a thread.
    After `stop` or `kill` it may be started again: same ports, same data.

    Attributes:
        root: its directory; configuration, data and logs are all in it.
        ports: its ports by name. Final after the first start: one that another program took meanwhile is replaced.
        output: what it printed.
        log: where to look first; the same as `output` unless the server writes a log of its own.
    """

    name: ClassVar[str]
    programs: ClassVar[Mapping[str, str]]  # program -> Debian package
    start_limit: ClassVar[float] = 30.0
    stop_limit: ClassVar[float] = 5.0

    def __init__(self, root: Path, *port_names: str) -> None:
        self.root = Path(root).resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.ports = free_ports(port_names)
        self.output = self.root / "output.log"
        self.log = self.output
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._settled = False
        self._moves = 0

    @classmethod
    def missing(cls) -> ProgramMissing | None:
        """Return the error that says what to install, or None where everything is there."""
        try:
            cls.find()
        except ProgramMissing as error:
            return error
        return None

    @classmethod
    def find(cls) -> dict[str, str]:
        """Return the path of each program it needs.

        Raises:
            ProgramMissing: one is not there.
        """
        needed = {**cls.programs, "setpriv": "util-linux"}
        return {program: find_program(program, package) for program, package in needed.items()}

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration for `ports`. Called before every start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line of the foreground process."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether it serves, by asking it over the network; within about a second."""

    def environment(self) -> dict[str, str]:
        """Return the variables it gets in addition to ours."""
        return {"HOME": str(self.root)}

    def settle(self) -> None:  # noqa: B027  # most have nothing to do
        """Do what needs a running server, after every start. Nothing by default."""

    @property
    def running(self) -> bool:
        """Whether the process exists; also true while it is frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            ServerError: it does not run.
        """
        return self._running_process().pid

    def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            ProgramMissing: something is not installed.
            ServerError: it runs already, ended at once or does not answer; with the end of its logs.
        """
        ready = False
        while not ready:
            self._launch()
            ready = self._wait_until_ready()

    async def astart(self) -> None:
        """As `start`, without blocking the event loop while the server gets ready."""
        ready = False
        while not ready:
            self._launch()
            waiting = asyncio.get_running_loop().run_in_executor(None, self._wait_until_ready)
            try:
                ready = await asyncio.shield(waiting)
            except asyncio.CancelledError:
                self._signal(signal.SIGKILL)  # which ends the wait in the thread
                await asyncio.wait([waiting])
                waiting.exception()  # the end of a server that we killed ourselves is not news
                self.stop()
                raise

    def stop(self) -> None:
        """Stop it, by force where it does not obey. Does nothing where it does not run."""
        if self.running:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a frozen process acts on nothing but this
            if not self._ends_within(self.stop_limit):
                self._signal(signal.SIGKILL)
        self._reap()

    async def astop(self) -> None:
        """As `stop`, without blocking the event loop."""
        await asyncio.to_thread(self.stop)

    def kill(self) -> None:
        """Crash it: SIGKILL, and wait until it is gone."""
        self._running_process()
        self._signal(signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Let it hang: SIGSTOP, and wait until it stands still. The kernel goes on to accept connections for it."""
        pid = self.pid
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._running_process()
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """Return the last lines of its logs, for people."""
        parts = []
        for path in dict.fromkeys((self.log, self.output)):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
            if lines:
                parts.append("\n".join([f"--- end of {path}", *lines[-_TAIL_LINES:]]))
        return "\n".join(parts) or f"(nothing in {self.output})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await self.astart()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.astop()

    def _launch(self) -> None:
        if self.running:
            raise ServerError(f"{self.name} runs already, as process {self.pid}: stop it first")
        self._reap()
        programs = self.find()
        self.prepare()
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [programs["setpriv"], "--pdeathsig", "KILL", "--", *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.root,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        self._pidfd = os.pidfd_open(self._process.pid)

    def _wait_until_ready(self) -> bool:
        """Return True once it serves, False where it has to be launched again, on other ports."""
        try:
            if self._comes_up():
                self.settle()
                self._settled = True
                return True
        except BaseException:
            self.stop()
            raise
        self.stop()
        self._moves += 1
        if self._settled or self._moves == _PORT_ATTEMPTS:
            ports = ", ".join(str(port) for port in self.ports.values())
            raise ServerError(f"{self.name}: another program listens on one of the ports {ports} of {LOOPBACK}")
        self.ports = free_ports(self.ports)
        return False

    def _comes_up(self) -> bool:
        """Wait until it answers on its ports; False where another program listens on one of them.

        Whose they are matters: a server that did not get its port may carry on without (Prosody does), and another one
        there answers just as well.
        """
        process = self._process  # which may have ended already
        if process is None:
            raise ServerError(f"{self.name} is not running: start it first")
        deadline = time.monotonic() + self.start_limit
        while time.monotonic() < deadline:
            if self._ends_within(_PROBE_PAUSE):
                if not all(is_free(port) for port in self.ports.values()):
                    return False
                raise ServerError(f"{self.name} ended at once: exit status {process.wait()}\n{self.tail()}")
            listening = listeners()  # before its sockets: what it listens on cannot be missing among them
            own = sockets(process.pid)
            if all(listening.get(port, set()) & own for port in self.ports.values()):
                if self.answers():
                    return True
            elif any(port in listening and not listening[port] & own for port in self.ports.values()):
                if self._ends_within(0):
                    continue  # its sockets vanished between our two looks
                return False
        raise ServerError(f"{self.name} does not answer after {self.start_limit:.0f} s\n{self.tail()}")

    def _running_process(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self.name} is not running: start it first")
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None:
            process.send_signal(number)  # sends nothing once the process was waited for

    def _ends_within(self, seconds: float) -> bool:
        """Wait on the process itself: its end is an event on the pidfd (pidfd_open(2))."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            os.close(self._pidfd)
