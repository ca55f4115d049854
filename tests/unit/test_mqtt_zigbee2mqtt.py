"""Zigbee2MQTT's own account of its devices, as configs."""

import json
from typing import Any

import pytest
from tests.support.mqtt_corpus import corpus
from tests.support.mqtt_sources import GARBAGE, Heard, native, spoiled

from jidget.mqtt.sources.homeassistant import HomeAssistant
from jidget.mqtt.sources.zigbee2mqtt import Zigbee2Mqtt

INFO = {
    "coordinator": {"ieee_address": "0x00124b0000000001"},
    "config": {"availability": {"enabled": True}, "homeassistant": {"enabled": False}},
}
STATE = {"type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF"}


def device(*exposes: dict[str, Any], name: str = "hall/plug", address: str = "0x01") -> dict[str, Any]:
    """Return what `bridge/devices` says of one device."""
    definition = {"vendor": "IKEA", "model": "E1603", "description": "Control outlet", "exposes": list(exposes)}
    return {"ieee_address": address, "type": "Router", "friendly_name": name, "definition": definition}


def plug() -> dict[str, Any]:
    numbers = {"type": "numeric", "access": 1, "name": "power", "property": "power", "unit": "W"}
    lock = {"type": "binary", "access": 7, "name": "child_lock", "property": "child_lock", "value_on": True}
    return device({"type": "switch", "features": [STATE]}, numbers, {**lock, "value_off": False, "category": "config"})


def heard(*devices: dict[str, Any], base: str = "z2m", **config: Any) -> Heard:
    listening = Heard(HomeAssistant("homeassistant"), Zigbee2Mqtt())
    listening.hear(f"{base}/bridge/info", {**INFO, "config": {**INFO["config"], **config}})  # type: ignore[dict-item]
    listening.hear(f"{base}/bridge/devices", list(devices))
    return listening


def online(listening: Heard, name: str, base: str = "z2m") -> None:
    listening.hear(f"{base}/bridge/state", {"state": "online"})
    listening.hear(f"{base}/{name}/availability", {"state": "online"})


def test_a_plug_is_a_switch_and_its_values() -> None:
    listening = heard(plug())
    switch = listening.of("0x01_switch_z2m")
    assert switch.config.device is not None
    assert switch.config.device.identifiers == ("zigbee2mqtt_0x01",)
    assert switch.config.device.name == "hall/plug"
    assert switch.config.device.via == "zigbee2mqtt_bridge_0x00124b0000000001"
    listening.hear("z2m/hall/plug", {"state": "ON", "power": 12.5, "child_lock": False})
    assert listening.value("0x01_switch_z2m") is True
    assert listening.value("0x01_power_z2m") == 12.5
    assert listening.value("0x01_switch_child_lock_z2m") is False
    assert listening.of("0x01_switch_child_lock_z2m").config.category == "config"
    assert listening.sets("0x01_switch_z2m", False) == [("z2m/hall/plug/set/state", "OFF")]
    assert listening.sets("0x01_switch_child_lock_z2m", True) == [("z2m/hall/plug/set/child_lock", "true")]


def test_it_is_there_if_the_bridge_and_the_device_are() -> None:
    listening = heard(plug())
    assert not listening.available("0x01_switch_z2m")
    online(listening, "hall/plug")
    assert listening.available("0x01_switch_z2m")
    listening.hear("z2m/bridge/state", {"state": "offline"})
    assert not listening.available("0x01_switch_z2m")
    unwatched = heard(plug(), availability={"enabled": False})
    unwatched.hear("z2m/bridge/state", "online")  # as version 1 may say it
    assert unwatched.available("0x01_switch_z2m")


def test_what_announces_itself_to_home_assistant_is_left_alone() -> None:
    assert not heard(plug(), homeassistant={"enabled": True, "discovery_topic": "homeassistant"}).entities
    assert not heard(plug(), homeassistant=True).entities
    assert heard(plug(), homeassistant={"enabled": True, "discovery_topic": "elsewhere"}).entities


