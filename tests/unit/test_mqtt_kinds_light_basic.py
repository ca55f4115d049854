"""Lights of the basic schema: a topic for each thing, and "on" before, after or instead of a brightness."""

from typing import Any

import pytest
from tests.support.mqtt_entities import act, entity_of, tell

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import WriteRefused


def light(*names: str, **keys: Any) -> Entity:
    """Return a light with a state and a command topic for each name; the plain one is there always."""
    topics = {f"{name}_{way}_topic": f"it/{name}/{way}" for name in names for way in ("state", "command")}
    return entity_of("light", **{"state_topic": "it/state", "command_topic": "it/command", **topics, **keys})


def sent(entity: Entity, part: str, value: Any) -> list[tuple[str, Any]]:
    published = entity.write(part, value)
    entity.wrote(part, value)
    return [(each.topic, each.payload) for each in published]


def test_on_and_off_by_payloads_of_its_own() -> None:
    entity = light(payload_on="1", payload_off="0", state_value_template="{{ value_json.power }}")
    assert tell(entity, '{"power": 1}', "it/state")
    assert entity.state == "on"
    assert not tell(entity, '{"power": 2}', "it/state")
    assert tell(entity, '{"power": 0}', "it/state")
    assert (entity.state, entity.attributes["color_mode"]) == ("off", None)
    assert tell(entity, '{"power": null}', "it/state")
    assert entity.state == UNKNOWN
    assert sent(entity, "", True) == [("it/command", "1")]
    assert sent(entity, "", False) == [("it/command", "0")]


def test_a_brightness_of_its_own_scale() -> None:
    entity = light("brightness", brightness_scale=100, brightness_value_template="{{ value_json.level }}")
    tell(entity, "ON", "it/state")
    assert tell(entity, '{"level": 50}', "it/brightness/state")
    assert (entity.attributes["brightness"], entity.values["brightness"]) == (128, 50)
    assert sent(entity, "brightness", 40) == [("it/brightness/command", "40"), ("it/command", "ON")]
    for nonsense in ('{"level": 0}', '{"level": -3}', '{"level": "x"}', "{}", "no json", '{"level": 1e999}'):
        assert not tell(entity, nonsense, "it/brightness/state"), nonsense
    assert entity.attributes["brightness"] == 128
    assert tell(entity, '{"level": 1e300}', "it/brightness/state")
    assert entity.attributes["brightness"] == 255


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("first", [("it/command", "ON"), ("it/brightness/command", "128")]),
        ("last", [("it/brightness/command", "128"), ("it/command", "ON")]),
        ("brightness", [("it/brightness/command", "128")]),
    ],
)
def test_on_comes_first_last_or_not_at_all(how: str, expected: list[tuple[str, str]]) -> None:
    assert sent(light("brightness", on_command_type=how), "brightness", 50) == expected


def test_turned_on_by_a_brightness() -> None:
    entity = light("brightness", on_command_type="brightness")
    assert sent(entity, "", True) == [("it/brightness/command", "255")]
    tell(entity, "100", "it/brightness/state")
    assert sent(entity, "", True) == [("it/brightness/command", "100")]
    assert sent(entity, "brightness", 0) == [("it/command", "OFF")]


@pytest.mark.parametrize(
    ("space", "told", "rgb"),
    [
        ("rgb", "255,64,0", [255, 64, 0]),
        ("rgbw", "255,64,0,128", [255, 128, 85]),
        ("rgbww", "255,64,0,128,64", [255, 109, 51]),
        ("hs", "24.0,100.0", [255, 102, 0]),
        ("xy", "0.676,0.32", [255, 68, 1]),
    ],
)
def test_colours_in_every_space(space: str, told: str, rgb: list[int]) -> None:
    entity = light(space, "brightness")
    tell(entity, "ON", "it/state")
    assert tell(entity, told, f"it/{space}/state")
    assert (entity.attributes["rgb_color"], entity.attributes["color_mode"]) == (rgb, space)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("rgb", "255,64,0"),
        ("rgbw", "255,64,0,0"),
        ("rgbww", "255,64,0,0,0"),
        ("hs", "15.059,100.0"),
        ("xy", "0.676,0.32"),
    ],
)
def test_a_colour_is_sent_in_the_space_that_the_light_has(space: str, expected: str) -> None:
    entity = light(space, "brightness")
    assert sent(entity, "color", "#ff4000") == [(f"it/{space}/command", expected), ("it/command", "ON")]


def test_without_a_topic_for_brightness_the_colour_holds_it() -> None:
    entity = light("rgb")
    tell(entity, "ON", "it/state")
    assert tell(entity, "128,32,0", "it/rgb/state")
    assert (entity.attributes["brightness"], entity.attributes["rgb_color"]) == (128, [255, 64, 0])
    assert not tell(entity, "0,0,0", "it/rgb/state")
    assert sent(entity, "brightness", 100 * 64 / 255) == [("it/rgb/command", "64,16,0"), ("it/command", "ON")]
    assert sent(entity, "color", "#00ff00") == [("it/rgb/command", "0,128,0"), ("it/command", "ON")]


