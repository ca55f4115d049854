import json
from typing import Any

import pytest
from tests.support.mqtt_corpus import corpus

from jidget.mqtt.announcement import LONGEST_NAME, parse
from jidget.mqtt.model import LARGEST_PAYLOAD

SINGLE = "homeassistant/switch/plug/relay/config"
DEVICE = "homeassistant/device/plug/config"


def single(topic: Any = SINGLE, **keys: Any) -> Any:
    announcement = parse(topic, json.dumps(keys).encode())
    assert announcement.problems == ()
    [config] = announcement.configs
    return config


def device(components: Any, *, topic: Any = DEVICE, **keys: Any) -> Any:
    keys = {"dev": {"ids": "plug", "name": "Plug"}, "o": {"name": "test"}, "cmps": components} | keys
    return parse(topic, json.dumps(keys).encode())


def by_component(announcement: Any) -> Any:
    return {config.component: config for config in announcement.configs}


# ---- one payload --------------------------------------------------------------------------------------------------


def test_a_single_component() -> None:
    config = single(
        name="Relay",
        uniq_id="plug-1",
        stat_t="a",
        ent_cat="config",
        en=False,
        o={"name": "prog", "sw": "1"},
        dev={
            "ids": ["p1", "p2"],
            "name": "Plug",
            "mf": "ACME",
            "mdl": "X",
            "sw": "2",
            "sa": "Hall",
            "via_device": "hub",
        },
    )
    assert (config.kind, config.topic, config.component, config.unique_id) == ("switch", SINGLE, "", "plug-1")
    assert (config.object_id, config.name, config.category, config.enabled) == ("relay", "Relay", "config", False)
    assert (config.origin, config.keys["state_topic"], config.keys["origin"]["sw_version"]) == ("prog", "a", "1")
    assert config.device is not None
    assert config.device.identifiers == ("p1", "p2")
    assert (config.device.name, config.device.manufacturer, config.device.model) == ("Plug", "ACME", "X")
    assert (config.device.version, config.device.area, config.device.via) == ("2", "Hall", "hub")


def test_the_topic_may_have_no_node_and_the_prefix_several_levels() -> None:
    assert single("homeassistant/sensor/t/config", name="T").object_id == "t"
    [config] = parse("my/ha/sensor/n/t/config", b'{"name":"T"}', "my/ha").configs
    assert (config.kind, config.object_id) == ("sensor", "t")


@pytest.mark.parametrize(
    "topic",
    ["homeassistant/sensor/config", "homeassistant/sensor/a b/config", "homeassistant/sensor/a/b/c/config",
     "homeassistant/sensor/a/state", "other/sensor/a/config", "homeassistantsensor/a/config"],
)  # fmt: skip
def test_other_topics_are_a_problem(topic: Any) -> None:
    announcement = parse(topic, b'{"name":"x"}')
    assert not announcement.understood
    assert len(announcement.problems) == 1


def test_the_base_is_put_into_topics_only() -> None:
    config = single(
        **{"~": "home/plug", "stat_t": "~/state", "cmd_t": "set/~", "val_tpl": "~", "pl_on": "~", "t": "a~b", "qos": 1},
        avty=[{"t": "~/lwt", "pl_avail": "~"}],
    )
    assert config.keys["state_topic"] == "home/plug/state"
    assert config.keys["command_topic"] == "set/home/plug"
    assert (config.keys["value_template"], config.keys["payload_on"], config.keys["topic"]) == ("~", "~", "a~b")
    assert config.keys["availability"] == [{"topic": "home/plug/lwt", "payload_available": "~"}]
    assert "~" not in config.keys


def test_names_by_which_it_is_called() -> None:
    assert single(name=None).name == ""
    assert single(name="").name == ""
    assert single(dev_cla="carbon_dioxide").name == "Carbon dioxide"
    assert single(stat_t="a").name == "Switch"
    assert single(name=7).name == "7"
    assert single(obj_id="my_plug").object_id == "my_plug"
    assert single(def_ent_id="switch.my_plug").object_id == "my_plug"
    assert single(object_id="a", default_entity_id="switch.b").object_id == "a"


def test_devices_known_by_connections_or_by_nothing() -> None:
    known = single(dev={"cns": [["mac", "aa:bb"], ["x"], "y"], "ids": []}).device
    assert known is not None
    assert known.identifiers == ("mac:aa:bb",)
    unknown = single(dev={"name": "Nobody"}).device
    assert unknown is not None
    assert unknown.identifiers == (SINGLE,)
    assert single(name="x").device is None
    assert single(dev="text").device is None


@pytest.mark.parametrize(("value", "enabled"), [(True, True), ("false", False), (0, False), ("on", True), (None, True)])
def test_enabled_by_default(value: Any, enabled: Any) -> None:
    assert single(en=value).enabled is enabled


@pytest.mark.parametrize(
    "payload",
    [b"{", b"[1]", b'"text"', b"null", b" ", b"\x00", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000,
     b'{"x":"' + b"a" * 1_000_000 + b'"}', b"{" + b" " * LARGEST_PAYLOAD + b"}", b'{"a":' + b"9" * 5000 + b"}"],
)  # fmt: skip
@pytest.mark.parametrize("topic", [SINGLE, DEVICE])
def test_what_is_no_payload_is_one_problem(topic: Any, payload: Any) -> None:
    announcement = parse(topic, payload)
    assert not announcement.understood
    assert announcement.configs == ()
    [problem] = announcement.problems
    assert problem.startswith(topic)
    assert len(problem) < 300


