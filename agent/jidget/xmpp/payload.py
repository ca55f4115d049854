"""Readings as sensor data (Neuro-Foundation `urn:nf:iot:sd:1.0`, DESIGN 4.3): written as text, read from elements.

`<resp id>` holds one `<nd id src>` a Thing, in it one `<ts v>` an instant, in it one typed field a property.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from jidget.reading import Reading
from jidget.things.values import LARGEST_INTEGER, MAX_STRING, shorten, show_number
from jidget.xmpp.xml import SENSOR_DATA, escape
from jidget_drivers import Kind, Property, Scalar
from jidget_drivers.units import people_spelling, unit_of

NOW_ITEM_BYTES = 31 * 1024
"""Of a state item's `<nd>` elements: with what is around them it stays within the 32 KiB of DESIGN 4.3."""
CLOCK_UNSET = 1_577_836_800_000
"""Milliseconds: a clock that says it is before 2020 has not been set."""
_MOST_FRAMES = 10_000
"""Properties remembered; more than there are, unless somebody makes a new one for each reading."""
_CONTROLS = " ctr='true'"
FLAGS = ("m", "p", "s", "c", "i", "h", "ms", "pr", "ae", "me", "mr", "ar", "of", "w", "er")


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def write_time(milliseconds: int) -> str:
    """Write UTC milliseconds as xs:dateTime with three decimals."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def read_time(text: str) -> int:
    """Return the UTC milliseconds of an xs:dateTime.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} is out of range") from None
    return round(moment.timestamp() * 1000)


# By the property's id: hashing it costs more than writing a reading. It is held, so its id stays its own.
_frames: dict[int, tuple[Property, str, str]] = {}


def _frame(prop: Property) -> tuple[Property, str, str]:
    """Return a property with what stands before and after a number of it; remembered."""
    unit = people_spelling(prop.unit)
    if prop.kind is Kind.INTEGER and not unit:
        frame = prop, f"<l n='{prop.name}' v='", "'"
    else:
        frame = prop, f"<q n='{prop.name}' v='", f"' u='{escape(unit)}'"
    if len(_frames) >= _MOST_FRAMES:
        _frames.clear()
    _frames[id(prop)] = frame
    return frame


def write_field(reading: Reading, *, historical: bool = False, controls: bool = False) -> str:
    """Write one property's value as a typed field; default flags are left out."""
    flags = _flags(reading.time, historical=historical)
    if controls and reading.property.writable:
        flags += _CONTROLS
    return _typed(reading.property, reading.value, flags)


def _flags(time: int, *, historical: bool) -> str:
    flags = " h='true'" if historical else ""
    return f"{flags} of='true'" if time < CLOCK_UNSET else flags


def _typed(prop: Property, value: Scalar, flags: str) -> str:
    if isinstance(value, bool):
        return f"<b n='{prop.name}' v='{'true' if value else 'false'}'{flags}/>"
    if isinstance(value, str):
        if prop.kind is Kind.ENUM:
            return f"<e n='{prop.name}' v='{escape(value)}' t='{prop.name}'{flags}/>"
        return f"<s n='{prop.name}' v='{escape(value)}'{flags}/>"
    _, before, after = _frames.get(id(prop)) or _frame(prop)
    return f"{before}{value}{after}{flags}/>"


def write_nodes(
    readings: Iterable[Reading], resource: str, *, historical: bool = False, controls: bool = False
) -> list[str]:
    """Write readings as `<nd>` elements, one a Thing, instants in order."""
    things: dict[str, dict[int, list[str]]] = {}
    thing, time, flags = "", -1, ""
    fields: list[str] = []
    for reading in readings:
        prop = reading.property
        if reading.time != time or reading.thing != thing:  # mostly those of an instant come together
            thing, time = reading.thing, reading.time
            fields = things.setdefault(thing, {}).setdefault(time, [])
            flags = _flags(time, historical=historical)
        fields.append(_typed(prop, reading.value, flags + _CONTROLS if controls and prop.writable else flags))
    src = escape(resource)
    return [
        f"<nd id='{thing}' src='{src}'>"
        + "".join([f"<ts v='{write_time(at)}'>{''.join(fields)}</ts>" for at, fields in sorted(instants.items())])
        + "</nd>"
        for thing, instants in things.items()
    ]


