"""The SQLite file while it is open: committed without a wait, made durable when it matters.

WAL mode with `synchronous=NORMAL`: a commit is a write into the page cache, some 20 µs, so it is done in the event
loop. What waits for the disk is done in threads: checkpoints, on a connection of their own, and `durable`, which has
the kernel write the log out (what `synchronous=FULL` would do at every commit, in the loop). One wait remains in the
loop, once in some megabytes: SQLite syncs the log's header when it begins to fill it anew.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from jidget.store.faults import StoreBroken, of_sqlite, of_system
from jidget.store.lock import StoreLock
from jidget.store.wal import LOG_BYTES, WriteAheadLog

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_LOG_BYTES = 2 * LOG_BYTES
"""Of the log, after which it is copied in the event loop: in a thread it never gets to the end of a busy one."""
PATIENCE = 15.0
"""Seconds that anybody waits for the disk."""
_BUSY_TIMEOUT = 0.25
"""Seconds that the event loop waits for another program, such as a person's sqlite3, to finish writing."""


class Database:
    """An open store file. Its methods are called from one thread at a time; see `jidget.store.opening` for the way in.

    Attributes:
        path: the file.
        nothing_lost: whether all that was ever committed to it is there: it was closed in order, or the machine has
            not been started anew since (an application's crash loses no commit), and it is no copy put in its place.
    """

    def __init__(self, path: Path, lock: StoreLock) -> None:
        """Connect, which changes nothing yet.

        Raises:
            sqlite3.Error: it cannot be opened.
        """
        self.path = path
        self.nothing_lost = False
        self._lock = lock
        self._page_size = 0
        self._wal: WriteAheadLog | None = None
        self._open = True
        self._commits = self._settled = 0
        self._settling: asyncio.Future[None] | None = None
        self._jobs: set[asyncio.Future[Any]] = set()
        self._connection = self._connect()
        self._second = self._connect()
        # Of our own: threads of the loop's executor may all be held up by hardware that does not answer.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path, isolation_level=None, timeout=_BUSY_TIMEOUT, cached_statements=64, check_same_thread=False
        )

    def start(self) -> None:
        """Begin to use the log, once the file is in WAL mode; what was in it is copied into the file.

        Raises:
            sqlite3.Error: the file or its disk failed.
            OSError: the log cannot be opened.
        """
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._page_size = self._connection.execute("PRAGMA page_size").fetchone()[0]
        self._wal = WriteAheadLog(self.path, self._page_size)

    def check(self, seconds: float) -> str | None:
        """Look for damage (`PRAGMA quick_check`): return "ok", what was found, or None where the time was too short.

        Raises:
            sqlite3.Error: the file or its disk failed.
        """
        end = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        try:
            return str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_INTERRUPT":
                raise
            return None
        finally:
            self._connection.set_progress_handler(None, 0)

    # ---- statements ----------------------------------------------------------------------------------------------

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        """Run one statement; one that writes belongs in a `transaction`.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise of_sqlite(self.path, error) from error

    def rows(self, sql: str, *parameters: object) -> Generator[tuple[Any, ...], None, None]:
        """Run a query and yield its rows as they are asked for. Exhaust or close it before the loop goes on.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        cursor = self.execute(sql, *parameters)
        try:
            yield from cursor
        except sqlite3.Error as error:
            raise of_sqlite(self.path, error) from error
        finally:
            cursor.close()

    def execute_many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run a statement for many rows, in a `transaction`.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise of_sqlite(self.path, error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing.

        Raises:
            StoreBroken: the file or its disk failed. Nothing was kept, except that a commit may fail half way: whether
                what it held is kept is then not known before the file is opened anew.
        """
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself: the first error is the one to tell
                self._connection.execute("ROLLBACK")
            raise
        self._commits += 1

    def note(self, batch: int) -> None:
        """Note a batch outside the file, by its row id: whoever puts an old copy in its place is found out.

        Raises:
            StoreBroken: that cannot be written.
        """
        self._lock.note(self._lock.name, batch)

    # ---- the disk ----------------------------------------------------------------------------------------------

    async def durable(self) -> None:
        """Wait until all that was committed is on the disk (fdatasync(2) of the log); who waits together syncs once.

        Raises:
            StoreBroken: the disk failed.
        """
        wanted = self._commits
        while self._settled < wanted:
            if self._settling is None or self._settling.done():  # done: awaiting it again would never let it be noted
                self._settling = self._start(self._log.sync)
                self._settling.add_done_callback(partial(self._note_settled, self._commits))
            try:
                async with asyncio.timeout(PATIENCE):
                    await asyncio.shield(self._settling)
            except TimeoutError as error:
                raise StoreBroken(f"the store {self.path}: the disk has not answered for {PATIENCE:.0f} s") from error
            except OSError as error:
                raise of_system(self.path, error) from error

    def _note_settled(self, commits: int, job: asyncio.Future[None]) -> None:
        if self._settling is job:
            self._settling = None
        if not job.cancelled() and job.exception() is None:
            self._settled = max(self._settled, commits)

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the log has grown long enough to be copied into the file."""
        try:
            return self._log.is_long(self._commits, self._connection.total_changes)
        except OSError as error:
            raise of_system(self.path, error) from error

    async def checkpoint(self) -> None:
        """Copy the log into the file, so that it can be filled from the beginning again; the disk is waited for.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        try:
            self._log.is_copied()
            await self.in_thread(self._copy)
            if self._log.size > MOST_LOG_BYTES:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            raise of_sqlite(self.path, error) from error
        except OSError as error:
            raise of_system(self.path, error) from error

    @property
    def _log(self) -> WriteAheadLog:
        if self._wal is None:
            raise StoreBroken(f"the store {self.path} is closed")
        return self._wal

    def _copy(self) -> None:
        self._second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    @property
    def size(self) -> int:
        """Return the length of the file in bytes, when all of the log is in it."""
        return int(self.execute("PRAGMA page_count").fetchone()[0]) * self._page_size

    @property
    def free(self) -> int:
        """Return the bytes in the file that were freed and will be used again."""
        return int(self.execute("PRAGMA freelist_count").fetchone()[0]) * self._page_size

    def shrink(self, size: int) -> None:
        """Give freed bytes back to the disk, about `size`.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        try:  # as a script, as it yields a row for each page, without columns, which sqlite3 stops at
            self._connection.executescript(f"PRAGMA incremental_vacuum({size // self._page_size})")
        except sqlite3.Error as error:
            raise of_sqlite(self.path, error) from error
        self._commits += 1

    # ---- the end -------------------------------------------------------------------------------------------------

    async def close(self, *, in_order: bool) -> None:
        """Close the file in a thread; SQLite copies the log into it. Not in order: what it holds is in doubt.

        Never fails: what could not be noted is found missing at the next opening.
        """
        if self._jobs:
            await asyncio.wait(self._jobs)
        if not self._open:
            return
        self._open = False
        if in_order:
            try:
                with self.transaction():
                    self.execute("UPDATE meta SET value = 1 WHERE name = 'closed'")
            except StoreBroken as error:
                log.warning("%s; it is closed as it is", error)
        with suppress(sqlite3.Error):
            self._connection.close()
        await self.in_thread(self._release)

    def disconnect(self) -> None:
        """Let go of the file; the lock is held on."""
        for connection in (self._connection, self._second):  # the last one copies the log and removes it
            with suppress(sqlite3.Error):
                connection.close()
        if self._wal is not None:
            self._wal.close()
            self._wal = None

    def _release(self) -> None:
        self.disconnect()
        self._lock.release()
        self._threads.shutdown(wait=False)

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run something that waits for the disk. It ends before the file is closed, also if nobody waits for it."""
        return await asyncio.shield(self._start(function, *arguments))

    def _start(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        job = asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job
