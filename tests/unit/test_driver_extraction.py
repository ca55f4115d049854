"""Values out of texts: whole, by a path in JSON, by a pattern in a line."""

from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import InvalidReading, Scalar
from jidget_drivers.extraction import SearchedProperty, extract


def value_of(text: str, **settings: Any) -> Scalar:
    spec = SearchedProperty.model_validate(settings)
    return extract({"x": spec}, {"x": spec.declared("x")}, text)["x"]


@pytest.mark.parametrize(
    ("text", "settings", "value"),
    [
        (" 21.5\n", {}, 21.5),
        ("21,5", {}, 21.5),
        ("-3e2", {}, -300.0),
        ("42", {"type": "integer"}, 42),
        ("ON\n", {"type": "boolean"}, True),
        ("OPEN", {"type": "boolean", "on": "open", "off": "shut"}, True),
        ("hello world\n", {"type": "string"}, "hello world"),
        ("eco", {"type": "enum", "options": ["eco", "boost"]}, "eco"),
        ('{"a": {"b": [1, 2.5]}}', {"key": "a.b.1"}, 2.5),
        ('{"a": {"b": [1, 2.5]}}', {"key": "/a/b/0", "type": "integer"}, 1),
        ('{"a.b": {"c/d~": 7}}', {"key": "/a.b/c~1d~0"}, 7.0),
        ('{"": 1}', {"key": "/"}, 1.0),
        ("[3, 4]", {"key": "1"}, 4.0),
        ('{"t": "21.5"}', {"key": "t"}, 21.5),
        ('{"t": 3.0}', {"key": "t", "type": "integer"}, 3),
        ('{"on": true}', {"key": "on", "type": "boolean"}, True),
        ("a=1\nb=2\nb=3", {"pattern": r"^b=(\d)"}, 2.0),
        ("load 7%", {"pattern": r"\d+", "type": "integer"}, 7),
    ],
)
def test_a_value_is_found(text: str, settings: dict[str, Any], value: Scalar) -> None:
    found = value_of(text, **settings)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("", {}, "x: '' is not a number"),
        ("nan", {}, "x: 'nan' is not a number"),
        ("Infinity", {}, "not a number"),
        ("1_000", {}, "not a number"),
        ("1e999", {}, "x: inf is not finite"),
        ("21.5 °C", {}, "x: '21.5 °C' is not a number"),
        ("4.5", {"type": "integer"}, "is not a whole number"),
        ("maybe", {"type": "boolean"}, "is neither on nor off"),
        ("120", {"max": 100}, "x: 120.0 is above the maximum 100"),
        ("turbo", {"type": "enum", "options": ["eco"]}, "'turbo' is none of eco"),
        ("a\x1b[31m", {"type": "string"}, "is not text"),
        ("", {"key": "a"}, "it is no JSON .*: nothing"),
        ("<html>", {"key": "a"}, "it is no JSON .*: '<html>'"),
        ('{"a": NaN}', {"key": "a"}, "it is no JSON .NaN is not a number"),
        ('{"a": -Infinity}', {"key": "a"}, "it is no JSON"),
        ("[" * 100_000, {"key": "a"}, "it is no JSON"),
        ('{"a": 1e999}', {"key": "a"}, "x: inf is not finite"),
        ('{"a": null}', {"key": "a"}, "x: a is null: there is no value now"),
        ('{"a": true}', {"key": "a"}, "x: True is not a number"),
        ('{"a": {}}', {"key": "a.b"}, "x: the JSON has no a.b: instead of 'b' there is nothing"),
        ('{"b": 1, "c": 2}', {"key": "a"}, "x: the JSON has no a: instead of 'a' there is 'b, c'"),
        ('{"a": [1]}', {"key": "a.1"}, "instead of '1' there is a list of 1"),
        ("{}", {"key": "a", "type": "string"}, "has no a"),
        ("c=1", {"pattern": "b=(.)"}, "x: no line has 'b=.*'; the text is 'c=1'"),
        ("a" * 2000 + "7", {"pattern": r"\d"}, "no line has"),
    ],
)
def test_what_is_no_value_is_no_reading(text: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidReading, match=says):
        value_of(text, **settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"key": "a", "pattern": "b"}, "leave one out"),
        ({"key": "a..b"}, "is no path"),
        ({"key": "/a~2"}, "is no JSON pointer"),
        ({"key": ""}, "at least 1 character"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"pattern": "(a*)*b"}, "repeats a group"),
        ({"on": "x"}, "on and off are for a boolean"),
        ({"type": "boolean", "on": "x", "off": "X"}, "on and off are the same"),
        ({"type": "string", "min": 1}, "a string has no min or max"),
        ({"type": "enum"}, "an enum needs options"),
        ({"unit": "parsec"}, "is no unit"),
        ({"min": 2, "max": 1}, "minimum 2.0 is above maximum 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SearchedProperty.model_validate(settings)


def test_a_pattern_that_takes_too_long_is_told_and_does_not_hang() -> None:
    with pytest.raises(InvalidReading, match="takes too long"):
        value_of("1" * 200, pattern=r".*\d.*\d.*\d.*\d.*\dx")
