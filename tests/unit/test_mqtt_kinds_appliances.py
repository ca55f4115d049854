"""Vacuum cleaners, humidifiers, lawn mowers: what they tell, what they are told."""

import json
from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import WriteRefused

ALL_FEATURES = ["start", "pause", "stop", "return_home", "battery", "locate", "clean_spot", "fan_speed", "send_command"]


def vacuum(**keys: Any) -> Entity:
    return entity_of("vacuum", **{"state_topic": TOPIC, "command_topic": COMMAND, **keys})


def humidifier(**keys: Any) -> Entity:
    base = {"state_topic": TOPIC, "command_topic": COMMAND, "target_humidity_command_topic": "it/target/set"}
    return entity_of("humidifier", **{**base, **keys})


def mower(**keys: Any) -> Entity:
    return entity_of("lawn_mower", **{"activity_state_topic": TOPIC, **keys})


# --- vacuum cleaners ----------------------------------------------------------------------------------------------


def test_a_vacuum_cleaner_tells() -> None:
    entity = vacuum(supported_features=ALL_FEATURES, fan_speed_list=["min", "max"], set_fan_speed_topic="it/speed")
    assert [part.name for part in entity.parts] == ["", "fan_speed", "battery"]
    assert tell(entity, '{"state": "cleaning", "battery_level": 61, "fan_speed": "max"}')
    assert (entity.state, entity.values) == ("cleaning", {"": "cleaning", "battery": 61, "fan_speed": "max"})
    assert entity.attributes == {"battery_level": 61, "fan_speed": "max", "fan_speed_list": ["min", "max"]}
    assert tell(entity, '{"battery_level": 140}')  # parts of it keep the rest
    assert (entity.state, entity.values["battery"], entity.values["fan_speed"]) == ("cleaning", 100, "max")
    assert tell(entity, '{"state": null}')
    assert entity.state == UNKNOWN


@pytest.mark.parametrize(
    "payload", ["", "docked", "[]", '{"state": "flying"}', '{"state": ["docked"]}', '{"battery_level": "61"}', "{}"]
)
def test_a_vacuum_cleaner_does_not_take(payload: str) -> None:
    entity = vacuum()
    tell(entity, '{"state": "docked", "battery_level": 61}')
    assert not tell(entity, payload)
    assert entity.values == {"": "docked", "battery": 61}


def test_a_vacuum_cleaner_does_what_it_has() -> None:
    assert [action.name for action in vacuum().actions] == ["start", "stop", "return_to_base", "clean_spot"]
    entity = vacuum(supported_features=ALL_FEATURES, send_command_topic="it/send", payload_return_to_base="home")
    assert [action.name for action in entity.actions] == [
        "start",
        "pause",
        "stop",
        "return_to_base",
        "clean_spot",
        "locate",
        "send_command",
    ]
    assert act(entity, "return_to_base")[0].payload == "home"
    assert act(entity, "locate")[0].payload == "locate"
    assert vacuum(command_topic=None).actions == ()


def test_a_vacuum_cleaner_takes_commands_of_its_maker() -> None:
    entity = vacuum(supported_features=["send_command"], send_command_topic="it/send")
    (published,) = act(entity, "send_command", command="zone")
    assert (published.topic, published.payload) == ("it/send", "zone")
    (published,) = act(entity, "send_command", command="zone", params='{"room": "küche"}')
    assert json.loads(published.payload) == {"command": "zone", "room": "küche"}
    for nonsense in ("", "room", "[1]", '{"room"'):
        with pytest.raises(WriteRefused, match="JSON object"):
            act(entity, "send_command", command="zone", params=nonsense)


