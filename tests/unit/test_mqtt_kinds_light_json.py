"""Lights of the JSON schema: what they tell in which colour space, and the one message that sets them."""

import json
from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import Kind, Unit, WriteRefused


def light(*modes: str, **keys: Any) -> Entity:
    given = {"schema": "json", "state_topic": TOPIC, "command_topic": COMMAND, "brightness": True, **keys}
    return entity_of("light", **given, **({"supported_color_modes": list(modes)} if modes else {}))


def told(entity: Entity, **message: Any) -> bool:
    return tell(entity, json.dumps(message))


def sent(entity: Entity, part: str, value: Any) -> Any:
    published = write(entity, value, part)
    assert published.topic == COMMAND
    return json.loads(published.payload)


def test_its_parts_are_what_it_can() -> None:
    entity = light("xy", "color_temp", effect=True, effect_list=["blink", "blink", "okay"], max_mireds=370)
    parts = {part.name: part.property for part in entity.parts}
    assert list(parts) == ["", "brightness", "color_temp", "color", "effect"]
    assert (parts["brightness"].unit, parts["brightness"].minimum, parts["brightness"].maximum) == (
        Unit.PERCENT,
        0,
        100,
    )
    assert (parts["color_temp"].unit, parts["color_temp"].minimum) == (Unit.KELVIN, 2702)
    assert parts["effect"].options == ("blink", "okay")
    assert all(part.writable for part in parts.values())
    assert [part.name for part in light("onoff").parts] == [""]


@pytest.mark.parametrize("brightness", range(1, 256))
def test_a_brightness_is_exact_both_ways(brightness: int) -> None:
    entity = light("brightness")
    assert told(entity, state="ON", brightness=brightness)
    percent = entity.values["brightness"]
    assert sent(entity, "brightness", percent) == {"state": "ON", "brightness": brightness}
    assert sent(entity, "brightness", brightness * 100 / 255) == {"state": "ON", "brightness": brightness}


@pytest.mark.parametrize("percent", range(1, 101))
def test_whole_percents_come_back_as_they_were_set(percent: int) -> None:
    entity = light("brightness")
    told(entity, **sent(entity, "brightness", percent))
    assert entity.values["brightness"] == percent


def test_a_scale_of_its_own() -> None:
    entity = light("brightness", brightness_scale=254)
    assert sent(entity, "brightness", 128 * 100 / 255)["brightness"] == 127
    assert sent(entity, "brightness", 0.3)["brightness"] == 1  # never rounded down to 0
    told(entity, state="ON", brightness=254)
    assert entity.attributes["brightness"] == 255


def test_no_brightness_is_off() -> None:
    entity = light("brightness")
    assert sent(entity, "brightness", 0) == {"state": "OFF"}
    told(entity, state="OFF", brightness=0)
    assert (entity.state, entity.values["brightness"]) == ("off", None)


def test_on_off_and_unknown() -> None:
    entity = light("brightness")
    assert (entity.state, entity.values[""]) == (UNKNOWN, None)
    assert told(entity, state="ON")
    assert (entity.state, entity.values[""]) == ("on", True)
    assert entity.attributes["color_mode"] == "brightness"
    assert told(entity, state=None)
    assert entity.state == UNKNOWN
    assert sent(entity, "", True) == {"state": "ON"}
    assert sent(entity, "", False) == {"state": "OFF"}
    assert entity.state == UNKNOWN  # its topic will tell


def test_colours_in_every_space() -> None:
    """Expected values are what Home Assistant 2025.4.4 computes."""
    for mode, color, rgb in [
        ("hs", {"h": 24.0, "s": 100.0}, [255, 102, 0]),
        ("xy", {"x": 0.676, "y": 0.32}, [255, 68, 1]),
        ("rgb", {"r": 255, "g": 64, "b": 0}, [255, 64, 0]),
        ("rgbw", {"r": 255, "g": 64, "b": 0, "w": 128}, [255, 128, 85]),
        ("rgbww", {"r": 255, "g": 64, "b": 0, "c": 128, "w": 64}, [255, 109, 51]),
    ]:
        entity = light(mode)
        assert told(entity, state="ON", color_mode=mode, color=color)
        assert entity.attributes["rgb_color"] == rgb, mode
        assert entity.values["color"] == "#{:02x}{:02x}{:02x}".format(*rgb)
        assert entity.attributes["color_mode"] == mode


@pytest.mark.parametrize(
    ("mode", "color"),
    [
        ("hs", {"h": 15.059, "s": 100.0}),
        ("xy", {"x": 0.676, "y": 0.32}),
        ("rgb", {"r": 255, "g": 64, "b": 0}),
        ("rgbw", {"r": 255, "g": 64, "b": 0, "w": 0}),
        ("rgbww", {"r": 255, "g": 64, "b": 0, "c": 0, "w": 0}),
    ],
)
def test_a_colour_is_sent_in_the_space_that_the_light_has(mode: str, color: dict[str, float]) -> None:
    assert sent(light(mode), "color", "#ff4000") == {"state": "ON", "color": color}


