"""A consumer's view of a stream: each batch once, only those of its agent (DESIGN 4.3)."""

from xml.etree import ElementTree as ET

import pytest

from jidget.reading import Reading
from jidget.xmpp.payload import write_nodes, write_resp
from jidget.xmpp.progress import Want
from jidget.xmpp.stream_reader import REMEMBERED, Arrived, StreamReader
from jidget_drivers import Kind, Property

COUNT = Property(name="count", kind=Kind.INTEGER)


def payload(item: str, *values: int, agent: str = "agent") -> ET.Element:
    nodes = write_nodes([Reading("meter", COUNT, value, 1_790_000_000_000 + value) for value in values], agent)
    return ET.fromstring(write_resp(item, nodes))


def take(reader: StreamReader, item: str, *values: int, agent: str = "agent") -> list[object]:
    """Return the values that an item brings."""
    arrived = list(reader.take(item, payload(item, *values, agent=agent)))
    assert {event.seq for event in arrived} <= {item}
    assert all(isinstance(event, Arrived) for event in arrived)
    return [event.field.value for event in arrived]


def test_readings_come_in_order_and_once() -> None:
    reader = StreamReader("agent")
    assert take(reader, "0a0b0c0d-7", 1, 2) == [1, 2]
    assert take(reader, "0a0b0c0d-8", 3) == [3]
    assert take(reader, "0a0b0c0d-8", 3) == []
    assert take(reader, "0a0b0c0d-7", 1, 2) == []


def test_what_nobody_took_care_of_comes_again() -> None:
    reader = StreamReader("agent")
    delivery = reader.open("a-7", payload("a-7", 1))
    assert delivery is not None
    assert (delivery.gen, delivery.seq, delivery.id) == ("a", 7, "a-7")
    assert reader.open("a-7", payload("a-7", 1)) == delivery
    assert reader.note(delivery) == []
    assert reader.open("a-7", payload("a-7", 1)) is None


def test_gaps_are_left_to_its_progress() -> None:
    reader = StreamReader("agent")
    assert take(reader, "a-1", 1) == [1]
    assert take(reader, "a-4", 4) == [4]
    assert reader.progress.wanted() == Want("a", 2, 3)
    assert take(reader, "a-3", 3) == [3]
    assert take(reader, "a-2", 2) == [2]
    assert reader.progress.wanted() is None


def test_other_agents_of_the_account_are_left_out() -> None:
    reader = StreamReader("agent")
    assert take(reader, "a-1", 1, agent="barn") == []
    assert take(reader, "a-1", 1) == [1]


def test_a_batch_of_which_nothing_is_understood_is_one_all_the_same() -> None:
    reader = StreamReader("agent")
    strange = "<resp xmlns='urn:nf:iot:sd:1.0'><nd id='m' src='agent'><ts v='later'><z n='x' v='1'/></ts></nd></resp>"
    assert take(reader, "a-1", 1) == [1]
    assert list(reader.take("a-2", ET.fromstring(strange))) == []
    assert take(reader, "a-3", 3) == [3]
    assert reader.progress.wanted() is None


@pytest.mark.parametrize("item", ["current", "a-", "-", "-7", "a-x", "a-²", "a-٣", "a-" + "9" * 5000, ""])
def test_ids_of_other_kinds_have_no_gaps(item: str) -> None:
    reader = StreamReader("agent")
    take(reader, "a-1", 1)
    assert take(reader, item, 2) == [2]
    assert take(reader, item, 2) == []
    assert reader.progress.wanted() is None


def test_what_is_no_sensor_data_is_nothing() -> None:
    reader = StreamReader("agent")
    assert not list(reader.take("a-1", ET.fromstring("<resp xmlns='urn:other'/>")))
    assert not list(reader.take("a-1", ET.fromstring("<nd xmlns='urn:nf:iot:sd:1.0'/>")))
    assert not list(reader.take("a-1", ET.fromstring("<resp xmlns='urn:nf:iot:sd:1.0'/>")))
    assert not list(reader.take("a-1", ET.fromstring("<resp xmlns='urn:nf:iot:sd:1.0'><nd id='meter'/></resp>")))


def test_memory_is_bounded() -> None:
    reader = StreamReader("agent")
    for number in range(1, REMEMBERED + 11):
        take(reader, f"other {number}", number)
    assert take(reader, f"other {REMEMBERED + 10}", 1) == []
    assert take(reader, "other 1", 1) == [1], "so long ago that it is not remembered"
