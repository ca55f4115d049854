"""Values of properties: read from people, checked, shown. Pure.

One place decides what `21,5 °C`, `on` or `Yes` mean for a property, whatever face they came by.
"""

import math
import re
from decimal import Decimal

from jidget.spelling import did_you_mean
from jidget_drivers import Kind, Property, Scalar
from jidget_drivers.units import people_spelling, same_unit

_TRUE = frozenset(("on", "true", "yes", "1"))
_FALSE = frozenset(("off", "false", "no", "0"))
SWITCH_WORDS = _TRUE | _FALSE
"""What a person may say for a boolean, casefolded."""
_NUMBER = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?)\s*(.*)", re.DOTALL)
MAX_STRING = 1024
"""Longest string value accepted from outside, in characters."""

LARGEST_INTEGER = 2**63 - 1
"""Whole numbers travel as xs:long."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_LONGEST_NUMBER = 64


class BadValue(ValueError):
    """The value does not fit the property; the text says what would."""


def clean_text(text: str) -> str:
    """Replace what XML 1.0 cannot carry (2.2 Char) and what a terminal should not get."""
    return _CONTROL.sub("\ufffd", text)


def parse_value(prop: Property, text: str) -> Scalar:
    """Return the value that a person's `text` names for `prop`.

    Raises:
        BadValue: it names none, or one that the property may not have.
    """
    wanted = text.strip()
    match prop.kind:
        case Kind.BOOLEAN:
            folded = wanted.casefold()
            if folded in _TRUE:
                return True
            if folded in _FALSE:
                return False
            raise BadValue(f'"{shorten(wanted)}" is not a switch position: say on or off')
        case Kind.ENUM:
            if wanted in prop.options:
                return wanted
            for option in prop.options:
                if option.casefold() == wanted.casefold():
                    return option
            hint = did_you_mean(shorten(wanted), prop.options)
            raise BadValue(f'"{shorten(wanted)}" is not one of {say_range(prop)}' + (f".{hint}" if hint else ""))
        case Kind.STRING:
            return check_value(prop, text)
        case Kind.NUMBER | Kind.INTEGER:
            return check_value(prop, _parse_number(prop, wanted))


def _parse_number(prop: Property, wanted: str) -> float | int:
    wanted = wanted.replace("\N{MINUS SIGN}", "-")
    match = _NUMBER.fullmatch(wanted) if len(wanted) <= _LONGEST_NUMBER else None
    if not match:
        raise BadValue(f'"{shorten(wanted)}" is not a number: {say_range(prop)}')
    if not same_unit(match[2], prop.unit):
        unit = people_spelling(prop.unit)
        raise BadValue(
            f'"{shorten(match[2])}" is not the unit of {prop.name}: ' + (f"it is {unit}" if unit else "it has none")
        )
    digits = match[1].replace(",", ".")
    if prop.kind is not Kind.INTEGER:
        return float(digits)
    number = Decimal(digits)
    if number != number.to_integral_value():
        raise BadValue(f'"{shorten(wanted)}" is not a whole number: {say_range(prop)}')
    if abs(number) > LARGEST_INTEGER:
        raise BadValue(f'"{shorten(wanted)}" is out of range: {say_range(prop)}')
    return int(number)


def check_value(prop: Property, value: Scalar) -> Scalar:
    """Return `value` as the kind of `prop`, checked against its limits.

    Raises:
        BadValue: wrong type, out of range, not an option, not finite, or a text too long.
    """
    match prop.kind:
        case Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise BadValue(f"{prop.name} takes on or off, not {shorten(str(value))}")
            return value
        case Kind.ENUM:
            if value not in prop.options:
                raise BadValue(f"{prop.name} takes one of {say_range(prop)}, not {shorten(str(value))}")
            return value
        case Kind.STRING:
            if not isinstance(value, str):
                raise BadValue(f"{prop.name} takes a text, not {shorten(repr(value))}")
            if len(value) > MAX_STRING:
                raise BadValue(f"{prop.name} takes at most {MAX_STRING} characters; this has {len(value)}")
            if _CONTROL.search(value):
                raise BadValue(f"{prop.name} takes no control characters")
            return value
        case Kind.NUMBER | Kind.INTEGER:
            return _check_number(prop, value)


def _check_number(prop: Property, value: Scalar) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue(f"{prop.name} takes a number, not {shorten(str(value))}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadValue(f"{prop.name} takes a finite number, not {value}")
    if prop.kind is Kind.INTEGER and isinstance(value, float):
        if value != int(value):
            raise BadValue(f"{prop.name} takes a whole number, not {value}")
        value = int(value)
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise BadValue(f"{prop.name}: a whole number beyond 64 bits is out of range: {say_range(prop)}")
    low, high = prop.minimum, prop.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise BadValue(f"{show_number(value, prop.precision)} is out of range: {say_range(prop)}")
    return value


def say_range(prop: Property) -> str:
    """Say which values a property takes: `0 to 100 %`, `on or off`, `eco, boost`."""
    match prop.kind:
        case Kind.BOOLEAN:
            return "on or off"
        case Kind.ENUM:
            return ", ".join(prop.options)
        case Kind.STRING:
            return f"a text of at most {MAX_STRING} characters"
        case Kind.NUMBER | Kind.INTEGER:
            pass
    unit = people_spelling(prop.unit)
    tail = f" {unit}" if unit else ""
    low = None if prop.minimum is None else show_number(prop.minimum, None)
    high = None if prop.maximum is None else show_number(prop.maximum, None)
    noun = "a whole number" if prop.kind is Kind.INTEGER else "a number"
    if low is not None and high is not None:
        return f"{low} to {high}{tail}"
    if low is not None:
        return f"{noun} from {low}{tail}"
    if high is not None:
        return f"{noun} up to {high}{tail}"
    return f"{noun}{' in ' + unit if unit else ''}"


def show_number(value: float, precision: int | None) -> str:
    """Write a number without exponent noise, rounded to `precision` decimals where given."""
    if isinstance(value, int):
        return str(value)
    if precision is not None:
        text = f"{value:.{max(0, precision)}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    text = f"{value:.12g}"
    return text if "e" in text else (text.rstrip("0").rstrip(".") if "." in text else text)


def show_value(prop: Property, value: Scalar) -> str:
    """Say a value to a person, with its unit: `21.4 °C`, `on`, `eco`."""
    unit = "" if isinstance(value, bool | str) else people_spelling(prop.unit)
    return f"{show_plain(prop, value)}{' ' + unit if unit else ''}"


def show_plain(prop: Property, value: Scalar) -> str:
    """Say a value without its unit, as a form shows it: `21.4`, `on`, `eco`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return clean_text(value)
    return show_number(float(value) if prop.kind is Kind.NUMBER else value, prop.precision)


def shorten(text: str, limit: int = 40) -> str:
    """Cut what somebody typed to a length that fits a sentence, in one line that keeps to itself.

    Line breaks become blanks; control characters, and those that turn the direction of what follows, are replaced.
    """
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return " ".join(_BIDI.sub("\ufffd", clean_text(short)).split())


def same_value(prop: Property, seen: Scalar, wanted: Scalar) -> bool:
    """Whether what a device shows is what it was asked for, within what it can show."""
    if isinstance(seen, float) or isinstance(wanted, float):
        if isinstance(seen, str) or isinstance(wanted, str):
            return False
        # Half of the last decimal shown, and a hair: the difference itself is rounded.
        step = 0.501 * 10.0**-prop.precision if prop.precision is not None else 0.0
        return math.isclose(seen, wanted, rel_tol=1e-6, abs_tol=max(step, 1e-9))
    return type(seen) is type(wanted) and seen == wanted
