"""The file beside the store: held by the one process that may use the store, and a note of how far the store has come.

By the note, a store that was put back from a backup, be it into the very same file, is recognised as one that has
forgotten batches; and a damaged file as one that was ours.
"""

import fcntl
import os
from pathlib import Path

from jidget.store.faults import StoreInUse, of_system

_LONGEST = 64


class StoreLock:
    """A lock (flock(2)) on `PATH-lock`, which is never removed: else two processes could each lock one of their own.

    Attributes:
        name: of the store that was here last; empty if none ever was.
        batch: the last batch that it cut, by row id.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreInUse: another process holds it.
            StoreBroken: the file cannot be written.
        """
        self._path = path
        try:
            self._file = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise of_system(path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            noted = os.pread(self._file, _LONGEST, 0).decode("ascii", "replace").split()
        except BlockingIOError as error:
            self.release()
            raise StoreInUse(f"the store {path} is in use by another process: give each agent its own") from error
        except OSError as error:
            self.release()
            raise of_system(path, error) from error
        whole = len(noted) == 2 and noted[1].isdecimal()  # it is not, where the machine stopped while it was new
        self.name, self.batch = (noted[0], int(noted[1])) if whole else ("", 0)

    def note(self, name: str, batch: int) -> None:
        """Note which store this is, and the last batch that it cut, before that is sent.

        Raises:
            StoreBroken: the file cannot be written.
        """
        try:
            os.pwrite(self._file, b"%s %019d\n" % (name.encode("ascii"), batch), 0)
        except OSError as error:
            raise of_system(self._path, error) from error
        self.name, self.batch = name, batch

    def release(self) -> None:
        """Let others have the store."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
