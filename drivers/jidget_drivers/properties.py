"""What a Thing shows and takes: its properties, their kinds and limits."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from jidget_drivers.units import Unit

Scalar = bool | int | float | str
"""A property's value, in the property's own unit."""

PROPERTY_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What a property's name looks like (the whole of it)."""


class Kind(StrEnum):
    """The type of a property's value."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    STRING = "string"
    ENUM = "enum"

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers, which may have a unit and limits."""
        return self in (Kind.NUMBER, Kind.INTEGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One thing that can be observed and, if `writable`, set.

    Attributes:
        name: the id, a slug such as `cpu_temperature`.
        kind: the type of its values.
        unit: SenML unit of a number or integer; None for a pure number.
        label: what people call it; the name with blanks if empty.
        description: one line for the catalogue and forms.
        writable: whether the driver's `write` takes it.
        minimum: least value that makes sense, in `unit`; a reading below is invalid, a write below is refused.
        maximum: greatest value, likewise.
        options: the values an enum may have.
        precision: decimals worth showing; None for as many as the value has.
        safe: the value an output goes to when nobody is in control; None where the driver knows of none.
        event: whether a value is something that has happened: each is a reading of its own, also the same one again,
            and none is ever repeated.
    """

    name: str
    kind: Kind = Kind.NUMBER
    unit: Unit | None = None
    label: str = ""
    description: str = ""
    writable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    options: tuple[str, ...] = ()
    precision: int | None = None
    safe: Scalar | None = None
    event: bool = False

    def __post_init__(self) -> None:
        if not PROPERTY_ID.fullmatch(self.name):
            raise ValueError(f"property name {self.name!r} must match {PROPERTY_ID.pattern}")
        if (self.kind is Kind.ENUM) != bool(self.options):
            raise ValueError(f"property {self.name!r}: an enum needs options, and only an enum has them")
        if self.unit is not None and not self.kind.is_numeric:
            raise ValueError(f"property {self.name!r}: a {self.kind} has no unit")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"property {self.name!r}: minimum {self.minimum} is above maximum {self.maximum}")


def misfit(prop: Property, value: object) -> str:
    """Say why `value` is none that `prop` may have; nothing if it is one."""
    match prop.kind:
        case Kind.BOOLEAN:
            return "" if isinstance(value, bool) else f"{value!r} is not a bool"
        case Kind.STRING:
            return "" if isinstance(value, str) else f"{value!r} is not a str"
        case Kind.ENUM:
            return "" if value in prop.options else f"{value!r} is none of {', '.join(prop.options)}"
        case Kind.INTEGER:
            if isinstance(value, bool) or not isinstance(value, int):
                return f"{value!r} is not an int"
        case Kind.NUMBER:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"{value!r} is not a number"
            if not math.isfinite(value):
                return f"{value!r} is not finite"
    if prop.minimum is not None and value < prop.minimum:
        return f"{value!r} is below the minimum {prop.minimum:g}"
    if prop.maximum is not None and value > prop.maximum:
        return f"{value!r} is above the maximum {prop.maximum:g}"
    return ""
