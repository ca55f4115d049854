"""The counters and the queue of XEP-0198."""

from xml.etree import ElementTree as ET

import pytest

from jidget.xmpp.stream_management import (
    ASK_AFTER,
    ASK_EVERY,
    MOST_BYTES,
    SM,
    WRAP,
    BadAcknowledgement,
    StreamManagement,
    TooMuch,
)


def heard(name: str, **attributes: str) -> ET.Element:
    return ET.Element(f"{{{SM}}}{name}", attributes)


def enabled(**attributes: str) -> StreamManagement:
    management = StreamManagement()
    management.enable()
    management.enabled(heard("enabled", **({"id": "s1", "resume": "true", "max": "60"} | attributes)))
    return management


def test_before_it_is_enabled_nothing_is_kept() -> None:
    management = StreamManagement()
    assert not management.sent("<message/>")
    assert (management.active, management.resumable, list(management.unacknowledged)) == (False, False, [])


@pytest.mark.parametrize(
    ("told", "resumable", "seconds"),
    [
        ({}, True, 60),
        ({"resume": "1"}, True, 60),
        ({"max": ""}, True, 300),
        ({"max": "soon"}, True, 300),
        ({"resume": "false"}, False, 0),
        ({"id": ""}, False, 60),
    ],
)
def test_whether_and_how_long_it_can_be_resumed_is_the_servers_word(
    told: dict[str, str], resumable: bool, seconds: float
) -> None:
    management = enabled(**told)
    assert (management.resumable, management.seconds) == (resumable, seconds)


def test_what_was_sent_is_kept_in_order_until_it_is_acknowledged() -> None:
    management = enabled()
    for number in range(5):
        management.sent(f"<message id='{number}'/>")
    management.acknowledge(heard("a", h="2"))
    assert list(management.unacknowledged) == [f"<message id='{n}'/>" for n in (2, 3, 4)]
    management.acknowledge(heard("a", h="2"))
    assert len(management.unacknowledged) == 3
    management.acknowledge(heard("resumed", h="5"))
    assert not management.unacknowledged
    assert management.largest == 0


@pytest.mark.parametrize("h", ["6", "1", "", "-1", "x", "4294967299"])
def test_an_acknowledgement_that_cannot_be_is_refused_and_changes_nothing(h: str) -> None:
    management = enabled()
    for _ in range(5):
        management.sent("<message/>")
    management.acknowledge(heard("a", h="2"))
    with pytest.raises(BadAcknowledgement):
        management.acknowledge(heard("a", h=h))
    assert len(management.unacknowledged) == 3


def test_both_counters_wrap_at_32_bits() -> None:
    management = enabled()
    management._acknowledged = management._received = WRAP - 1
    for _ in range(3):
        management.sent("<message/>")
        management.received()
    assert management.answer() == f"<a xmlns='{SM}' h='2'/>"
    management.acknowledge(heard("a", h="1"))
    assert len(management.unacknowledged) == 1


def test_it_is_time_to_ask_after_some_stanzas_or_a_long_one() -> None:
    management = enabled()
    asked = [management.sent("<message/>") for _ in range(2 * ASK_EVERY)]
    assert [number for number, asks in enumerate(asked, 1) if asks] == [ASK_EVERY, 2 * ASK_EVERY]
    assert management.sent("x" * ASK_AFTER)
    assert management.largest == ASK_AFTER


def test_more_than_can_be_kept_is_too_much() -> None:
    management = enabled()
    with pytest.raises(TooMuch):
        for _ in range(100):
            management.sent("x" * (MOST_BYTES // 50))
    assert management.size <= MOST_BYTES


def test_the_server_is_told_how_much_was_received_since_it_began_to_count() -> None:
    management = StreamManagement()
    management.enable()
    management.received()  # before <enabled/>: not counted
    management.enabled(heard("enabled", id="s1", resume="true"))
    management.received()
    resume = management.resume()
    assert (resume.get("previd"), resume.get("h")) == ("s1", "1")
