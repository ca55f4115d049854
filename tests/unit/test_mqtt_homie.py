"""The Homie convention, as configs."""

import json
from typing import Any

import pytest
from tests.support.mqtt_sources import GARBAGE, Heard, native, spoiled

from jidget.mqtt.sources.homeassistant import HomeAssistant
from jidget.mqtt.sources.homie import Homie

TREE = {
    "$homie": "4.0.0",
    "$name": "Super car",
    "$nodes": "engine,lights[]",
    "engine/$name": "Engine",
    "engine/$properties": "speed,on,gear,horn,note,tint,serviced",
    "engine/speed/$name": "Speed",
    "engine/speed/$datatype": "float",
    "engine/speed/$unit": "km/h",
    "engine/speed/$settable": "true",
    "engine/speed/$format": "0:200",
    "engine/on/$datatype": "boolean",
    "engine/on/$settable": "true",
    "engine/gear/$datatype": "enum",
    "engine/gear/$format": "low, high",
    "engine/horn/$datatype": "enum",
    "engine/horn/$format": "HONK",
    "engine/horn/$settable": "true",
    "engine/horn/$retained": "false",
    "engine/note/$datatype": "string",
    "engine/note/$settable": "true",
    "engine/tint/$datatype": "color",
    "engine/tint/$format": "rgb",
    "engine/tint/$settable": "true",
    "engine/serviced/$datatype": "datetime",
    "$state": "ready",
}
DESCRIPTION: dict[str, Any] = {
    "homie": "5.0",
    "version": 7,
    "name": "Thermostat",
    "nodes": {
        "room": {
            "name": "Room",
            "properties": {
                "target": {"datatype": "float", "settable": True, "format": "5:30:0.5", "unit": "°C"},
                "count": {"datatype": "integer", "unit": "#"},
                "level": {"datatype": "integer", "settable": True, "format": ":10"},
                "press": {"datatype": "enum", "format": "go", "settable": True, "retained": False},
                "more": {"datatype": "json"},
            },
        }
    },
}


@pytest.fixture
def car() -> Heard:
    listening = Heard(Homie())
    for name, payload in TREE.items():
        listening.hear(f"homie/car/{name}", payload, retained=True)
    return listening


@pytest.fixture
def thermostat() -> Heard:
    listening = Heard(Homie())
    listening.hear("homie/5/thermo/$description", DESCRIPTION, retained=True)
    return listening


def test_properties_of_version_4_become_kinds(car: Heard) -> None:
    kinds = {name.removeprefix("homie_car_engine_"): entity.config.kind for name, entity in car.entities.items()}
    assert kinds == {
        "speed": "number",
        "on": "switch",
        "gear": "sensor",
        "horn": "button",
        "note": "text",
        "tint": "text",
        "serviced": "sensor",
    }
    speed = car.of("homie_car_engine_speed")
    assert speed.config.name == "Engine Speed"
    assert speed.config.device is not None
    assert speed.config.device.name == "Super car"
    assert (speed.parts[0].property.minimum, speed.parts[0].property.maximum) == (0, 200)


def test_values_are_told_and_set(car: Heard) -> None:
    for name, payload in {"speed": "12.5", "on": "true", "gear": "low", "serviced": "2026-01-02T03:04:05Z"}.items():
        car.hear(f"homie/car/engine/{name}", payload)
    assert car.value("homie_car_engine_speed") == 12.5
    assert car.value("homie_car_engine_on") is True
    assert car.value("homie_car_engine_gear") == "low"
    assert car.value("homie_car_engine_serviced") == "2026-01-02T03:04:05+00:00"
    assert car.sets("homie_car_engine_speed", 99.5) == [("homie/car/engine/speed/set", "99.5")]
    assert car.sets("homie_car_engine_on", False) == [("homie/car/engine/on/set", "false")]
    assert car.does("homie_car_engine_horn", "press") == [("homie/car/engine/horn/set", "HONK")]
    assert car.sets("homie_car_engine_tint", "1,2,3") == [("homie/car/engine/tint/set", "1,2,3")]


