"""A wall clock that jumps, for one process: the machine's own is everybody's.

Run as a program: wall_clock.py FILE ARGUMENTS…: it is `jidget ARGUMENTS…`, whose `time.time` is ahead by what the file
says at the moment. The clocks that nobody can set, CLOCK_MONOTONIC and CLOCK_BOOTTIME, stay as they are, as they do
when a machine's wall clock is set.
"""

import mmap
import struct
import sys
import time
from pathlib import Path

_OFFSET = struct.Struct("d")


class WallClock:
    """The file with the offset, as the one who moves the clock sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0.0
        self.jump(0.0)

    @property
    def offset(self) -> float:
        """Return by how many seconds the clock is ahead."""
        return self._offset

    def jump(self, offset: float) -> None:
        """Set the clock, at once, to the right time plus `offset` seconds."""
        self._offset = offset
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(_OFFSET.pack(offset))


def main() -> None:
    """Be the agent, with this clock."""
    _, path, *arguments = sys.argv
    with Path(path).open("rb") as file:
        offset = mmap.mmap(file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
    right = time.time

    def ahead() -> float:
        return right() + float(_OFFSET.unpack_from(offset)[0])

    time.time = ahead
    sys.argv = ["jidget", *arguments]
    from jidget.cli.main import main as jidget  # noqa: PLC0415  # it must not see the right time even once

    raise SystemExit(jidget())


if __name__ == "__main__":
    main()
