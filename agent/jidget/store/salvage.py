"""What a damaged store, put aside, still tells of readings that the server does not have."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from jidget.reading import Reading
from jidget.store.faults import of_system
from jidget.store.readings_log import ReadingsLog
from jidget.store.series import makes_sense
from jidget_drivers import Kind, Property, Unit

log = logging.getLogger(__name__)

_AT_ONCE = 2000
_NO_END = (1 << 63) - 1


def salvage(aside: Path, into: ReadingsLog) -> int:
    """Take over what can be read of the readings that waited, or were not acknowledged; return how many.

    Waits for the disk: call it in a thread.

    Raises:
        StoreBroken: the new store failed, or its disk does.
    """
    taken: list[Reading] = []
    count = 0
    for reading in _unsent(aside):
        taken.append(reading)
        if len(taken) == _AT_ONCE:
            into.append(taken)
            count += len(taken)
            taken = []
    into.append(taken)
    count += len(taken)
    log.warning("%d readings that had not been sent were taken over from %s", count, aside)
    return count


def _unsent(aside: Path) -> Iterator[Reading]:
    """Yield unsent readings up to where the damage is; nothing in the file is changed."""
    try:
        if not aside.stat().st_size:  # SQLite would take its log, if it has one, for a mistake and remove it
            return
        logged = Path(f"{aside}-wal").exists()
        place = f"file:{quote(str(aside))}?mode=ro{'' if logged else '&immutable=1'}"
        try:
            with suppress(sqlite3.Error), closing(sqlite3.connect(place, uri=True)) as database:
                yield from _read(database)
        finally:
            Path(f"{aside}-shm").unlink(missing_ok=True)
    except FileNotFoundError:
        log.warning("%s was removed before what had not been sent could be taken over from it", aside)
    except OSError as error:
        raise of_system(aside, error) from error


def _read(database: sqlite3.Connection) -> Iterator[Reading]:
    rows = database.execute("SELECT id, thing, property, kind, unit FROM series")
    series = {number: (thing, _property(name, kind, unit)) for number, thing, name, kind, unit in rows}
    ranges = database.execute("SELECT first, last FROM batch WHERE acknowledged = 0 ORDER BY id").fetchall()
    (cut_to,) = database.execute("SELECT coalesce(max(last), 0) FROM batch").fetchone()
    for first, last in (*ranges, (cut_to + 1, _NO_END)):
        for number, time, value in database.execute(
            "SELECT series, time, value FROM reading WHERE id BETWEEN ? AND ? ORDER BY id", (first, last)
        ):
            thing, prop = series.get(number, ("", None))
            if prop is not None and makes_sense(prop, time, value):
                yield Reading(thing, prop, bool(value) if prop.kind is Kind.BOOLEAN else value, time)


def _property(name: str, kind: str, unit: str) -> Property | None:
    try:
        options = ("",) if kind == Kind.ENUM else ()
        return Property(name=name, kind=Kind(kind), unit=Unit(unit) if unit else None, options=options)
    except ValueError:  # damaged, too
        return None
