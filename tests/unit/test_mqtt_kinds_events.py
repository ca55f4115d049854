"""event, device_automation, tag and device_tracker; kinds that nobody knows."""

from typing import Any

import pytest
from tests.support.mqtt_entities import TOPIC, entity_of, main, tell

from jidget.mqtt.entity import UNKNOWN, BadConfig

TYPES = ["press", "hold"]


def event(**keys: Any) -> Any:
    return entity_of("event", **{"state_topic": TOPIC, "event_types": TYPES, **keys})


def test_each_event_is_told_even_the_same_again() -> None:
    entity = event()
    assert entity.state == UNKNOWN
    for _ in range(2):
        assert tell(entity, '{"event_type": "press", "button": 2}')
    assert entity.values == {"": "press"}
    assert (entity.attributes["event_type"], entity.attributes["button"]) == ("press", 2)
    tell(entity, '{"event_type": "hold"}')
    assert "button" not in entity.attributes
    assert main(entity).options == ("press", "hold")


def test_what_the_broker_had_kept_is_no_event() -> None:
    assert not tell(event(), '{"event_type": "press"}', retained=True)
    assert not tell(entity_of("tag", topic=TOPIC), "04A1", retained=True)
    assert not tell(trigger(), "double", retained=True)


@pytest.mark.parametrize(
    "payload",
    ["", "None", "{}", "press", "[]", '{"type": "press"}', '{"event_type": "slap"}', '{"event_type": ["press"]}', "1"],
)
def test_what_is_no_event(payload: str) -> None:
    entity = event()
    assert not tell(entity, payload)
    assert entity.values == {}


def test_an_event_may_tell_anything_else() -> None:
    entity = event()
    assert tell(entity, '{"event_type": "press", "self": 1, "event_types": [], "attributes": null}')
    assert entity.attributes["self"] == 1


@pytest.mark.parametrize("types", [None, [], [["press"]]])
def test_an_event_needs_types(types: Any) -> None:
    with pytest.raises(BadConfig, match="event_types"):
        event(event_types=types)


def trigger(**keys: Any) -> Any:
    default = {
        "automation_type": "trigger",
        "type": "button_double_press",
        "subtype": "button_1",
        "topic": TOPIC,
        "payload": "double",
    }
    return entity_of("device_automation", **default | keys)


def test_a_trigger_is_an_event() -> None:
    entity = trigger(value_template="{{ value_json.action }}")
    assert not tell(entity, '{"action": "single"}')
    for _ in range(2):
        assert tell(entity, '{"action": "double"}')
    assert entity.values == {"": "button_1 button_double_press"}
    assert main(entity).options == ("button_1 button_double_press",)


def test_a_trigger_without_payload_is_any_message() -> None:
    assert tell(trigger(payload=None), "whatever")


@pytest.mark.parametrize(
    "keys",
    [{"automation_type": "action"}, {"topic": None}, {"type": None}, {"subtype": [1]}, {"type": "", "subtype": ""}],
)
def test_a_trigger_needs(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        trigger(**keys)


def test_a_tag() -> None:
    entity = entity_of("tag", topic=TOPIC, value_template="{{ value_json.uid }}")
    assert tell(entity, '{"uid": "04A1"}')
    assert entity.values == {"": "04A1"}
    for payload in ("no json", "{}", '{"uid": ""}'):
        assert not tell(entity, payload)
    with pytest.raises(BadConfig, match="topic"):
        entity_of("tag")


def test_a_device_tracker() -> None:
    entity = entity_of("device_tracker", state_topic=TOPIC, json_attributes_topic="it/more", payload_home="in")
    for payload, place in (("in", "home"), ("not_home", "not_home"), ("Work", "Work")):
        assert tell(entity, payload)
        assert entity.state == entity.values[""] == place
    assert tell(entity, "None")
    assert entity.state == UNKNOWN
    assert tell(entity, '{"latitude": 52.5, "longitude": 13.4, "gps_accuracy": 5}', "it/more")
    assert (entity.state, entity.values["latitude"], entity.values["longitude"]) == ("not_home", 52.5, 13.4)
    assert not tell(entity, '{"latitude": "north"}', "it/more")
    assert entity.values["latitude"] is None


def test_a_device_tracker_needs_something_to_listen_to() -> None:
    with pytest.raises(BadConfig):
        entity_of("device_tracker")


@pytest.mark.parametrize("kind", ["", "zebra", "common", "os", "..", "sensor.Sensor", "x" * 1000])
def test_a_kind_that_nobody_knows_is_a_bad_config(kind: str) -> None:
    with pytest.raises(BadConfig, match="not known"):
        entity_of(kind)
