"""Colours as lights speak of them: RGB, hue and saturation, CIE 1931 xy, extra white channels, colour temperature.

The formulas are those that Home Assistant uses, so that what is published and shown is the same to the digit: Philips'
"RGB to xy Color conversion" (wide gamut, D65), Tanner Helland's approximation of black-body colours, and McCamy's of
correlated colour temperature (doi 10.1002/col.5080170211). RGB and white channels are 0 to 255, hue 0 to 360 degrees,
saturation 0 to 100 %, temperatures in kelvin unless called mired.
"""

import colorsys
import math
import re
from collections.abc import Sequence

Rgb = tuple[int, int, int]
Rgbw = tuple[int, int, int, int]
Rgbww = tuple[int, int, int, int, int]
Pair = tuple[float, float]

HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
"""How people and properties write a colour."""


def parse_hex(text: str) -> Rgb:
    """Return the colour written as `#rrggbb`.

    Raises:
        ValueError: it is none.
    """
    if not HEX_COLOR.fullmatch(text):
        raise ValueError(f"{text!r} is no colour; write it as #rrggbb, such as #ff8000")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def write_hex(rgb: Sequence[int]) -> str:
    """Write a colour as `#rrggbb`; channels beyond 0 to 255 are cut."""
    return "#" + "".join(f"{min(255, max(0, channel)):02x}" for channel in rgb)


def mired_to_kelvin(mired: float) -> int:
    """Turn mired into kelvin, rounded down; raises `ZeroDivisionError` for 0."""
    return math.floor(1_000_000 / mired)


def kelvin_to_mired(kelvin: float) -> int:
    """Turn kelvin into mired, rounded down; raises `ZeroDivisionError` for 0."""
    return math.floor(1_000_000 / kelvin)


def rgb_to_hs(red: float, green: float, blue: float) -> Pair:
    """Return hue and saturation."""
    hue, saturation, _ = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    return round(hue * 360, 3), round(saturation * 100, 3)


def hs_to_rgb(hue: float, saturation: float, value: float = 100) -> Rgb:
    """Return the RGB of a hue, a saturation and a value in percent."""
    red, green, blue = colorsys.hsv_to_rgb(hue / 360, saturation / 100, value / 100)
    return round(red * 255), round(green * 255), round(blue * 255)


def rgb_to_xy(red: float, green: float, blue: float) -> Pair:
    """Return the xy of a colour; black is (0, 0)."""
    if red + green + blue == 0:
        return 0.0, 0.0
    r, g, b = (_linear(channel / 255) for channel in (red, green, blue))
    big_x = r * 0.664511 + g * 0.154324 + b * 0.162028
    big_y = r * 0.283881 + g * 0.668433 + b * 0.047685
    big_z = r * 0.000088 + g * 0.072310 + b * 0.986039
    total = big_x + big_y + big_z
    return round(big_x / total, 3), round(big_y / total, 3)


def xy_to_rgb(x: float, y: float) -> Rgb:
    """Return the brightest RGB of an xy; what lies outside the gamut is cut."""
    y = y or 1e-11
    big_x, big_z = x / y, (1 - x - y) / y
    linear = (
        big_x * 1.656492 - 0.354851 - big_z * 0.255038,
        -big_x * 0.707196 + 1.655397 + big_z * 0.036152,
        big_x * 0.051713 - 0.121364 + big_z * 1.011530,
    )
    channels = [max(0.0, _gamma(channel)) for channel in linear]
    top = max(channels)
    if top > 1:
        channels = [channel / top for channel in channels]
    red, green, blue = (int(channel * 255) for channel in channels)
    return red, green, blue


def xy_to_hs(x: float, y: float) -> Pair:
    """Return hue and saturation of an xy."""
    return rgb_to_hs(*xy_to_rgb(x, y))


def xy_to_kelvin(x: float, y: float) -> int:
    """Return the correlated colour temperature of an xy; good for about 2000 to 10000 K."""
    n = (x - 0.3320) / (0.1858 - y)
    return int(437 * n**3 + 3601 * n**2 + 6861 * n + 5517)


