"""A consumer's view of a stream: each reading once, gaps noticed (DESIGN 4.3)."""

from xml.etree import ElementTree as ET

import pytest

from jidget.reading import Reading
from jidget.xmpp.payload import write_nodes, write_resp
from jidget.xmpp.stream_reader import REMEMBERED, Arrived, Gap, StreamReader
from jidget_drivers import Kind, Property

COUNT = Property(name="count", kind=Kind.INTEGER)


def take(reader: StreamReader, item: str, *values: int, agent: str = "agent") -> list[int | str]:
    """Return what an item brings: values as they are, gaps as `FIRST..LAST`."""
    nodes = write_nodes([Reading("meter", COUNT, value, 1_790_000_000_000 + value) for value in values], agent)
    events = reader.take(item, ET.fromstring(write_resp(item, nodes)))
    brought: list[int | str] = []
    for event in events:
        match event:
            case Gap(first, last):
                brought.append(f"{first}..{last}")
            case Arrived(seq, field):
                assert seq == item
                assert isinstance(field.value, int)
                brought.append(field.value)
    return brought


def test_readings_come_in_order_and_once() -> None:
    reader = StreamReader("agent")
    assert take(reader, "0a0b0c0d-7", 1, 2) == [1, 2]
    assert take(reader, "0a0b0c0d-8", 3) == [3]
    assert take(reader, "0a0b0c0d-8", 3) == []
    assert take(reader, "0a0b0c0d-7", 1, 2) == []


def test_the_first_batch_seen_is_no_gap_whatever_its_number() -> None:
    assert take(StreamReader("agent"), "0a0b0c0d-4711", 1) == [1]


@pytest.mark.parametrize(("following", "gap"), [(5, "a-2..a-4"), (3, "a-2..a-2")])
def test_a_jump_is_a_gap(following: int, gap: str) -> None:
    reader = StreamReader("agent")
    take(reader, "a-1", 1)
    assert take(reader, f"a-{following}", 9) == [gap, 9]


def test_what_was_missing_may_come_later_and_is_no_gap_again() -> None:
    reader = StreamReader("agent")
    take(reader, "a-1", 1)
    take(reader, "a-4", 4)
    assert take(reader, "a-2", 2) == [2]
    assert take(reader, "a-3", 3) == [3]
    assert take(reader, "a-5", 5) == [5]


def test_another_generation_counts_anew() -> None:
    reader = StreamReader("agent")
    take(reader, "a-9", 1)
    assert take(reader, "b-1", 2) == [2]
    assert take(reader, "b-3", 3) == ["b-2..b-2", 3]
    assert take(reader, "a-10", 4) == [4]


def test_other_agents_of_the_account_are_left_out_unless_all_are_wanted() -> None:
    one = StreamReader("agent")
    assert take(one, "a-1", 1, agent="barn") == []
    assert take(one, "a-1", 1) == [1]
    both = StreamReader("")
    assert take(both, "a-1", 1, agent="barn") == [1]
    assert take(both, "a-1", 2) == [2]
    assert take(both, "a-3", 3) == ["a-2..a-2", 3]
    assert take(both, "a-2", 4, agent="barn") == [4]


@pytest.mark.parametrize("item", ["current", "a-", "-", "a-x", "a-²", ""])
def test_ids_of_other_kinds_have_no_gaps(item: str) -> None:
    reader = StreamReader("agent")
    take(reader, "a-1", 1)
    assert take(reader, item, 2) == [2]
    assert take(reader, item, 2) == []


def test_what_is_no_sensor_data_is_nothing() -> None:
    reader = StreamReader("agent")
    assert not list(reader.take("a-1", ET.fromstring("<resp xmlns='urn:other'/>")))
    assert not list(reader.take("a-1", ET.fromstring("<nd xmlns='urn:nf:iot:sd:1.0'/>")))
    assert not list(reader.take("a-1", ET.fromstring("<resp xmlns='urn:nf:iot:sd:1.0'/>")))


def test_memory_is_bounded() -> None:
    reader = StreamReader("agent")
    for number in range(1, REMEMBERED + 11):
        take(reader, f"a-{number}", number)
    assert take(reader, f"a-{REMEMBERED + 10}", 1) == []
    assert take(reader, "a-1", 1) == [1], "so long ago that it is not remembered"
