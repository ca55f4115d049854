"""Humidifiers and dehumidifiers. Parts: on (the main one), `target` and `current` in %RH, `mode`, `action`."""

from collections.abc import Sequence

from jidget.mqtt.entity import BadConfig, Part
from jidget.mqtt.kinds.appliance import Appliance
from jidget.mqtt.kinds.common import NULL, parse_number, whole
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit, WriteRefused

_ACTIONS = ("humidifying", "drying", "idle", "off")
_TELLERS = {"": "state_topic", "target": "target_humidity_state_topic", "mode": "mode_state_topic"}
"""By part that can be set, the topic that tells it."""
_OWN_ATTRIBUTES = "available_modes humidity max_humidity min_humidity mode"
"""What a device cannot set by attributes of its own."""


class Humidifier(Appliance):
    """Something that keeps the air at a humidity."""

    blocked_attributes = frozenset(_OWN_ATTRIBUTES.split())
    tellers = _TELLERS

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic("target_humidity_command_topic", needed=True)
        self._reset = self.keys.text("payload_reset_humidity", NULL)
        self._reset_mode = self.keys.text("payload_reset_mode", NULL)
        self._minimum, self._maximum = self.keys.number("min_humidity", 0.0), self.keys.number("max_humidity", 100.0)
        if not 0 <= self._minimum < self._maximum <= 100:
            raise BadConfig("min_humidity should be below max_humidity, both 0 to 100")
        self._modes = self._find_choices("modes", "payload_reset_mode", self._reset_mode, "mode_command_topic")
        self.parts = tuple(self._make_parts())
        self._listen("state_topic", self._told_on, "state_value_template")
        self._listen("action_topic", self._told_action, "action_template")
        self._listen("current_humidity_topic", self._told_current, "current_humidity_template")
        self._listen("target_humidity_state_topic", self._told_target, "target_humidity_state_template")
        self._listen("mode_state_topic", self._told_mode, "mode_state_template")
        self._refresh()

    def _make_parts(self) -> list[Part]:
        humidity = {"unit": Unit.RELATIVE_HUMIDITY}
        parts = [
            self.part("", Kind.BOOLEAN, writable=True),
            self.part(
                "target",
                Kind.NUMBER,
                minimum=self._minimum,
                maximum=self._maximum,
                writable=True,
                precision=0,
                **humidity,
            ),
        ]
        if self.keys.text("current_humidity_topic") is not None:
            parts.append(self.part("current", Kind.NUMBER, minimum=0, maximum=100, precision=0, **humidity))
        if self._modes:
            parts.append(self.part("mode", Kind.ENUM, options=self._modes, writable=True))
        if self.keys.text("action_topic") is not None:
            parts.append(self.part("action", Kind.ENUM, options=_ACTIONS))
        return parts

    # --- what it tells ------------------------------------------------------------------------------------------

    def _told_action(self, text: str) -> bool:
        if text not in _ACTIONS:
            return False
        self.values["action"] = text
        return True

    def _told_current(self, text: str) -> bool:
        return self._take_humidity("current", text, 0, 100)

    def _told_target(self, text: str) -> bool:
        return self._take_humidity("target", text, self._minimum, self._maximum)

    def _take_humidity(self, part: str, text: str, minimum: float, maximum: float) -> bool:
        if text == self._reset:
            self.values[part] = None
            return True
        number = parse_number(text)
        if number is None or not minimum <= round(number) <= maximum:
            return False
        self.values[part] = round(number)
        return True

    def _told_mode(self, text: str) -> bool:
        return self._take_choice("mode", text, self._modes, self._reset_mode)

    def _refresh(self) -> None:
        super()._refresh()
        shown: dict[str, object] = {"min_humidity": self._minimum, "max_humidity": self._maximum}
        if self.values.get("action") is not None:
            shown["action"] = self.values["action"] if self.values.get("") else "off"
        shown["current_humidity"] = self.values.get("current")
        shown["humidity"] = self.values.get("target")
        if self._modes:
            shown |= {"mode": self.values.get("mode"), "available_modes": list(self._modes)}
        self.show(**shown)

    # --- what is wished -----------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return the message that sets a part.

        Raises:
            WriteRefused: the publisher's template failed.
        """
        match part:
            case "":
                return (self._publish_on(value),)
            case "target":
                told = whole(float(value))
                return (self.publish("target_humidity_command_topic", told, "target_humidity_command_template"),)
            case "mode":
                return (self.publish("mode_command_topic", str(value), "mode_command_template"),)
        raise WriteRefused(f"a humidifier's {part} cannot be set")
