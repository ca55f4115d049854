"""What a light looks like and what is wished of it, in Home Assistant's terms, whatever its schema says it with.

Brightness and the colours are 0 to 255 here, as in Home Assistant; the parts of the entity show percent and `#rrggbb`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jidget.mqtt.kinds import colors
from jidget.mqtt.kinds.colors import Pair, Rgb, Rgbw, Rgbww

COLORED = frozenset({"hs", "rgb", "rgbw", "rgbww", "xy"})
"""Colour modes with a colour."""
DIMMED = COLORED | {"brightness", "color_temp", "white"}
"""Colour modes with a brightness."""
MODES = DIMMED | {"onoff"}
UNTOLD = "unknown"
"""The colour mode of a light that can several and has not told which."""
FULL = 255


def modes_problem(modes: Collection[str]) -> str:
    """Say why these colour modes cannot be those of one light; nothing if they can."""
    strange = sorted(set(modes) - MODES)
    if strange:
        return f"unknown colour modes {', '.join(strange)}"
    if len(set(modes)) > 1 and ("brightness" in modes or "onoff" in modes):
        return "the colour modes brightness and onoff go with no other"
    if "white" in modes and not COLORED & set(modes):
        return "the colour mode white needs one with a colour beside it"
    return ""


def percent_of(brightness: int) -> float:
    """Return a brightness as percent: the whole number that `brightness_of` turns into it, else with one decimal."""
    whole = round(brightness * 100 / FULL)
    return float(whole) if brightness_of(whole) == brightness else round(brightness * 100 / FULL, 1)


def brightness_of(percent: float) -> int:
    """Return the brightness of a percentage: exactly the one that `percent_of` was given."""
    return round(FULL * percent / 100)


@dataclass(slots=True, kw_only=True)
class Look:
    """What is known of a light. A colour is kept in the space it was told in; `mode` says which one holds.

    Attributes:
        on: None while unknown.
        mode: the colour mode; None where the light need not tell one.
        kelvin: colour temperature.
    """

    on: bool | None = None
    mode: str | None = None
    brightness: int | None = None
    kelvin: int | None = None
    hs: Pair | None = None
    xy: Pair | None = None
    rgb: Rgb | None = None
    rgbw: Rgbw | None = None
    rgbww: Rgbww | None = None
    effect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a light that is turned on is to become; None leaves it as it is.

    Attributes:
        white: brightness of plain white.
        transition: seconds.
        flash: `short` or `long`.
    """

    brightness: int | None = None
    kelvin: int | None = None
    hs: Pair | None = None
    xy: Pair | None = None
    rgb: Rgb | None = None
    rgbw: Rgbw | None = None
    rgbww: Rgbww | None = None
    white: int | None = None
    effect: str | None = None
    transition: float | None = None
    flash: str | None = None


