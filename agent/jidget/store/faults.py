"""What can be wrong with the store's file, named by what the agent then does, and said so that a person can help."""

import errno
import os
import sqlite3
from pathlib import Path

from jidget.errors import Exit, JidgetError

SCARCE = 256 * 1024
"""Free bytes below which a write that failed is taken to have failed for want of room."""
ROOM = 4 * 1024 * 1024
"""Free bytes with which a disk that was full is used again, or an eighth of a small one."""


class StoreError(JidgetError):
    """The store cannot be used; nothing in it was changed."""


class StoreUnusable(StoreError):
    """The file is none that we may touch: foreign, newer, a directory. A person must decide."""

    exit_code = Exit.CONFIG


class StoreInUse(StoreUnusable):
    """Another process has it: that may end by itself, so a supervisor may try again."""

    exit_code = Exit.FAILED


class StoreBroken(StoreError):
    """The file or its disk is damaged, full, away or read-only: the agent goes on in memory and tries again."""


class StoreFull(StoreBroken):
    """There is no room on its disk: the agent goes on in memory until there is some again."""


class StoreDamaged(StoreBroken):
    """The file's content is damaged: it is put aside and a new one begun."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the user's share of the disk is used up: make room",
    errno.EROFS: "the disk is mounted read-only: it may be failing, or is meant to be so",
    errno.EACCES: "no permission: check who owns it and its directory",
    errno.EPERM: "no permission: check who owns it and its directory",
    errno.ENOENT: "its directory is not there: make it, or mount its disk",
    errno.ENOTDIR: "its directory is a file: name another place in store.path",
    errno.ELOOP: "its symbolic links lead in a circle: name another place in store.path",
    errno.ENAMETOOLONG: "its name is too long: name another place in store.path",
}


def of_system(path: Path, error: OSError) -> StoreBroken:
    """Say what the system's error means for the store at `path`."""
    remedy = _REMEDIES.get(error.errno or 0, "the disk fails")
    kind = StoreFull if error.errno in _NO_ROOM else StoreBroken
    return kind(f"the store {path}: {remedy} ({error.strerror or error})")


def of_sqlite(path: Path, error: sqlite3.Error) -> StoreError:
    """Say what SQLite's error means for the store at `path` (sqlite.org/rescode.html)."""
    name = getattr(error, "sqlite_errorname", None) or ""
    kind = "_".join(name.split("_")[:2])
    if kind in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return StoreDamaged(f"the store {path} is damaged ({error})")
    if kind == "SQLITE_FULL" or (kind == "SQLITE_IOERR" and _is_scarce(path)):
        return StoreFull(f"the store {path}: {_REMEDIES[errno.ENOSPC]} ({error})")
    remedy = {
        "SQLITE_READONLY": "it cannot be written: check who owns it, and whether the disk is mounted read-only",
        "SQLITE_CANTOPEN": "it cannot be opened: check who owns it and its directory",
        "SQLITE_IOERR": "the disk fails, or there is no room left for this user",
        "SQLITE_BUSY": "another program is writing to it",
        "SQLITE_LOCKED": "another program is writing to it",
        "SQLITE_PROTOCOL": "another program is writing to it",
    }.get(kind, "it cannot be used")
    return StoreBroken(f"the store {path}: {remedy} ({error})")


def has_room(path: Path) -> bool:
    """Whether a disk that was full has so much room again that it will not be full in a moment, as far as one sees."""
    disk = _disk(path)
    return disk is None or disk.f_bavail * disk.f_frsize >= min(ROOM, disk.f_blocks * disk.f_frsize // 8)


def _is_scarce(path: Path) -> bool:
    disk = _disk(path)
    return disk is not None and disk.f_bavail * disk.f_frsize < SCARCE


def _disk(path: Path) -> os.statvfs_result | None:
    try:
        return os.statvfs(path.parent)
    except OSError:
        return None
