"""Bytes into lines: bounded, and wary of halves."""

import re
from collections.abc import Iterator

_END = re.compile(rb"[\r\n]")


class LineSplitter:
    """Splits a stream of bytes at CR, LF or both; empty lines are left out.

    What comes first is a half line unless somebody knows better: its beginning may have been sent before anybody
    listened. What follows a line that was too long is its other half, and thrown away.

    Attributes:
        overlong: lines that were longer than `longest` bytes.
    """

    def __init__(self, longest: int, *, whole: bool = False) -> None:
        self._longest = longest
        self._buffer = b""
        self._whole = whole
        self._skipping = False
        self.overlong = 0

    def expect_whole(self) -> None:
        """Take the first line for a whole one: the line was quiet before."""
        self._whole = True

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Take more bytes; yield each line that they end, and whether it is a whole one."""
        *lines, self._buffer = _END.split(self._buffer + data)
        for line in lines:
            whole, self._whole = self._whole, True
            skip, self._skipping = self._skipping, False
            if len(line) > self._longest:
                self.overlong += 1
            elif line and not skip:
                yield line, whole
        if len(self._buffer) > self._longest or self._skipping:
            self.overlong += not self._skipping
            self._skipping = True
            self._buffer = b""