def test_a_vacuum_cleaner_sucks_as_told() -> None:
    entity = vacuum(supported_features=ALL_FEATURES, fan_speed_list=["min", "max"], set_fan_speed_topic="it/speed")
    assert write(entity, "max", "fan_speed").payload == "max"
    assert "fan_speed" not in entity.values  # its topic will tell
    with pytest.raises(WriteRefused):
        entity.write("battery", 3)
    only_told = vacuum(supported_features=ALL_FEATURES, fan_speed_list=["min", "max"])
    assert not only_told.parts[1].property.writable


# --- humidifiers --------------------------------------------------------------------------------------------------


def test_a_humidifier_tells() -> None:
    entity = humidifier(
        min_humidity=30,
        max_humidity=80,
        target_humidity_state_topic="it/target",
        current_humidity_topic="it/now",
        mode_command_topic="it/mode/set",
        mode_state_topic="it/mode",
        modes=["eco", "boost"],
        action_topic="it/does",
    )
    assert [part.name for part in entity.parts] == ["", "target", "current", "mode", "action"]
    for payload, topic in [
        ("ON", TOPIC),
        ("50.4", "it/target"),
        ("41", "it/now"),
        ("eco", "it/mode"),
        ("idle", "it/does"),
    ]:
        assert tell(entity, payload, topic)
    assert entity.values == {"": True, "target": 50, "current": 41, "mode": "eco", "action": "idle"}
    shown = {"action": "idle", "current_humidity": 41, "humidity": 50, "mode": "eco"}
    assert shown.items() <= entity.attributes.items()
    for payload, topic in [
        ("29", "it/target"),
        ("101", "it/now"),
        ("", "it/now"),
        ("turbo", "it/mode"),
        ("x", "it/does"),
    ]:
        assert not tell(entity, payload, topic), payload
    tell(entity, "OFF")
    assert (entity.state, entity.attributes["action"]) == ("off", "off")
    assert tell(entity, "None", "it/target")
    assert tell(entity, "None", "it/mode")
    assert (entity.values["target"], entity.values["mode"]) == (None, None)


def test_a_humidifier_is_set() -> None:
    entity = humidifier(
        mode_command_topic="it/mode/set", modes=["eco"], target_humidity_command_template="{{ value }}%"
    )
    assert write(entity, True).payload == "ON"
    assert write(entity, 50.0, "target").payload == "50%"
    assert write(entity, "eco", "mode").topic == "it/mode/set"
    assert (entity.state, entity.values) == (UNKNOWN, {"target": 50.0, "mode": "eco"})  # on or off is told


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"command_topic": None}, "command_topic"),
        ({"target_humidity_command_topic": None}, "target_humidity_command_topic"),
        ({"min_humidity": 80, "max_humidity": 50}, "min_humidity"),
        ({"max_humidity": 120}, "max_humidity"),
        ({"modes": ["None"]}, "payload_reset_mode"),
    ],
)
def test_a_humidifier_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        humidifier(**keys)


# --- lawn mowers --------------------------------------------------------------------------------------------------


def test_a_lawn_mower_tells() -> None:
    entity = mower(activity_value_template="{{ value_json.a }}")
    for activity in ("mowing", "paused", "docked", "returning", "error"):
        assert tell(entity, json.dumps({"a": activity}))
        assert entity.state == entity.values[""] == activity
    assert not tell(entity, '{"a": "flying"}')
    assert not tell(entity, "{}")
    assert tell(entity, '{"a": "NONE"}')
    assert entity.state == UNKNOWN


def test_a_lawn_mower_is_told() -> None:
    entity = mower(
        start_mowing_command_topic="it/start", dock_command_topic="it/dock", dock_command_template="go {{ value }}"
    )
    assert [action.name for action in entity.actions] == ["start_mowing", "dock"]
    assert [(each.topic, each.payload) for each in act(entity, "dock")] == [("it/dock", "go dock")]
    assert entity.state == UNKNOWN
    silent = mower(activity_state_topic=None, start_mowing_command_topic="it/start")
    assert act(silent, "start_mowing")[0].payload == "start_mowing"
    assert silent.state == "mowing"
