"""Lights with a topic for each thing (`schema: basic`, the default), as Tasmota and many firmwares of their own do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds import colors
from jidget.mqtt.kinds.common import NULL, parse_number
from jidget.mqtt.kinds.light_base import LightEntity
from jidget.mqtt.kinds.light_look import FULL, MODES, UNTOLD, Look, Wish
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import WriteRefused

_SPACES = ("hs", "rgb", "rgbw", "rgbww", "xy")
_VARIABLES = {
    "hs": ("hue", "sat"),
    "rgb": ("red", "green", "blue"),
    "rgbw": ("red", "green", "blue", "white"),
    "rgbww": ("red", "green", "blue", "cold_white", "warm_white"),
    "xy": ("x", "y"),
}
"""By colour space, what a command template calls the channels."""


class BasicLight(LightEntity):
    """A light of the basic schema."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self._on = self.keys.text("payload_on", "ON")
        self._off = self.keys.text("payload_off", "OFF")
        self._scale = self.keys.integer("brightness_scale", FULL, least=1)
        self._white_scale = self.keys.integer("white_scale", FULL, least=1)
        self._first = self.keys.text("on_command_type", "last")
        if self._first not in {"first", "last", "brightness"}:
            raise BadConfig(f"on_command_type should be first, last or brightness, it is {self._first[:40]!r}")
        modes = self._find_modes()
        self.dims = any(self._has(f"{name}_command_topic") for name in ("brightness", "rgb", "rgbw", "rgbww"))
        self._assumes_mode = self.assumes("color_mode_state_topic")
        self.look = Look(mode=next(iter(modes)) if len(modes) == 1 else UNTOLD)
        self.offer(frozenset(modes), effect=self._has("effect_command_topic"), fading=False)
        self.listen("state_topic", self._told_on, "state_value_template")
        self._listen("brightness", self._told_brightness)
        self._listen("color_mode", self._told_mode)
        self._listen("color_temp", self._told_temperature)
        self._listen("effect", self._told_effect)
        for space in _SPACES:
            self._listen(space, self._teller(space))

    def _listen(self, name: str, take: Callable[[str], bool]) -> None:
        def heard(text: str) -> bool:
            told = bool(text) and take(text)
            self.refresh()  # nonsense may still have told the colour mode
            return told

        self.listen(f"{name}_state_topic", heard, f"{name}_value_template", keep=True)

    def _has(self, topic_key: str) -> bool:
        return self.keys.command_topic(topic_key) is not None

    def _find_modes(self) -> set[str]:
        plain = "brightness" if self._has("brightness_command_topic") else "onoff"
        return {mode for mode in (*_SPACES, "color_temp", "white") if self._has(f"{mode}_command_topic")} or {plain}

    # --- what it tells ------------------------------------------------------------------------------------------

    def _told_on(self, text: str) -> bool:
        states = {NULL: None, self._off: False, self._on: True}
        if not text or text not in states:
            return False
        self.look.on = states[text]
        self.refresh()
        return True

    def _told_brightness(self, text: str) -> bool:
        number = parse_number(text)
        if not number or number < 0:  # 0 is how some lights say "off", and no brightness
            return False
        self.look.brightness = round(min(float(FULL), number / self._scale * FULL))
        return True

    def _told_mode(self, text: str) -> bool:
        if text not in MODES | {UNTOLD}:
            return False
        self.look.mode = text
        return True

    def _told_temperature(self, text: str) -> bool:
        self._tell_mode("color_temp")  # as Home Assistant does, before it looks at the number
        number = parse_number(text)
        return isinstance(number, int) and self.take_kelvin(number)

    def _told_effect(self, text: str) -> bool:
        self.look.effect = text
        return True

    def _teller(self, space: str) -> Callable[[str], bool]:
        take = self._take_pair if space in {"hs", "xy"} else self._take_channels
        return lambda text: take(space, text)

    def _take_pair(self, space: str, text: str) -> bool:
        numbers = [parse_number(number) for number in text.split(",")]
        limits = (360, 100) if space == "hs" else (1, 1)
        if len(numbers) != len(limits):
            return False
        pair = [number for number, limit in zip(numbers, limits, strict=True) if number is not None]
        if len(pair) != len(limits) or not all(0 <= each <= most for each, most in zip(pair, limits, strict=True)):
            return False
        setattr(self.look, space, (float(pair[0]), float(pair[1])))
        self._tell_mode(space)
        return True

    def _take_channels(self, space: str, text: str) -> bool:
        """Take channels; where there is no topic for the brightness, the brightest channel is it."""
        numbers = [parse_number(number) for number in text.split(",")]
        channels = [number for number in numbers if isinstance(number, int) and 0 <= number <= FULL]
        if len(channels) != len(numbers) or len(channels) != len(_VARIABLES[space]):
            return False
        self._tell_mode(space)
        if not self.keys.text("brightness_state_topic"):
            brightness = max(self._as_rgb(space, channels))
            if brightness == 0:
                return False
            self.look.brightness = brightness
            channels = [min(round(channel / brightness * FULL), FULL) for channel in channels]
        setattr(self.look, space, tuple(channels))
        return True

    def _as_rgb(self, space: str, channels: Sequence[int]) -> Sequence[int]:
        if space == "rgbw":
            red, green, blue, white = channels
            return colors.rgbw_to_rgb(red, green, blue, white)
        if space == "rgbww":
            red, green, blue, cold, warm = channels
            return colors.rgbww_to_rgb((red, green, blue, cold, warm), self.can.warmest, self.can.coldest)
        return channels

    def _tell_mode(self, mode: str) -> None:
        if self._assumes_mode:
            self.look.mode = mode

    # --- what is wished -----------------------------------------------------------------------------------------

    def assumed(self, name: str) -> bool:
        """Whether what was sent is taken to be so at once: each thing has a topic of its own that may tell."""
        if name == "on":
            return self.assumes()
        if name in {"brightness", "white"}:
            teller = "brightness_state_topic" if self._has("brightness_command_topic") else "rgb_state_topic"
            return (self.dims or name == "white") and self.assumes(teller)
        return self.assumes(f"{ {'mode': 'color_mode', 'kelvin': 'color_temp'}.get(name, name) }_state_topic")

    def fit(self, wish: Wish) -> Wish:
        """Return the wish with a brightness where that is what turns the light on."""
        told = wish.brightness is not None or wish.white is not None
        held = not self._has("brightness_command_topic") and any((wish.rgb, wish.rgbw, wish.rgbww))  # by the colour
        if self._first == "brightness" and not told and not held:
            return replace(wish, brightness=self.look.brightness or FULL)
        return wish

    def turn_on(self, wish: Wish) -> Sequence[Publish]:
        """Return a message for each thing wished, with "on" before or after them, or brightness instead of it."""
        sent: list[Publish] = []
        brightness = wish.brightness
        if self._first == "first":
            sent.append(self.publish("command_topic", self._on, ""))
        for space in _SPACES:
            color = getattr(wish, space)
            if color is not None:
                sent.append(self._publish_color(space, color, brightness))
        if brightness is not None:
            sent += self._publish_brightness(brightness, wish)
        if wish.kelvin is not None:
            sent.append(self._publish_value("color_temp", self.temperature(wish.kelvin)))
        if wish.effect is not None:
            sent.append(self._publish_value("effect", wish.effect))
        if wish.white is not None:
            white = min(round(wish.white / FULL * self._white_scale), self._white_scale)
            sent.append(self.publish("white_command_topic", white, ""))
        if self._first == "last":
            sent.append(self.publish("command_topic", self._on, ""))
        if not sent:
            raise WriteRefused("its publisher gave no topic that turns it on")
        return sent

    def turn_off(self, wish: Wish) -> Sequence[Publish]:  # noqa: ARG002  # this schema has no fading
        """Return the message that turns it off."""
        return (self.publish("command_topic", self._off, ""),)

    def _publish_value(self, name: str, value: Any) -> Publish:
        return self.publish(f"{name}_command_topic", value, f"{name}_command_template")

    def _publish_brightness(self, brightness: int, wish: Wish) -> list[Publish]:
        """Send a brightness, or the colour so much darker where there is no topic for it."""
        if self._has("brightness_command_topic"):
            level = min(round(brightness / FULL * self._scale), self._scale)
            return [self._publish_value("brightness", max(level, 1))]
        for space in ("rgb", "rgbw", "rgbww"):
            if self._has(f"{space}_command_topic") and getattr(wish, space) is None:
                color = getattr(self.look, space) or (FULL,) * len(_VARIABLES[space])
                return [self._publish_color(space, color, brightness)]
        return []

    def _publish_color(self, space: str, color: Sequence[float], brightness: int | None) -> Publish:
        if space.startswith("rgb"):
            dimmed = self._has("brightness_command_topic")  # then the colour need not be darker
            level = FULL if dimmed else brightness or self.look.brightness or FULL
            color = [int(channel * level / FULL) for channel in color]
        return self.publish(
            f"{space}_command_topic",
            ",".join(str(channel) for channel in color),
            f"{space}_command_template",
            **dict(zip(_VARIABLES[space], color, strict=True)),
        )
