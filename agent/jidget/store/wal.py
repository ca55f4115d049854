"""The write-ahead log as a file: how far it is filled, and written out to the disk (sqlite.org/fileformat2.html 4)."""

import os
from pathlib import Path

LOG_BYTES = 4 * 1024 * 1024
"""Of the log, after which it is copied into the store's file."""
_HEADER = 32
_FRAME_HEADER = 24
_LOOK_COMMITS = 64
_LOOK_ROWS = 500


class WriteAheadLog:
    """An open log. SQLite keeps it in place, and fills it from the beginning again when all of it was copied.

    Every method may raise `OSError`.
    """

    def __init__(self, path: Path, page_size: int) -> None:
        """Take the store's path, and how long a page is."""
        self._file = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self._frame = _FRAME_HEADER + page_size
        self._long = False
        self._looked = (0, 0)
        self._copied = (b"", 0)

    @property
    def size(self) -> int:
        """Return its length in bytes, filled or not."""
        return os.fstat(self._file).st_size

    def is_long(self, commits: int, rows: int) -> bool:
        """Say whether much was added since it was copied, given how much was committed and changed ever.

        It is looked at only after some commits or rows.
        """
        if commits - self._looked[0] >= _LOOK_COMMITS or rows - self._looked[1] >= _LOOK_ROWS:
            self._looked = (commits, rows)
            filling, end = self._end()
            self._long = end - (self._copied[1] if filling == self._copied[0] else 0) > LOG_BYTES
        return self._long

    def is_copied(self) -> None:
        """Note that what is in it now is copied."""
        self._copied, self._long = self._end(), False

    def _end(self) -> tuple[bytes, int]:
        """Return which filling it is, and how far that goes: each frame bears the salts that the header names."""
        filling = os.pread(self._file, 8, 16)
        low, high = 0, self.size // self._frame
        while low < high:
            middle = (low + high) // 2
            if os.pread(self._file, 8, _HEADER + middle * self._frame + 8) == filling:
                low = middle + 1
            else:
                high = middle
        return filling, low * self._frame

    def sync(self) -> None:
        """Wait until it is on the disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of it: SQLite takes its locks on other files."""
        os.close(self._file)
