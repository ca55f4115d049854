"""Lights whose publisher wrote templates for everything (`schema: template`)."""

from collections.abc import Sequence
from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds import colors
from jidget.mqtt.kinds.common import NULL, parse_number
from jidget.mqtt.kinds.light_base import LightEntity
from jidget.mqtt.kinds.light_look import FULL, Look, Wish
from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.templates import Templates


class TemplateLight(LightEntity):
    """A light of the template schema: on, off and values have fixed names, the payloads are all the publisher's."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        for name in ("command_on_template", "command_off_template"):
            if self.template(name) is None:
                raise BadConfig(f"{name} is missing")
        self._colored = all(self._has(name) for name in ("red", "green", "blue"))
        modes = {"color_temp"} if self._has("color_temp") else set()
        if self._colored:
            modes.add("hs")
        modes = modes or {"brightness" if self._has("brightness") else "onoff"}
        self._fixed = len(modes) == 1
        if self._fixed:
            self.look = Look(mode=next(iter(modes)))
        effects = self.keys.raw("effect_list") is not None
        self.offer(frozenset(modes), effect=effects, fading=True)
        names = ("state", "brightness", "color_temp", "red", "green", "blue", "effect")
        self._read = {name: self.reader(f"{name}_template") for name in names}
        self.listen_raw("state_topic", self._told)

    def _has(self, name: str) -> bool:
        return self.keys.text(f"{name}_template") is not None

    def assumed(self, name: str) -> bool:  # noqa: ARG002  # one topic tells it all
        """Whether what was sent is taken to be so at once: nothing tells without a template for the state."""
        return not self._has("state") or self.assumes()

    # --- what it tells ------------------------------------------------------------------------------------------

    def _told(self, message: Message) -> bool:
        heard = [self._take_on(self._of("state", message))]
        if self._has("brightness"):
            heard.append(self._take_brightness(self._of("brightness", message)))
        if self._has("color_temp"):
            heard.append(self._take_temperature(self._of("color_temp", message)))
        if self._colored:
            heard.append(self._take_color([self._of(name, message) for name in ("red", "green", "blue")]))
        if self._has("effect"):
            heard.append(self._take_effect(self._of("effect", message)))
        self.refresh()
        return any(heard)

    def _of(self, name: str, message: Message) -> str:
        return self._read[name](message) or ""

    def _take_on(self, text: str) -> bool:
        states = {"on": True, "off": False, NULL: None}
        if text not in states:
            return False
        self.look.on = states[text]
        return True

    def _take_brightness(self, text: str) -> bool:
        number = parse_number(text)
        if not isinstance(number, int) or not 0 < number <= FULL:
            return False
        self.look.brightness = number
        return True

    def _take_temperature(self, text: str) -> bool:
        if text == NULL and not self._kelvin:
            self.look.kelvin = None
            return True
        number = parse_number(text)
        return isinstance(number, int) and self.take_kelvin(number)

    def _take_color(self, texts: Sequence[str]) -> bool:
        if all(text == NULL for text in texts):
            self.look.hs = None
        else:
            channels = [number for text in texts if isinstance(number := parse_number(text), int)]
            if len(channels) != len(texts) or not all(0 <= channel <= FULL for channel in channels):
                return False
            self.look.hs = colors.rgb_to_hs(*channels)
        if not self._fixed:
            self.look.mode = "hs" if self.look.hs else "color_temp"
        return True

    def _take_effect(self, text: str) -> bool:
        if text not in self.can.effects:
            return False
        self.look.effect = text
        return True

    # --- what is wished -----------------------------------------------------------------------------------------

    def turn_on(self, wish: Wish) -> Sequence[Publish]:
        """Return what the publisher's template makes of the wish: only what is wished has a name in it."""
        values: dict[str, Any] = {
            "brightness": wish.brightness,
            "color_temp": None if wish.kelvin is None else self.temperature(wish.kelvin),
            "effect": wish.effect,
            "flash": wish.flash,
            "transition": wish.transition,
        }
        if wish.hs is not None:
            hue, saturation = wish.hs
            level = FULL
            if not self._has("brightness"):
                level = next(each for each in (wish.brightness, self.look.brightness, FULL) if each is not None)
            red, green, blue = colors.hs_to_rgb(hue, saturation, level / FULL * 100)
            values |= {"red": red, "green": green, "blue": blue, "hue": hue, "sat": saturation}
        given = {name: value for name, value in values.items() if value is not None}
        return (self.publish("command_topic", None, "command_on_template", state=True, **given),)

    def turn_off(self, wish: Wish) -> Sequence[Publish]:
        """Return what the publisher's template makes of "off"."""
        given = {} if wish.transition is None else {"transition": wish.transition}
        return (self.publish("command_topic", None, "command_off_template", state=False, **given),)
