"""button, scene, notify, siren, lock, valve, update: what can be done with them, and what they tell."""

import inspect
import json
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, main, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget.mqtt.kinds.versions import is_newer
from jidget_drivers import Kind, WriteRefused


def commanded(kind: str, **keys: Any) -> Any:
    return entity_of(kind, **{"state_topic": TOPIC, "command_topic": COMMAND, **keys})


@pytest.mark.parametrize(
    ("kind", "action", "keys", "arguments", "payload"),
    [
        ("button", "press", {}, {}, "PRESS"),
        ("button", "press", {"payload_press": '{"a": 1}', "command_template": "{{ value }}!"}, {}, '{"a": 1}!'),
        ("scene", "activate", {}, {}, "ON"),
        ("scene", "activate", {"payload_on": "film"}, {}, "film"),
        ("notify", "send", {"command_template": '{"m": "{{ value }}"}'}, {"message": "hi"}, '{"m": "hi"}'),
    ],
)
def test_what_only_acts(kind: str, action: str, keys: dict[str, Any], arguments: dict[str, Any], payload: str) -> None:
    entity = commanded(kind, **keys)
    assert entity.parts == ()
    (published,) = act(entity, action, **arguments)
    assert (published.topic, published.payload, published.retain) == (COMMAND, payload, False)


@pytest.mark.parametrize("kind", ["button", "scene", "notify", "siren", "lock"])
def test_what_acts_needs_a_topic(kind: str) -> None:
    with pytest.raises(BadConfig, match="command_topic"):
        entity_of(kind)


# --- siren ------------------------------------------------------------------------------------------------------


def test_a_siren_without_template_is_sent_json() -> None:
    entity = commanded("siren", available_tones=["fire", "burglar"])
    assert json.loads(write(entity, True).payload) == {"state": "ON"}
    (published,) = act(entity, "sound", tone="fire", volume_level=0.5, duration=None)
    assert json.loads(published.payload) == {"state": "ON", "tone": "fire", "volume_level": 0.5}
    assert write(entity, False).payload == '{"state":"OFF"}'
    assert entity.state == UNKNOWN


def test_a_siren_offers_what_it_knows() -> None:
    plan = commanded("siren", available_tones=["fire"], support_duration=False).actions[0].plan
    assert list(inspect.signature(plan).parameters) == ["tone", "volume_level"]
    none = commanded("siren", support_duration=False, support_volume_set=False).actions[0].plan
    assert not inspect.signature(none).parameters


def test_a_siren_tells() -> None:
    entity = commanded("siren", available_tones=["fire"])
    assert tell(entity, "ON")
    assert entity.state == "on"
    assert tell(entity, '{"state": "OFF", "tone": "fire", "volume_level": 0.2, "duration": 7}')
    assert entity.values == {"": False}
    told = {"tone": "fire", "volume_level": 0.2, "duration": 7, "available_tones": ["fire"]}
    assert entity.attributes == told
    for wrong in ('{"tone": "choir"}', '{"volume_level": 2}', '{"duration": "long"}', '{"a": 1}', "[]", "{}", "x"):
        assert not tell(entity, wrong)
    assert entity.attributes == told


def test_a_siren_without_state_topic_is_assumed_off() -> None:
    entity = entity_of("siren", command_topic=COMMAND)
    assert (entity.state, entity.values) == ("off", {})  # a reading would claim to know
    act(entity, "sound", duration=5)
    assert (entity.state, entity.attributes["duration"]) == ("on", 5)


def test_a_siren_whose_template_makes_nothing_refuses() -> None:
    entity = commanded("siren", command_off_template="{{ none }}")
    with pytest.raises(WriteRefused, match="command_off_template"):
        entity.write("", False)


# --- lock -------------------------------------------------------------------------------------------------------


def test_a_lock_tells() -> None:
    entity = commanded("lock", state_locked="LOCK", value_template="{{ value_json.state }}")
    for payload, state in (("LOCK", "locked"), ("UNLOCKING", "unlocking"), ("UNLOCKED", "unlocked"), ("OPEN", "open")):
        assert tell(entity, json.dumps({"state": payload}))
        assert entity.state == entity.values[""] == state
        assert state in main(entity).options
    for payload in ("LOCKED", "", "locked"):
        assert not tell(entity, json.dumps({"state": payload}))


def test_a_lock_forgets() -> None:
    entity = commanded("lock")
    tell(entity, "LOCKED")
    assert tell(entity, "None")
    assert (entity.values, entity.state) == ({"": None}, UNKNOWN)
    tell(entity, "JAMMED")
    assert not tell(entity, "None")  # as in Home Assistant
    assert entity.state == "jammed"


def test_a_lock_is_told_what_to_do() -> None:
    entity = commanded("lock", payload_unlock="free")
    assert [action.name for action in entity.actions] == ["lock", "unlock"]
    assert act(entity, "unlock")[0].payload == "free"
    assert entity.state == UNKNOWN


def test_a_lock_with_a_code_and_a_latch() -> None:
    entity = commanded(
        "lock",
        payload_open="OPEN",
        code_format="^[0-9]{4}$",
        command_template='{"do": "{{ value }}", "code": "{{ code }}"}',
    )
    assert act(entity, "open", code=SecretStr("1234"))[0].payload == '{"do": "OPEN", "code": "1234"}'
    with pytest.raises(WriteRefused, match="code"):
        act(entity, "open", code=SecretStr("none"))


def test_a_lock_without_state_topic_is_assumed() -> None:
    entity = entity_of("lock", command_topic=COMMAND)
    assert (entity.state, entity.values) == ("unlocked", {})  # a reading would claim to know
    act(entity, "lock")
    assert entity.state == "locked"


