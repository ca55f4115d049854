"""The publisher at an uplink whose every answer the test gives: what is sent when, and again (DESIGN 4.3)."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from jidget.errors import JidgetError, LinkError, PublishRefused
from jidget.reading import READINGS_IN_BATCH, Batch, Reading
from jidget.readings import publisher
from jidget.readings.publisher import MOST_IN_FLIGHT, MOST_TOGETHER, Publisher
from jidget.store.outbox import MemoryOutbox
from jidget_drivers import Kind, Property

COUNT = Property(name="count", kind=Kind.INTEGER)
NOW = 1_790_000_000.0
LIMIT = 5.0


@pytest.fixture(autouse=True)
def _no_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is notified looked at when the event loop turns next: then `idle` waits for all there is."""
    monkeypatch.setattr(publisher, "GATHER", 0.0)


class Server:
    """An uplink: batches that were sent wait in `open` for the test to answer them."""

    def __init__(self) -> None:
        self.link = asyncio.Event()
        self.link.set()
        self.open: dict[str, asyncio.Future[None]] = {}
        self.sent: list[Batch] = []
        self.most = 0
        self._sent = asyncio.Event()

    async def ready(self) -> None:
        await self.link.wait()

    async def publish(self, batch: Batch) -> None:
        self.sent.append(batch)
        self.open[batch.id] = answer = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.open))
        self._sent.set()
        try:
            await answer
        finally:
            del self.open[batch.id]

    async def publish_now(self, values: Sequence[Reading]) -> None:
        raise NotImplementedError

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(LIMIT):
            while len(self.sent) < count:
                self._sent.clear()
                await self._sent.wait()

    def accept(self, *batches: Batch) -> None:
        for batch in batches:
            self.open[batch.id].set_result(None)

    def fail(self, batch: Batch, error: JidgetError) -> None:
        self.open[batch.id].set_exception(error)

    def lose_link(self) -> None:
        self.link.clear()
        for answer in list(self.open.values()):
            answer.set_exception(LinkError("cut"))


class Bench:
    def __init__(self) -> None:
        self.outbox = MemoryOutbox()
        self.server = Server()
        self.publisher = Publisher(self.outbox, self.server, lambda: NOW)
        self.count = 0

    def read(self, count: int = 1, *, age: float = 0.0) -> None:
        for _ in range(count):
            self.count += 1
            self.outbox.append([Reading("meter", COUNT, self.count, int((NOW - age) * 1000) + self.count)])
        self.publisher.notify()


@asynccontextmanager
async def publishing() -> AsyncIterator[Bench]:
    bench = Bench()
    running = asyncio.create_task(bench.publisher.run())
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.wait((running,))
        if not running.cancelled():
            running.result()


