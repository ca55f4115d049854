"""A look at the store before the agent runs: what lies there is told, and nothing is opened, locked or changed."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jidget.store.schema import APPLICATION_ID, MIGRATIONS

MAGIC = b"SQLite format 3\0"
HEADER = 100
"""Bytes of a SQLite file that say what it is (sqlite.org/fileformat.html 1.3)."""
_VERSION = slice(60, 64)
_APPLICATION_ID = slice(68, 72)

Finding = tuple[bool | None, str]
"""Good (True), worth knowing (None) or wrong (False: `jidget run` would end at once); what was found."""


def inspect(path: Path) -> Finding:
    """Return what is found at the store's path."""
    try:
        return _inspect(path)
    except FileNotFoundError:
        return _new(path)
    except OSError as error:
        return None, f"{path}: {error.strerror or error}. Without it readings are kept in memory only"


def _inspect(path: Path) -> Finding:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return False, f"{path} is a device or pipe, not a file: name another place in store.path"
    with path.open("rb") as file:
        header = file.read(HEADER)
    if header:
        if not header.startswith(MAGIC):
            if _noted(path):
                return None, f"{path} is damaged: the next start puts it aside and begins a new one"
            return False, f"{path} is damaged, or never was one: name another file in store.path"
        if int.from_bytes(header[_APPLICATION_ID]) != APPLICATION_ID:
            return False, f"{path} is a SQLite file of another program: name another file in store.path"
        version = int.from_bytes(header[_VERSION])
        if version > len(MIGRATIONS):
            return False, (
                f"{path} is from a newer version of Jidget (format {version}, this one knows {len(MIGRATIONS)}): "
                "install that version again, or name another file in store.path"
            )
    if not os.access(path, os.W_OK, effective_ids=True):
        return None, f"{path} cannot be written by this user: readings would be kept in memory only"
    used = "in use by a running agent" if is_in_use(path) else "not in use"
    return True, f"{path}, {_size(status.st_size)}, {used}"


def _new(path: Path) -> Finding:
    if not path.parent.is_dir():
        return None, f"{path.parent} is not there: make it, or mount its disk. Readings would be kept in memory only"
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        return None, f"{path.parent} cannot be written by this user: readings would be kept in memory only"
    return True, f"{path} is made at the first start"


def is_in_use(path: Path) -> bool:
    """Whether an agent that runs has the store at `path`; False also where that cannot be known."""
    with borrowed(path) as free:
        return not free


@contextmanager
def borrowed(path: Path) -> Iterator[bool]:
    """Keep agents from the store at `path` for the time of the context; False if one has it.

    Where no agent has ever run, or we may not know, there is nothing to keep: True.
    """
    try:
        file = os.open(f"{path.resolve()}-lock", os.O_RDONLY | os.O_CLOEXEC)  # never made here: it is the agent's own
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)


def _noted(path: Path) -> bool:
    """Whether a store of ours was there, by the note beside it (`jidget.store.lock`)."""
    try:
        return bool(Path(f"{path.resolve()}-lock").read_bytes().split())
    except OSError:
        return False


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
