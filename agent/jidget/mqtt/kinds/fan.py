"""Fans. Parts: on (the main one), `percentage`, `preset`, `oscillate`, `direction`."""

import math
from collections.abc import Sequence
from typing import Any

from jidget.mqtt.entity import BadConfig, EntityAction, Part
from jidget.mqtt.kinds.appliance import Appliance
from jidget.mqtt.kinds.common import NULL, parse_number
from jidget.mqtt.kinds.signatures import WholePercent
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit, WriteRefused

_DIRECTIONS = ("forward", "reverse")
_FASTEST = 1_000_000_000
_TELLERS = {
    "": "state_topic",
    "percentage": "percentage_state_topic",
    "preset": "preset_mode_state_topic",
    "oscillate": "oscillation_state_topic",
    "direction": "direction_state_topic",
}
"""By part, the topic that tells it."""

_OWN_ATTRIBUTES = "direction oscillating percentage_step percentage preset_mode preset_modes"
"""What a device cannot set by attributes of its own."""


class Fan(Appliance):
    """A fan."""

    blocked_attributes = frozenset(_OWN_ATTRIBUTES.split())
    tellers = _TELLERS

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self._swings = self.keys.text("payload_oscillation_on", "oscillate_on")
        self._stands = self.keys.text("payload_oscillation_off", "oscillate_off")
        self._reset = self.keys.text("payload_reset_percentage", NULL)
        self._reset_preset = self.keys.text("payload_reset_preset_mode", NULL)
        self._slowest = self.keys.integer("speed_range_min", 1, least=1)
        self._fastest = self.keys.integer("speed_range_max", 100, least=1)
        if self._slowest >= self._fastest:
            raise BadConfig(f"speed_range_min {self._slowest} should be below speed_range_max {self._fastest}")
        self._presets = self._find_choices(
            "preset_modes", "payload_reset_preset_mode", self._reset_preset, "preset_mode_command_topic"
        )
        self._direction: str | None = None
        if self.keys.text("oscillation_state_topic") is not None:
            self.values["oscillate"] = False  # as Home Assistant has it until it is told
        self.parts = tuple(self._make_parts())
        self.actions = tuple(self._make_actions())
        self._listen(_TELLERS[""], self._told_on, "state_value_template")
        self._listen(_TELLERS["percentage"], self._told_percentage, "percentage_value_template")
        self._listen(_TELLERS["preset"], self._told_preset, "preset_mode_value_template")
        self._listen(_TELLERS["oscillate"], self._told_oscillation, "oscillation_value_template")
        self._listen(_TELLERS["direction"], self._told_direction, "direction_value_template")
        self._refresh()

    def _has(self, topic_key: str) -> bool:
        return self.keys.command_topic(topic_key) is not None

    def _make_parts(self) -> list[Part]:
        """Return the parts that can be set or are told."""
        parts = [self.part("", Kind.BOOLEAN, writable=True)]
        percent: dict[str, Any] = {"unit": Unit.PERCENT, "minimum": 0, "maximum": 100}
        for name, part, kind, fields in (
            ("percentage", "percentage", Kind.INTEGER, percent),
            ("preset_mode", "preset", Kind.ENUM, {"options": self._presets}),
            ("oscillation", "oscillate", Kind.BOOLEAN, {}),
            ("direction", "direction", Kind.ENUM, {"options": _DIRECTIONS}),
        ):
            settable = self._has(f"{name}_command_topic")
            if (settable or self.keys.text(_TELLERS[part]) is not None) and (part != "preset" or self._presets):
                parts.append(self.part(part, kind, writable=settable, **fields))
        return parts

    # --- what it tells ------------------------------------------------------------------------------------------

    def _told_percentage(self, text: str) -> bool:
        if text == self._reset:
            self.values["percentage"] = None
            return True
        number = parse_number(text)
        if not isinstance(number, int) or abs(number) > _FASTEST:
            return False
        percentage = int((number - self._slowest + 1) * 100 // (self._fastest - self._slowest + 1))
        if not 0 <= percentage <= 100:
            return False
        self.values["percentage"] = percentage
        return True

    def _told_preset(self, text: str) -> bool:
        return self._take_choice("preset", text, self._presets, self._reset_preset)

    def _told_oscillation(self, text: str) -> bool:
        if text not in {self._swings, self._stands}:
            return False
        self.values["oscillate"] = text == self._swings
        return True

    def _told_direction(self, text: str) -> bool:
        self._direction = text
        self.values["direction"] = text if text in _DIRECTIONS else None
        return True

    def _refresh(self) -> None:
        super()._refresh()
        settable = {part.name for part in self.parts if part.property.writable}
        if "direction" in settable:
            self.show(direction=self._direction)
        if "oscillate" in settable:
            self.show(oscillating=self.values.get("oscillate"))
        if "percentage" in settable:
            step = 100 / min(self._fastest - self._slowest + 1, 100)
            self.show(percentage=self.values.get("percentage"), percentage_step=step)
        if settable & {"percentage", "preset"}:
            self.show(preset_mode=self.values.get("preset"))
        if "preset" in settable:
            self.show(preset_modes=list(self._presets))

    # --- what is wished -----------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return the message that sets a part.

        Raises:
            WriteRefused: the publisher's template failed.
        """
        match part:
            case "":
                return (self._publish_on(value),)
            case "percentage":
                speed = float(value) * (self._fastest - self._slowest + 1) / 100 + self._slowest - 1
                return (self._publish_named("percentage", math.ceil(speed)),)
            case "preset":
                return (self._publish_named("preset_mode", str(value)),)
            case "oscillate":
                return (self._publish_named("oscillation", self._swings if value else self._stands),)
            case "direction":
                return (self._publish_named("direction", str(value)),)
        raise WriteRefused(f"a fan has no {part}")

    def _publish_named(self, name: str, value: object) -> Publish:
        return self.publish(f"{name}_command_topic", value, f"{name}_command_template")

    def wrote(self, part: str, value: Scalar) -> None:
        """Assume what no topic tells."""
        if part == "direction" and self.assumes(_TELLERS[part]):
            self._direction = str(value)
        super().wrote(part, value)

    def _make_actions(self) -> list[EntityAction]:
        """Return turning on with a speed at once; the property does the rest."""
        if not self._has("percentage_command_topic"):
            return []
        summary = "Turn the fan on at a speed"
        return [EntityAction(name="turn_on", summary=summary, plan=self._plan_on, done=self._done_on)]

    def _plan_on(self, percentage: WholePercent | None = None, preset: str | None = None) -> Sequence[Publish]:
        if preset is not None and preset not in self._presets:
            raise WriteRefused(f"{preset!r} is none of its presets: {', '.join(self._presets) or 'it has none'}")
        wishes: list[tuple[str, Scalar]] = [("", True)]
        if percentage:
            wishes.append(("percentage", percentage))
        if preset:
            wishes.append(("preset", preset))
        return [publish for part, value in wishes for publish in self.write(part, value)]

    def _done_on(self, percentage: int | None = None, preset: str | None = None) -> None:
        self.wrote("", True)
        if percentage:
            self.wrote("percentage", percentage)
        if preset:
            self.wrote("preset", preset)
