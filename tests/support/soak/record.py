"""The actuator's record: what it was really made to do, in the order in which it did it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

LOOK = 0.1
"""Seconds between looks at the file."""


class Record:
    """Follows the file that the simulated driver appends to: time, property, value (DESIGN 4.6)."""

    def __init__(self, path: Path, prop: str, moved: Callable[[int, float], None]) -> None:
        """`moved` is told each value of `prop` and when it was seen here, in monotonic seconds."""
        self._path = path
        self._prop = prop
        self._moved = moved
        self._read = 0

    async def run(self) -> None:
        """Follow it until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Read what is new; a line that is not finished yet is left for later."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            _, prop, value = line.split(" ", 2)
            if prop == self._prop:
                self._moved(int(value), time.monotonic())