def test_home_assistants_discovery_wins_while_it_is_there() -> None:
    listening = heard(plug(), device(STATE, name="other", address="0x02"))
    topic = "homeassistant/sensor/0x01/power/config"
    announced = {"state_topic": "z2m/hall/plug", "unique_id": "other", "device": {"identifiers": ["zigbee2mqtt_0x01"]}}
    before = set(listening.entities)
    listening.hear(topic, announced)
    assert set(listening.entities) == {"other", "0x02_switch_state_z2m"}
    listening.hear("z2m/bridge/devices", [{**plug(), "friendly_name": "new"}])
    assert set(listening.entities) == {"other"}
    listening.hear(topic, "")
    assert set(listening.entities) == before - {"0x02_switch_state_z2m"}
    assert listening.of("0x01_switch_z2m").topics == {"z2m/new"}


def test_its_base_topic_may_have_two_levels() -> None:
    listening = heard(plug(), base="home/zigbee")
    assert {"+/+/bridge/info", "+/+/bridge/devices"} <= listening.watched
    listening.hear("home/zigbee/hall/plug", {"state": "ON"})
    assert listening.value("0x01_switch_home/zigbee") is True
    assert listening.sets("0x01_switch_home/zigbee", False) == [("home/zigbee/hall/plug/set/state", "OFF")]


def test_renaming_changes_topics_and_nothing_else() -> None:
    listening = heard(plug())
    news = listening.hear("z2m/bridge/devices", [{**plug(), "friendly_name": "fridge"}])
    assert not news.added
    assert not news.removed
    assert listening.sets("0x01_switch_z2m", True) == [("z2m/fridge/set/state", "ON")]
    assert listening.hear("z2m/bridge/devices", []).removed
    assert not listening.entities


def test_what_is_said_again_is_not_looked_at() -> None:
    listening = heard(plug())
    news = listening.hear("z2m/bridge/devices", [plug()])
    assert not news.present
    listening.hear("z2m/bridge/devices", [])
    assert listening.hear("z2m/bridge/devices", [plug()]).added


def test_endpoints_are_entities_of_their_own() -> None:
    left, right = ({**STATE, "property": f"state_{side}", "endpoint": side} for side in ("left", "right"))
    listening = heard(
        device(
            {"type": "switch", "features": [left], "endpoint": "left"},
            {"type": "light", "features": [right], "endpoint": "right"},
        )
    )
    listening.hear("z2m/hall/plug", {"state_left": "ON", "state_right": "OFF"})
    assert listening.value("0x01_switch_left_z2m") is True
    assert listening.value("0x01_light_right_z2m") is False
    assert listening.sets("0x01_light_right_z2m", True) == [("z2m/hall/plug/set/state_right", "ON")]


def test_buttons_that_are_pressed_are_events() -> None:
    action = {"type": "enum", "access": 1, "name": "action", "property": "action", "values": ["on", "off"]}
    listening = heard(device(action, name="remote"))
    listening.hear("z2m/remote", {"action": "on"}, retained=True)
    assert listening.value("0x01_action_z2m") is None
    listening.hear("z2m/remote", {"action": "on", "battery": 3})
    assert listening.value("0x01_action_z2m") == "on"
    listening.hear("z2m/remote", {"battery": 3})
    listening.hear("z2m/remote", {"action": ""})
    assert listening.value("0x01_action_z2m") == "on"


def test_only_the_action_itself_is_an_event() -> None:
    source = {"type": "enum", "access": 1, "name": "action_source_name", "property": "action_source_name"}
    listening = heard(device({**source, "values": ["keypad", "rfid"]}, name="lock"))
    listening.hear("z2m/lock", {"action_source_name": "rfid"}, retained=True)
    assert listening.of("0x01_action_source_name_z2m").config.kind == "sensor"
    assert listening.value("0x01_action_source_name_z2m") == "rfid"


