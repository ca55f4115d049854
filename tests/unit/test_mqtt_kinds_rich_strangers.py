"""Nothing that strangers publish makes a kind of many parts raise what it does not say it raises."""

import json
from random import Random
from typing import Any

import pytest
from tests.support.mqtt_entities import entity_of, tell
from tests.support.mqtt_strangers import check, use

from jidget.mqtt.entity import BadConfig

TEXTS = ("", "#ff8000", "#FF8000", "red", "\ud800")
TOPICS = ("t/state", "t/2", "t/+/x")
ODD: list[Any] = [
    None, True, 0, -1, 2.5, 1e308, float("nan"), 10**400, "", "None", "50", "{{ value", "{{ value_json.a.b }}", "\0",
    "\ud800", "a/#/b", [], [[]], ["hs"], ["xy", "color_temp"], {}, {"a": 1}, "first", "b64", "F",
]  # fmt: skip
WORDS: list[str | bytes] = [
    "", " ", "ON", "OFF", "None", "on", "off", "open", "closing", "stopped", "heat", "auto", "none", "docked", "mowing",
    "armed_away", "forward", "hs", "rgb", "color_temp", "a", "0", "50", "255", "-1", "300", "nan", "1e308", "1e400",
    "9" * 5000, "1,2,3", "0,0,0", "255,255,255,0", "1,2,3,4,5", "10,50", "0.3,0.3", "0.3,0", "1e308,1", "²", "1_000",
    b"\xff\xfe", "[" * 5000, "{", "[]", "null",
]  # fmt: skip
ANY: list[Any] = [
    None, True, 0, 1, 99, 255, 300, -1, 1e308, float("nan"), "ON", "OFF", "docked", "50", "9" * 500, [], {}, "hs", "xy",
    "rgbww", "white", "color_temp", {"r": 1, "g": 2, "b": 3}, {"h": 10, "s": 20}, {"x": 0.3, "y": 0.3},
    {"x": 1e300, "y": 1}, {"r": 1, "g": 2, "b": 3, "c": 4, "w": 5}, {"r": "a", "g": [], "b": None},
]  # fmt: skip
NAMES = ("state", "brightness", "color", "color_mode", "color_temp", "effect", "position", "tilt_position")

LIGHT = [*("brightness", "color_mode", "color_temp", "effect", "hs", "rgb", "rgbw", "rgbww", "xy", "white"), ""]
KINDS: dict[str, tuple[list[str], dict[str, Any], list[str]]] = {
    "light": (LIGHT, {"schema": "basic", "effect_list": ["a"]}, ["on_command_type", "brightness_scale", "min_mireds"]),
    "cover": (["", "tilt"], {}, ["position_open", "tilt_min", "payload_stop", "optimistic", "state_open"]),
    "fan": (
        ["", "percentage", "preset_mode", "oscillation", "direction"],
        {"preset_modes": ["a"]},
        ["speed_range_min"],
    ),
    "climate": (
        ["temperature", "temperature_low", "mode", "fan_mode", "preset_mode", "swing_mode", "target_humidity", "power"],
        {"preset_modes": ["a"], "current_temperature_topic": "t/2", "action_topic": "t/2"},
        ["modes", "fan_modes", "min_temp", "initial", "precision", "temperature_unit", "max_humidity"],
    ),
    "water_heater": (["temperature", "mode", "power"], {"current_temperature_topic": "t/2"}, ["modes", "max_temp"]),
    "vacuum": ([""], {"set_fan_speed_topic": "c"}, ["supported_features", "fan_speed_list", "payload_start"]),
    "humidifier": (["", "target_humidity", "mode"], {"modes": ["a"]}, ["modes", "min_humidity", "payload_on"]),
    "lawn_mower": (["start_mowing", "dock"], {"activity_state_topic": "t/2"}, ["optimistic"]),
    "alarm_control_panel": ([""], {}, ["code", "code_arm_required", "supported_features", "payload_disarm"]),
    "camera": ([], {"topic": "t/2"}, ["image_encoding", "topic"]),
    "image": ([], {"image_topic": "t/2"}, ["image_encoding", "content_type", "url_topic"]),
}
"""By kind: what has a state and a command topic, what else it is given, and what else may be odd."""


def keys_of(kind: str, random: Random) -> dict[str, Any]:
    names, more, odd = KINDS[kind]
    keys: dict[str, Any] = {"command_topic": "c", **more}
    for name in names:
        prefix = f"{name}_" if name else ""
        if random.random() < 0.6:
            keys[f"{prefix}state_topic"] = random.choice(TOPICS)
        if random.random() < 0.6:
            keys[f"{prefix}command_topic"] = f"c/{name}"
        for way in ("value", "state", "command"):
            if random.random() < 0.2:
                keys[f"{prefix}{way}_template"] = random.choice(["{{ value }}", "{{ value_json.state }}"])
    if kind == "light":
        keys["schema"] = random.choice(["basic", "json", "template"])
        keys |= {"command_on_template": "{{ state }}{{ red }}", "command_off_template": "off"}
        if keys["schema"] == "json":
            modes = [["hs"], ["rgb", "white"], ["rgbw"], ["rgbww"], ["xy", "color_temp"], ["brightness"], ["onoff"]]
            keys |= {"supported_color_modes": random.choice(modes), "effect": True}
    if kind == "cover":
        keys |= {"position_topic": "t/2", "set_position_topic": "c/position"}
    for key in random.sample([*odd, *keys], random.choice([0, 0, 1, 2])):
        keys[key] = random.choice(ODD)
    return keys


def payload_of(random: Random) -> str | bytes:
    if random.random() < 0.5:
        return random.choice(WORDS)
    names = random.sample([*NAMES, "battery_level", "fan_speed"], random.randint(0, 6))
    return json.dumps({"state": "ON", **{name: random.choice(ANY) for name in names}})


@pytest.mark.parametrize("kind", KINDS)
def test_odd_keys_and_payloads(kind: str) -> None:
    random = Random(kind)
    built = 0
    for _ in range(150):
        try:
            entity = entity_of(kind, **keys_of(kind, random))
        except BadConfig as error:
            assert len(str(error)) < 500
            continue
        built += 1
        for _ in range(20):
            tell(entity, payload_of(random), random.choice(["t/state", "t/2", "t/5/x"]))
            check(entity)
        use(entity, random, TEXTS)
    assert built > 50