async def idle() -> None:
    """Let everything that can happen without an answer happen."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_reading_is_sent_at_once_when_nothing_is_in_flight() -> None:
    async with publishing() as bench:
        bench.read()
        await bench.server.until_sent(1)
        assert [reading.value for reading in bench.server.sent[0].readings] == [1]


async def test_what_is_read_at_one_moment_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "GATHER", 0.01)
    async with publishing() as bench:
        await idle()  # it has begun, and found nothing
        for _ in range(3):  # Things that are due at the same time
            bench.read()
            await idle()
        await bench.server.until_sent(1)
        assert [reading.value for reading in bench.server.sent[0].readings] == [1, 2, 3]


async def test_what_comes_while_one_is_in_flight_goes_together() -> None:
    async with publishing() as bench:
        bench.read()
        await bench.server.until_sent(1)
        for _ in range(30):
            bench.read()
            await idle()
        assert len(bench.server.sent) == 1
        bench.server.accept(bench.server.sent[0])
        await bench.server.until_sent(2)
        assert [reading.value for reading in bench.server.sent[1].readings] == list(range(2, 32))


async def test_a_burst_becomes_batches_of_fifty_and_no_more_than_eight_are_in_flight() -> None:
    async with publishing() as bench:
        bench.read(3000)
        answered = 0
        while answered < 60:
            await bench.server.until_sent(answered + 1)
            await idle()
            waiting = bench.server.sent[answered:]
            assert len(waiting) <= MOST_IN_FLIGHT
            bench.server.accept(waiting[0])
            answered += 1
            await idle()
        assert bench.server.most == MOST_IN_FLIGHT
        assert {len(batch.readings) for batch in bench.server.sent} == {READINGS_IN_BATCH}
        assert [batch.seq for batch in bench.server.sent] == list(range(1, 61))
        values = [reading.value for batch in bench.server.sent for reading in batch.readings]
        assert values == list(range(1, 3001))
        assert not bench.outbox.unacknowledged()


@pytest.mark.parametrize("seed", range(20))
async def test_batches_are_sent_in_their_order_however_many_answers_come_at_once(seed: int) -> None:
    chance = random.Random(seed)
    async with publishing() as bench:
        while len(bench.server.sent) < 60:
            bench.read(chance.randrange(1, 400))
            await idle()
            waiting = list(bench.server.open)
            answered = set(chance.sample(waiting, chance.randint(1, len(waiting))))
            bench.server.accept(*(batch for batch in bench.server.sent if batch.id in answered))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
    numbers = [batch.seq for batch in bench.server.sent]
    assert numbers == sorted(numbers)


async def test_a_server_that_has_acknowledged_nothing_lately_gets_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "WINDOW_SPAN", -1.0)  # every answer is long ago
    async with publishing() as bench:
        bench.read(500)
        for number in range(10):
            await bench.server.until_sent(number + 1)
            await idle()
            assert len(bench.server.open) == 1
            bench.server.accept(bench.server.sent[number])


async def test_a_lost_link_is_waited_for_and_what_was_in_flight_is_sent_again_exactly() -> None:
    async with publishing() as bench:
        bench.read(200)
        for number in range(2):
            await bench.server.until_sent(number + 1)
            bench.server.accept(bench.server.sent[number])
        await bench.server.until_sent(4)
        before = bench.server.sent[2:]
        bench.server.lose_link()
        await idle()
        bench.read(10)
        await idle()
        assert bench.server.sent[2:] == before, "nothing goes out without a link"
        bench.server.sent.clear()
        bench.server.link.set()
        seen: list[Batch] = []
        while len(seen) < 3:
            await bench.server.until_sent(len(seen) + 1)
            seen.append(bench.server.sent[len(seen)])
            bench.server.accept(seen[-1])
            await idle()
        assert seen[:2] == before
        assert [batch.seq for batch in bench.server.sent] == [3, 4, 5]
        assert [r.value for r in seen[2].readings] == list(range(201, 211))


async def test_full_batches_are_cut_together_and_sent_once_also_those_that_waited_for_room_when_the_link_was_lost() -> (
    None
):
    async with publishing() as bench:
        bench.read(230)
        await bench.server.until_sent(1)
        await idle()
        assert len(bench.server.sent) == 1, "nothing was acknowledged lately"
        assert [len(batch.readings) for batch in bench.outbox.unacknowledged()] == [READINGS_IN_BATCH] * MOST_TOGETHER
        cut = list(bench.outbox.unacknowledged())
        bench.server.lose_link()
        await idle()
        bench.server.sent.clear()
        bench.server.link.set()
        for number in range(MOST_TOGETHER + 1):
            await bench.server.until_sent(number + 1)
            bench.server.accept(bench.server.sent[number])
            await idle()
        assert bench.server.sent[:-1] == cut
        assert [reading.value for reading in bench.server.sent[-1].readings] == list(range(201, 231))
        assert not bench.outbox.unacknowledged()


async def test_an_answer_that_does_not_come_on_a_link_that_stays_is_sent_again() -> None:
    async with publishing() as bench:
        bench.read()
        await bench.server.until_sent(1)
        bench.server.fail(bench.server.sent[0], LinkError("no answer"))
        await bench.server.until_sent(2)
        assert bench.server.sent[1] == bench.server.sent[0]


async def test_a_refused_batch_holds_up_nothing_is_told_once_and_offered_again_after_a_new_login(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with publishing() as bench:
        with caplog.at_level(logging.INFO):
            for number in range(3):
                bench.read()
                await bench.server.until_sent(number + 1)
                bench.server.fail(bench.server.sent[number], PublishRefused("payload-too-big"))
                await idle()
            bench.read()
            await bench.server.until_sent(4)
            bench.server.accept(bench.server.sent[3])
            await idle()
        refusals = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert refusals == [f"the server refuses readings (batch {bench.outbox.gen}-1): payload-too-big. Others go on"]
        assert [batch.seq for batch in bench.outbox.unacknowledged()] == [1, 2, 3]
        bench.read()
        await bench.server.until_sent(5)
        bench.server.lose_link()
        await idle()
        bench.server.sent.clear()
        bench.server.link.set()
        await bench.server.until_sent(1)
        assert bench.server.sent[0].seq == 1


async def test_readings_that_waited_long_are_flagged_and_new_ones_are_not() -> None:
    async with publishing() as bench:
        bench.read(age=61)
        await bench.server.until_sent(1)
        bench.server.accept(bench.server.sent[0])
        await idle()
        bench.read(age=59)
        await bench.server.until_sent(2)
        assert [batch.backlog for batch in bench.server.sent] == [True, False]


async def test_drained_waits_until_the_server_has_everything() -> None:
    async with publishing() as bench:
        bench.read(2)
        await bench.server.until_sent(1)
        draining = asyncio.create_task(bench.publisher.drained(LIMIT))
        await idle()
        assert not draining.done()
        bench.server.accept(bench.server.sent[0])
        assert await draining is True


async def test_drained_gives_up_in_time() -> None:
    async with publishing() as bench:
        bench.read()
        await bench.server.until_sent(1)
        assert await bench.publisher.drained(0.02) is False


async def test_drained_waits_for_nothing_where_nothing_can_be_published() -> None:
    async with publishing() as bench:
        bench.server.link.clear()
        bench.read()
        await idle()
        async with asyncio.timeout(0.5):
            assert await bench.publisher.drained(LIMIT) is False
        bench.server.link.set()
        await bench.server.until_sent(1)
        bench.server.lose_link()
        async with asyncio.timeout(0.5):
            assert await bench.publisher.drained(LIMIT) is False


async def test_drained_does_not_wait_for_what_the_server_refuses() -> None:
    async with publishing() as bench:
        bench.read()
        await bench.server.until_sent(1)
        bench.server.fail(bench.server.sent[0], PublishRefused("no"))
        async with asyncio.timeout(0.5):
            assert await bench.publisher.drained(LIMIT) is False


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_the_link_does_every_reading_arrives_and_batches_never_change(seed: int) -> None:
    rng = random.Random(seed)
    arrived: dict[str, Batch] = {}
    async with publishing() as bench:
        server = bench.server
        read = 0
        while read < 2000 or bench.outbox.waiting or bench.outbox.unacknowledged():
            roll = rng.random()
            if roll < 0.4 and read < 2000:
                read += (count := rng.choice((1, 5, 120)))
                bench.read(count)
            elif roll < 0.43:
                for batch_id in server.open:  # some of what was in flight came in all the same
                    if rng.random() < 0.5:
                        _note(arrived, next(b for b in reversed(server.sent) if b.id == batch_id))
                server.lose_link()
            elif roll < 0.5:
                server.link.set()
            elif server.open:
                batch_id = rng.choice(list(server.open))
                batch = next(b for b in reversed(server.sent) if b.id == batch_id)
                if rng.random() < 0.9:
                    _note(arrived, batch)
                    server.accept(batch)
                else:
                    server.fail(batch, LinkError("no answer"))
            else:
                server.link.set()
            await idle()
    values = sorted(reading.value for batch in arrived.values() for reading in batch.readings)
    assert values == list(range(1, bench.count + 1))
    assert sorted(batch.seq for batch in arrived.values()) == list(range(1, len(arrived) + 1))


def _note(arrived: dict[str, Batch], batch: Batch) -> None:
    assert arrived.setdefault(batch.id, batch) == batch
