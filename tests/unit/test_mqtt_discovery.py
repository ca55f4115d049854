import json
from typing import Any

import pytest

from jidget.mqtt import discovery
from jidget.mqtt.discovery import Discoveries, discovery_id
from jidget.mqtt.model import EntityConfig

SINGLE = "homeassistant/switch/plug/relay/config"
DEVICE = "homeassistant/device/plug/config"


class Broker:
    """Publishes discovery payloads to `Discoveries`, and keeps what comes of it as a bridge would."""

    def __init__(self) -> None:
        self.discoveries = Discoveries()
        self.there: dict[tuple[str, str], EntityConfig] = {}

    def __call__(self, topic: Any, keys: Any) -> Any:
        payload = keys if isinstance(keys, bytes) else json.dumps(keys).encode()
        changes = self.discoveries.take(topic, payload)
        for config in changes.removed:
            del self.there[config.topic, config.component]
        for config in changes.changed:
            assert (config.topic, config.component) in self.there
        for config in changes.added:
            assert (config.topic, config.component) not in self.there
        self.there.update({(config.topic, config.component): config for config in changes.present})
        assert {(config.topic, config.component) for config in self.discoveries.configs} == set(self.there)
        return changes


@pytest.fixture
def broker() -> Any:
    return Broker()


def payload(components: Any, **keys: Any) -> Any:
    return {"dev": {"ids": "plug"}, "o": {"name": "test"}, "cmps": components} | keys


def test_new_same_changed_gone(broker: Any) -> None:
    assert len(broker(SINGLE, {"name": "A"}).added) == 1
    assert broker(SINGLE, {"name": "A"}).present == ()
    assert broker(SINGLE, b'{ "name":  "A" }').present == ()
    [changed] = broker(SINGLE, {"name": "B"}).changed
    assert changed.name == "B"
    [removed] = broker(SINGLE, b"").removed
    assert removed.name == "B"
    assert broker(SINGLE, b"") == type(broker(SINGLE, b""))()


def test_garbage_leaves_what_was_there(broker: Any) -> None:
    broker(SINGLE, {"name": "A"})
    assert broker(SINGLE, b"{").problems
    assert broker(SINGLE, {"name": "A"}).present == ()
    broker(DEVICE, payload({"a": {"p": "sensor", "x": 1}}))
    assert broker(DEVICE, {"dev": 7}).problems
    assert len(broker.there) == 2


def test_components_come_and_go(broker: Any) -> None:
    a, b, c = ({"p": "sensor", "uniq_id": name, "stat_t": name} for name in "abc")
    assert len(broker(DEVICE, payload({"a": a, "b": b, "c": c})).added) == 3
    changes = broker(DEVICE, payload({"a": a, "b": {"p": "sensor"}, "c": {**c, "name": "C"}}))
    assert [config.component for config in changes.removed] == ["b"]
    assert [config.component for config in changes.changed] == ["c"]
    assert [config.component for config in broker(DEVICE, payload({"c": {**c, "name": "C"}})).removed] == ["a"]
    assert [config.component for config in broker(DEVICE, b"").removed] == ["c"]


def test_a_component_that_cannot_be_read_is_not_gone(broker: Any) -> None:
    broker(DEVICE, payload({"a": {"p": "sensor", "x": 1}, "b": {"p": "sensor", "x": 1}}))
    changes = broker(DEVICE, payload({"a": 7, "b": {"p": "sensor", "x": 1}}))
    assert (changes.removed, changes.present) == ((), ())
    assert len(changes.problems) == 1


def test_another_kind_is_another_entity(broker: Any) -> None:
    broker(DEVICE, payload({"a": {"p": "sensor", "uniq_id": "u", "x": 1}}))
    changes = broker(DEVICE, payload({"a": {"p": "number", "uniq_id": "u", "x": 1}}))
    assert ([config.kind for config in changes.removed], [config.kind for config in changes.added]) == (
        ["sensor"],
        ["number"],
    )


