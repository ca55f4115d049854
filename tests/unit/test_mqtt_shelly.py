"""Shelly devices by their RPC over MQTT, as configs."""

import json
from typing import Any

import pytest
from tests.support.mqtt_sources import GARBAGE, Heard, spoiled

from jidget.mqtt.sources.shelly import Shelly

ID = "shellyplus1pm-a8032abe54dc"
REPLIES = f"jidget/me/shelly/{ID}/rpc"
STATUS: dict[str, Any] = {
    "switch:0": {
        "id": 0,
        "output": False,
        "apower": 0.0,
        "voltage": 230.1,
        "aenergy": {"total": 5.5, "by_minute": [1]},
    },
    "input:0": {"id": 0, "state": None},
    "wifi": {"rssi": -60},
    "sys": {"uptime": 5},
    "mqtt": {"connected": True},
}
INFO = {"id": ID, "name": "Boiler", "app": "Plus1PM", "ver": "1.4.4"}


def heard(status: dict[str, Any] | None = None, config: dict[str, Any] | None = None) -> Heard:
    listening = Heard(Shelly("me"))
    listening.hear(f"{ID}/online", "true", retained=True)
    listening.hear(REPLIES, {"id": 0, "src": ID, "result": INFO})
    listening.hear(REPLIES, {"id": 1, "src": ID, "result": config or {}})
    listening.hear(REPLIES, {"id": 2, "src": ID, "result": STATUS if status is None else status})
    return listening


def notify(listening: Heard, method: str = "NotifyStatus", /, **params: Any) -> None:
    told = {"src": ID, "dst": f"{ID}/events", "method": method, "params": {"ts": 1.0, **params}}
    listening.hear(f"{ID}/events/rpc", told)


def test_who_is_online_is_asked_what_it_has() -> None:
    listening = Heard(Shelly("me"))
    listening.hear(f"{ID}/online", "true", retained=True)
    assert {each.topic for each in listening.asked} == {f"{ID}/rpc"}
    asked = [json.loads(each.payload) for each in listening.asked]
    assert [each["method"] for each in asked] == ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]
    assert {each["src"] for each in asked} == {f"jidget/me/shelly/{ID}"}
    assert len({each["id"] for each in asked}) == 3


def test_others_who_are_online_are_not_asked() -> None:
    listening = Heard(Shelly("me"))
    listening.hear("printer/online", "true")
    listening.hear("printer/events/rpc", {"method": "NotifyStatus", "src": "printer", "params": {}})
    assert not listening.asked
    listening.hear("my-boiler/events/rpc", {"method": "NotifyStatus", "src": ID, "params": {}})
    assert {each.topic for each in listening.asked} == {"my-boiler/rpc"}


def test_it_has_what_its_status_shows() -> None:
    listening = heard()
    switch = listening.of(f"{ID}_switch:0")
    assert switch.config.device is not None
    assert (switch.config.device.name, switch.config.device.identifiers) == ("Boiler", (ID,))
    listening.hear(f"{ID}/online", "true", retained=True)
    assert listening.available(f"{ID}_switch:0")
    assert listening.value(f"{ID}_switch:0") is False
    assert listening.value(f"{ID}_switch:0_voltage") == 230.1
    assert listening.value(f"{ID}_switch:0_energy") == 5.5
    assert listening.of(f"{ID}_input:0").config.kind == "event"
    assert not listening.of(f"{ID}_wifi_rssi").config.enabled


def test_changes_are_told_in_part() -> None:
    listening = heard()
    notify(listening, **{"switch:0": {"id": 0, "output": True, "aenergy": {"total": 6.5}}})
    assert listening.value(f"{ID}_switch:0") is True
    assert listening.value(f"{ID}_switch:0_voltage") == 230.1
    assert listening.value(f"{ID}_switch:0_energy") == 6.5
    notify(listening, "NotifyEvent", events=[{"component": "input:0", "id": 0, "event": "single_push", "ts": 1.0}])
    assert listening.value(f"{ID}_input:0") == "single_push"


def test_commands_are_requests_and_their_answer_is_checked() -> None:
    listening = heard()
    ((topic, payload),) = listening.sets(f"{ID}_switch:0", True)
    assert topic == f"{ID}/rpc"
    request = json.loads(payload)
    assert (request["method"], request["params"]) == ("Switch.Set", {"id": 0, "on": True})
    listening.asked.clear()
    listening.hear(REPLIES, {"id": request["id"], "src": ID, "result": {"was_on": True}})
    assert [json.loads(each.payload)["method"] for each in listening.asked] == ["Shelly.GetStatus"]
    listening.hear(REPLIES, {"id": request["id"], "src": ID, "error": {"code": -103, "message": "Overpower"}})
    assert listening.problems == ["it answered: Overpower"]


