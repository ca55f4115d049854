"""Fans: speeds of any range as percent, presets, oscillation, direction."""

from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import WriteRefused


def fan(*names: str, **keys: Any) -> Entity:
    """Return a fan with a state and a command topic for each name."""
    topics = {f"{name}_{way}_topic": f"it/{name}/{way}" for name in names for way in ("state", "command")}
    presets = {"preset_modes": ["eco", "auto"]} if "preset_mode" in names else {}
    return entity_of("fan", **{"state_topic": TOPIC, "command_topic": COMMAND, **topics, **presets, **keys})


def test_its_parts_are_what_it_can() -> None:
    entity = fan("percentage", "preset_mode", "oscillation", "direction")
    assert [part.name for part in entity.parts] == ["", "percentage", "preset", "oscillate", "direction"]
    assert [part.name for part in fan().parts] == [""]
    assert fan().actions == ()


def test_on_and_off() -> None:
    entity = fan(payload_off="0", state_value_template="{{ value_json.power }}", command_template="{{ value }}!")
    assert tell(entity, '{"power": "ON"}')
    assert entity.state == "on"
    assert tell(entity, '{"power": 0}')
    assert entity.state == "off"
    assert not tell(entity, '{"power": "off"}')
    assert tell(entity, '{"power": null}')
    assert entity.state == UNKNOWN
    assert write(entity, True).payload == "ON!"
    assert write(entity, False).payload == "0!"


@pytest.mark.parametrize(
    ("least", "most", "told", "percent", "back"),
    [
        (1, 100, "42", 42, "42"),
        (1, 9, "3", 33, "3"),
        (1, 3, "2", 66, "2"),
        (10, 20, "15", 54, "15"),
        (1, 255, "127", 49, "125"),
        (1, 3, "0", 0, "0"),
    ],
)
def test_speeds_of_any_range(least: int, most: int, told: str, percent: int, back: str) -> None:
    entity = fan("percentage", speed_range_min=least, speed_range_max=most)
    assert tell(entity, told, "it/percentage/state")
    assert entity.values["percentage"] == entity.attributes["percentage"] == percent
    assert write(entity, percent, "percentage").payload == back


@pytest.mark.parametrize("payload", ["", "101", "-1", "fast", "50.5", "nan", "9" * 400, "{}"])
def test_a_speed_that_is_none(payload: str) -> None:
    entity = fan("percentage")
    tell(entity, "42", "it/percentage/state")
    assert not tell(entity, payload, "it/percentage/state")
    assert entity.values["percentage"] == 42


def test_a_speed_is_reset() -> None:
    entity = fan("percentage", payload_reset_percentage="auto")
    tell(entity, "42", "it/percentage/state")
    assert tell(entity, "auto", "it/percentage/state")
    assert entity.values["percentage"] is None


def test_presets() -> None:
    entity = fan("preset_mode")
    assert tell(entity, "eco", "it/preset_mode/state")
    assert entity.values["preset"] == entity.attributes["preset_mode"] == "eco"
    assert not tell(entity, "turbo", "it/preset_mode/state")
    assert tell(entity, "None", "it/preset_mode/state")
    assert not entity.values["preset"]
    assert write(entity, "auto", "preset").topic == "it/preset_mode/command"


def test_oscillation_and_direction() -> None:
    entity = fan("oscillation", "direction")
    assert entity.attributes["oscillating"] is False  # as Home Assistant has it until it is told
    assert tell(entity, "oscillate_on", "it/oscillation/state")
    assert entity.values["oscillate"] is True
    assert not tell(entity, "on", "it/oscillation/state")
    assert write(entity, False, "oscillate").payload == "oscillate_off"
    assert tell(entity, "reverse", "it/direction/state")
    assert entity.values["direction"] == "reverse"
    assert tell(entity, "sideways", "it/direction/state")
    assert not entity.values["direction"]
    assert entity.attributes["direction"] == "sideways"
    assert write(entity, "forward", "direction").payload == "forward"


def test_turned_on_at_a_speed() -> None:
    entity = fan("percentage", "preset_mode")
    published = act(entity, "turn_on", percentage=50, preset="eco")
    assert [(each.topic, each.payload) for each in published] == [
        (COMMAND, "ON"),
        ("it/percentage/command", "50"),
        ("it/preset_mode/command", "eco"),
    ]
    assert len(act(entity, "turn_on")) == 1
    with pytest.raises(WriteRefused, match="eco, auto"):
        act(entity, "turn_on", preset="turbo")


def test_what_no_topic_tells_is_assumed() -> None:
    entity = fan("percentage", "direction", state_topic=None, percentage_state_topic=None, direction_state_topic=None)
    act(entity, "turn_on", percentage=50)
    write(entity, "reverse", "direction")
    assert entity.state == "on"
    assert entity.values == {"": True, "percentage": 50, "direction": "reverse"}
    assert entity.attributes["direction"] == "reverse"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"command_topic": None}, "command_topic"),
        ({"speed_range_min": 0}, "speed_range_min"),
        ({"speed_range_min": 100, "speed_range_max": 100}, "speed_range_max"),
        ({"preset_modes": ["None"], "preset_mode_command_topic": "t"}, "payload_reset_preset_mode"),
        ({"preset_modes": [{}], "preset_mode_command_topic": "t"}, "preset_modes"),
        ({"percentage_command_topic": "+"}, "percentage_command_topic"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        fan(**keys)