def test_a_unique_id_belongs_to_who_came_first_and_is_inherited(broker: Any) -> None:
    other = "homeassistant/switch/other/config"
    broker(SINGLE, {"uniq_id": "u", "name": "first"})
    changes = broker(other, {"uniq_id": "u", "name": "second"})
    assert changes.present == ()
    [problem] = changes.problems
    assert other in problem
    assert SINGLE in problem
    assert len(broker("homeassistant/sensor/other/config", {"uniq_id": "u"}).added) == 1  # another kind
    changes = broker(SINGLE, b"")
    assert [config.name for config in changes.removed] == ["first"]
    assert [config.name for config in changes.added] == ["second"]


@pytest.mark.parametrize("ask", [{"migrate_discovery": True}, {"migr_discvry": True}])
@pytest.mark.parametrize("uniq_id", ["u", None])
def test_an_entity_moves_from_a_single_to_a_device_payload(broker: Any, ask: Any, uniq_id: Any) -> None:
    keys = {"stat_t": "a"} | ({"uniq_id": uniq_id} if uniq_id else {})
    broker(SINGLE, keys)
    changes = broker(SINGLE, ask)
    assert [config.topic for config in changes.released] == [SINGLE]
    assert changes.removed == ()
    changes = broker(DEVICE, payload({"relay": {"p": "switch", **keys}}))
    assert [config.topic for config in changes.removed] == [SINGLE]
    assert [config.topic for config in changes.added] == [DEVICE]
    assert broker(SINGLE, b"").removed == ()
    assert set(broker.there) == {(DEVICE, "relay")}


def test_and_back(broker: Any) -> None:
    broker(DEVICE, payload({"relay": {"p": "switch", "uniq_id": "u", "x": 1}}))
    broker(DEVICE, {"migrate_discovery": True})
    assert [config.topic for config in broker(SINGLE, {"uniq_id": "u"}).removed] == [DEVICE]
    broker(SINGLE, {"migrate_discovery": True})
    assert [config.topic for config in broker(SINGLE, {"uniq_id": "u", "name": "x"}).changed] == [SINGLE]


def test_two_thousand_configs_of_a_broker(broker: Any) -> None:
    for number in range(2000):
        broker.discoveries.take(
            f"homeassistant/sensor/n/o{number}/config", json.dumps({"uniq_id": str(number)}).encode()
        )
    assert len(list(broker.discoveries.configs)) == 2000


def test_how_many_are_remembered_is_limited(broker: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("jidget.mqtt.discovery.MOST_ENTITIES", 3)
    assert len(broker(DEVICE, payload({"a": {"p": "sensor", "x": 1}, "b": {"p": "sensor", "x": 1}})).added) == 2
    broker("homeassistant/device/other/config", payload({"a": {"p": "sensor", "x": 1}}))
    [problem] = broker(SINGLE, {"name": "one too many"}).problems
    assert "3 entities" in problem
    broker("homeassistant/device/other/config", b"")
    assert len(broker(SINGLE, {"name": "there is room"}).added) == 1
    assert len(broker.there) == 3


def test_how_many_may_wait_to_be_announced_elsewhere_is_limited(broker: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("jidget.mqtt.discovery.MOST_ENTITIES", 2)
    gone = []
    for number in range(5):
        topic = f"homeassistant/switch/s{number}/config"
        assert len(broker(topic, {"uniq_id": str(number)}).added) == 1
        gone += broker(topic, {"migrate_discovery": True}).removed
    assert [config.unique_id for config in gone] == ["0", "1", "2"]
    assert len(broker.there) == 2


def test_many_that_wait_for_another_topic_cost_others_nothing(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []

    def look(*of: Any) -> Any:
        looked.append(of)
        return discovery_id(*of)

    monkeypatch.setattr(discovery, "discovery_id", look)
    components = {f"c{number}": {"p": "sensor", "stat_t": "x"} for number in range(50)}
    for number in range(4):
        topic = f"homeassistant/device/n{number}/config"
        broker(topic, payload(components, dev={"ids": f"n{number}"}))
        broker(topic, {"migrate_discovery": True})
    looked.clear()
    broker("homeassistant/device/other/config", payload(components, dev={"ids": "other"}))
    assert len(looked) <= 2 * len(components)
    broker("homeassistant/sensor/n1/c7/config", {"stat_t": "x", "dev": {"ids": "n1"}})
    assert ("homeassistant/device/n1/config", "c7") not in broker.there
