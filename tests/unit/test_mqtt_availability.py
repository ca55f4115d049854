from typing import Any

import pytest
from tests.support.mqtt_corpus import corpus

from jidget.mqtt.announcement import parse
from jidget.mqtt.availability import Availability
from jidget.mqtt.entity import BadConfig
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates


def availability(**keys: Any) -> Any:
    config = EntityConfig(kind="switch", topic="homeassistant/switch/x/config", object_id="x", keys=keys)
    return Availability(config, Templates())


def tell(one: Any, topic: Any, payload: Any) -> Any:
    return one.receive(Message(topic=topic, payload=payload if isinstance(payload, bytes) else payload.encode()))


def test_without_a_topic_it_is_always_there() -> None:
    one = availability(state_topic="a")
    assert one.available
    assert one.topics == frozenset()
    assert not tell(one, "a", "offline")


def test_away_until_told_otherwise_and_only_changes_count() -> None:
    one = availability(availability_topic="a")
    assert not one.available
    assert one.topics == {"a"}
    assert [tell(one, "a", text) for text in ("offline", "online", "online", "what", "Online", "offline")] == [
        False, True, False, False, False, True,
    ]  # fmt: skip


def test_words_of_its_own() -> None:
    one = availability(availability_topic="a", payload_available=True, payload_not_available="dead")
    assert tell(one, "a", "True")
    assert not tell(one, "a", "offline")
    assert tell(one, "a", "dead")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("latest", [True, False, True]), ("all", [False, False, True]), ("any", [True, True, True])],
)
def test_several_topics(mode: Any, expected: Any) -> None:
    one = availability(availability=[{"topic": "a"}, {"topic": "b"}], availability_mode=mode)
    seen = []
    for topic, text in (("a", "online"), ("b", "offline"), ("b", "online")):
        tell(one, topic, text)
        seen.append(one.available)
    assert seen == expected


def test_the_mode_is_latest_and_one_entry_need_not_be_in_a_list() -> None:
    one = availability(availability={"topic": "a"})
    assert tell(one, "a", "online")
    one = availability(availability=[{"topic": "a"}, {"topic": "b"}])
    tell(one, "a", "online")
    tell(one, "b", "offline")
    assert not one.available


def test_templates_and_the_payload_itself_where_they_use_what_is_not_there() -> None:
    one = availability(availability=[{"topic": "a", "value_template": "{{ value_json.state }}"}])
    assert tell(one, "a", '{"state": "online"}')
    assert not tell(one, "a", '{"other": 1}')  # renders as nothing
    assert tell(one, "a", "offline")  # no JSON: value_json is undefined
    assert tell(one, "a", "online")


def test_a_template_that_fails_otherwise_says_nothing() -> None:
    one = availability(
        availability_topic="a", availability_template="{{ 'on' ~ 'line' if value | float > 0 else 'x' }}"
    )
    assert tell(one, "a", "1")
    assert not tell(one, "a", "offline")  # is no number: neither the template nor the payload counts
    assert one.available


def test_wildcards_and_payloads_that_are_no_text() -> None:
    one = availability(availability_topic="a/+/state")
    assert not tell(one, "a/b/state", b"\xff\xfe")
    assert tell(one, "a/b/state", "online")
    assert not tell(one, "a/state", "offline")


@pytest.mark.parametrize(
    "keys",
    [
        {"availability": "a"},
        {"availability": [7]},
        {"availability": [{}]},
        {"availability": [{"topic": "a/#/b"}]},
        {"availability": [{"topic": "a", "value_template": "{{ x"}]},
        {"availability": [{"topic": {"x": 1}}]},
        {"availability_topic": ""},
        {"availability_topic": "a", "availability_mode": "most"},
        {"availability_topic": "a", "availability_mode": ["all"]},
    ],
)
def test_what_is_no_availability_is_a_bad_config(keys: Any) -> None:
    with pytest.raises(BadConfig):
        availability(**keys)


def test_the_corpus_is_as_available_as_in_home_assistant() -> None:
    checked, wrong = 0, []
    for row in corpus():
        if not row["topic"] or not row.get("states"):
            continue
        [config] = parse(row["topic"], row["body"]).configs
        one = Availability(config, Templates())
        for state in row["states"]:
            tell(one, state["topic"], state["payload"])
            expected = state["expect"]["state"] != "unavailable" if state["expect"] else one.available
            if "expire_after" in config.keys and not expected:
                continue  # away for another reason
            checked += 1
            if one.available != expected:
                wrong.append((row["topic"], state["topic"], state["payload"][:60], expected))
    assert checked > 2000
    assert not wrong, wrong[:5]