def test_wrong_types_anywhere_never_raise() -> None:
    strange: list[Any] = [None, True, 7, 1.5, "x", "\x00\x07", [], ["a", 3], [[]], {}, {"a": 1}, [{}], {"topic": 3}]
    keys = ["dev", "name", "uniq_id", "o", "avty", "~", "obj_id", "def_ent_id", "ent_cat", "en", "dev_cla", "stat_t",
            "cmps", "cdevs", "migr_discvry", "ids", "cns", "p", "qos"]  # fmt: skip
    for value in strange:
        for key in keys:
            parse(SINGLE, json.dumps({key: value, "~": value, "state_topic": "~/x"}).encode())
            parse(
                DEVICE,
                json.dumps({"dev": {"ids": "x", key: value}, "cmps": {"a": {"p": "sensor", key: value}}}).encode(),
            )
            parse(
                DEVICE, json.dumps({"dev": {"ids": "x"}, "cmps": {"a": {"p": "sensor", "b": 1}}, key: value}).encode()
            )
            child = {"ids": "c", "cmps": {"a": {"p": "sensor", "b": 1}}, key: value}
            parse(DEVICE, json.dumps({"dev": {"ids": "x"}, "cdevs": [child, value]}).encode())


def test_control_characters_and_long_names() -> None:
    config = single(name="a\x00b\nc" + "d" * 1000, uniq_id="x\x07y", dev={"ids": ["i\x00d"], "name": "\x1b[2J"})
    assert config.name.startswith("abcd")
    assert len(config.name) == LONGEST_NAME
    assert config.unique_id == "xy"
    assert config.device is not None
    assert (config.device.identifiers, config.device.name) == (("id",), "[2J")


# ---- device payloads ----------------------------------------------------------------------------------------------


def test_components_inherit_what_the_device_says() -> None:
    announcement = device(
        {
            "relay": {"p": "switch", "uniq_id": "r", "cmd_t": "own"},
            "power": {"p": "sensor", "uniq_id": "p", "~": "base", "name": None},
        },
        stat_t="~/state",
        cmd_t="shared",
        avty=[{"t": "~/lwt"}],
        qos=1,
        pl_avail="up",
        name="not inherited",
        **{"~": "not inherited"},
    )
    assert announcement.problems == ()
    found = by_component(announcement)
    relay, power = found["relay"], found["power"]
    assert (relay.kind, relay.object_id, relay.topic, relay.origin) == ("switch", "relay", DEVICE, "test")
    assert (relay.keys["command_topic"], relay.keys["state_topic"]) == ("own", "~/state")
    assert (power.keys["command_topic"], power.keys["state_topic"], power.keys["qos"]) == ("shared", "base/state", 1)
    assert relay.keys["availability"] == [{"topic": "~/lwt"}]
    assert power.keys["availability"] == [{"topic": "base/lwt"}]
    assert power.keys["payload_available"] == "up"
    assert (relay.name, power.name) == ("Switch", "")
    assert relay.device == power.device
    assert relay.device is not None
    assert (relay.device.identifiers, relay.device.name) == (("plug",), "Plug")


def test_a_bad_component_does_not_reject_the_rest() -> None:
    announcement = device(
        {"good": {"p": "sensor", "x": 1}, "bad": 7, "worse": {"name": "x"}, "worst": {"p": "a b", "x": 1}}
    )
    assert [config.component for config in announcement.configs] == ["good"]
    assert announcement.broken == {"bad", "worse", "worst"}
    assert len(announcement.problems) == 3
    assert all(DEVICE in problem for problem in announcement.problems)


def test_kinds_that_nobody_knows_are_told_like_others() -> None:
    assert device({"x": {"p": "teleporter", "a": 1}}).configs[0].kind == "teleporter"


def test_child_devices() -> None:
    announcement = device(
        {"main": {"p": "switch", "uniq_id": "m"}},
        cdevs=[
            {"ids": "c1", "name": "Left", "cmps": {"l": {"p": "sensor", "uniq_id": "l", "stat_t": "x"}}},
            {
                "identifiers": ["c2"],
                "components": {"r": {"platform": "sensor", "uniq_id": "r"}, "main": {"p": "x", "y": 1}},
            },
            {"name": "nothing"},
        ],
    )
    found = by_component(announcement)
    assert {name: config.device.identifiers for name, config in found.items() if config.device} == {
        "main": ("plug",), "l": ("c1",), "r": ("c2",),
    }  # fmt: skip
    assert found["l"].device is not None
    assert (found["l"].device.name, found["l"].device.via) == ("Left", "plug")
    assert len(announcement.problems) == 2  # the second `main`, and the child without identifiers


@pytest.mark.parametrize(
    "keys", [{"cmps": {}}, {"dev": {"ids": "x"}}, {"dev": 7, "cmps": {}}, {"dev": {"ids": "x"}, "cmps": 3}]
)
def test_device_payloads_without_device_or_components(keys: Any) -> None:
    announcement = parse(DEVICE, json.dumps(keys).encode())
    assert not announcement.understood
    assert len(announcement.problems) == 1


def test_the_corpus_parses_without_problems() -> None:
    seen = 0
    for row in corpus():
        announcement = parse(row["topic"] or "homeassistant/sensor/none/config", row["body"])
        assert announcement.problems == ()
        [config] = announcement.configs
        seen += 1
        if row.get("ha_entity_id"):
            assert row["ha_entity_id"].startswith(f"{config.kind}.")
    assert seen == 472
