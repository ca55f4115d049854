"""What `serial-line` makes of lines, without a port: options, patterns, JSON, NMEA, splitting."""

from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import Property, Scalar, Unit
from jidget_drivers import serial_line_formats as formats
from jidget_drivers.serial_line_options import SerialLineOptions
from jidget_drivers.serial_line_splitter import LineSplitter
from jidget_drivers.text_values import Nonsense

GGA = "GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,"
RMC = "GNRMC,083559.00,A,4717.11437,S,00833.91522,W,0.004,77.52,091202,,,A"


def options(**more: Any) -> SerialLineOptions:
    return SerialLineOptions.model_validate({"port": "/dev/ttyUSB0", **more})


def read(line: str, **more: Any) -> dict[str, Scalar]:
    return formats.make_reader(options(**more))(line)


def sentence(body: str) -> str:
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}"


# ---- options -------------------------------------------------------------------------------------------------------

T: dict[str, Any] = {"t": {}}
WRITABLE = {"writable": True, "write": "{value}\n"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"format": "regex", "properties": T}, "patterns and format"),
        ({"format": "json", "patterns": ["(?P<t>.)"], "properties": T}, "patterns and format"),
        ({"format": "regex", "patterns": ["(?P<u>.)"], "properties": T}, r"no pattern has a group \(\?P<t>"),
        (
            {"format": "regex", "patterns": ["(?P<t>.)"], "properties": {"t": {"key": "a"}}},
            'key is for format = "json"',
        ),
        ({"format": "json", "properties": {"t": {"field": 1}}}, 'field is for format = "nmea"'),
        ({"format": "nmea", "properties": T}, "needs a sentence and a field"),
        ({"format": "nmea", "properties": {"t": {"sentence": "GGA"}}}, "needs a sentence and a field"),
        ({"format": "json", "properties": {}}, "at least 1"),
        ({"format": "json", "properties": {"T": {}}}, "property name"),
        ({"format": "json", "properties": {"t": {"writable": True}}}, "go together"),
        ({"format": "json", "properties": {"t": {"write": "x{value}"}}}, "go together"),
        (
            {"format": "json", "properties": {"t": {"writable": True, "write": "on\n"}}},
            "every value would send the same",
        ),
        ({"format": "json", "properties": {"t": {"ack": "OK"}}}, "ack is for what is writable"),
        ({"format": "json", "properties": {"t": {**WRITABLE, "nack": "NO"}}}, "nack goes with an ack"),
        ({"format": "json", "properties": {"t": {"on": "x"}}}, "on and off are for a boolean"),
        ({"format": "json", "properties": {"t": {"type": "boolean", "on": "A", "off": "a"}}}, "the same"),
        ({"format": "json", "properties": {"t": {"type": "string", "min": 1}}}, "no min or max"),
        ({"format": "json", "properties": {"t": {"type": "enum"}}}, "an enum needs options"),
        ({"format": "json", "properties": {"t": {"unit": "furlong"}}}, "no unit"),
        ({"format": "json", "properties": T, "framing": "8X1"}, "framing"),
        ({"format": "regex", "patterns": ["(?P<t>.)"], "properties": T, "max_line": 2000}, "at most 1024"),
        ({"format": "json", "properties": {"t": {**WRITABLE, "ack": "OK"}}, "max_line": 2000}, "at most 1024"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        options(**wrong)


def test_a_property_that_is_only_written_needs_no_place_in_a_line() -> None:
    for more in ({"format": "nmea"}, {"format": "regex", "patterns": ["(?P<x>.)"]}):
        assert options(**more, properties={"t": WRITABLE}).properties["t"].writable


# ---- formats -------------------------------------------------------------------------------------------------------


def test_all_patterns_that_are_found_give_their_groups() -> None:
    more = {
        "format": "regex",
        "patterns": [r"T=(?P<t>\S+)", r"H=(?P<humidity>\S+)|(?P<u>never)"],
        "properties": {"t": {}, "h": {"group": "humidity"}, "u": {}},
    }
    assert read("H=40 T=21.5", **more) == {"t": 21.5, "h": 40.0}
    assert read("H=40", **more) == {"h": 40.0}
    assert read("hello", **more) == {}
    with pytest.raises(Nonsense):
        read("H=40 T=nan", **more)


def test_json_values_are_found_by_their_path() -> None:
    more = {"format": "json", "properties": {"t": {"key": "sensors.1.temp"}, "on": {"type": "boolean"}}}
    assert read('{"sensors": [{}, {"temp": "21.5"}], "on": 1}', **more) == {"t": 21.5, "on": True}
    assert read('{"sensors": [{}], "on": null}', **more) == {}
    assert read('["x", 1]', **more) == {}
    assert read("booting...", **more) == {}


@pytest.mark.parametrize(
    "line",
    ['{"t": NaN}', '{"t": -Infinity}', '{"t": 1e999}', '{"t": 1', "[" * 1000, '{"t": ' + "9" * 900 + "}", '{"t": [1]}'],
)
def test_json_that_is_broken_or_no_number_is_nonsense(line: str) -> None:
    with pytest.raises(Nonsense):
        read(line, format="json", properties=T)


POSITION = {
    "lat": {"sentence": "GGA", "field": 2, "unit": "lat"},
    "lon": {"sentence": "GGA", "field": 4, "unit": "lon"},
    "altitude": {"sentence": "GPGGA", "field": 9, "unit": "m"},
    "satellites": {"type": "integer", "sentence": "GGA", "field": 7},
    "speed": {"sentence": "RMC", "field": 7},
    "south": {"sentence": "RMC", "field": 3, "unit": "lat"},
}


def test_nmea_sentences_give_positions_in_degrees() -> None:
    """The examples of GGA and RMC in u-blox's protocol specification, the second one moved to the south-west."""
    more = {"format": "nmea", "properties": POSITION}
    assert read(f"${GGA}*5B", **more) == {"lat": 47.2852332, "lon": 8.5652650, "altitude": 499.6, "satellites": 8}
    assert read("noise" + sentence(RMC), **more) == {"speed": 0.004, "south": -47.2852395}
    assert read(sentence("PUBX,00,1"), **more) == {}
    assert read("starting", **more) == {}
    assert read(sentence("GPGGA"), **more) == {}


def test_without_a_fix_a_position_is_no_reading() -> None:
    more = {"format": "nmea", "properties": POSITION}
    assert read(sentence(GGA.replace("E,1,08", "E,0,03")), **more) == {"satellites": 3}
    assert read(sentence(RMC.replace(",A,", ",V,")), **more) == {}


@pytest.mark.parametrize(
    "line",
    [
        f"${GGA}*5C",
        f"${GGA}",
        f"${GGA[:40]}*5B",
        sentence(GGA.replace("4717.11", "4761.11")),
        sentence(GGA.replace("4717.11", "9117.11")),
        sentence(GGA.replace(",N,", ",E,")),
        sentence(GGA.replace("4717.", "47\ufffd7.")),
        sentence(GGA.replace("499.6", "nan")),
    ],
    ids=["wrong", "missing", "cut", "61 minutes", "91 degrees", "hemisphere", "garbled", "nan"],
)
def test_sentences_that_are_not_right_are_nonsense(line: str) -> None:
    with pytest.raises(Nonsense):
        read(line, format="nmea", properties=POSITION)


# ---- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_split_wherever_they_are_cut(size: int) -> None:
    splitter = LineSplitter(8)
    stream = b"alf\r\none\n\n\rtwo\r" + b"x" * 9 + b"\n" + b"y" * 40 + b"\nthree\nfour"
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found == [(b"alf", False), (b"one", True), (b"two", True), (b"three", True)]
    assert splitter.overlong == 2


def test_a_megabyte_without_an_end_is_not_kept() -> None:
    splitter = LineSplitter(256)
    for _ in range(256):
        assert list(splitter.feed(b"x" * 4096)) == []
        assert len(splitter._buffer) <= 256
    assert list(splitter.feed(b"x\nnext\n")) == [(b"next", True)]
    assert splitter.overlong == 1


def test_what_the_options_say_of_a_property_is_what_the_driver_declares() -> None:
    declared = options(format="json", properties={"t": {"unit": "°C", "min": -40, "precision": 1}}).properties["t"]
    assert declared.declared("t") == Property(name="t", unit=Unit.CELSIUS, minimum=-40, precision=1)
