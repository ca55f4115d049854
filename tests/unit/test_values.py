"""What people write for a value, and what they read."""

import math
from typing import Any

import pytest

from jidget.things.values import (
    LARGEST_INTEGER,
    MAX_STRING,
    BadValue,
    check_value,
    clean_text,
    parse_value,
    same_value,
    say_range,
    shorten,
    show_number,
    show_value,
)
from jidget_drivers import Kind, Property, Scalar, Unit

SWITCH = Property(name="state", kind=Kind.BOOLEAN)
MODE = Property(name="mode", kind=Kind.ENUM, options=("eco", "Boost", "boost"))
TEXT = Property(name="text", kind=Kind.STRING)
TARGET = Property(name="target", unit=Unit.CELSIUS, minimum=-20, maximum=60, precision=1)
RATIO = Property(name="ratio")
COUNT = Property(name="count", kind=Kind.INTEGER, minimum=0, maximum=10)
WHOLE = Property(name="whole", kind=Kind.INTEGER)


@pytest.mark.parametrize(
    ("prop", "text", "value"),
    [
        *((SWITCH, word, True) for word in ("on", "ON", "true", "Yes", "1", " on ")),
        *((SWITCH, word, False) for word in ("off", "Off", "FALSE", "no", "0")),
        (MODE, "eco", "eco"),
        (MODE, "ECO", "eco"),
        (MODE, "boost", "boost"),
        (MODE, "Boost", "Boost"),
        (MODE, "BOOST", "Boost"),
        (TEXT, " as it is ", " as it is "),
        (TEXT, "", ""),
        (TEXT, "two\nlines", "two\nlines"),
        (TARGET, "21.5", 21.5),
        (TARGET, "21,5", 21.5),
        (TARGET, "21,5 °C", 21.5),
        (TARGET, "21.5°C", 21.5),
        (TARGET, "21.5 Cel", 21.5),
        (TARGET, "21 C", 21.0),
        (TARGET, "-5", -5.0),
        (TARGET, "\N{MINUS SIGN}5", -5.0),
        (TARGET, "+.5", 0.5),
        (TARGET, "5.", 5.0),
        (TARGET, "6e1", 60.0),
        (RATIO, "1e-3", 0.001),
        (COUNT, "7", 7),
        (COUNT, "7.0", 7),
        (COUNT, "1e1", 10),
        (WHOLE, "9007199254740993", 9007199254740993),
        (WHOLE, str(LARGEST_INTEGER), LARGEST_INTEGER),
        (WHOLE, str(-LARGEST_INTEGER), -LARGEST_INTEGER),
    ],
)
def test_values_are_understood(prop: Property, text: str, value: Scalar) -> None:
    parsed = parse_value(prop, text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("prop", "text", "says"),
    [
        (SWITCH, "maybe", "say on or off"),
        (SWITCH, "", "say on or off"),
        (SWITCH, "on for ever", "say on or off"),
        (MODE, "turbo", "eco, Boost, boost"),
        (MODE, "ecco", 'Did you mean "eco"?'),
        (TARGET, "warm", "-20 to 60 °C"),
        (TARGET, "", "not a number"),
        (TARGET, "61", "61.0 is out of range: -20 to 60 °C"),
        (TARGET, "-20.01", "out of range"),
        (TARGET, "21 °F", "it is °C"),
        (TARGET, "21 %", "it is °C"),
        (TARGET, "nan", "not a number"),
        (TARGET, "inf", "not a number"),
        (TARGET, "1e999", "finite"),
        (TARGET, "0x10", "not the unit"),
        (TARGET, "1.000,5", "not the unit"),
        (RATIO, "5 %", "it has none"),
        (COUNT, "7.5", "whole number"),
        (COUNT, "11", "0 to 10"),
        (WHOLE, "1e999", "out of range"),
        (WHOLE, str(LARGEST_INTEGER + 1), "out of range"),
        (WHOLE, "9" * 65, "not a number"),
        (TEXT, "x" * (MAX_STRING + 1), f"at most {MAX_STRING}"),
        (TEXT, "a\x07b", "control"),
        (TEXT, "a\x9bb", "control"),
        (TEXT, "a\ud800b", "control"),
    ],
)
def test_what_is_no_value_is_refused_with_what_would_be(prop: Property, text: str, says: str) -> None:
    with pytest.raises(BadValue, match=r".") as caught:
        parse_value(prop, text)
    assert says in str(caught.value)