@pytest.mark.parametrize(("state", "there"), [("ready", True), ("alert", True), ("lost", False), ("init", False)])
def test_its_state_says_whether_it_is_there(car: Heard, state: str, there: bool) -> None:
    car.hear("homie/car/$state", state)
    assert car.available("homie_car_engine_on") is there


def test_only_attributes_are_listened_to_until_there_are_entities(car: Heard) -> None:
    assert "homie/car/+/+/$datatype" in car.watched
    assert not [each for each in car.watched if each.endswith("#")]
    car.hear("homie/car/$homie", "")
    assert not car.entities
    assert car.watched == {"+/+/$homie", "+/5/+/$description"}


def test_a_property_that_is_listed_no_more_is_gone(car: Heard) -> None:
    car.hear("homie/car/engine/$properties", "on")
    assert set(car.entities) == {"homie_car_engine_on"}


def test_version_5_says_it_in_one_message(thermostat: Heard) -> None:
    thermostat.hear("homie/5/thermo/$state", "ready")
    thermostat.hear("homie/5/thermo/room/target", "21.5")
    assert thermostat.available("homie_thermo_room_target")
    assert thermostat.value("homie_thermo_room_target") == 21.5
    assert thermostat.sets("homie_thermo_room_target", 22) == [("homie/5/thermo/room/target/set", "22")]
    assert thermostat.of("homie_thermo_room_count").parts[0].property.unit is None
    assert thermostat.of("homie_thermo_room_level").parts[0].property.maximum == 10
    assert thermostat.of("homie_thermo_room_press").config.kind == "button"
    changed = {**DESCRIPTION, "nodes": {}}
    assert len(thermostat.hear("homie/5/thermo/$description", changed).removed) == 5


def test_a_child_goes_with_its_root() -> None:
    listening = Heard(Homie())
    listening.hear("homie/5/child/$description", {**DESCRIPTION, "root": "bridge", "parent": "bridge"})
    listening.hear("homie/5/child/$state", "ready")
    assert not listening.available("homie_child_room_target")
    listening.hear("homie/5/bridge/$state", "ready")
    assert listening.available("homie_child_room_target")
    listening.hear("homie/5/bridge/$state", "lost")
    assert not listening.available("homie_child_room_target")


def test_home_assistants_discovery_of_the_same_device_wins() -> None:
    listening = Heard(HomeAssistant("homeassistant"), Homie())
    listening.hear("homie/5/thermo/$description", DESCRIPTION)
    device = {"identifiers": ["thermo"]}
    listening.hear("homeassistant/sensor/x/config", {"state_topic": "a", "unique_id": "x", "device": device})
    assert set(listening.entities) == {"x"}


def test_a_real_robot_is_understood() -> None:
    listening = Heard(Homie())
    for topic, payload in native("valetudo/"):
        listening.hear(topic, payload)
    assert not listening.problems
    assert listening.value("homie_robbie_FanSpeedControlCapability_preset") == "medium"
    assert listening.value("homie_robbie_WifiConfigurationCapability_signal") == -26
    assert listening.does("homie_robbie_LocateCapability_locate", "press") == [
        ("valetudo/robbie/LocateCapability/locate/set", "PERFORM")
    ]
    assert listening.sets("homie_robbie_BasicControlCapability_operation", "STOP") == [
        ("valetudo/robbie/BasicControlCapability/operation/set", "STOP")
    ]


def test_garbage_announces_nothing(car: Heard) -> None:
    before = set(car.entities)
    for payload in GARBAGE[1:]:
        car.hear("homie/other/$homie", payload)
        car.hear("homie/5/other/$description", payload)
        car.hear("homie/car/engine/speed/$format", payload)
        car.hear("homie/car/engine/x/$datatype", payload)
        car.hear("homie/car/$state", payload)
    assert set(car.entities) == before
    for broken in spoiled(DESCRIPTION):
        Heard(Homie()).hear("homie/5/thermo/$description", json.dumps(broken))
    for name in TREE:
        for text in ("", ",,,", "a:b:c", "nan:inf:-1", "{{ 1 }}'\"", "x" * 20_000):
            fresh = Heard(Homie())
            for each, told in {**TREE, name: text}.items():
                fresh.hear(f"homie/car/{each}", told)
