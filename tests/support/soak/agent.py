"""The agent under test: a process of its own, with a clock that can jump, and what it tells its service manager."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
from tests.support.agents import WatchedAgent
from tests.support.signals import Signal
from tests.support.soak import wall_clock
from tests.support.soak.outputs import Outages
from tests.support.soak.wall_clock import WallClock

_LAST_WORDS = 10.0
_STATUS = "STATUS="
_ONLINE = "STATUS=online as "
_MEMORY = "readings are kept in memory only"
_STORE = "readings are kept in the store"


class SoakAgent(WatchedAgent):
    """`jidget run`.

    Attributes:
        statuses: what it told of itself, with when that came, in monotonic seconds.
        changed: wakes whoever waits for `statuses`.
        outages: when it was stopped or dead.
    """

    def __init__(self, root: Path, config: Path, clock: WallClock) -> None:
        super().__init__(root, config, PYTHONFAULTHANDLER="1")
        self.statuses: list[tuple[float, str]] = []
        self.changed = Signal()
        self.outages = Outages()
        self._clock = clock
        self._hearing = -1

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            sys.executable,
            wall_clock.__file__,
            str(self._clock.path),
            *("run", "--config", str(self._config)),
        ]

    async def begin(self) -> None:
        """Start it and listen to what it tells."""
        await self.astart()
        self.outages.end(time.monotonic())
        self._note()
        if self._notify is not None:
            self._hearing = self._notify.fileno()
            asyncio.get_running_loop().add_reader(self._hearing, self._hear)

    def crash(self) -> None:
        """Kill it without a warning."""
        self._deafen()
        self.outages.begin(time.monotonic())
        self.kill()

    def freeze(self) -> None:
        """Stop it."""
        self.outages.begin(time.monotonic())
        super().freeze()

    def thaw(self) -> None:
        """Let it go on."""
        super().thaw()
        self.outages.end(time.monotonic())

    def autopsy(self) -> str:
        """Kill it so that it leaves the stacks of its threads in its output; say how much CPU it has used."""
        self._deafen()
        if not self.running:
            return f"the agent has ended by itself; its output is {self.output}"
        times = psutil.Process(self.pid).cpu_times()
        self.outages.begin(time.monotonic())
        os.kill(self.pid, signal.SIGABRT)
        self.wait(_LAST_WORDS)
        return f"the agent had used {times.user + times.system:.1f} s of CPU; its stacks are in {self.output}"

    async def end(self) -> int | None:
        """Stop it as a service manager does; return its exit code. It is to leave its outputs off."""
        self._deafen()
        code = await self.ends(signal.SIGTERM) if self.running else self.exit_code
        self.outages.begin(time.monotonic())
        await self.astop()
        return code

    @property
    def durable(self) -> bool:
        """Whether, after the last that it said about this, it keeps its readings on the disk."""
        said = self.said
        return said.rfind(_MEMORY) <= said.rfind(_STORE)

    def offline_since(self, moment: float) -> float | None:
        """Return when it told first, from a moment on, that it has no link."""
        return next((at for at, told in self.statuses if at >= moment and not told.startswith(_ONLINE)), None)

    @property
    def online(self) -> bool:
        """Whether it thinks that it has a link."""
        return bool(self.statuses) and self.statuses[-1][1].startswith(_ONLINE)

    def _hear(self) -> None:
        self._listen(0)
        self._note()

    def _note(self) -> None:
        heard = [told for told in self.told if told.startswith(_STATUS)]
        self.told.clear()
        self.statuses += [(time.monotonic(), told) for told in heard]
        if heard:
            self.changed()

    def _deafen(self) -> None:
        if self._hearing >= 0:
            asyncio.get_running_loop().remove_reader(self._hearing)
            self._hearing = -1
