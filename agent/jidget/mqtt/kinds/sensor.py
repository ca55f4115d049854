"""sensor: https://www.home-assistant.io/integrations/sensor.mqtt/."""

import re
from datetime import UTC, datetime
from typing import Literal

from jidget.mqtt.entity import UNKNOWN, BadConfig, Part
from jidget.mqtt.kinds.common import LONGEST_STATE, NULL, MqttEntity, parse_number
from jidget.mqtt.kinds.units import measure
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind

Shape = Literal["number", "text", "enum", "timestamp", "date"]

# Device classes whose values are numbers even without a unit
# (https://developers.home-assistant.io/docs/core/entity/sensor/#available-device-classes).
_NUMERIC_CLASSES = """absolute_humidity apparent_power aqi area atmospheric_pressure battery blood_glucose_concentration
    carbon_dioxide carbon_monoxide conductivity current data_rate data_size distance duration energy energy_distance
    energy_storage frequency gas humidity illuminance irradiance moisture monetary nitrogen_dioxide nitrogen_monoxide
    nitrous_oxide ozone ph pm1 pm10 pm25 pm4 power power_factor precipitation precipitation_intensity pressure
    reactive_energy reactive_power signal_strength sound_pressure speed sulphur_dioxide temperature temperature_delta
    volatile_organic_compounds volatile_organic_compounds_parts voltage volume volume_flow_rate volume_storage water
    weight wind_direction wind_speed"""
_NUMERIC = frozenset(_NUMERIC_CLASSES.split())
_DATETIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})"
    r"(?::(\d{1,2})(?:\.(\d{1,6})\d{0,6})?)?(Z|[+-]\d{2}(?::?\d{2})?)?"
)


class Sensor(MqttEntity):
    """A reading: a number where its device class, state class, unit or precision say so, else a text.

    The parts: the reading. A timestamp is an ISO 8601 text in UTC, a date an ISO 8601 text.
    """

    blocked_attributes = frozenset({"last_reset", "state_class"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        device_class = (keys.text("device_class") or "").lower()
        self._options = tuple(dict.fromkeys(keys.texts("options")))
        self._precision = keys.integer("suggested_display_precision", least=0)
        self._measure = measure(keys.text("unit_of_measurement"), device_class, only_temperature=not config.unique_id)
        self._expire_after = keys.integer("expire_after", 0, least=0)
        self._shape = self._shape_of(device_class)
        self.parts = (self._reading(device_class),)
        if not self.listen_raw("state_topic", self._heard):
            raise BadConfig("state_topic is missing")
        self._read = self.reader(keep=True)
        self._resets = keys.text("last_reset_value_template") is not None
        self._read_reset = self.reader("last_reset_value_template")
        if self._resets and keys.text("state_class") != "total":
            raise BadConfig("last_reset_value_template is for sensors of state_class total")

    @property
    def expires_after(self) -> float | None:
        """Return `expire_after`. Any message on the state topic renews the value, even one that does not tell it."""
        return self._expire_after or None

    def _shape_of(self, device_class: str) -> Shape:
        if device_class == "timestamp":
            return "timestamp"
        if device_class == "date":
            return "date"
        if device_class == "enum" or self._options:
            return "enum"
        numeric = (
            self.keys.text("state_class") is not None
            or self.keys.text("unit_of_measurement") is not None
            or self._precision is not None
            or device_class in _NUMERIC
        )
        return "number" if numeric else "text"

    def _reading(self, device_class: str) -> Part:
        told = ", ".join(word for word in (device_class.replace("_", " "), self._measure.known_as()) if word)
        if self._shape == "number":
            return self.part("", Kind.NUMBER, unit=self._measure.unit, precision=self._precision, description=told)
        if self._shape == "enum" and self._options:
            return self.part("", Kind.ENUM, options=self._options, description=told)
        return self.part("", Kind.STRING, description=told)

    def _heard(self, message: Message) -> bool:
        text = self._read(message)
        told = text is not None and self._take(text)
        if self._resets:
            self._take_reset(self._read_reset(message))
        if self._expire_after and not told:
            self.values.setdefault("", None)  # it lives, though it does not tell
            told = True
        return told

    def _take(self, text: str) -> bool:
        if text == NULL:
            return self.tell(None, UNKNOWN)
        match self._shape:
            case "number":
                return self._take_number(text)
            case "timestamp" | "date":
                return self._take_instant(text)
            case _:
                if (self._options and text not in self._options) or len(text) > LONGEST_STATE:
                    return False
                return self.tell(text, text)

    def _take_number(self, text: str) -> bool:
        number = parse_number(text)
        if number is None:
            return False
        if not self._measure.converts:
            return self.tell(number, text)
        shown = self._measure.shown(number)
        if self._precision is None:
            shown = self._measure.rounded(text, shown)
        return self.tell(shown, str(shown))

    def _take_instant(self, text: str) -> bool:
        instant = parse_instant(text)
        if instant is None:
            return self.tell(None, UNKNOWN)
        if self._shape == "date":
            day = instant.date().isoformat()
            return self.tell(day, day)
        if instant.tzinfo is None:
            return False  # Home Assistant does not guess the zone
        try:
            told = instant.astimezone(UTC).isoformat(timespec="seconds")
        except OverflowError:
            return False
        return self.tell(told, told)

    def _take_reset(self, text: str | None) -> None:
        instant = parse_instant(text) if text else None
        if instant is not None:
            self.show(last_reset=instant.isoformat())


def parse_instant(text: str) -> datetime | None:
    """Return the date and time that `text` tells by ISO 8601, or loosely like it; None if it tells none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if zone and zone != "Z" and len(zone) == 3:
        zone += ":00"
    try:
        iso = f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{int(minute):02}:{int(second or 0):02}"
        return datetime.fromisoformat(f"{iso}.{(fraction or '0').ljust(6, '0')}{zone or ''}")
    except ValueError:
        return None
