"""Values out of a text that something else made: a command's output, a file, a web page. Pure.

A property is the whole text, or what is at a path in its JSON (RFC 8259; paths dotted, or pointers of RFC 6901), or
what a pattern finds in one of its lines.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from jidget_drivers.configured_properties import PropertyInText
from jidget_drivers.errors import InvalidReading
from jidget_drivers.json_values import NotThere, look_up, parse_json
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.safe_patterns import LONGEST_SEARCHED, PatternText, TooSlow, time_limit
from jidget_drivers.text_values import Nonsense, read_value, shorten

_MOST_KEYS = 8
"""Keys that a message names when the wanted one is not there."""


def _check_key(key: str) -> str:
    if re.search(r"~(?![01])", key) and key.startswith("/"):
        raise ValueError(f"{key!r} is no JSON pointer: write ~0 for ~ and ~1 for /")
    if not key.startswith("/") and "" in key.split("."):
        raise ValueError(f"{key!r} is no path: write sensors.0.temp, or a JSON pointer, /sensors/0/temp")
    return key


class ExtractedProperty(PropertyInText):
    """One property: what it is, and where in the text it stands."""

    key: Annotated[str, Field(min_length=1), AfterValidator(_check_key)] | None = Field(
        default=None, description="Path of its value in JSON: sensors.0.temp, or a pointer: /sensors/0/temp."
    )


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
    document = _parse(text) if any(spec.key is not None for spec in specs.values()) else None
    values: dict[str, Scalar] = {}
    for name, spec in specs.items():
        if spec.key is not None:
            raw = _find(name, document, spec.key)
        elif isinstance(spec, SearchedProperty) and spec.pattern is not None:
            raw = _search(name, spec.pattern, text)
        else:
            raw = text.strip()
        try:
            values[name] = read_value(declared[name], raw, spec.words)
        except Nonsense as error:
            raise InvalidReading(str(error) if str(error).startswith(f"{name}:") else f"{name}: {error}") from None
    return values


def _parse(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError as error:
        begin = shorten(text.strip()) if text.strip() else "nothing"
        raise InvalidReading(f"it is no JSON ({error}): {begin}") from None


def _find(name: str, document: object, key: str) -> object:
    """Return what is at `key`, for the property `name`.

    Raises:
        InvalidReading: nothing is there, or null.
    """
    try:
        found = look_up(document, _steps(key))
    except NotThere as error:
        there = _say_keys(error.instead)
        raise InvalidReading(f"{name}: the JSON has no {key}: instead of {error.step!r} there is {there}") from None
    if found is None:
        raise InvalidReading(f"{name}: {key} is null: there is no value now")
    return found


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
        try:
            with time_limit():
                found = compiled.search(line[:LONGEST_SEARCHED])
        except TooSlow:
            raise InvalidReading(f"{name}: {pattern!r} takes too long on {shorten(line)}") from None
        if found is not None:
            value = found[1] if compiled.groups else found[0]
            if value is not None:
                return value
    raise InvalidReading(f"{name}: no line has {pattern!r}; the text is {shorten(text.strip())}")