# --- valve ------------------------------------------------------------------------------------------------------


def test_a_valve_tells() -> None:
    entity = commanded("valve")
    for payload in ("open", "closing", '{"state": "closed"}', "opening"):
        assert tell(entity, payload)
        assert entity.state == entity.values[""] == (payload if payload.isalpha() else "closed")
    for payload in ("", "ajar", "50", '{"position": 50}', '{"state": ["open"]}', "[]"):
        assert not tell(entity, payload)
    assert tell(entity, "None")
    assert entity.state == UNKNOWN


def test_a_valve_is_told_what_to_do() -> None:
    entity = commanded("valve", payload_stop="STOP", payload_close=None)
    assert [action.name for action in entity.actions] == ["open", "stop"]
    assert act(entity, "open")[0].payload == "OPEN"


def test_a_valve_that_reports_its_position() -> None:
    entity = commanded("valve", reports_position=True, position_closed=128, position_open=64)
    for payload, position, state in (
        ("64", 100, "open"),
        ("96", 50, "open"),
        ('{"position": 100, "state": "opening"}', 43, "opening"),
        ('{"position": 90}', 59, "opening"),
        ("128", 0, "closed"),
        ("1000", 0, "closed"),
        ("-1000", 100, "open"),
    ):
        assert tell(entity, payload)
        assert (entity.values["position"], entity.state) == (position, state)
        assert entity.attributes["current_position"] == position
    for payload in ("nan", "inf", '{"state": "open"}', "ajar", '{"position": null}', '{"position": [1]}'):
        assert not tell(entity, payload)
    assert tell(entity, "None")
    assert entity.state == UNKNOWN
    assert write(entity, 25, "position").payload == "112"


def test_a_valve_without_state_topic_is_assumed() -> None:
    entity = entity_of("valve", command_topic=COMMAND)
    act(entity, "close")
    assert entity.state == "closed"
    placed = entity_of("valve", command_topic=COMMAND, reports_position=True)
    write(placed, 30, "position")
    assert (placed.state, placed.values["position"]) == ("open", 30)


@pytest.mark.parametrize("keys", [{"state_open": "on"}, {"position_open": 0}, {"position_open": "far"}])
def test_a_valve_whose_position_makes_no_sense(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        commanded("valve", reports_position=True, **keys)


# --- update -----------------------------------------------------------------------------------------------------


def update(**keys: Any) -> Any:
    return entity_of("update", state_topic=TOPIC, **keys)


def test_an_update_tells_versions_and_progress() -> None:
    entity = update()
    assert (entity.state, entity.attributes["in_progress"]) == (UNKNOWN, False)
    assert tell(entity, '{"installed_version": "1.0", "latest_version": 2, "title": "Lamp"}')
    assert entity.state == "on"
    assert entity.values == {"": True, "installed": "1.0", "latest": "2", "progress": None}
    assert tell(entity, '{"update_percentage": 42.5}')
    assert entity.values["progress"] == 42.5
    assert entity.attributes["in_progress"] is True
    assert tell(entity, '{"update_percentage": null, "installed_version": "2"}')
    assert (entity.state, entity.attributes["in_progress"], entity.values["progress"]) == ("off", False, None)


def test_an_update_may_tell_only_what_is_installed() -> None:
    entity = update(latest_version_topic="it/latest")
    for payload in ("1.2.3", "7"):
        assert tell(entity, payload)
        assert entity.values["installed"] == payload
    assert tell(entity, "8", "it/latest")
    assert entity.state == "on"


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{}",
        '{"installed_version": null}',
        '{"installed_version": "9", "huh": 1}',
        '{"installed_version": "9", "update_percentage": 101}',
        '{"installed_version": "9", "in_progress": "maybe"}',
        '{"installed_version": "9", "release_url": "no url"}',
        '{"installed_version": ["9"]}',
    ],
)
def test_an_update_takes_all_or_nothing(payload: str) -> None:
    entity = update()
    tell(entity, '{"installed_version": "1", "latest_version": "1"}')
    assert not tell(entity, payload)
    assert entity.values["installed"] == "1"


def test_an_update_is_installed() -> None:
    entity = update(command_topic=COMMAND, payload_install='{"id": 1}')
    assert act(entity, "install")[0].payload == '{"id": 1}'
    assert update().actions == ()


@pytest.mark.parametrize(
    ("latest", "installed", "newer"),
    [
        ("1.10", "1.9", True),
        ("1.9", "1.10", False),
        ("1.0", "1.0.0", False),
        ("v2.0", "1.9", True),
        ("2.0-rc1", "2.0", False),
        ("2.0", "2.0-rc1", True),
        ("2.0b2", "2.0-beta1", True),
        ("2.0-rc2", "2.0-rc10", False),
        ("0x10", "15", True),
        ("26.105", "26.99", True),
        ("dev", "1.0", True),
        ("1.0", "dev", False),
        ("beta", "dev", False),
        ("-1", "2", True),  # nobody can tell
        ("", "1", True),
        ("2024-01-01_x/y", "2023", True),
        ("same", "same", False),
        ("1" * 5000, "1", True),
    ],
)
def test_versions(latest: str, installed: str, newer: bool) -> None:
    assert is_newer(latest, installed) is newer


def test_update_is_a_boolean_with_texts() -> None:
    assert [part.property.kind for part in update().parts] == [Kind.BOOLEAN, Kind.STRING, Kind.STRING, Kind.NUMBER]
