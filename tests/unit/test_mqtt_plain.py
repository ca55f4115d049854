"""Topics that the configuration describes, as configs."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.mqtt_sources import Heard

from jidget.config.mqtt import MqttConfig
from jidget.config.topics import PlainThing, steps_of
from jidget.mqtt.choice import Choice
from jidget.mqtt.sources import sources_of
from jidget.mqtt.sources.plain import Plain

BOILER = {
    "label": "Boiler",
    "area": "Cellar",
    "available": {"topic": "b/status", "online": "up", "offline": "down"},
    "properties": {
        "temperature": {"topic": "b/state", "path": "data[0].t", "unit": "°C", "expires": 60},
        "target": {
            "topic": "b/state",
            "path": "target",
            "min": 10,
            "max": 80,
            "set_topic": "b/set",
            "set_payload": '{"target": {{ value }}}',
        },
        "heating": {"topic": "b/heating", "type": "boolean", "on": "1", "off": "0", "set_topic": "b/heating/set"},
        "mode": {"topic": "b/mode", "type": "choice", "options": ["eco", "boost"], "set_topic": "b/mode/set"},
        "fault": {"topic": "b/fault", "type": "text"},
    },
}


def heard(told: dict[str, Any] | None = None) -> Heard:
    return Heard(Plain({"boiler": PlainThing.model_validate(told or BOILER)}))


def test_values_are_read_and_set() -> None:
    listening = heard()
    listening.hear("b/state", {"data": [{"t": 55.5}], "target": 60})
    listening.hear("b/heating", "1")
    listening.hear("b/mode", "eco")
    listening.hear("b/fault", "none at all")
    told = {name.rpartition(".")[2]: entity.values.get("") for name, entity in listening.entities.items()}
    assert told == {"temperature": 55.5, "target": 60, "heating": True, "mode": "eco", "fault": "none at all"}
    assert listening.of("mqtt.topics.boiler.temperature").expires_after == 60
    assert listening.sets("mqtt.topics.boiler.target", 45) == [("b/set", '{"target": 45}')]
    assert listening.sets("mqtt.topics.boiler.heating", False) == [("b/heating/set", "0")]


def test_it_is_there_when_it_says_so() -> None:
    listening = heard()
    listening.hear("b/status", "up")
    assert listening.available("mqtt.topics.boiler.mode")
    listening.hear("b/status", "down")
    assert not listening.available("mqtt.topics.boiler.mode")
    assert heard({**BOILER, "available": None}).available("mqtt.topics.boiler.mode")


def test_the_thing_has_the_id_in_the_configuration() -> None:
    config = MqttConfig.model_validate({"topics": {"boiler": BOILER}, "formats": []})
    listening = Heard(*sources_of(config))
    entity = listening.of("mqtt.topics.boiler.fault").config
    assert entity.device is not None
    assert Choice(config, {}).overlay(entity, entity.device) == "boiler"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"topic": "a/+"}, "not a topic"),
        ({"topic": "a", "path": "a..b"}, "not a way through JSON"),
        ({"topic": "a", "path": "{{ x }}"}, "not a way through JSON"),
        ({"type": "text"}, "neither told nor set"),
        ({"topic": "a", "type": "choice"}, "a choice of nothing"),
        ({"topic": "a", "min": 5, "max": 1}, "is above max"),
        ({"set_topic": "a", "expires": 5}, "only readings expire"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PlainThing.model_validate({"properties": {"value": wrong}})


def test_paths_go_through_keys_and_places() -> None:
    assert steps_of("data[10].a-b.c_1") == ("data", 10, "a-b", "c_1")
