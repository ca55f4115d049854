"""Settings of the driver `serial-line`: what its lines look like and what is in them."""

import re
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from jidget_drivers.configured_properties import PropertyInText
from jidget_drivers.option_types import Duration, UnitName
from jidget_drivers.safe_patterns import LONGEST_SEARCHED, PatternText
from jidget_drivers.serial_port import Flow, SerialPortOptions, SerialSettings
from jidget_drivers.text_values import takes_value


class LineFormat(StrEnum):
    """What the lines look like."""

    REGEX = "regex"
    JSON = "json"
    NMEA = "nmea"


_USUAL_LONGEST = {LineFormat.REGEX: 256, LineFormat.JSON: 1024, LineFormat.NMEA: 256}
_SOURCES = {LineFormat.REGEX: ("group",), LineFormat.JSON: ("key",), LineFormat.NMEA: ("sentence", "field")}


class LineProperty(PropertyInText):
    """One property: what it is, where in a line it stands, and what is written to set it."""

    unit: UnitName | None = Field(
        default=None,
        description="Unit of a number or integer: a SenML symbol or a usual spelling, such as Cel or °C. With NMEA, "
        "lat and lon also turn degrees and minutes and the hemisphere in the next field into degrees.",
    )
    min: float | None = Field(default=None, description="Least value that makes sense; a line with less is ignored.")
    max: float | None = Field(default=None, description="Greatest value that makes sense, likewise.")
    group: str | None = Field(default=None, description="regex: named group with its value. Left out: its own name.")
    key: str | None = Field(
        default=None,
        min_length=1,
        description="json: path of its value, such as sensors.0.temp. Left out: its own name.",
    )
    sentence: str | None = Field(
        default=None, pattern=r"^[A-Z0-9]{3,}$", description="nmea: sentence, such as GGA of any talker, or GPGGA."
    )
    field: int | None = Field(default=None, ge=1, le=80, description="nmea: number of the field; the first is 1.")
    writable: bool = Field(default=False, description="Whether it can be set.")
    write: str | None = Field(
        default=None,
        description="What is sent to set it, line end included: {value} becomes the value, {json} the value as JSON.",
    )
    ack: PatternText | None = Field(
        default=None,
        description="Pattern of the line that confirms it; waited for, as long as timeout of the Thing. Left out: what "
        "was set is known once a line tells it.",
    )
    nack: PatternText | None = Field(default=None, description="Pattern of the line that refuses it.")

    @model_validator(mode="after")
    def _knows_how_it_is_set(self) -> Self:
        if self.writable != (self.write is not None):
            raise ValueError('writable = true and write = "…" go together: what is sent to set it?')
        if self.write is not None and not takes_value(self.write):
            raise ValueError("write has neither {value} nor {json}, so that every value would send the same")
        if (self.ack and not self.writable) or (self.nack and not self.ack):
            raise ValueError("ack is for what is writable, and nack goes with an ack")
        return self


class SerialLineOptions(SerialPortOptions):
    """Which port, how it is set, and what its lines mean."""

    baud: int = Field(default=9600, ge=50, le=4_000_000, description="Bits per second.")
    framing: str = Field(
        default="8N1", pattern=r"^[5-8][NEOMS][12]$", description="Data bits, parity (N, E, O, M, S) and stop bits."
    )
    flow: Flow = Field(default="none", description="Flow control.")
    format: LineFormat = Field(description="How values are found in a line: by patterns, as JSON, as NMEA 0183.")
    patterns: tuple[PatternText, ...] = Field(
        default=(),
        description="regex: patterns searched in each line; the named groups of all that are found give the values.",
    )
    properties: dict[str, LineProperty] = Field(min_length=1, description="Its properties by name.")
    max_line: int | None = Field(
        default=None, ge=16, le=65536, description="Bytes of the longest line. Left out: 256; 1024 with json."
    )
    startup: Duration = Field(
        default=0.0,
        description="How long the device takes to start when its port is opened, as most Arduinos do (2 s): nothing is "
        "sent before. It has to be less than timeout of the Thing.",
    )
    silence: Duration | None = Field(
        default=None, gt=0, description="Without a reading for so long it counts as gone. Left out: it may be silent."
    )

    @property
    def longest_line(self) -> int:
        """Return the bytes of the longest line that is read."""
        return self.max_line or _USUAL_LONGEST[self.format]

    @property
    def settings(self) -> SerialSettings:
        """Return how the port is opened."""
        return SerialSettings(port=self.port, baud=self.baud, framing=self.framing, flow=self.flow)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.format is LineFormat.REGEX) != bool(self.patterns):
            raise ValueError('patterns and format = "regex" go together')
        searched = self.format is LineFormat.REGEX or any(spec.ack for spec in self.properties.values())
        if searched and self.longest_line > LONGEST_SEARCHED:
            raise ValueError(f"max_line: patterns are searched in lines of at most {LONGEST_SEARCHED} bytes")
        groups = {group for pattern in self.patterns for group in re.compile(pattern).groupindex}
        for name, spec in self.properties.items():
            spec.declared(name)
            self._check_source(name, spec, groups)
        return self

    def _check_source(self, name: str, spec: LineProperty, groups: set[str]) -> None:
        """Check that a property says where in a line it stands, in the way of the format."""
        for kind, keys in _SOURCES.items():
            strange = [key for key in keys if kind is not self.format and getattr(spec, key) is not None]
            if strange:
                raise ValueError(f'properties.{name}: {strange[0]} is for format = "{kind}"')
        group = spec.group or ("" if spec.writable and name not in groups else name)
        if self.format is LineFormat.REGEX and group and group not in groups:
            raise ValueError(f"properties.{name}: no pattern has a group (?P<{group}>…)")
        if self.format is LineFormat.NMEA:
            given = (spec.sentence is not None) + (spec.field is not None)
            if given == 1 or (given == 0 and not spec.writable):
                raise ValueError(f"properties.{name}: it needs a sentence and a field")
