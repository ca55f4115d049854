"""Readings as lines for people: time, name, value, in columns."""

from collections.abc import Iterable
from datetime import datetime

from jidget.cli.terminal import Painter
from jidget.things.values import shorten
from jidget.xmpp.payload import Field, show_field, write_time

NARROWEST = 16
LONGEST = 130
"""Characters of a name: those of a Thing's and a property's id, and the dot."""
# What a flag of the sensor data means to a person (Neuro-Foundation, field attributes); the others as they are.
_FLAGS = {"h": "late", "of": "clock not set", "w": "warning", "er": "error"}


class ReadingLines:
    """Lays readings out in columns; that of the names is as wide as the longest one so far."""

    def __init__(self, paint: Painter) -> None:
        self._paint = paint
        self._width = NARROWEST

    def widen(self, fields: Iterable[Field]) -> None:
        """Make room for the names of readings that are about to be shown."""
        self._width = max(self._width, *(len(name_of(field)) for field in fields), 0)

    def line(self, field: Field, *remarks: str) -> str:
        """Return the line of a reading, remarks behind its value."""
        self.widen((field,))
        paint = self._paint
        said = ", ".join((*remarks, *(_FLAGS.get(flag, flag) for flag in field.flags)))
        parts = (
            paint.dim(local_time(field.time)),
            f"{name_of(field):<{self._width}}",
            paint.value(show_field(field)),
            paint.dim(f"({said})") if said else "",
        )
        return "  ".join(part for part in parts if part)


def name_of(field: Field) -> str:
    """Return `THING.PROPERTY` of a reading, as somebody else wrote it and a terminal can take it."""
    return shorten(f"{field.thing}.{field.property}", LONGEST)


def local_time(milliseconds: int) -> str:
    """Return a UTC time as the clock on the wall shows it; with the date, if that is not today's."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    except (OverflowError, ValueError, OSError):  # the first or last day that there is, elsewhere
        return write_time(milliseconds)
    today = moment.date() == datetime.now().astimezone().date()
    shown = moment.replace(tzinfo=None).isoformat(" ", "seconds")
    return shown.partition(" ")[2] if today else shown
