"""Frames of fixed length in a stream of bytes: found, checked, and found again after garbage."""

from collections.abc import Callable, Iterator


class FrameFinder:
    """Finds the frames that begin with `start`, have `length` bytes and are `valid`.

    A frame that is not valid costs one byte, not its whole length: the next one may begin inside it. What is kept
    between calls is less than one frame.

    Attributes:
        damaged: how often something began like a frame and was none.
    """

    def __init__(self, start: bytes, length: int, valid: Callable[[bytes], bool]) -> None:
        self._start = start
        self._length = length
        self._valid = valid
        self._buffer = bytearray()
        self.damaged = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes and yield the frames that they complete."""
        buffer = self._buffer
        buffer += data
        while True:
            at = buffer.find(self._start)
            if at < 0:  # its first bytes may be the last that came
                del buffer[: max(0, len(buffer) - len(self._start) + 1)]
                return
            del buffer[:at]
            if len(buffer) < self._length:
                return
            frame = bytes(buffer[: self._length])
            if self._valid(frame):
                del buffer[: self._length]
                yield frame
            else:
                self.damaged += 1
                del buffer[:1]
