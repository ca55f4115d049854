"""Values out of a text that something else made: a command's output, a file, a web page. Pure.

A property is the whole text, or what is at a path in its JSON (RFC 8259; paths dotted, or pointers of RFC 6901), or
what a pattern finds in one of its lines.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, NoReturn, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.errors import InvalidReading
from jidget_drivers.properties import Kind, Property, Scalar
from jidget_drivers.serial_line_options import LONGEST_SEARCHED
from jidget_drivers.serial_line_pattern import PatternText
from jidget_drivers.serial_line_values import Nonsense, read_value, shorten
from jidget_drivers.units import Unit, parse_unit

_MOST_KEYS = 8
"""Keys that a message names when the wanted one is not there."""


def _unit(value: object) -> object:
    return parse_unit(value) if isinstance(value, str) else value


def _check_key(key: str) -> str:
    if re.search(r"~(?![01])", key) and key.startswith("/"):
        raise ValueError(f"{key!r} is no JSON pointer: write ~0 for ~ and ~1 for /")
    if not key.startswith("/") and "" in key.split("."):
        raise ValueError(f"{key!r} is no path: write sensors.0.temp, or a JSON pointer, /sensors/0/temp")
    return key


class ExtractedProperty(DriverOptions):
    """One property: what it is, and where in the text it stands."""

    type: Kind = Field(default=Kind.NUMBER, description="Type of its values.")
    unit: Annotated[Unit | None, BeforeValidator(_unit)] = Field(
        default=None, description="Unit of a number or integer: a SenML symbol or a usual spelling, such as Cel or °C."
    )
    label: str = Field(default="", description="What people call it.")
    description: str = Field(default="", description="One line about it.")
    min: float | None = Field(default=None, description="Least value that makes sense; below, a reading is invalid.")
    max: float | None = Field(default=None, description="Greatest value that makes sense, likewise.")
    options: tuple[str, ...] = Field(default=(), description="Values of an enum.")
    precision: int | None = Field(default=None, ge=0, le=9, description="Decimals shown and written.")
    on: str = Field(default="", description="What means true, read and written. Left out: 1, on, true or yes; 1.")
    off: str = Field(default="", description="What means false, likewise. Left out: 0, off, false or no; 0.")
    key: Annotated[str, Field(min_length=1), AfterValidator(_check_key)] | None = Field(
        default=None, description="Path of its value in JSON: sensors.0.temp, or a pointer: /sensors/0/temp."
    )

    @property
    def words(self) -> tuple[str, str]:
        """Return what means true and false; empty for the usual."""
        return self.on, self.off

    def declared(self, name: str, *, writable: bool = False) -> Property:
        """Return it as the driver declares it, under `name`.

        Raises:
            ValueError: the name or the settings contradict each other.
        """
        return Property(
            name=name,
            kind=self.type,
            unit=self.unit,
            label=self.label,
            description=self.description,
            writable=writable,
            minimum=self.min,
            maximum=self.max,
            options=self.options,
            precision=self.precision,
        )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self.declared("x")  # its own contradictions
        if self.words != ("", "") and self.type is not Kind.BOOLEAN:
            raise ValueError(f"on and off are for a boolean; this is a {self.type}")
        if self.on and self.on.casefold() == self.off.casefold():
            raise ValueError(f"on and off are the same: {self.on!r}")
        if self.type not in (Kind.NUMBER, Kind.INTEGER) and (self.min, self.max) != (None, None):
            raise ValueError(f"a {self.type} has no min or max")
        return self


class SearchedProperty(ExtractedProperty):
    """One property of a text that need not be JSON. With neither key nor pattern it is the whole text."""

    pattern: PatternText | None = Field(
        default=None,
        description="Regular expression searched in each line, up to one that fits: its first group is the value, "
        f"without groups all of it. Of a line {LONGEST_SEARCHED} characters count.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.key is not None and self.pattern is not None:
            raise ValueError("a value is either at a key of JSON or found by a pattern: leave one out")
        return self


def extract(specs: Mapping[str, ExtractedProperty], declared: Mapping[str, Property], text: str) -> dict[str, Scalar]:
    """Return the values of all properties in `text`.

    Args:
        specs: where each stands, by name.
        declared: what each is, by name.
        text: what was told; parsed as JSON once, if anything is to be found there.

    Raises:
        InvalidReading: one of them is not there or no value it may have; the text names it.
    """
    document = parse_json(text) if any(spec.key is not None for spec in specs.values()) else None
    values: dict[str, Scalar] = {}
    for name, spec in specs.items():
        if spec.key is not None:
            raw = look_up(name, document, spec.key)
        elif isinstance(spec, SearchedProperty) and spec.pattern is not None:
            raw = _search(name, spec.pattern, text)
        else:
            raw = text.strip()
        try:
            values[name] = read_value(declared[name], raw, spec.words)
        except Nonsense as error:
            raise InvalidReading(str(error) if str(error).startswith(f"{name}:") else f"{name}: {error}") from None
    return values


def parse_json(text: str) -> object:
    """Return the document in `text`.

    Raises:
        InvalidReading: it is no JSON; also NaN and Infinity, which Python would take (RFC 8259, 6).
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        begin = shorten(text.strip()) if text.strip() else "nothing"
        raise InvalidReading(f"it is no JSON ({error}): {begin}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def look_up(name: str, document: object, key: str) -> object:
    """Return what is at `key`, for the property `name`.

    Raises:
        InvalidReading: nothing is there, or null.
    """
    for step in _steps(key):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and re.fullmatch("[0-9]{1,9}", step) and int(step) < len(document):
            document = document[int(step)]
        else:
            raise InvalidReading(f"{name}: the JSON has no {key}: instead of {step!r} there is {_say_keys(document)}")
    if document is None:
        raise InvalidReading(f"{name}: {key} is null: there is no value now")
    return document


def _steps(key: str) -> list[str]:
    if not key.startswith("/"):
        return key.split(".")
    return [step.replace("~1", "/").replace("~0", "~") for step in key[1:].split("/")]


def _say_keys(document: object) -> str:
    if isinstance(document, dict):
        names = [str(key) for key in document]
        more = len(names) - _MOST_KEYS
        return (
            shorten(", ".join(names[:_MOST_KEYS]) + (f" and {more} more" if more > 0 else "")) if names else "nothing"
        )
    return f"a list of {len(document)}" if isinstance(document, list) else shorten(document)


def _search(name: str, pattern: str, text: str) -> str:
    compiled = re.compile(pattern)
    for line in text.splitlines():
        found = compiled.search(line[:LONGEST_SEARCHED])
        if found is not None:
            value = found[1] if compiled.groups else found[0]
            if value is not None:
                return value
    raise InvalidReading(f"{name}: no line has {pattern!r}; the text is {shorten(text.strip())}")
