"""The way into the store: what lies at its path is recognised, locked, checked, migrated, or put aside if damaged."""

import logging
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

from jidget.store.database import MOST_LOG_BYTES, Database
from jidget.store.faults import StoreBroken, StoreDamaged, StoreError, StoreUnusable, of_sqlite, of_system
from jidget.store.inspection import HEADER, MAGIC
from jidget.store.lock import StoreLock
from jidget.store.schema import APPLICATION_ID, MIGRATIONS, PAGE_SIZE

log = logging.getLogger(__name__)

CHECK_AT_MOST = 60.0
"""Seconds: a larger store is checked as far as it goes in this time; systemd waits two minutes for the start."""
ALWAYS_CHECKED = 8 * 1024 * 1024
"""Bytes up to which a store is checked at each start, also if it was closed in order."""
MOST_ASIDE = 3
"""Damaged stores that are kept beside the new one. If there are more, the disk is dying, and they would fill it."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_APPLICATION_ID_AT = 68


def open_store(
    path: Path,
    *,
    in_doubt: bool = False,
    damage: StoreDamaged | None = None,
    on_aside: Callable[[Path], None] | None = None,
) -> Database:
    """Open the store, making it if it is not there. Waits for the disk: call it in a thread.

    Args:
        path: where it is. Its directory is not made: it may be a disk that is not mounted yet.
        in_doubt: whether it failed while it was in use, so that it may not have all that was committed to it.
        damage: what was found wrong with the file while it was in use, if it was: then it is put aside in any case.
        on_aside: called as soon as a damaged file was put aside, with its new place.

    Raises:
        StoreUnusable: what lies there is not ours to use.
        StoreBroken: it cannot be used now.
    """
    path = _regular(path)
    lock = StoreLock(path)
    try:
        if damage is None:
            try:
                return _open(path, lock, in_doubt=in_doubt)
            except StoreDamaged as error:
                damage = error
        aside = _put_aside(path, damage)
        if on_aside is not None:
            on_aside(aside)
        return _open(path, lock, in_doubt=True)
    except BaseException:
        lock.release()
        raise


def _regular(path: Path) -> Path:
    """Return the path behind all links: SQLite keeps its log beside the file itself."""
    try:
        real = path.resolve()
        mode = real.stat().st_mode
    except FileNotFoundError:
        return path.resolve()
    except RuntimeError as error:  # Python 3.11 and 3.12 say so of links that lead in a circle
        raise StoreBroken(f"the store {path}: its symbolic links lead in a circle") from error
    except OSError as error:
        raise of_system(path, error) from error
    if stat.S_ISDIR(mode):
        raise StoreUnusable(f"store.path {path} is a directory: name a file in it, such as {path / 'jidget.db'}")
    if not stat.S_ISREG(mode):
        raise StoreUnusable(f"store.path {path} is a device or pipe, not a file: name another place")
    return real


def _open(path: Path, lock: StoreLock, *, in_doubt: bool) -> Database:
    database: Database | None = None
    ours = bool(lock.name)
    try:
        ours = _is_ours(path) or ours
        database = Database(path, lock)
        _prepare(database, lock, in_doubt=in_doubt)
    except (sqlite3.Error, OSError, StoreError) as error:
        if database is not None:
            database.disconnect()
        fault = _fault(path, error)
        if isinstance(fault, StoreDamaged) and not ours:
            fault = StoreUnusable(f"{fault}, or never was one: it is left as it is. Name another file in store.path")
        if fault is error:
            raise
        raise fault from error
    return database


def _fault(path: Path, error: sqlite3.Error | OSError | StoreError) -> StoreError:
    match error:
        case StoreError():
            return error
        case OSError():
            return of_system(path, error)
        case _:
            return of_sqlite(path, error)


def _is_ours(path: Path) -> bool:
    """Make the file if there is none; return whether it is new, or a store of ours by its header.

    SQLite is kept from what it would make worse: a file that it may only read, where it would leave a log that nobody
    may write; a very short file, which it would overwrite; a log whose file is empty, which it would remove.
    """
    # Nobody of this process has it open: closing it here would drop SQLite's locks.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        header = os.pread(file, HEADER, 0)
    finally:
        os.close(file)
    if header:
        if not header.startswith(MAGIC):
            raise StoreDamaged(f"the store {path} is damaged (it is no SQLite file)")
        return header[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4] == APPLICATION_ID.to_bytes(4, "big")
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreDamaged(f"the store {path} is damaged (it is empty, its log is not)")
    return True


def _prepare(database: Database, lock: StoreLock, *, in_doubt: bool) -> None:
    path, execute = database.path, database.execute
    ours = execute("PRAGMA application_id").fetchone()[0]
    version = execute("PRAGMA user_version").fetchone()[0]
    tables = execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (tables or ours) and ours != APPLICATION_ID:
        raise StoreUnusable(f"{path} is a SQLite file of another program: name another file in store.path")
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            f"the store {path} is from a newer version of Jidget (format {version}, this one knows "
            f"{len(MIGRATIONS)}): install that version again, or name another file in store.path"
        )
    if not tables:
        execute(f"PRAGMA page_size = {PAGE_SIZE}")
        execute("PRAGMA auto_vacuum = INCREMENTAL")  # see Database.shrink
    if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreUnusable(f"the store {path} is on a file system without shared memory: put it on a local disk")
    for setting in (
        "synchronous = FULL",  # until what is written below is on the disk
        "wal_autocheckpoint = 0",  # see Database.checkpoint
        f"journal_size_limit = {MOST_LOG_BYTES}",
        "temp_store = MEMORY",
        "cache_size = -512",
    ):
        execute(f"PRAGMA {setting}")
    before: dict[str, object] = dict(execute("SELECT name, value FROM meta").fetchall()) if tables else {}
    place, boot = _place(path), _boot_id()
    last_batch = execute("SELECT coalesce(max(id), 0) FROM batch").fetchone()[0] if tables else 0
    database.nothing_lost = (
        (before.get("place"), before.get("name")) == (place, lock.name)
        and last_batch >= lock.batch
        and bool(before.get("closed") or (boot and before.get("boot") == boot))
        and not (in_doubt or before.get("in_doubt"))
    )
    if tables and (not database.nothing_lost or path.stat().st_size <= ALWAYS_CHECKED):
        _check(database)
    name = str(before.get("name", secrets.token_hex(8)))
    with database.transaction():
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in script.split(";"):
                if statement.strip():
                    execute(statement)
            execute(f"PRAGMA user_version = {number}")
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        # In doubt until a new generation is begun: if that is not reached, the next opening must know.
        doubt = ("in_doubt", int(not database.nothing_lost))
        for key, value in (("name", name), ("place", place), ("boot", boot), ("closed", 0), doubt):
            execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", key, value)
    lock.note(name, last_batch)
    database.start()


def _place(path: Path) -> str:
    """Say which file this is: a copy or a backup put back is mostly another one."""
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}"


def _boot_id() -> str:
    """Return what names this run of the machine (random(4)); empty where nothing does."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _check(database: Database) -> None:
    """Look for damage, for a limited time.

    Raises:
        StoreDamaged: there is some.
        StoreBroken: the file could not be read.
    """
    verdict = database.check(CHECK_AT_MOST)
    if verdict is None:
        log.warning("the store %s is large: it was not checked to its end", database.path)
    elif verdict != "ok":
        raise StoreDamaged(f"the store {database.path} is damaged ({verdict})")


def _put_aside(path: Path, damage: StoreDamaged) -> Path:
    """Move a damaged store away, with its log; return where to.

    Raises:
        StoreBroken: that is not possible.
    """
    try:
        earlier = [file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}.damaged-")]
        if sum(not file.name.endswith(("-wal", "-shm")) for file in earlier) >= MOST_ASIDE:
            raise StoreBroken(
                f"{damage}, like {MOST_ASIDE} before that lie beside it: its disk seems to be failing. "
                f"Replace it, or remove {path.name}.damaged-*"
            )
        stamped = aside = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
        number = 0
        while Path(aside).exists():
            number += 1
            aside = f"{stamped}-{number}"
        for suffix in ("-wal", ""):
            if Path(f"{path}{suffix}").exists():
                Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
        Path(f"{path}-shm").unlink(missing_ok=True)
    except OSError as error:
        raise StoreBroken(f"{damage}, and it cannot be put aside: {error.strerror}") from error
    log.error("%s. It was put aside as %s, and a new one begun", damage, aside)
    return Path(aside)
