"""Values as texts have them, and texts made of values: lines, files, outputs, requests. Pure."""

import json
import re
from decimal import Decimal

from jidget_drivers.errors import WriteRefused
from jidget_drivers.properties import Kind, Property, Scalar, misfit

TRUE = ("1", "on", "true", "yes")
"""What is true in a text, whatever its case, unless the configuration says; the first is what is written."""
FALSE = ("0", "off", "false", "no")

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_LARGEST_INTEGER = 2**63 - 1
_PLACE = re.compile(r"\{(value|json)\}")
"""Where in a template the value goes."""
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
"""Control characters, and what stands for bytes that are not UTF-8."""


class Nonsense(ValueError):
    """A text has something that is no value of a property."""


def read_value(prop: Property, raw: object, words: tuple[str, str] = ("", "")) -> Scalar:
    """Return what `raw`, text or a value of JSON, says for `prop`; `words` are those for true and false, if set.

    Raises:
        Nonsense: no value that the property may have: not a number, not finite, out of range, not text.
    """
    match prop.kind:
        case Kind.BOOLEAN:
            value: Scalar = _read_switch(raw, words)
        case Kind.NUMBER:
            value = _read_number(raw)
        case Kind.INTEGER:
            value = _read_integer(raw)
        case _:  # a string or an enum
            if not isinstance(raw, str) or _NOT_TEXT.search(raw):
                raise Nonsense(f"{shorten(raw)} is not text")
            value = raw
    problem = misfit(prop, value)
    if problem:
        raise Nonsense(f"{prop.name}: {problem}")
    return value


def _read_switch(raw: object, words: tuple[str, str]) -> bool:
    text = (str(raw) if isinstance(raw, bool | int | str) else "").strip().casefold()
    for value, word, usual in ((True, words[0], TRUE), (False, words[1], FALSE)):
        if text in ((word.casefold(),) if word else usual) or (isinstance(raw, bool) and raw is value):
            return value
    raise Nonsense(f"{shorten(raw)} is neither on nor off")


def _read_number(raw: object) -> float:
    if isinstance(raw, str):
        text = raw.strip()
        if not _NUMBER.fullmatch(text):
            raise Nonsense(f"{shorten(raw)} is not a number")
        return float(text.replace(",", "."))
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise Nonsense(f"{shorten(raw)} is not a number")
    try:
        return float(raw)
    except OverflowError:
        raise Nonsense(f"{shorten(raw)} is too large") from None


def _read_integer(raw: object) -> int:
    if isinstance(raw, str):
        raw = int(raw) if _INTEGER.fullmatch(raw.strip()) else raw
    elif isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > _LARGEST_INTEGER:
        raise Nonsense(f"{shorten(raw)} is not a whole number")
    return raw


def takes_value(template: str) -> bool:
    """Whether `write_value` would put the value into `template`, not make the same of all values."""
    return _PLACE.search(template) is not None


def write_value(template: str, prop: Property, value: Scalar, words: tuple[str, str] = ("", "")) -> bytes:
    """Return the bytes that `template` makes of `value`: `{value}` as text, `{json}` as JSON.

    Raises:
        WriteRefused: a text that would end the line, or do other things than stand in it.
    """
    if isinstance(value, bool):
        text = (words[0] or TRUE[0]) if value else (words[1] or FALSE[0])
    elif isinstance(value, int | float):
        text = _write_number(value, prop.precision)
    else:
        text = value
    if isinstance(value, str) and _NOT_TEXT.search(value):
        raise WriteRefused(f"{prop.name}: a text for this device has no line ends and no control characters")
    as_json = json.dumps(value) if isinstance(value, bool | str) else text
    return _PLACE.sub(lambda found: text if found[1] == "value" else as_json, template).encode()


def _write_number(value: float, precision: int | None) -> str:
    """Write a number without an exponent, which few devices read."""
    if precision is not None and isinstance(value, float):
        return f"{value:.{precision}f}"
    return format(Decimal(repr(value)), "f")


def shorten(raw: object) -> str:
    """Return what a message may hold of something that others wrote."""
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "…"