def write_resp(stanza_id: str, nodes: Iterable[str], *, more: bool = False) -> str:
    """Write `<resp>` around `<nd>` elements."""
    flag = " more='true'" if more else ""
    return f"<resp xmlns='{SENSOR_DATA}' id='{escape(stanza_id)}'{flag}>{''.join(nodes)}</resp>"


def pack_nodes(nodes: Sequence[str], limit: int = NOW_ITEM_BYTES) -> list[list[str]]:
    """Spread `<nd>` elements over items of at most `limit` bytes, at least one item."""
    packed: list[list[str]] = [[]]
    size = 0
    for node in nodes:
        length = len(node.encode())
        if packed[-1] and size + length > limit:
            packed.append([])
            size = 0
        packed[-1].append(node)
        size += length
    return packed


def write_current(values: Sequence[Reading], resource: str) -> list[list[str]]:
    """Write current values, those of a Thing together, as the `<nd>` elements of each state item."""
    nodes: list[str] = []
    for _, group in groupby(values, key=lambda reading: reading.thing):
        nodes += _fitting(list(group), resource)
    return pack_nodes(nodes)


def _fitting(values: Sequence[Reading], resource: str) -> list[str]:
    """Write the values of one Thing as one `<nd>`, or as several if that would be too long for an item."""
    nodes = write_nodes(values, resource, controls=True)
    if len(values) == 1 or len(nodes[0].encode()) <= NOW_ITEM_BYTES:
        return nodes
    half = len(values) // 2
    return [*_fitting(values[:half], resource), *_fitting(values[half:], resource)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value as read from somebody's sensor data. `unit` is the SenML symbol where we know it, else as written."""

    thing: str
    agent: str
    property: str
    value: Scalar
    unit: str
    time: int
    flags: tuple[str, ...]


def show_field(field: Field) -> str:
    """Say a field's value to a person, in one line, with the unit as people write it."""
    value = field.value
    if isinstance(value, bool):
        return "on" if value else "off"
    shown = shorten(value, MAX_STRING) if isinstance(value, str) else show_number(value, None)
    unit = unit_of(field.unit)
    spelling = people_spelling(unit) if unit else shorten(field.unit)
    return f"{shown} {spelling}".rstrip()


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no measurement")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) > LARGEST_INTEGER:
        raise ValueError(f"{text} is beyond xs:long")
    return number


_READERS: dict[str, Any] = {
    "b": lambda v: {"true": True, "1": True, "false": False, "0": False}[v],
    "q": _finite,
    "i": _whole,
    "l": _whole,
    "s": str,
    "e": str,
    "d": str,
    "t": str,
    "dt": str,
    "dr": str,
}


def read_fields(resp: ET.Element) -> Iterator[Field]:
    """Yield the fields of a `<resp>`, leaving out what is not sensor data as we know it."""
    space = f"{{{SENSOR_DATA}}}"
    for node in resp.iterfind(f"{space}nd"):
        for instant in node.iterfind(f"{space}ts"):
            try:
                at = read_time(instant.get("v", ""))
            except ValueError:
                continue
            for field in instant:
                reader = _READERS.get(field.tag.removeprefix(space))
                name, text = field.get("n"), field.get("v")
                if reader is None or name is None or text is None:
                    continue
                try:
                    value: Scalar = reader(text)
                except (ValueError, KeyError):
                    continue
                unit = unit_of(field.get("u", ""))
                yield Field(
                    thing=node.get("id", ""),
                    agent=node.get("src", ""),
                    property=name,
                    value=value,
                    unit=unit.value if unit else field.get("u", ""),
                    time=at,
                    flags=tuple(flag for flag in FLAGS if field.get(flag) in ("true", "1")),
                )