def test_a_brightness_that_no_topic_takes_cannot_be_set() -> None:
    entity = light("hs", brightness_state_topic="it/brightness/state")
    (brightness,) = (part.property for part in entity.parts if part.name == "brightness")
    assert not brightness.writable
    tell(entity, "51", "it/brightness/state")
    assert entity.values["brightness"] == 20
    (action,) = entity.actions
    assert list(action.plan.__annotations__) == ["color"]


def test_templates_make_and_read_colours() -> None:
    entity = light(
        "rgb",
        "brightness",
        rgb_command_template="#{{ '%02x%02x%02x' | format(red, green, blue) }}",
        rgb_value_template="{{ value_json.rgb | join(',') }}",
    )
    assert sent(entity, "color", "#ff4000")[0] == ("it/rgb/command", "#ff4000")
    tell(entity, "ON", "it/state")
    assert tell(entity, '{"rgb": [1, 2, 3]}', "it/rgb/state")
    assert entity.values["color"] == "#010203"


def test_temperatures_in_mired_and_kelvin() -> None:
    entity = light("color_temp", min_mireds=153, max_mireds=500)
    assert sent(entity, "color_temp", 3000)[0] == ("it/color_temp/command", "333")
    tell(entity, "ON", "it/state")
    assert tell(entity, "300", "it/color_temp/state")
    assert entity.attributes["color_temp_kelvin"] == 3333
    for nonsense in ("0", "-1", "300.5", "warm", "9" * 400, "nan"):
        assert not tell(entity, nonsense, "it/color_temp/state"), nonsense
    kelvin = light("color_temp", color_temp_kelvin=True)
    assert sent(kelvin, "color_temp", 3000)[0] == ("it/color_temp/command", "3000")
    tell(kelvin, "3101", "it/color_temp/state")
    assert kelvin.values["color_temp"] == 3101


def test_the_colour_mode_is_what_was_told_last_unless_a_topic_says() -> None:
    entity = light("hs", "color_temp")
    tell(entity, "ON", "it/state")
    assert entity.attributes["color_mode"] == "unknown"
    tell(entity, "300", "it/color_temp/state")
    assert entity.attributes["color_mode"] == "color_temp"
    tell(entity, "10,50", "it/hs/state")
    assert entity.attributes["color_mode"] == "hs"
    ruled = light("hs", "color_temp", color_mode_state_topic="it/mode")
    tell(ruled, "ON", "it/state")
    tell(ruled, "300", "it/color_temp/state")
    assert ruled.attributes["color_mode"] == "unknown"
    assert tell(ruled, "color_temp", "it/mode")
    assert ruled.values["color_temp"] == 3333
    assert not tell(ruled, "plaid", "it/mode")


@pytest.mark.parametrize("payload", ["", "1,2", "1,2,3,4", "a,b,c", "1,2,999", "1,2,-3", "nan,1,2", "1.5,2,3"])
def test_a_colour_that_is_none(payload: str) -> None:
    entity = light("rgb", "brightness")
    tell(entity, "9,9,9", "it/rgb/state")
    assert not tell(entity, payload, "it/rgb/state")
    assert entity.values["color"] == "#090909"


@pytest.mark.parametrize("payload", ["1", "1,2,3", "400,50", "10,101", "x,y", "1e300,1", "-1,5"])
def test_a_hue_that_is_none(payload: str) -> None:
    assert not tell(light("hs"), payload, "it/hs/state")


def test_what_no_topic_tells_is_assumed() -> None:
    entity = light("brightness", "effect", effect_list=["a", "b"], brightness_state_topic=None, effect_state_topic=None)
    sent(entity, "brightness", 50)
    assert (entity.values["brightness"], entity.state) == (50, UNKNOWN)  # on or off is told
    sent(entity, "effect", "b")
    assert entity.values["effect"] == "b"
    silent = light("hs", state_topic=None, hs_state_topic=None)
    sent(silent, "color", "#ff0000")
    assert (silent.state, silent.values["color"]) == ("on", "#ff0000")


def test_white_is_a_brightness_of_its_own() -> None:
    entity = light("rgb", "brightness", white_command_topic="it/white", white_scale=100)
    assert [(each.topic, each.payload) for each in act(entity, "turn_on", white=50.0)] == [
        ("it/white", "50"),
        ("it/command", "ON"),
    ]


def test_effects() -> None:
    entity = light("effect", "brightness", effect_list=["a"])
    assert sent(entity, "effect", "a") == [("it/effect/command", "a"), ("it/command", "ON")]
    tell(entity, "ON", "it/state")
    tell(entity, "a", "it/effect/state")
    assert entity.attributes["effect"] == "a"
    with pytest.raises(WriteRefused, match="none of its effects"):
        entity.write("effect", "z")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"on_command_type": "never"}, "on_command_type"),
        ({"brightness_scale": "x"}, "brightness_scale"),
        ({"white_command_topic": "it/white"}, "white"),
        ({"rgb_command_topic": "a/+/b"}, "rgb_command_topic"),
        ({"rgb_state_topic": ["a"]}, "rgb_state_topic"),
        ({"payload_on": {}}, "payload_on"),
        ({"rgb_command_template": "{{"}, "rgb_command_template"),
        ({"optimistic": "perhaps"}, "optimistic"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        light(**keys)
