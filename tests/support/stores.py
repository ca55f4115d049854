"""The store under test: readings to keep, a crash that loses nothing but the process, a disk with no room left."""

import os
import resource
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from jidget.reading import Batch, Reading
from jidget.store import opening
from jidget.store.database import Database
from jidget.store.store import Store
from jidget_drivers import Kind, Property, Unit

TEMPERATURE = Property(name="temperature", unit=Unit.CELSIUS, label="Air", precision=1)
STATE = Property(name="state", kind=Kind.BOOLEAN, writable=True)
COUNT = Property(name="count", kind=Kind.INTEGER)
MODE = Property(name="mode", kind=Kind.ENUM, options=("eco", "boost"))
TEXT = Property(name="text", kind=Kind.STRING)
START = 1_790_000_000_000
ALL = (0, 1 << 62)
"""From the first to the last time there is, in UTC milliseconds."""
NOBODY = 65534


def readings(count: int, *, first: int = 0, thing: str = "greenhouse", step: int = 1000) -> list[Reading]:
    """Make readings that are told apart by value and time."""
    return [Reading(thing, TEMPERATURE, n / 4, START + step * n) for n in range(first, first + count)]


def facts(found: Sequence[Reading]) -> list[tuple[str, str, object, int]]:
    """Return what the outside sees of readings, apart from their unit."""
    return [(reading.thing, reading.property.name, reading.value, reading.time) for reading in found]


def content(batch: Batch | None) -> tuple[str, bool, list[tuple[str, str, object, int]]]:
    """Return what must be the same whenever a batch is sent."""
    assert batch is not None
    return batch.id, batch.backlog, facts(batch.readings)


def cut_all(store: Store, most: int = 50, *, acknowledge: bool = True) -> list[Batch]:
    """Cut until nothing waits."""
    batches = []
    while batch := store.cut(most, backlog=False):
        batches.append(batch)
        if acknowledge:
            store.acknowledge(batch)
    return batches


def database(store: Store) -> Database:
    """Return the file of a store that can use it."""
    assert store._file is not None, store.trouble
    return store._file.database


async def crash(store: Store) -> None:
    """Leave the file as a process does that is killed after its last commit; the store must not be used any more."""
    await database(store).close(in_order=False)
    store._file = None


@asynccontextmanager
async def killed(path: Path, now: Callable[[], float] = time.time) -> AsyncIterator[Store]:
    """Use a store that ends like a process that is killed."""
    store = Store(path, now=now)
    await store.open()
    try:
        yield store
    finally:
        store.flush()
        await crash(store)


@contextmanager
def rebooted(directory: Path) -> Iterator[None]:
    """Let the machine have been started anew since."""
    other = directory / "boot_id"
    other.write_text("00000000-another-run-of-the-machine\n")
    before, opening.BOOT_ID = opening.BOOT_ID, other
    try:
        yield
    finally:
        opening.BOOT_ID = before


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow (setrlimit(2)): what a full disk does, for any user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be a user whom permissions bind, even where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask the file itself, or change it behind the agent's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()
