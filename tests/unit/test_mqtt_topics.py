"""Filters and topics of MQTT: what matches what, quickly, and what no broker takes."""

import random
import time

import pytest

from jidget.mqtt.topics import MOST_LEVELS, Topics, filter_problem, matches, topic_problem

MATCHING = [
    ("a/b", "a/b", True),
    ("a/b", "a/b/c", False),
    ("a/b", "a", False),
    ("a/b", "A/b", False),
    ("+", "a", True),
    ("+", "", True),
    ("+", "a/b", False),
    ("+/+", "/b", True),
    ("/+", "/b", True),
    ("/+", "b", False),
    ("a/+/c", "a/b/c", True),
    ("a/+/c", "a//c", True),
    ("a/+/c", "a/b/d", False),
    ("a/+", "a", False),
    ("a/+", "a/", True),
    ("#", "a", True),
    ("#", "a/b/c", True),
    ("a/#", "a", True),
    ("a/#", "a/", True),
    ("a/#", "a/b/c", True),
    ("a/#", "ab", False),
    ("a/b/#", "a", False),
    ("+/b/#", "a/b", True),
    ("+/#", "a", True),
    ("+/+/#", "a", False),
    ("+/+/BTtoMQTT/A4C138", "home/gateway/BTtoMQTT/A4C138", True),
    ("#", "$SYS/broker", False),
    ("+/broker", "$SYS/broker", False),
    ("+/#", "$SYS/broker", False),
    ("$SYS/#", "$SYS/broker", True),
    ("$SYS/+", "$SYS/broker", True),
    ("a/#", "a/$b", True),
    ("a/+", "a/$b", True),
]


@pytest.mark.parametrize(("pattern", "topic", "expected"), MATCHING)
def test_matching(pattern: str, topic: str, expected: bool) -> None:
    """MQTT 5 4.7.1 and 4.7.2."""
    topics: Topics[str] = Topics()
    topics.add(pattern, "it")
    assert topics.match(topic) == (["it"] if expected else [])
    assert matches(pattern, topic) is expected


def test_all_filters_at_once_say_the_same_as_one_by_one() -> None:
    topics: Topics[str] = Topics()
    for pattern in {pattern for pattern, _, _ in MATCHING}:
        topics.add(pattern, pattern)
    for topic in {topic for _, topic, _ in MATCHING}:
        found = topics.match(topic)
        assert sorted(found) == sorted({p for p, _, _ in MATCHING if matches(p, topic)})


def test_random_filters_and_topics_agree_with_the_plain_rule() -> None:
    dice = random.Random(5)
    topics: Topics[int] = Topics()
    patterns: dict[int, str] = {}
    for number in range(3000):
        levels = [dice.choice(["a", "b", "", "+", "$x"]) for _ in range(dice.randint(1, 4))]
        patterns[number] = "/".join([*levels, *(["#"] if dice.random() < 0.3 else [])])
        topics.add(patterns[number], number)
        if number > 50 and dice.random() < 0.5:
            gone = dice.choice(list(patterns))
            topics.remove(patterns.pop(gone), gone)
        if number % 20 == 0:
            topic = "/".join(dice.choice(["a", "b", "", "c", "$x"]) for _ in range(dice.randint(1, 5)))
            assert sorted(topics.match(topic)) == [n for n, p in patterns.items() if matches(p, topic)]
    for number, pattern in patterns.items():
        assert topics
        topics.remove(pattern, number)
    assert not topics


def test_a_value_is_found_once_however_many_of_its_filters_match() -> None:
    topics: Topics[str] = Topics()
    for pattern in ("a/b", "a/b", "a/+", "#"):
        topics.add(pattern, "lamp")
    topics.add("a/b", "switch")
    assert topics.match("a/b") == ["lamp", "switch"]
    topics.remove("a/b", "lamp")
    assert sorted(topics.match("a/b")) == ["lamp", "switch"]
    topics.remove("a/+", "lamp")
    topics.remove("#", "lamp")
    assert topics.match("a/b") == ["switch"]


def test_removing_what_is_not_there_changes_nothing() -> None:
    topics: Topics[str] = Topics()
    topics.add("a/+/c", "lamp")
    for pattern in ("a/+", "a/+/c/d", "x/#", "a/b"):
        topics.remove(pattern, "lamp")
    topics.remove("a/+/c", "other")
    assert topics.match("a/b/c") == ["lamp"]


def test_thousands_of_filters_cost_no_more_than_a_few() -> None:
    def cost(filters: int) -> float:
        topics: Topics[int] = Topics()
        for number in range(filters):
            topics.add(f"zigbee2mqtt/device_{number}", number)
            topics.add(f"+/+/BTtoMQTT/{number:012X}", number)
        assert topics.match("zigbee2mqtt/device_7") == [7]
        assert topics.match("home/gateway/BTtoMQTT/000000000007") == [7]
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(200):
                topics.match("home/gateway/BTtoMQTT/000000000007")
            best = min(best, time.perf_counter() - begun)
        return best

    assert cost(10_000) < 20 * cost(10)  # looking at each would take a thousand times as long


@pytest.mark.parametrize(
    "text",
    ["a", "/", "a//b", "+", "#", "+/+/#", "a/+/b", "a/#", "$SYS/broker/version", "ä/温度", "a b", "/".join("a" * 128)],
)
def test_filters_that_brokers_take(text: str) -> None:
    assert filter_problem(text) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("a#", "whole levels"),
        ("a/#/b", "whole levels"),
        ("#/b", "whole levels"),
        ("a+/b", "whole levels"),
        ("a/++", "whole levels"),
        ("$share/group/a", "takes messages away from others"),
        ("$queue/a", "takes messages away from others"),
        ("a\x00b", "characters"),
        ("a\nb", "characters"),
        ("a\x7f", "characters"),
        ("a\ud800", "characters"),
        ("a\uffff", "characters"),
        ("ä" * 33_000, "longer than 65535 bytes"),
        ("/" * MOST_LEVELS, "more than 128 levels"),
    ],
)
def test_filters_that_no_broker_takes(text: str, why: str) -> None:
    assert why in filter_problem(text)


@pytest.mark.parametrize("text", ["", "a/+", "#", "a+", "a\x00", "\ud800"])
def test_topics_that_nobody_can_publish_to(text: str) -> None:
    assert topic_problem(text)


@pytest.mark.parametrize("text", ["a", "a/b", "$SYS/x", "ä/b c", "/"])
def test_topics_to_publish_to(text: str) -> None:
    assert topic_problem(text) == ""
