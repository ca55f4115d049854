"""Tasmota's own discovery, as configs."""

import json
from typing import Any

from tests.support.mqtt_sources import GARBAGE, Heard, native, spoiled

from jidget.mqtt.sources.tasmota import Tasmota

MAC = "00000049A3BC"
CONFIG: dict[str, Any] = {
    "dn": "Sink",
    "fn": ["Sink", "Pump", None],
    "ft": "%prefix%/%topic%/",
    "t": "sink",
    "tp": ["cmnd", "stat", "tele"],
    "state": ["OFF", "ON", "TOGGLE", "HOLD"],
    "onln": "Online",
    "ofln": "Offline",
    "mac": MAC,
    "md": "Sonoff Basic",
    "sw": "14.2.0",
    "rl": [1, 0, 0, 0],
    "swc": [-1, -1],
    "swn": [None, None],
    "btn": [0, 0],
    "so": {"17": 0, "30": 0, "68": 0, "73": 0, "82": 0},
    "lk": 1,
    "lt_st": 0,
    "if": 0,
    "ty": 0,
}
SENSORS: dict[str, Any] = {
    "sn": {
        "Time": "2026-01-01T00:00:00",
        "ENERGY": {"Power": 0, "Total": 0.5, "TotalStartTime": "2025", "TotalTariff": [0.1, 0.2]},
        "DHT11": {"Temperature": 20.5, "Humidity": 40},
        "TempUnit": "C",
    },
    "ver": 1,
}


def heard(**config: Any) -> Heard:
    listening = Heard(Tasmota())
    listening.hear(f"tasmota/discovery/{MAC}/config", {**CONFIG, **config}, retained=True)
    return listening


def test_one_relay_is_a_switch_of_the_device_itself() -> None:
    listening = heard()
    name = f"{MAC}_switch_relay_0"
    assert listening.of(name).config.name == ""
    assert listening.of(name).config.device is not None
    assert listening.of(name).config.device.identifiers == ("mac:00:00:00:49:a3:bc",)  # type: ignore[union-attr]
    assert listening.watched >= {"tele/sink/LWT", "stat/sink/+"}
    listening.hear("tele/sink/STATE", {"POWER": "ON"})
    assert listening.value(name) is True
    listening.hear("stat/sink/RESULT", {"POWER": "OFF"})
    assert listening.value(name) is False
    listening.hear("stat/sink/STATE", {"POWER1": "ON"})  # SetOption26, SetOption4
    assert listening.value(name) is True
    listening.hear("stat/sink/POWER", "OFF")
    assert listening.value(name) is True  # said again as JSON
    assert listening.sets(name, False) == [("cmnd/sink/POWER1", "OFF")]


def test_several_relays_are_told_apart() -> None:
    listening = heard(rl=[1, 1, 0])
    listening.hear("stat/sink/RESULT", {"POWER2": "ON"})
    assert listening.value(f"{MAC}_switch_relay_0") is None
    assert listening.value(f"{MAC}_switch_relay_1") is True
    assert listening.of(f"{MAC}_switch_relay_1").config.name == "Pump"


def test_it_is_asked_when_it_comes_and_gone_when_it_goes() -> None:
    listening = heard()
    listening.hear("tele/sink/LWT", "Online", retained=True)
    assert [(each.topic, each.payload) for each in listening.asked] == [
        ("cmnd/sink/STATE", ""),
        ("cmnd/sink/STATUS", "10"),
    ]
    assert listening.available(f"{MAC}_switch_relay_0")
    listening.hear("tele/sink/LWT", "Offline", retained=True)
    assert not listening.available(f"{MAC}_switch_relay_0")
    assert len(listening.asked) == 2


def test_who_sleeps_is_there_all_the_time() -> None:
    assert heard(dslp=1).available(f"{MAC}_switch_relay_0")


def test_readings_come_with_their_units() -> None:
    listening = heard()
    listening.hear(f"tasmota/discovery/{MAC}/sensors", SENSORS)
    power, warmth = f"{MAC}_sensor_sensor_ENERGY_Power", f"{MAC}_sensor_sensor_DHT11_Temperature"
    listening.hear("tele/sink/SENSOR", {"ENERGY": {"Power": 40, "TotalTariff": [1, 2]}})
    assert listening.value(power) == 40
    assert listening.of(power).parts[0].property.unit == "W"
    assert listening.value(f"{MAC}_sensor_sensor_ENERGY_TotalTariff_1") == 2
    assert listening.value(warmth) is None
    listening.hear("stat/sink/STATUS10", {"StatusSNS": {"DHT11": {"Temperature": 21.5}}})
    assert listening.value(warmth) == 21.5
    assert listening.value(power) == 40
    listening.hear("stat/sink/STATUS11", {"StatusSTS": {"Wifi": {"Signal": -60}}})
    assert listening.value(f"{MAC}_status_sensor_status_sensor_status_signal") == -60


