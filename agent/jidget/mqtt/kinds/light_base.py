"""What lights of all schemas have in common: their parts, their actions, and what they show.

Parts: on (the main one), `brightness` in percent, `color_temp` in kelvin, `color` as `#rrggbb`, `effect`. Setting one
of the latter turns the light on, as in Home Assistant; a brightness of 0 turns it off.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from jidget.mqtt.entity import BadConfig, EntityAction, Part
from jidget.mqtt.kinds import colors
from jidget.mqtt.kinds.common import MqttEntity, on_off
from jidget.mqtt.kinds.light_look import (
    COLORED,
    Abilities,
    Asked,
    Look,
    Wish,
    brightness_of,
    modes_problem,
    percent_of,
)
from jidget.mqtt.kinds.signatures import Color, Kelvin, Percent, Seconds, with_parameters
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit, WriteRefused

_WARMEST, _COLDEST = 2000, 6535  # kelvin, of a light that does not tell
_HOTTEST = 1_000_000
_OWN_ATTRIBUTES = """color_mode brightness color_temp color_temp_kelvin effect effect_list hs_color
    max_color_temp_kelvin max_mireds min_color_temp_kelvin min_mireds rgb_color rgbw_color
    rgbww_color supported_color_modes xy_color"""
"""What a device cannot set by attributes of its own."""


class LightEntity(MqttEntity):
    """Base of all lights: a schema sets the `mode` that holds at first, `offer`s what its light can, and fills `look`.

    Attributes:
        look: what the light is known to look like.
        can: what it can.
        dims: whether its brightness can be set.
    """

    dims = True
    blocked_attributes = frozenset(_OWN_ATTRIBUTES.split())

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self.look = Look()
        self.can = Abilities(modes=frozenset(), warmest=_WARMEST, coldest=_COLDEST)
        self._kelvin = self.keys.flag("color_temp_kelvin")
        self._asked = Asked()

    def offer(self, modes: frozenset[str], *, effect: bool, fading: bool) -> None:
        """Say what the light can; makes its parts and actions.

        Raises:
            BadConfig: the colour modes cannot be those of one light.
        """
        problem = modes_problem(modes)
        if problem:
            raise BadConfig(problem)
        ends = self._end("max_mireds", "min_kelvin", _WARMEST), self._end("min_mireds", "max_kelvin", _COLDEST)
        warmest, coldest = sorted(ends)  # publishers mix them up
        effects = tuple(dict.fromkeys(self.keys.texts("effect_list")))
        self.can = Abilities(
            modes=modes, warmest=warmest, coldest=coldest, effect=effect, effects=effects, fading=fading
        )
        self._untold = replace(self.look)
        self.parts = tuple(self._make_parts())
        self.actions = tuple(self._make_actions())
        self.refresh()

    def _end(self, mired_key: str, kelvin_key: str, default: int) -> int:
        mired = self.keys.integer(mired_key, least=0)
        kelvin = self.keys.integer(kelvin_key, default, least=1)
        return min(_HOTTEST, max(1, colors.mired_to_kelvin(mired) if mired else kelvin))

    def _make_parts(self) -> list[Part]:
        parts = [self.part("", Kind.BOOLEAN, writable=True)]
        if self.can.dimmed:
            percent: dict[str, Any] = {"unit": Unit.PERCENT, "minimum": 0, "maximum": 100, "precision": 0}
            parts.append(self.part("brightness", Kind.NUMBER, writable=self.dims, **percent))
        if self.can.tinted:
            parts.append(
                self.part(
                    "color_temp",
                    Kind.INTEGER,
                    unit=Unit.KELVIN,
                    minimum=self.can.warmest,
                    maximum=self.can.coldest,
                    writable=True,
                )
            )
        if self.can.colored:
            parts.append(self.part("color", Kind.STRING, description="#rrggbb", writable=True))
        if self.can.effect and self.can.effects:
            parts.append(self.part("effect", Kind.ENUM, options=self.can.effects, writable=True))
        return parts

    # --- what it shows ------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Make values, state and attributes of what the light is known to look like."""
        look = self.look
        mode = self.can.mode_of(look)
        shades = self.can.colors_of(look, mode)
        self.values = {"": look.on}
        if self.can.dimmed:
            self.values["brightness"] = None if look.brightness is None else percent_of(look.brightness)
        if self.can.tinted:
            kelvin = self._asked.kelvin if self._asked.is_kelvin(look) else look.kelvin
            known = mode == "color_temp" and self.can.warmest <= (kelvin or 0) <= self.can.coldest
            self.values["color_temp"] = kelvin if known else None
        if self.can.colored:
            rgb = shades.get("rgb_color")
            told = colors.write_hex([int(channel) for channel in rgb]) if rgb is not None else None
            self.values["color"] = self._asked.color if self._asked.is_color(look, mode) else told
        if self.can.effect and self.can.effects:
            self.values["effect"] = look.effect if look.effect in self.can.effects else None
        self.state = on_off(look.on)
        self.show(**self.can.attributes(look, shades))

    def expire(self) -> None:
        """Forget what was told."""
        self.look = replace(self._untold)
        self.refresh()

    def take_kelvin(self, told: int) -> bool:
        """Take a colour temperature, in mired unless the config says kelvin; return whether it is one."""
        if not 0 < told <= _HOTTEST:
            return False
        self.look.kelvin = told if self._kelvin else max(1, colors.mired_to_kelvin(told))
        return True

    def temperature(self, kelvin: int) -> int:
        """Return a colour temperature as the light is told it: in mired unless the config says kelvin."""
        return kelvin if self._kelvin else colors.kelvin_to_mired(kelvin)

    # --- what is wished -----------------------------------------------------------------------------------------

    @abstractmethod
    def turn_on(self, wish: Wish) -> Sequence[Publish]:
        """Return what turns the light on; the wish is one that the light can do.

        Raises:
            WriteRefused: a template of its publisher's failed.
        """

    @abstractmethod
    def turn_off(self, wish: Wish) -> Sequence[Publish]:
        """Return what turns the light off; only `transition` and `flash` of the wish count.

        Raises:
            WriteRefused: a template of its publisher's failed.
        """

    def fit(self, wish: Wish) -> Wish:
        """Return the wish as the schema wants it."""
        return wish

    def assumed(self, name: str) -> bool:  # noqa: ARG002  # the basic schema has a topic for each
        """Whether what was sent is taken to be so at once: for `on`, `mode`, or a field of `Look`."""
        return self.assumes()

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return what sets a part.

        Raises:
            WriteRefused: it is no colour or no effect of this light.
        """
        return self._publishes(self._wish(part, value))

    def wrote(self, part: str, value: Scalar) -> None:
        """Assume what no topic tells."""
        self._assume(self._wish(part, value))

    def _wish(self, part: str, value: Scalar) -> Wish | None:
        """Return what setting a part means; None for "off"."""
        match part:
            case "":
                return self._wish_of() if value else None
            case "brightness":
                return self._wish_of(brightness=float(value))
            case "color_temp":
                return self._wish_of(color_temp=int(value))
            case "color":
                return self._wish_of(color=str(value))
            case "effect":
                return self._wish_of(effect=str(value))
        raise WriteRefused(f"a light has no {part}")

    def _wish_of(
        self,
        *,
        brightness: float | None = None,
        color: str | None = None,
        color_temp: int | None = None,
        white: float | None = None,
        effect: str | None = None,
        transition: float | None = None,
        flash: str | None = None,
    ) -> Wish | None:
        if color is not None and color_temp is not None:
            raise WriteRefused("a light has either a colour or a colour temperature; give one of them")
        if color_temp is not None and color_temp < 1:
            raise WriteRefused("a colour temperature is above 0 K")
        if effect is not None and self.can.effects and effect not in self.can.effects:
            raise WriteRefused(f"{effect!r} is none of its effects: {', '.join(self.can.effects)}")
        try:
            rgb = None if color is None else colors.parse_hex(color)
        except ValueError as error:
            raise WriteRefused(str(error)) from None
        level, plain = (None if percent is None else brightness_of(percent) for percent in (brightness, white))
        if level == 0 or plain == 0:
            return None
        wish = Wish(
            brightness=level,
            kelvin=color_temp,
            rgb=rgb,
            white=plain,
            effect=effect,
            transition=transition,
            flash=flash,
        )
        suited = self.fit(self.can.suited(wish, self.look.brightness))
        if color is not None or color_temp is not None:
            self._asked = Asked(wish=suited, color=color, kelvin=color_temp)
        return suited

    def _publishes(self, wish: Wish | None, fading: Wish | None = None) -> Sequence[Publish]:
        return self.turn_off(fading or Wish()) if wish is None else self.turn_on(wish)

    def _assume(self, wish: Wish | None) -> None:
        """Take what was published to be so, where no topic tells."""
        look = self.look
        if wish is None:
            if self.assumed("on"):
                look.on = False
            return self.refresh()
        for space in (*sorted(COLORED), "kelvin"):
            color = getattr(wish, space)
            if color is not None and self.assumed(space):
                setattr(look, space, color)
                if self.assumed("mode"):
                    look.mode = "color_temp" if space == "kelvin" else space
        if wish.white is not None and self.assumed("white"):
            look.brightness = wish.white
            if self.assumed("mode"):
                look.mode = "white"
        if wish.brightness is not None and self.assumed("brightness"):
            look.brightness = wish.brightness
        if wish.effect is not None and self.assumed("effect"):
            look.effect = wish.effect
        if self.assumed("on"):
            look.on = True
        return self.refresh()

    # --- actions ------------------------------------------------------------------------------------------------

    def _make_actions(self) -> list[EntityAction]:
        """Return turning on with several wishes at once, and what takes time; the property does the rest."""
        fades: dict[str, Any] = {"transition": Seconds, "flash": Literal["short", "long"]} if self.can.fading else {}
        wishes: dict[str, Any] = {}
        if self.can.dimmed and self.dims:
            wishes["brightness"] = Percent
        if self.can.colored:
            wishes["color"] = Color
        if self.can.tinted:
            wishes["color_temp"] = Kelvin
        if "white" in self.can.modes:
            wishes["white"] = Percent
        if self.can.effect and self.can.effects:
            wishes["effect"] = Literal[self.can.effects]
        actions = []
        if wishes or fades:
            actions.append(
                EntityAction(
                    name="turn_on",
                    summary="Turn the light on, all at once as asked for",
                    plan=with_parameters(self._plan_on, wishes | fades),
                    done=lambda **wanted: self._assume(self._wish_of(**wanted)),
                )
            )
        if fades:
            actions.append(
                EntityAction(
                    name="turn_off",
                    summary="Turn the light off, slowly or after a flash",
                    plan=with_parameters(lambda **fading: self.turn_off(Wish(**fading)), fades),
                    done=lambda **_: self._assume(None),
                )
            )
        return actions

    def _plan_on(self, **wanted: Any) -> Sequence[Publish]:
        fading = Wish(transition=wanted.get("transition"), flash=wanted.get("flash"))
        return self._publishes(self._wish_of(**wanted), fading)
