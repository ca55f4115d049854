"""Readings as rows: a series (Thing, property, kind, unit) is named once in the file, and pointed to by its number."""

import math
import re

from jidget.reading import Reading
from jidget.store.database import Database
from jidget.store.faults import StoreDamaged, StoreUnusable
from jidget_drivers import Kind, Property, Scalar, Unit

_Names = tuple[str, str, str, str]
_Row = tuple[int, int, Scalar]
_LARGEST = 2**63 - 1
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_YEAR_10000 = 253_402_300_800_000
_MOST_KNOWN = 10_000
"""Property objects remembered; more than there are, unless somebody makes a new one for each reading."""


class Series:
    """The series of one file. They are never removed: there are as many as the owner's Things ever had properties."""

    def __init__(self, database: Database) -> None:
        """Read them.

        Raises:
            StoreBroken: the file or its disk failed.
            StoreUnusable: one of them is none that this version knows.
        """
        self._database = database
        self._numbers: dict[_Names, int] = {}
        self._things: dict[int, tuple[str, Property]] = {}
        # By the object's id: hashing a property costs more than storing a reading. The object is held, so its id stays.
        self._known: dict[tuple[str, int], tuple[int, Property]] = {}
        for number, *names in database.execute("SELECT id, thing, property, kind, unit FROM series").fetchall():
            self._learn(number, (names[0], names[1], names[2], names[3]))

    def row(self, reading: Reading) -> _Row:
        """Return a reading's series, time and value as they are stored; a new series is written, in a transaction."""
        prop, value = reading.property, reading.value
        known = self._known.get((reading.thing, id(prop)))
        number = self._number_of(reading.thing, prop) if known is None else known[0]
        if isinstance(value, str):
            if not value.isascii():
                value = _HALF_A_PAIR.sub("\ufffd", value)  # it cannot be stored; in XML it looks the same
        elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            value = float(value)
        return number, reading.time, value

    def as_stored(self, reading: Reading, row: tuple[int, int, int, Scalar]) -> Reading:
        """Return the reading as it will be read again from its row."""
        same = row[3] is reading.value and row[2] == reading.time
        return reading if same else self.reading(*row[1:])

    def reading(self, number: int, time: int, value: Scalar) -> Reading:
        """Return the reading that was stored as this.

        Raises:
            StoreDamaged: it makes no sense: bits have fallen over where SQLite cannot notice it.
        """
        thing, prop = self._things.get(number, ("", None))
        if prop is None or not makes_sense(prop, time, value):
            raise StoreDamaged(f"the store {self._database.path} is damaged (a reading in it makes no sense)")
        return Reading(thing, prop, bool(value) if prop.kind is Kind.BOOLEAN else value, time)

    def _number_of(self, thing: str, prop: Property) -> int:
        names = (thing, prop.name, prop.kind.value, prop.unit.value if prop.unit else "")
        number = self._numbers.get(names)
        if number is None:
            number = len(self._numbers) + 1
            self._database.execute(
                "INSERT INTO series (id, thing, property, kind, unit) VALUES (?, ?, ?, ?, ?)", number, *names
            )
            self._learn(number, names)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[thing, id(prop)] = (number, prop)
        return number

    def _learn(self, number: int, names: _Names) -> None:
        thing, name, kind, unit = names
        options = ("",) if kind == Kind.ENUM else ()  # which ones there were says nothing of what was read
        try:
            prop = Property(name=name, kind=Kind(kind), unit=Unit(unit) if unit else None, options=options)
        except ValueError as error:
            raise StoreUnusable(
                f"the store {self._database.path} holds readings that this version does not know ({thing}.{name}: "
                f"{error}): install the version that wrote it again, or name another file in store.path"
            ) from error
        self._numbers[names] = number
        self._things[number] = (thing, prop)


def makes_sense(prop: Property, time: object, value: object) -> bool:
    """Whether this can have been stored as a reading of `prop`."""
    if not isinstance(time, int) or not 0 <= time < _YEAR_10000:
        return False
    if prop.kind in (Kind.STRING, Kind.ENUM):
        return isinstance(value, str)
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
