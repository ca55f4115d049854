"""device_tracker: https://www.home-assistant.io/integrations/device_tracker.mqtt/."""

import math
from collections.abc import Mapping
from typing import Any

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget.mqtt.kinds.common import LONGEST_STATE, MqttEntity
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Unit

HOME, NOT_HOME = "home", "not_home"


class DeviceTracker(MqttEntity):
    """Where something is. The parts: a place by its name; `latitude` and `longitude` where its attributes tell them.

    Home Assistant makes a place of latitude and longitude by its zones; here are none, so that it is `not_home`.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        self._places: dict[str, str | None] = {
            keys.text("payload_reset", "None"): None,
            keys.text("payload_not_home", NOT_HOME): NOT_HOME,
            keys.text("payload_home", HOME): HOME,
        }
        self._place: str | None = None
        self._read = self.reader()
        told = self.listen_raw("state_topic", self._heard)
        self.parts = (self.part("", Kind.STRING, description="place"),)
        if keys.text("json_attributes_topic") is not None:
            self.parts += (
                self.part("latitude", Kind.NUMBER, unit=Unit.LATITUDE, minimum=-90, maximum=90),
                self.part("longitude", Kind.NUMBER, unit=Unit.LONGITUDE, minimum=-180, maximum=180),
            )
        elif not told:
            raise BadConfig("both state_topic and json_attributes_topic are missing")

    def _heard(self, message: Message) -> bool:
        text = self._read(message)
        if text is None or not text.strip():
            return False
        place = self._places[text] if text in self._places else self.decode(message)
        if place is not None and len(place) > LONGEST_STATE:
            return False
        self._place = place
        return self._refresh()

    def take_attributes(self, told: Mapping[str, Any]) -> bool:
        """Take attributes, and the position in them."""
        super().take_attributes(told)
        latitude, longitude = (_degrees(self.attributes.get(name)) for name in ("latitude", "longitude"))
        located = latitude is not None and longitude is not None
        self.values |= {"latitude": latitude if located else None, "longitude": longitude if located else None}
        self._refresh()
        return located

    def _refresh(self) -> bool:
        place = self._place
        if place is None and self.values.get("latitude") is not None:
            place = NOT_HOME
        return self.tell(place, UNKNOWN if place is None else place)


def _degrees(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
