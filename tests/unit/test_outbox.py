"""What waits for the server: kept in order, cut into batches that never change, bounded (DESIGN 4.3)."""

import logging
import re

import pytest

from jidget.reading import Batch, Reading, weight_of
from jidget.store.outbox import LARGEST, MOST_BYTES, MemoryOutbox
from jidget.xmpp.payload import write_nodes
from jidget_drivers import Kind, Property, Scalar, Unit

NUMBER = Property(name="temperature", unit=Unit.CELSIUS)
TEXT = Property(name="text", kind=Kind.STRING)


def readings(count: int, *, first: int = 0, thing: str = "t") -> list[Reading]:
    return [Reading(thing, NUMBER, float(n), 1_000 * n) for n in range(first, first + count)]


def values(batch: Batch | None) -> list[Scalar]:
    assert batch is not None
    return [reading.value for reading in batch.readings]


def test_an_empty_outbox_cuts_nothing_and_uses_no_number() -> None:
    outbox = MemoryOutbox()
    assert outbox.cut(50, backlog=False) is None
    assert outbox.oldest_waiting is None
    outbox.append(readings(1))
    batch = outbox.cut(50, backlog=False)
    assert batch is not None
    assert batch.seq == 1


def test_batches_have_an_id_that_counts_from_one_in_a_generation_of_eight_hex_digits() -> None:
    outbox = MemoryOutbox()
    outbox.append(readings(120))
    batches = [outbox.cut(50, backlog=False) for _ in range(3)]
    assert [batch.id for batch in batches if batch] == [f"{outbox.gen}-{n}" for n in (1, 2, 3)]
    assert re.fullmatch(r"[0-9a-f]{8}", outbox.gen)
    assert [len(values(batch)) for batch in batches] == [50, 50, 20]
    assert [value for batch in batches for value in values(batch)] == [float(n) for n in range(120)]


def test_each_life_is_another_generation() -> None:
    assert len({MemoryOutbox().gen for _ in range(50)}) == 50


def test_a_batch_stays_until_it_is_acknowledged_and_never_changes() -> None:
    outbox = MemoryOutbox()
    outbox.append(readings(3))
    first = outbox.cut(2, backlog=False)
    assert first is not None
    outbox.append(readings(1, first=3))
    second = outbox.cut(50, backlog=True)
    assert second is not None
    assert outbox.unacknowledged() == (first, second)
    outbox.acknowledge(second)
    outbox.acknowledge(second)
    assert outbox.unacknowledged() == (first,)
    assert (first.backlog, second.backlog) == (False, True)


def test_an_instant_of_a_thing_is_not_split_and_neighbours_are_not_drawn_in() -> None:
    outbox = MemoryOutbox()
    together = [Reading("tank", Property(name=f"p{n}"), float(n), 5_000) for n in range(10)]
    outbox.append([*readings(4), *together, *readings(1, thing="other", first=5)])
    assert len(values(outbox.cut(6, backlog=False))) == 14
    assert len(values(outbox.cut(6, backlog=False))) == 1


def test_a_batch_is_small_also_where_readings_are_long() -> None:
    outbox = MemoryOutbox()
    outbox.append([Reading("t", TEXT, "ü" * 1024, n) for n in range(20)])
    batches = []
    while batch := outbox.cut(50, backlog=False):
        batches.append(batch)
    assert sum(len(batch.readings) for batch in batches) == 20
    for batch in batches:
        assert len("".join(write_nodes(batch.readings, "agent")).encode()) <= MOST_BYTES


def test_one_reading_longer_than_a_batch_may_be_goes_alone() -> None:
    outbox = MemoryOutbox()
    outbox.append([Reading("t", TEXT, "'" * 1024, n) for n in range(3)])
    assert len(values(outbox.cut(50, backlog=False))) == 1


def test_an_instant_that_no_server_would_take_at_once_is_split_after_all() -> None:
    outbox = MemoryOutbox()
    outbox.append([Reading("t", Property(name=f"p{n}", kind=Kind.STRING), "&" * 1024, 1) for n in range(100)])
    sizes = []
    while batch := outbox.cut(50, backlog=False):
        sizes.append(len("".join(write_nodes(batch.readings, "agent")).encode()))
    assert len(sizes) > 1
    assert max(sizes) <= LARGEST


@pytest.mark.parametrize("value", [1.5, -273.15, 2**62, True, "eco", "a&b<'\">", "grüße ☃ 𝄞", ""])
def test_the_weight_of_a_reading_is_about_what_it_takes(value: Scalar) -> None:
    kind = Kind.STRING if isinstance(value, str) else Kind.BOOLEAN if isinstance(value, bool) else Kind.NUMBER
    many = [
        Reading("greenhouse", Property(name="temperature", kind=kind), value, 1_795_262_400_000 + n) for n in range(50)
    ]
    real = len("".join(write_nodes(many, "agent")).encode())
    assert 0.8 * real <= sum(map(weight_of, many)) <= 2 * real


def test_the_oldest_go_when_too_many_wait_and_that_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    outbox = MemoryOutbox(most=10)
    with caplog.at_level(logging.WARNING):
        outbox.append(readings(8))
        assert outbox.dropped == 0
        outbox.append(readings(8, first=8))
        outbox.append(readings(2, first=16))
    assert outbox.dropped == 8
    assert [record.getMessage() for record in caplog.records] == [
        "10 readings wait for the server, more are not kept: the oldest are dropped"
    ]
    batch = outbox.cut(50, backlog=False)
    assert values(batch) == [float(n) for n in range(8, 18)]
    assert batch is not None
    with caplog.at_level(logging.WARNING):
        outbox.acknowledge(batch)
    assert caplog.records[-1].getMessage() == "the server takes readings again; 8 were dropped before it did, in all"


def test_batches_that_a_server_never_takes_do_not_grow_without_end() -> None:
    outbox = MemoryOutbox(most=100)
    for n in range(50):
        outbox.append(readings(10, first=10 * n))
        assert outbox.cut(50, backlog=False)
    assert sum(len(batch.readings) for batch in outbox.unacknowledged()) <= 100
    assert outbox.dropped == 400
    assert [batch.seq for batch in outbox.unacknowledged()] == list(range(41, 51))