def test_settings_are_called_what_home_assistant_calls_them() -> None:
    mode = {
        "type": "enum",
        "access": 3,
        "name": "operation_mode",
        "property": "operation_mode_left",
        "endpoint": "left",
    }
    listening = heard(plug(), device({**mode, "label": "Operation mode", "values": ["a", "b"]}, address="0x02"))
    assert listening.of("0x01_switch_child_lock_z2m").config.object_id == "hall/plug_child_lock"
    assert listening.of("0x02_operation_mode_left_z2m").config.name == "Operation mode left"


@pytest.mark.parametrize("access", [1, 3], ids=["sensor", "text"])
def test_a_text_that_is_not_there_is_not_empty(access: int) -> None:
    listening = heard(device({"type": "text", "access": access, "name": "schedule", "property": "schedule"}))
    for nothing in ({}, {"schedule": None}):
        listening.hear("z2m/hall/plug", nothing)
        assert listening.value("0x01_schedule_z2m") is None
    for text in ("06:00/21", ""):
        listening.hear("z2m/hall/plug", {"schedule": text})
        assert listening.value("0x01_schedule_z2m") == text


def test_what_always_listens_is_asked_once() -> None:
    """Zigbee2MQTT does not retain what devices show."""
    readable = {"type": "light", "features": [STATE, {**STATE, "name": "color_temp_startup", "property": "startup"}]}
    asleep = {**device(readable, address="0x02"), "type": "EndDevice"}
    listening = heard(device(readable), device(STATE, address="0x03"), asleep)
    assert [(each.topic, each.payload) for each in listening.asked] == [("z2m/hall/plug/get", '{"state": ""}')]
    listening.hear("z2m/bridge/devices", [device(readable, name="new")])
    assert len(listening.asked) == 1
    assert not heard(device(readable), homeassistant={"enabled": True}).asked


def real() -> Heard:
    """Return what becomes of the recorded devices, as if their discovery were for somebody else."""
    listening = Heard(Zigbee2Mqtt("elsewhere"))
    for topic, payload in native("zigbee2mqtt/bridge/"):
        listening.hear(topic, payload)
    return listening


def test_real_devices_have_all_that_their_own_discovery_has() -> None:
    listening = real()
    devices = {name[:18] for name in listening.entities}
    assert len(devices) == 59
    announced = {
        (row["topic"].split("/")[1], row["payload"]["unique_id"])
        for row in corpus()
        if isinstance(row["payload"], dict) and str(row["payload"].get("unique_id"))[:18] in devices
    }
    assert len(announced) > 300
    assert announced - {(entity.config.kind, name) for name, entity in listening.entities.items()} == set()


def test_real_devices_show_what_home_assistant_shows() -> None:
    """All but what is null: Home Assistant's configs make "off", "" or "None" of it, here it is unknown."""
    right, wrong = 0, []
    devices = real()
    for row in corpus():
        name = row["payload"].get("unique_id") if isinstance(row["payload"], dict) else None
        if name not in devices.entities:
            continue
        listening = devices.alone(name)
        for state in row.get("states", ()):
            listening.hear(state["topic"], state["payload"])
            shown = listening.of(name).state if listening.available(name) else "unavailable"
            if same(shown, state["expect"]["state"]):
                right += 1
            else:
                wrong.append((shown, state["expect"]["state"]))
    assert right > 1900
    assert {pair for pair in wrong if pair not in {("unknown", "off"), ("unknown", ""), ("unknown", "None")}} == set()


def same(shown: str, expected: str) -> bool:
    try:
        return float(shown) == pytest.approx(float(expected))
    except ValueError:
        return shown == expected


def test_garbage_announces_nothing() -> None:
    listening = heard(plug())
    for payload in GARBAGE[1:]:
        listening.hear("z2m/bridge/info", payload)
        listening.hear("other/bridge/devices", payload)
    assert "0x01_switch_z2m" in listening.entities
    for topic, told in (("bridge/info", INFO), ("bridge/devices", [plug()])):
        for broken in spoiled(told):
            fresh = heard(plug())
            fresh.hear(f"z2m/{topic}", json.dumps(broken))