def kelvin_to_rgb(kelvin: float) -> tuple[float, float, float]:
    """Return what a black body of that temperature looks like, not rounded; 1000 to 40000 K."""
    t = min(40000.0, max(1000.0, kelvin)) / 100
    if t <= 66:
        red = 255.0
        green = 99.4708025861 * math.log(t) - 161.1195681661
    else:
        red = 329.698727446 * (t - 60) ** -0.1332047592
        green = 288.1221695283 * (t - 60) ** -0.0755148492
    if t >= 66:
        blue = 255.0
    elif t <= 19:
        blue = 0.0
    else:
        blue = 138.5177312231 * math.log(t - 10) - 305.0447927307
    return _within(red), _within(green), _within(blue)


def kelvin_to_hs(kelvin: float) -> Pair:
    """Return hue and saturation of a black body."""
    return rgb_to_hs(*kelvin_to_rgb(kelvin))


def rgb_to_rgbw(red: int, green: int, blue: int) -> Rgbw:
    """Move what the three channels have in common to the white one."""
    white = min(red, green, blue)
    r, g, b, w = _match_top((red, green, blue), (red - white, green - white, blue - white, white))
    return r, g, b, w


def rgbw_to_rgb(red: int, green: int, blue: int, white: int) -> Rgb:
    """Add the white channel to the others."""
    r, g, b = _match_top((red, green, blue, white), (red + white, green + white, blue + white))
    return r, g, b


def rgb_to_rgbww(red: int, green: int, blue: int, warmest: int, coldest: int) -> Rgbww:
    """Move what can be white to both white channels, of which one is `warmest`, one `coldest` kelvin."""
    low, high = kelvin_to_mired(coldest), kelvin_to_mired(warmest)
    white = kelvin_to_rgb(mired_to_kelvin(low + (high - low) / 2))
    level = min(channel / part if part else 0 for channel, part in zip((red, green, blue), white, strict=True))
    rest = [channel - part * level for channel, part in zip((red, green, blue), white, strict=True)]
    r, g, b, c, w = _match_top((red, green, blue), (*rest, round(level * 255), round(level * 255)))
    return r, g, b, c, w


def rgbww_to_rgb(channels: Rgbww, warmest: int, coldest: int) -> Rgb:
    """Add what both white channels, cold and warm, shine to the others."""
    red, green, blue, cold, warm = channels
    low, high = kelvin_to_mired(coldest), kelvin_to_mired(warmest)
    share = warm / (cold + warm) if cold + warm else 0.5
    mired = low + share * (high - low)
    white = kelvin_to_rgb(mired_to_kelvin(mired) if mired else 0)
    level = max(cold, warm) / 255
    mixed = [channel + part * level for channel, part in zip((red, green, blue), white, strict=True)]
    r, g, b = _match_top((red, green, blue, cold, warm), mixed)
    return r, g, b


def kelvin_to_rgbww(kelvin: int, brightness: int, warmest: int, coldest: int) -> Rgbww:
    """Return the mix of cold and warm white that makes a temperature at a brightness of 0 to 255."""
    low, high = kelvin_to_mired(coldest), kelvin_to_mired(warmest)
    cold = (high - kelvin_to_mired(kelvin)) / (high - low) * brightness if high > low else brightness / 2
    return 0, 0, 0, round(cold), round(brightness - cold)


def _linear(channel: float) -> float:
    """Undo the gamma of sRGB."""
    return ((channel + 0.055) / 1.055) ** 2.4 if channel > 0.04045 else channel / 12.92


def _gamma(channel: float) -> float:
    """Apply the gamma of sRGB; what is negative stays so."""
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _within(channel: float) -> float:
    return min(255.0, max(0.0, channel))


def _match_top(given: Sequence[float], made: Sequence[float]) -> tuple[int, ...]:
    """Scale `made` so that its brightest channel is as bright as that of `given`."""
    top = max(made)
    factor = max(given) / top if top else 0.0
    return tuple(round(channel * factor) for channel in made)