def test_a_light_is_dimmed_and_coloured() -> None:
    listening = heard(rl=[2, 0], lt_st=5)
    name = f"{MAC}_light_light_0"
    told = {"POWER": "ON", "Dimmer": 50, "HSBColor": "120,100,50", "CT": 200, "White": 0}
    listening.hear("tele/sink/STATE", told)
    assert listening.value(name, "on") is True or listening.value(name) is True
    assert listening.value(name, "brightness") == 50
    assert listening.value(name, "color") == "#00ff00"
    sent = listening.sets(name, "#0000ff", "color")
    assert ("cmnd/sink/Backlog", "HsbColor1 240;HsbColor2 100") in sent
    assert ("cmnd/sink/Dimmer", "30") in listening.sets(name, 30, "brightness")
    assert ("cmnd/sink/CT", "250") in listening.sets(name, 4000, "color_temp")


def test_a_shutter_moves_and_tells_where_it_is() -> None:
    listening = heard(rl=[3, 3], sho=[0], sht=[[-90, 90, 22]])
    name = f"{MAC}_cover_shutter_0"
    listening.hear("stat/sink/RESULT", {"Shutter1": {"Position": 30, "Direction": -1, "Target": 0, "Tilt": 0}})
    assert listening.value(name) == "closing"
    assert listening.value(name, "position") == 30
    assert listening.value(name, "tilt") == 50
    listening.hear("tele/sink/SENSOR", {"Shutter1": {"Position": 0, "Direction": 0, "Target": 0}})
    assert listening.value(name) == "closed"
    assert listening.does(name, "open") == [("cmnd/sink/Backlog", "ShutterOpen1")]
    assert listening.sets(name, 70, "position") == [("cmnd/sink/ShutterPosition1", "70")]
    turned = heard(rl=[3, 3], sho=[1])
    turned.hear("stat/sink/RESULT", {"Shutter1": {"Position": 30, "Direction": -1}})
    assert turned.value(name) == "opening"
    assert turned.value(name, "position") == 70
    assert turned.sets(name, 70, "position") == [("cmnd/sink/ShutterPosition1", "30")]


def test_a_fan_has_three_speeds() -> None:
    listening = heard(**{"if": 1}, rl=[1, 0, 0, 0])
    name = f"{MAC}_fan_fan_ifan"
    listening.hear("stat/sink/RESULT", {"FanSpeed": 3})
    assert listening.value(name) is True
    listening.hear("stat/sink/RESULT", {"POWER": "ON"})
    assert listening.value(name) is True
    assert listening.value(f"{MAC}_light_relay_0") is True
    listening.hear("stat/sink/RESULT", {"FanSpeed": 0})
    assert listening.value(name) is False
    assert listening.sets(name, False) == [("cmnd/sink/FanSpeed", "0")]


def test_what_is_wired_to_it_is_on_or_off_or_pressed() -> None:
    listening = heard(swc=[1, 7, 13], swn=["Door", None, None], btn=[1], so={"73": 1})
    door, bell, pulse = f"{MAC}_binary_sensor_switch_0", f"{MAC}_event_switch_2", f"{MAC}_binary_sensor_switch_2"
    listening.hear("stat/sink/RESULT", {"Door": {"Action": "ON"}})
    assert listening.value(door) is True
    listening.hear("tele/sink/SENSOR", {"Door": "OFF"})
    assert listening.value(door) is False
    listening.hear("stat/sink/RESULT", {"Switch2": {"Action": "TOGGLE"}})
    assert listening.value(bell) == "press"
    listening.hear("stat/sink/RESULT", {"Switch3": {"Action": "ON"}})
    assert listening.of(pulse).reverts_after == 1
    listening.hear("stat/sink/RESULT", {"Button1": {"Action": "DOUBLE"}})
    assert listening.value(f"{MAC}_event_button_1") == "double"


def test_it_is_removed_with_its_announcement() -> None:
    listening = heard()
    listening.hear(f"tasmota/discovery/{MAC}/config", "")
    assert not listening.entities
    assert "tele/sink/LWT" not in listening.watched


def test_a_real_announcement_is_understood() -> None:
    listening = Heard(Tasmota())
    for topic, payload in native("tasmota/"):
        listening.hear(topic, payload)
    assert not listening.problems
    assert "tasmota_49A3BC/tele/LWT" in listening.watched


def test_garbage_announces_nothing() -> None:
    listening = heard()
    listening.hear(f"tasmota/discovery/{MAC}/sensors", SENSORS)
    before = set(listening.entities)
    for payload in GARBAGE[1:]:
        listening.hear("tasmota/discovery/0000DEADBEEF/config", payload)
        listening.hear("tasmota/discovery/nothing/config", payload)
        listening.hear("stat/sink/RESULT", payload)
        listening.hear("tele/sink/LWT", payload)
    assert set(listening.entities) == before
    rich = {**CONFIG, "rl": [3, 3, 2], "sht": [[-90, 90, 2]], "sho": [1], "swc": [5], "btn": [1], "lt_st": 5}
    for broken in spoiled(rich):
        heard().hear(f"tasmota/discovery/{MAC}/config", json.dumps(broken))
    for broken in spoiled(SENSORS):
        heard().hear(f"tasmota/discovery/{MAC}/sensors", json.dumps(broken))
