"""Readings, and the batches they travel in."""

from dataclasses import dataclass

from jidget_drivers import Property, Scalar

READINGS_IN_BATCH = 50
"""Readings in one batch; a few more where an instant would be split."""
_MARKUP = 80
"""Bytes that a reading takes besides its name and value: tags, unit, its part of an instant's."""
_DIGITS = 12
_ESCAPED = "&<>'\""


@dataclass(frozen=True, slots=True)
class Reading:
    """One property's value at one instant.

    Attributes:
        thing: the Thing's id.
        property: what was read, with its kind and unit.
        value: in the property's unit, calibrated.
        time: when, in UTC milliseconds since 1970.
    """

    thing: str
    property: Property
    value: Scalar
    time: int


def weight_of(reading: Reading) -> int:
    """Return about how many bytes a reading takes on its way; never far too few, as that bounds a batch."""
    value, name = reading.value, len(reading.property.name)
    if not isinstance(value, str):
        return _MARKUP + name + _DIGITS
    escaped = sum(map(value.count, _ESCAPED))
    return _MARKUP + 2 * name + len(value.encode(errors="replace")) + 5 * escaped


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Readings that are sent, and if in doubt sent again, as one item: fixed before its first sending (DESIGN 4.3).

    Attributes:
        gen: 8 hex digits; another one whenever a SEQ could repeat.
        seq: counts first sendings without gaps.
        readings: oldest first.
        backlog: whether they waited for a link: flagged as historical.
    """

    gen: str
    seq: int
    readings: tuple[Reading, ...]
    backlog: bool

    @property
    def id(self) -> str:
        """Return `GEN-SEQ`, the item's id."""
        return f"{self.gen}-{self.seq}"