_LIKENESS = {"hs": 1.5, "xy": 0.01, "rgb": 2, "rgbw": 2, "rgbww": 2}
"""By colour mode: how far each channel of what is told may be from what was sent, and still be the same colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A colour or temperature as a person asked for it. A light tells it back rounded: in xy, in whole mired.

    Attributes:
        wish: what was sent for it.
        color: `#rrggbb`, as it was written.
        kelvin: colour temperature.
    """

    wish: Wish = Wish()
    color: str | None = None
    kelvin: int | None = None

    def is_color(self, look: Look, mode: str) -> bool:
        """Whether what the light tells is the colour that was asked for."""
        sent, told = getattr(self.wish, mode, None), getattr(look, mode, None)
        if self.color is None or mode not in _LIKENESS or sent is None or told is None:
            return False
        return all(abs(one - other) <= _LIKENESS[mode] for one, other in zip(sent, told, strict=True))

    def is_kelvin(self, look: Look) -> bool:
        """Whether what the light tells is the temperature that was asked for."""
        if self.kelvin is None or not look.kelvin:
            return False
        return abs(colors.kelvin_to_mired(self.kelvin) - colors.kelvin_to_mired(look.kelvin)) <= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a light can.

    Attributes:
        modes: its colour modes; empty if it tells none (it can then be switched only).
        warmest: least colour temperature in kelvin.
        coldest: greatest colour temperature in kelvin.
        effect: whether it has effects.
        effects: their names.
        fading: whether it takes `transition` and `flash`.
    """

    modes: frozenset[str]
    warmest: int
    coldest: int
    effect: bool = False
    effects: tuple[str, ...] = ()
    fading: bool = False

    @property
    def dimmed(self) -> bool:
        """Whether it has a brightness."""
        return bool(self.modes & DIMMED)

    @property
    def colored(self) -> bool:
        """Whether it has colours."""
        return bool(self.modes & COLORED)

    @property
    def tinted(self) -> bool:
        """Whether it has colour temperatures."""
        return "color_temp" in self.modes

    def suited(self, wish: Wish, brightness: int | None = None) -> Wish:
        """Return the wish in the colour space that the light has, without what it cannot.

        `brightness` is what it has now: white channels hold the brightness, too.
        """
        wish = self._suited_color(self._suited_temperature(wish, brightness or FULL))
        white = wish.white if "white" in self.modes else None
        level = wish.brightness if self.dimmed else None
        if white is not None and level is not None:
            white, level = level, None
        return replace(
            wish,
            brightness=level,
            white=white,
            effect=wish.effect if self.effect else None,
            transition=wish.transition if self.fading else None,
            flash=wish.flash if self.fading else None,
            **{mode: getattr(wish, mode) if mode in self.modes else None for mode in COLORED},
        )

    def _suited_temperature(self, wish: Wish, brightness: int) -> Wish:
        """Make a temperature of white channels or a colour where the light has no temperatures."""
        if wish.kelvin is None or self.tinted:
            return wish
        if "rgbww" in self.modes:
            level = wish.brightness if wish.brightness is not None else brightness
            return replace(
                wish, kelvin=None, rgbww=colors.kelvin_to_rgbww(wish.kelvin, level, self.warmest, self.coldest)
            )
        return replace(wish, kelvin=None, hs=colors.kelvin_to_hs(wish.kelvin) if self.colored else None)

    def _suited_color(self, wish: Wish) -> Wish:
        """Convert a colour to the space that the light has; to the nearest temperature where it has none."""
        if wish.hs is not None and "hs" not in self.modes:
            if self.modes & {"rgb", "rgbw", "rgbww"}:
                return self._in_channels(replace(wish, hs=None), colors.hs_to_rgb(*wish.hs))
            return self._in_xy(replace(wish, hs=None), colors.rgb_to_xy(*colors.hs_to_rgb(*wish.hs)))
        if wish.rgb is not None and "rgb" not in self.modes:
            if self.modes & {"rgbw", "rgbww"}:
                return self._in_channels(replace(wish, rgb=None), wish.rgb)
            if "hs" in self.modes:
                return replace(wish, rgb=None, hs=colors.rgb_to_hs(*wish.rgb))
            return self._in_xy(replace(wish, rgb=None), colors.rgb_to_xy(*wish.rgb))
        return wish

    def _in_channels(self, wish: Wish, rgb: Rgb) -> Wish:
        if "rgb" in self.modes:
            return replace(wish, rgb=rgb)
        if "rgbw" in self.modes:
            return replace(wish, rgbw=colors.rgb_to_rgbw(*rgb))
        return replace(wish, rgbww=colors.rgb_to_rgbww(*rgb, self.warmest, self.coldest))

    def _in_xy(self, wish: Wish, xy: Pair) -> Wish:
        if "xy" in self.modes:
            return replace(wish, xy=xy)
        if self.tinted:
            kelvin = colors.xy_to_kelvin(*xy)
            return replace(wish, kelvin=kelvin if kelvin > 0 else self.coldest)  # there is none for blue and purple
        return wish

    def mode_of(self, look: Look) -> str:
        """Return the colour mode that holds, worked out where the light has told none."""
        if look.mode is not None:
            return look.mode
        if "hs" in self.modes and look.hs is not None:
            return "hs"
        if self.tinted and look.kelvin is not None:
            return "color_temp"
        if "brightness" in self.modes and look.brightness is not None:
            return "brightness"
        return "onoff" if not self.modes or "onoff" in self.modes else UNTOLD

    def colors_of(self, look: Look, mode: str) -> dict[str, list[float]]:
        """Return the colour of a light in all spaces, by the names of Home Assistant's attributes."""
        extra: dict[str, list[float]] = {}
        if mode == "hs" and look.hs is not None:
            hs: Pair = (round(look.hs[0], 3), round(look.hs[1], 3))
            rgb = colors.hs_to_rgb(*look.hs)
            xy = colors.rgb_to_xy(*rgb)
        elif mode == "xy" and look.xy is not None:
            hs, rgb = colors.xy_to_hs(*look.xy), colors.xy_to_rgb(*look.xy)
            xy = round(look.xy[0], 6), round(look.xy[1], 6)
        elif mode == "color_temp" and look.kelvin:
            hs = colors.kelvin_to_hs(look.kelvin)
            rgb = colors.hs_to_rgb(*hs)
            xy = colors.rgb_to_xy(*rgb)
        else:
            mixed = self._mixed(look, mode, extra)
            if mixed is None:
                return {}
            rgb = mixed
            hs, xy = colors.rgb_to_hs(*rgb), colors.rgb_to_xy(*rgb)
        return {"hs_color": list(hs), "rgb_color": list(rgb), "xy_color": list(xy), **extra}

    def _mixed(self, look: Look, mode: str, extra: dict[str, list[float]]) -> Rgb | None:
        """Return the RGB of a light that was told in channels; put those with white into `extra`."""
        if mode == "rgb":
            return look.rgb
        if mode == "rgbw" and look.rgbw is not None:
            extra["rgbw_color"] = list(look.rgbw)
            return colors.rgbw_to_rgb(*look.rgbw)
        if mode == "rgbww" and look.rgbww is not None:
            extra["rgbww_color"] = list(look.rgbww)
            return colors.rgbww_to_rgb(look.rgbww, self.warmest, self.coldest)
        return None

    def attributes(self, look: Look, shades: Mapping[str, Any]) -> dict[str, Any]:
        """Return Home Assistant's attributes of a light; `shades` is what `colors_of` says."""
        mode = self.mode_of(look) if look.on else None
        shown: dict[str, Any] = {"supported_color_modes": sorted(self.modes or {"onoff"}), "color_mode": mode}
        if self.effect:
            shown["effect_list"] = list(self.effects)
            shown["effect"] = look.effect if look.on else None
        if self.dimmed:
            shown["brightness"] = look.brightness if mode in DIMMED else None
        if self.tinted:
            kelvin = look.kelvin if mode == "color_temp" else None
            shown["color_temp_kelvin"] = kelvin
            shown["color_temp"] = colors.kelvin_to_mired(kelvin) if kelvin else None
            shown["min_color_temp_kelvin"], shown["max_color_temp_kelvin"] = self.warmest, self.coldest
            shown["min_mireds"], shown["max_mireds"] = map(colors.kelvin_to_mired, (self.coldest, self.warmest))
        if self.colored or self.tinted:
            names = ["hs_color", "rgb_color", "xy_color", *(f"{m}_color" for m in ("rgbw", "rgbww") if m in self.modes)]
            shown |= dict.fromkeys(names)
            if mode is not None:
                shown |= shades
        return shown
