"""Conversions of colours. Expected values are what Home Assistant 2025.4.4 computes."""

import pytest

from jidget.mqtt.kinds import colors


def test_hex_both_ways() -> None:
    assert colors.parse_hex("#fF8000") == (255, 128, 0)
    assert colors.write_hex((255, 128, 0)) == "#ff8000"
    assert colors.write_hex((-1, 300, 0)) == "#00ff00"


@pytest.mark.parametrize("text", ["", "ff8000", "#ff800", "#ff80000", "#gg0000", "red", " #ff8000", "#ff8000\n"])
def test_what_is_no_hex(text: str) -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        colors.parse_hex(text)


def test_hue_and_saturation() -> None:
    assert colors.rgb_to_hs(255, 64, 0) == (15.059, 100.0)
    assert colors.hs_to_rgb(24, 100) == (255, 102, 0)
    assert colors.hs_to_rgb(24, 100, 50) == (128, 51, 0)


def test_xy() -> None:
    assert colors.rgb_to_xy(255, 64, 0) == (0.676, 0.32)
    assert colors.rgb_to_xy(0, 0, 0) == (0.0, 0.0)
    assert colors.xy_to_rgb(0.676, 0.32) == (255, 68, 1)
    assert colors.xy_to_hs(0.3, 0.3) == (234.0, 11.765)
    assert colors.xy_to_kelvin(0.45, 0.41) == 2839
    assert colors.xy_to_rgb(0.3, 0.0) == (181, 0, 255)  # no division by zero


def test_white_channels() -> None:
    assert colors.rgb_to_rgbw(200, 220, 180) == (24, 49, 0, 220)
    assert colors.rgbw_to_rgb(255, 64, 0, 128) == (255, 128, 85)
    assert colors.rgb_to_rgbww(200, 220, 180, 2000, 6535) == (0, 87, 100, 220, 220)
    assert colors.rgbww_to_rgb((255, 64, 0, 128, 64), 2000, 6535) == (255, 109, 51)
    assert colors.rgbww_to_rgb((0, 0, 0, 0, 0), 2000, 6535) == (0, 0, 0)
    assert colors.kelvin_to_rgbww(3000, 200, 2000, 6535) == (0, 0, 0, 96, 104)


def test_temperatures() -> None:
    assert (colors.mired_to_kelvin(300), colors.kelvin_to_mired(3333)) == (3333, 300)
    assert colors.kelvin_to_hs(3333) == (27.355, 48.529)
    assert colors.kelvin_to_rgb(1) == colors.kelvin_to_rgb(1000)
    assert colors.kelvin_to_rgb(1e9) == colors.kelvin_to_rgb(40_000)