def test_a_temperature_is_mired_unless_the_config_says_kelvin() -> None:
    assert sent(light("color_temp"), "color_temp", 3000)["color_temp"] == 333
    assert sent(light("color_temp", color_temp_kelvin=True), "color_temp", 3000)["color_temp"] == 3000
    entity = light("color_temp", "hs")
    assert entity.attributes["color_mode"] is None
    told(entity, state="ON", color_mode="color_temp", color_temp=300)
    assert (entity.values["color_temp"], entity.attributes["color_temp"]) == (3333, 300)
    assert entity.attributes["rgb_color"] == [255, 188, 131]
    told(entity, state="ON", color_mode="hs", color={"h": 0, "s": 100})
    assert (entity.values["color_temp"], entity.values["color"]) == (None, "#ff0000")


def test_without_state_topic_it_is_assumed() -> None:
    entity = light("xy", "color_temp", state_topic=None)
    sent(entity, "brightness", 50)
    sent(entity, "color_temp", 3000)
    assert (entity.state, entity.values["brightness"], entity.values["color_temp"]) == ("on", 50, 3000)
    act(entity, "turn_off")
    assert entity.state == "off"


def test_one_that_only_says_brightness_has_one() -> None:
    entity = light()
    told(entity, state="ON", brightness=9)
    assert entity.attributes["color_mode"] == "brightness"
    assert entity.attributes["supported_color_modes"] == ["brightness"]
    plain = light(brightness=False)
    told(plain, state="ON", brightness=9)
    assert (plain.attributes["color_mode"], "brightness" in plain.attributes) == ("onoff", False)


def test_effects() -> None:
    entity = light("brightness", effect=True, effect_list=["blink"])
    assert sent(entity, "effect", "blink") == {"state": "ON", "effect": "blink"}
    told(entity, state="ON", effect="blink")
    assert entity.values["effect"] == entity.attributes["effect"] == "blink"
    told(entity, state="ON", effect="strobe")  # of which its config says nothing
    assert not entity.values["effect"]
    assert entity.attributes["effect"] == "strobe"
    with pytest.raises(WriteRefused, match="none of its effects"):
        act(entity, "turn_on", effect="strobe")


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "ON",
        "[]",
        "null",
        '"ON"',
        "{}",
        '{"brightness": 5}',  # Home Assistant wants a state in each message
        b"\xff\xfe",
        '{"state": "ON"',
    ],
)
def test_no_state_in_it_is_no_message(payload: str | bytes) -> None:
    entity = light("brightness")
    told(entity, state="ON", brightness=99)
    before = dict(entity.values)
    assert not tell(entity, payload)
    assert entity.values == before


@pytest.mark.parametrize(
    "message",
    [
        {"brightness": "99"},
        {"brightness": True},
        {"brightness": [1]},
        {"color_mode": "color_temp", "color_temp": 0},
        {"color_mode": "color_temp", "color_temp": "warm"},
        {"color_mode": "color_temp"},
        {"color_mode": "xy", "color": {"x": 0.3}},
        {"color_mode": "xy", "color": {"x": 1e300, "y": 0}},
        {"color_mode": "xy", "color": {"x": "a", "y": 0.3}},
        {"color_mode": "xy", "color": [0.3, 0.3]},
        {"color_mode": "rgb", "color": {"r": 1, "g": 2, "b": 3}},  # not one of its modes
        {"color_mode": ["xy"]},
        {"state": "on"},
        {"state": {}},
        {"effect": {}},
    ],
)
def test_nonsense_leaves_what_was_known(message: dict[str, Any]) -> None:
    entity = light("xy", "color_temp", effect=True, effect_list=["blink"])
    told(entity, state="ON", brightness=99, color_mode="xy", color={"x": 0.3, "y": 0.3}, effect="blink")
    before = (dict(entity.values), dict(entity.attributes))
    told(entity, **{"state": "ON", **message})
    assert (entity.values, entity.attributes) == before


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"command_topic": None}, "command_topic"),
        ({"command_topic": "a/#"}, "command_topic"),
        ({"schema": "xml"}, "schema"),
        ({"schema": ["json"]}, "schema"),
        ({"supported_color_modes": ["brightness", "hs"]}, "no other"),
        ({"supported_color_modes": ["white"]}, "white"),
        ({"supported_color_modes": ["pink"]}, "pink"),
        ({"supported_color_modes": []}, "empty"),
        ({"supported_color_modes": [["hs"]]}, "supported_color_modes"),
        ({"brightness_scale": 0}, "brightness_scale"),
        ({"brightness_scale": {}}, "brightness_scale"),
        ({"effect_list": [{}]}, "effect_list"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        light(**keys)


def test_ends_that_are_mixed_up_are_put_right() -> None:
    entity = light("color_temp", "rgbww", max_mireds=100, min_mireds=400)
    parts = {part.name: part.property for part in entity.parts}
    assert (parts["color_temp"].minimum, parts["color_temp"].maximum) == (2500, 10_000)


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(WriteRefused, match="#rrggbb"):
        light("hs").write("color", "red")


def test_the_schema_is_read_in_any_case() -> None:
    assert light("hs", schema="JSON").parts[0].property.kind is Kind.BOOLEAN
