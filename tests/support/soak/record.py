"""The actuator's record: what it was really made to do, in the order in which it did it."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

LOOK = 0.1
"""Seconds between looks at the file."""


class Line(NamedTuple):
    """A line of the record. Moments are monotonic seconds.

    Attributes:
        value: what the property was set to; 1 and 0 for true and false.
        at: when, as the line tells, and in any case after the look at the file before and not after this one. So a
            wall clock that is set moves it by no more than the time between two looks.
        seen: when it was seen here.
    """

    value: int
    at: float
    seen: float


class Record:
    """Follows the file that the simulated driver appends to: time, property, value (DESIGN 4.6)."""

    def __init__(
        self,
        path: Path,
        prop: str,
        moved: Callable[[Line], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`moved` is told each line about `prop`; `wall` is the clock that the record's times are of."""
        self._path = path
        self._prop = prop
        self._moved = moved
        self._read = 0
        self._clock = clock
        self._wall = wall
        self._looked = clock()

    async def run(self) -> None:
        """Follow it until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Read what is new; a line that is not finished yet is left for later."""
        looked, self._looked = self._looked, self._clock()  # before it is read: what comes from now on is not old
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        seen = self._clock()
        ahead = self._wall() - seen
        for line in whole.decode().splitlines():
            written, prop, value = line.split(" ", 2)
            if prop == self._prop:
                told = datetime.fromisoformat(written).timestamp() - ahead
                self._moved(Line(value=int(json.loads(value)), at=min(max(told, looked), seen), seen=seen))
