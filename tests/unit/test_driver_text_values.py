"""Values as texts have them, and texts made of values."""

import pytest

from jidget_drivers import Kind, Property, Scalar, WriteRefused
from jidget_drivers.text_values import Nonsense, read_value, takes_value, write_value


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("number", " -21,50 ", -21.5),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("number", 7, 7.0),
        ("integer", "+12", 12),
        ("integer", 12.0, 12),
        ("boolean", "ON", True),
        ("boolean", "0", False),
        ("boolean", True, True),
        ("boolean", 0, False),
        ("string", "grüß dich", "grüß dich"),
    ],
)
def test_values_are_read_as_devices_write_them(kind: str, raw: object, value: Scalar) -> None:
    found = read_value(Property(name="x", kind=Kind(kind)), raw)
    assert (found, type(found)) == (value, type(value))


NONSENSE: dict[str, list[object]] = {
    "number": ["", "nan", "inf", "-Infinity", "1_0", "\u0663", "1e999", "12.3.4", "0x10", "21 C", True, [1], 10**400],
    "integer": ["1.5", 1.5, "9" * 30, 2**63, "1_0", True, float("inf")],
    "boolean": ["", "2", "maybe", 2, 1.0, None],
    "string": ["a\x00b", "a\ufffd", "\x1b[31m", 5],
}


@pytest.mark.parametrize(("kind", "raw"), [(kind, raw) for kind, raws in NONSENSE.items() for raw in raws])
def test_nonsense_is_no_value(kind: str, raw: object) -> None:
    with pytest.raises(Nonsense):
        read_value(Property(name="x", kind=Kind(kind)), raw)


def test_the_words_of_a_switch_and_the_limits_of_a_number_are_those_of_the_options() -> None:
    switch = Property(name="x", kind=Kind.BOOLEAN)
    assert read_value(switch, "ein", ("EIN", "AUS")) is True
    with pytest.raises(Nonsense):
        read_value(switch, "on", ("EIN", "AUS"))
    with pytest.raises(Nonsense, match="above the maximum 85"):
        read_value(Property(name="x", maximum=85), "85.5")


@pytest.mark.parametrize(
    ("template", "prop", "value", "line"),
    [
        ("P {value}\n", Property(name="x", kind=Kind.BOOLEAN), True, b"P 1\n"),
        ('{"a": {json}}\r\n', Property(name="x", kind=Kind.BOOLEAN), False, b'{"a": false}\r\n'),
        ("{value}", Property(name="x"), 0.00001, b"0.00001"),
        ("{value}", Property(name="x", precision=1), 21.0, b"21.0"),
        ("{value}", Property(name="x", kind=Kind.INTEGER), 10**16, b"1" + b"0" * 16),
        ("{json}\n", Property(name="x", kind=Kind.STRING), 'say "hi" {value}', b'"say \\"hi\\" {value}"\n'),
        ("{value}{value}", Property(name="x", kind=Kind.STRING), "ü", "üü".encode()),
    ],
)
def test_values_are_written_as_devices_read_them(template: str, prop: Property, value: Scalar, line: bytes) -> None:
    assert write_value(template, prop, value) == line


@pytest.mark.parametrize("text", ["off\nformat disk", "a\rb", "a\x00"])
def test_a_text_cannot_smuggle_in_a_second_command(text: str) -> None:
    with pytest.raises(WriteRefused, match="line ends"):
        write_value("say {value}\n", Property(name="x", kind=Kind.STRING), text)


@pytest.mark.parametrize(("template", "takes"), [("P {value}", True), ('{"on": {json}}', True), ("{ value }", False)])
def test_a_template_without_a_place_for_the_value_is_seen(template: str, takes: bool) -> None:
    assert takes_value(template) is takes