def test_covers_go_to_positions() -> None:
    listening = heard({"cover:0": {"id": 0, "state": "open", "current_pos": 70, "pos_control": True}})
    name = f"{ID}_cover:0"
    assert listening.value(name) == "open"
    assert listening.value(name, "position") == 70
    ((_, payload),) = listening.sets(name, 30, "position")
    assert json.loads(payload)["params"] == {"id": 0, "pos": 30}
    ((_, payload),) = listening.does(name, "stop")
    assert json.loads(payload)["method"] == "Cover.Stop"
    assert len(heard({"cover:0": {"id": 0, "state": "open", "pos_control": False}}).of(name).parts) == 1


def test_lights_are_dimmed_and_coloured() -> None:
    listening = heard(
        {
            "light:0": {"id": 0, "output": True, "brightness": 50},
            "rgb:0": {"id": 0, "output": True, "brightness": 100, "rgb": [255, 0, 0]},
            "cct:0": {"id": 0, "output": False, "brightness": 10, "ct": 3000},
        }
    )
    assert listening.value(f"{ID}_light:0", "brightness") == pytest.approx(50, abs=0.3)
    assert listening.value(f"{ID}_rgb:0", "color") == "#ff0000"
    assert listening.value(f"{ID}_cct:0", "color_temp") == 3000
    ((_, payload),) = listening.sets(f"{ID}_light:0", 20, "brightness")
    assert json.loads(payload)["params"] == {"id": 0, "on": True, "brightness": 20}
    ((_, payload),) = listening.sets(f"{ID}_rgb:0", "#0000ff", "color")
    assert json.loads(payload)["params"]["rgb"] == [0, 0, 255]
    ((_, payload),) = listening.sets(f"{ID}_cct:0", 5000, "color_temp")
    assert json.loads(payload)["params"]["ct"] == 5000
    ((_, payload),) = listening.sets(f"{ID}_cct:0", False)
    assert json.loads(payload) == {
        "id": 3,
        "src": f"jidget/me/shelly/{ID}",
        "method": "CCT.Set",
        "params": {"id": 0, "on": False},
    }


def test_several_of_a_kind_are_told_apart_by_their_names() -> None:
    status = {f"switch:{number}": {"id": number, "output": False, "apower": 1} for number in (0, 1)}
    listening = heard(status, {"switch:1": {"name": "Pump"}})
    assert listening.of(f"{ID}_switch:1").config.name == "Pump"
    assert listening.of(f"{ID}_switch:1_power").config.name == "Pump power"
    assert listening.of(f"{ID}_switch:0_power").config.object_id == "switch_0_power"


def test_who_sleeps_is_there_all_the_time() -> None:
    listening = Heard(Shelly("me"))
    listening.hear(f"{ID}/online", "false")
    notify(listening, "NotifyFullStatus", **{"temperature:0": {"tC": 21.5}, "sys": {"wakeup_period": 7200}})
    assert listening.value(f"{ID}_temperature:0_temperature") == 21.5
    assert listening.available(f"{ID}_temperature:0_temperature")


def test_it_goes_with_its_last_will_and_for_good() -> None:
    listening = heard()
    listening.hear(f"{ID}/online", "false", retained=True)
    assert not listening.available(f"{ID}_switch:0")
    listening.hear(f"{ID}/online", "")
    assert not listening.entities


def test_garbage_announces_nothing() -> None:
    listening = heard()
    before = set(listening.entities)
    for payload in GARBAGE[1:]:
        listening.hear(REPLIES, payload)
        listening.hear(f"{ID}/events/rpc", payload)
        listening.hear(f"{ID}/online", payload)
        listening.hear("jidget/me/shelly/unknown/rpc", payload)
    assert set(listening.entities) == before
    rich = {**STATUS, "cover:0": {"state": "open", "pos_control": True}, "rgb:0": {"output": True, "rgb": [1, 2, 3]}}
    for broken in spoiled(rich):
        heard(broken)
    for broken in spoiled(
        {"src": ID, "method": "NotifyEvent", "params": {"events": [{"component": "a", "event": "b"}]}}
    ):
        heard().hear(f"{ID}/events/rpc", json.dumps(broken))
