"""Lights that take and tell JSON (`schema: json`), as Zigbee2MQTT, ESPHome and WLED-like programs do.

One topic each way: `{"state": "ON", "brightness": 127, "color_mode": "color_temp", "color_temp": 333}`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.light_base import LightEntity
from jidget.mqtt.kinds.light_look import FULL, UNTOLD, Look, Wish
from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.templates import Templates

_CHANNELS = {"hs": "hs", "rgb": "rgb", "rgbw": "rgbw", "rgbww": "rgbcw", "xy": "xy"}
"""By colour mode, the keys of a colour object in order."""


class JsonLight(LightEntity):
    """A light of the JSON schema."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self._scale = self.keys.integer("brightness_scale", FULL, least=1)
        self._white_scale = self.keys.integer("white_scale", FULL, least=1)
        self._separate = self.keys.flag("brightness")  # from the colour: channels are not dimmed to make brightness
        self._flashes = {
            "short": self.keys.integer("flash_time_short", 2, least=0),
            "long": self.keys.integer("flash_time_long", 10, least=0),
        }
        modes = frozenset(self.keys.texts("supported_color_modes"))
        if "supported_color_modes" in self.keys and not modes and self.keys.raw("supported_color_modes") is not None:
            raise BadConfig("supported_color_modes is empty")
        if modes:
            self.look = Look(mode=next(iter(modes)) if len(modes) == 1 else UNTOLD)
        elif self._separate:
            modes = frozenset({"brightness"})
        self.offer(modes, effect=self.keys.flag("effect"), fading=True)
        self.listen_raw("state_topic", self._told)

    def _told(self, message: Message) -> bool:
        told = self.object_in(message)
        if told is None or "state" not in told:
            return False
        states = {"ON": True, "OFF": False, None: None}
        state = told["state"]
        heard = isinstance(state, str | None) and state in states
        if heard:
            self.look.on = states[state]
        if isinstance(told.get("color_mode"), str):
            heard = self._take_color(told["color_mode"], told) or heard
        if self.can.dimmed:
            heard = self._take_brightness(told.get("brightness")) or heard
        effect = told.get("effect")
        if "effect" in told and isinstance(effect, str | None):
            self.look.effect = effect
        self.refresh()
        return heard

    def _take_brightness(self, told: Any) -> bool:
        """Take a brightness; 0 is how some lights say "off", and no brightness."""
        number = None if isinstance(told, str) else _number(told)
        if not number:
            return False
        self.look.brightness = round(min(FULL, max(1, number * FULL / self._scale)))
        return True

    def _take_color(self, mode: str, told: Mapping[str, Any]) -> bool:
        if mode not in self.can.modes:
            return False
        if mode in _CHANNELS:
            color = told.get("color")
            names = _CHANNELS[mode]
            values = [_number(color.get(name)) for name in names] if isinstance(color, dict) else []
            if not values or None in values:
                return False
            channels = tuple(value for value in values if value is not None)
            if not _sensible(mode, channels):
                return False
            setattr(self.look, mode, channels if mode in {"hs", "xy"} else tuple(map(int, channels)))
        elif mode == "color_temp":
            number = None if isinstance(told.get("color_temp"), str) else _number(told.get("color_temp"))
            if number is None or not self.take_kelvin(int(number)):
                return False
        elif mode != "white":
            return False
        self.look.mode = mode
        return True

    def turn_on(self, wish: Wish) -> Sequence[Publish]:
        """Return the one message that does all of it."""
        message: dict[str, Any] = {"state": "ON"}
        brightness = wish.brightness
        for mode in ("hs", "rgb", "rgbw", "rgbww", "xy"):
            color = getattr(wish, mode)
            if color is None:
                continue
            if mode.startswith("rgb") and not self._separate:
                color = [round(channel / FULL * (FULL if brightness is None else brightness)) for channel in color]
                brightness = None
            message["color"] = dict(zip(_CHANNELS[mode], color, strict=True))
        self._add_fading(message, wish)
        if brightness is not None:
            message["brightness"] = max(round(brightness * self._scale / FULL), 1)
        if wish.kelvin is not None:
            message["color_temp"] = self.temperature(wish.kelvin)
        if wish.effect is not None:
            message["effect"] = wish.effect
        if wish.white is not None:
            white = min(round(wish.white / FULL * self._white_scale), self._white_scale)
            message["white"] = max(white, 1)
        return (self._publish_json(message),)

    def turn_off(self, wish: Wish) -> Sequence[Publish]:
        """Return the message that turns it off."""
        message: dict[str, Any] = {"state": "OFF"}
        self._add_fading(message, wish)
        return (self._publish_json(message),)

    def _add_fading(self, message: dict[str, Any], wish: Wish) -> None:
        if wish.transition is not None:
            message["transition"] = wish.transition
        if wish.flash is not None:
            message["flash"] = self._flashes[wish.flash]

    def _publish_json(self, message: dict[str, Any]) -> Publish:
        return self.publish("command_topic", json.dumps(message, separators=(",", ":"), ensure_ascii=False), "")


def _number(value: Any) -> float | None:
    """Return a number as Home Assistant reads one; None if it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _sensible(mode: str, channels: Sequence[float]) -> bool:
    """Whether a colour is one: out of range, the conversions would make nonsense of it."""
    if mode == "xy":
        return all(0 <= channel <= 1 for channel in channels)
    if mode == "hs":
        return 0 <= channels[0] <= 360 and 0 <= channels[1] <= 100
    return all(0 <= channel <= FULL for channel in channels)