@pytest.mark.parametrize("prop", [SWITCH, MODE, TARGET, COUNT])
def test_refusing_a_huge_text_is_short(prop: Property) -> None:
    with pytest.raises(BadValue) as caught:
        parse_value(prop, "9" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        (SWITCH, 1),
        (SWITCH, "on"),
        (MODE, "turbo"),
        (MODE, True),
        (TEXT, 5),
        (TARGET, True),
        (TARGET, "21"),
        (TARGET, math.nan),
        (TARGET, math.inf),
        (RATIO, -math.inf),
        (TARGET, 60.1),
        (COUNT, 1.5),
        (COUNT, math.inf),
        (WHOLE, 10**400),
        (RATIO, 10**400),
    ],
)
def test_values_of_the_wrong_kind_are_refused(prop: Property, value: Any) -> None:
    with pytest.raises(BadValue):
        check_value(prop, value)


def test_a_whole_float_is_an_integer_where_one_is_wanted() -> None:
    assert type(check_value(COUNT, 3.0)) is int


@pytest.mark.parametrize(
    ("prop", "value", "text"),
    [
        (SWITCH, True, "on"),
        (SWITCH, False, "off"),
        (MODE, "eco", "eco"),
        (TARGET, 21.44, "21.4 °C"),
        (TARGET, 21, "21.0 °C"),
        (TARGET, -0.04, "0.0 °C"),
        (TARGET, -0.06, "-0.1 °C"),
        (RATIO, 0.1 + 0.2, "0.3"),
        (RATIO, 20.0, "20"),
        (RATIO, 1e20, "1e+20"),
        (COUNT, 7, "7"),
        (TEXT, "a\x1b[2Jb", "a\ufffd[2Jb"),
    ],
)
def test_values_are_shown_as_people_write_them(prop: Property, value: Scalar, text: str) -> None:
    assert show_value(prop, value) == text


def test_a_number_shown_can_be_written_back() -> None:
    for value in (-20.0, -0.1, 0.0, 21.5, 59.9):
        assert parse_value(TARGET, show_value(TARGET, value)) == value


def test_numbers_have_no_exponent_noise() -> None:
    assert [show_number(v, None) for v in (0.5, 100.0, 1013.25)] == ["0.5", "100", "1013.25"]


@pytest.mark.parametrize(
    ("prop", "text"),
    [
        (SWITCH, "on or off"),
        (MODE, "eco, Boost, boost"),
        (TARGET, "-20 to 60 °C"),
        (COUNT, "0 to 10"),
        (WHOLE, "a whole number"),
        (RATIO, "a number"),
        (Property(name="p", unit=Unit.WATT), "a number in W"),
        (Property(name="p", minimum=1), "a number from 1"),
        (Property(name="p", maximum=1.5, unit=Unit.VOLT), "a number up to 1.5 V"),
        (TEXT, f"a text of at most {MAX_STRING} characters"),
    ],
)
def test_ranges_are_said(prop: Property, text: str) -> None:
    assert say_range(prop) == text


@pytest.mark.parametrize(
    ("prop", "seen", "wanted", "same"),
    [
        (TARGET, 21.6, 21.55, True),
        (TARGET, 21.5, 21.55, True),
        (TARGET, 21.4, 21.55, False),
        (TARGET, 21, 21.0, True),
        (RATIO, 1.0, 1.0000000001, True),
        (RATIO, 1.0, 1.001, False),
        (SWITCH, True, True, True),
        (SWITCH, True, False, False),
        (WHOLE, 1, True, False),
        (WHOLE, 2**60, 2**60 + 1, False),
        (MODE, "eco", "boost", False),
        (RATIO, "1.0", 1.0, False),
    ],
)
def test_a_value_read_back_is_the_one_wanted_within_what_the_device_shows(
    prop: Property, seen: Scalar, wanted: Scalar, same: bool
) -> None:
    assert same_value(prop, seen, wanted) is same


def test_shortened_text_is_one_tame_line() -> None:
    assert shorten("a\nb\tc") == "a b c"
    assert shorten("x" * 100_000) == "x" * 39 + "…"
    assert shorten("\x1b[31m") == "\ufffd[31m"
    assert shorten("\u202egnp.exe") == "\ufffdgnp.exe"
    assert shorten("שלום") == "שלום"


def test_clean_text_keeps_what_xml_can_carry() -> None:
    assert clean_text("a\n\tü🎉") == "a\n\tü🎉"
    assert clean_text("\x00\ufffe\ud800\x85") == "\ufffd" * 4
