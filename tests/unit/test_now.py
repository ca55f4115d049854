"""The current values for late joiners: what is in them, and when they are written (DESIGN 4.3)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.support.fakes import LEVEL, STATE, TARGET, Board, Line, running, thing

from jidget.errors import JidgetError, LinkError, PublishRefused
from jidget.reading import Batch, Reading
from jidget.readings.now import NowWriter
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget_drivers import Scalar

LIMIT = 5.0


class Node:
    """An uplink that keeps what is written, and when. Until `connect` it is not there."""

    def __init__(self) -> None:
        self.link = asyncio.Event()
        self.written: list[dict[str, Scalar]] = []
        self.times: list[float] = []
        self.error: JidgetError | None = None
        self.busy = 0
        self._more = asyncio.Event()

    async def ready(self) -> None:
        await self.link.wait()

    async def publish(self, batch: Batch) -> None:
        raise NotImplementedError

    async def publish_now(self, values: Sequence[Reading]) -> None:
        assert not self.busy, "two writings at a time"
        self.busy += 1
        await asyncio.sleep(0)
        self.busy -= 1
        self.times.append(asyncio.get_running_loop().time())
        self._more.set()
        if self.error is not None:
            raise self.error
        self.written.append({f"{r.thing}.{r.property.name}": r.value for r in values})

    async def connect(self, now: NowWriter) -> None:
        """Do as the session does: write, and only then say that the node is ready."""
        assert await now.write()
        self.link.set()

    async def tried(self, count: int) -> None:
        async with asyncio.timeout(LIMIT):
            while len(self.times) < count:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def writing(*things: Thing, interval: float = 60.0) -> AsyncIterator[tuple[NowWriter, Node]]:
    node = Node()
    now = NowWriter(Directory(things), node, interval=interval)
    async with running(*things):
        task = asyncio.create_task(now.run())
        try:
            yield now, node
        finally:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled():
                task.result()


async def test_all_values_of_all_things_that_are_there() -> None:
    tank = thing("tank", Board((LEVEL, TARGET), {"level": 40.0, "target": 20.0}))
    away = Board((STATE,), {"state": True})
    pump = thing("pump", away)
    async with writing(tank, pump) as (now, _):
        assert {(r.thing, r.property.name): r.value for r in now.snapshot()} == {
            ("tank", "level"): 40.0,
            ("tank", "target"): 20.0,
            ("pump", "state"): True,
        }
        assert {r.time for r in now.snapshot() if r.thing == "pump"} == {pump.values["state"].time}
        away.read_error = OSError("gone")
        with pytest.raises(Exception, match="unavailable"):
            await pump.read_now()
        assert {r.thing for r in now.snapshot()} == {"tank"}


async def test_written_on_change_at_most_once_an_interval() -> None:
    board = Board((LEVEL,), {"level": 1.0})
    async with writing(tank := thing("tank", board), interval=0.2) as (now, node):
        await node.connect(now)
        for value in range(2, 12):
            board.held["level"] = float(value)
            await tank.read_now()
            now.notify()
            await asyncio.sleep(0.01)
        await node.tried(2)
        assert node.written == [{"tank.level": 1.0}, {"tank.level": 11.0}]
        assert node.times[1] - node.times[0] >= 0.19
        await asyncio.sleep(0.45)  # nothing changed in two intervals
        assert len(node.times) == 2


async def test_the_write_after_connecting_counts_as_one() -> None:
    board = Board((LEVEL,), {"level": 1.0})
    async with writing(tank := thing("tank", board), interval=0.2) as (now, node):
        now.notify()
        await asyncio.sleep(0.05)
        assert not node.times, "there is no node to write to"
        await node.connect(now)
        await asyncio.sleep(0.05)
        assert len(node.times) == 1
        board.held["level"] = 2.0
        await tank.read_now()
        now.notify()
        await node.tried(2)
        assert node.times[1] - node.times[0] >= 0.19


async def test_values_that_are_there_no_more_are_taken_out_though_nobody_says_so() -> None:
    board = Board((LEVEL,), {"level": 1.0})
    async with writing(tank := thing("tank", board), interval=0.1) as (now, node):
        await node.connect(now)
        board.read_error = OSError("gone")
        with pytest.raises(Exception, match="unavailable"):
            await tank.read_now()
        await node.tried(2)
        assert node.written == [{"tank.level": 1.0}, {}]


async def test_a_thing_that_had_not_told_yet_need_not_wait_a_whole_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jidget.readings.now.SETTLE", 0.1)
    monkeypatch.setattr("jidget.readings.now.FIRST_LOOK", 0.05)
    late = Line((STATE,))
    tank, door = thing("tank", Board((LEVEL,), {"level": 1.0})), thing("door", late)
    node = Node()
    now = NowWriter(Directory((tank, door)), node, interval=60.0)
    async with running(tank):
        task = asyncio.create_task(now.run())
        await node.connect(now)
        assert node.written == [{"tank.level": 1.0}]
        told = asyncio.Event()
        door.on_readings = lambda _: told.set()
        late.tell({"state": True})
        async with running(door):
            await told.wait()
            now.notify()
            await node.tried(2)
            assert node.written[1] == {"tank.level": 1.0, "door.state": True}
            now.notify()
            await asyncio.sleep(0.2)
            assert len(node.times) == 2, "all have told: from now on it is the interval that counts"
        task.cancel()
        await asyncio.wait((task,))


async def test_the_first_writing_waits_a_moment_for_things_that_are_being_opened() -> None:
    slow = Board((LEVEL,), {"level": 1.0})
    slow.gate.clear()
    broken = Board((STATE,), {"state": True})
    broken.open_error = OSError("not plugged in")
    tank, pump = thing("tank", slow), thing("pump", broken)
    node = Node()
    now = NowWriter(Directory((tank, pump)), node)
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(one.run()) for one in (tank, pump)]
        writing = tasks.create_task(now.write())
        await asyncio.sleep(0.1)
        assert not node.times
        slow.gate.set()
        assert await writing
        for run in runs:
            run.cancel()
    assert node.written == [{"tank.level": 1.0}]


async def test_a_lost_link_is_tried_again_later_and_a_refusal_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with writing(thing("tank", Board((LEVEL,), {"level": 1.0})), interval=0.05) as (now, node):
        node.error = LinkError("cut")
        assert not await now.write()
        node.link.set()
        await node.tried(2)
        node.error = PublishRefused("too big")
        with caplog.at_level(logging.WARNING):
            await node.tried(5)
        assert [record.getMessage() for record in caplog.records] == ["the server refuses the current values: too big"]
        node.error = None
        await node.tried(len(node.times) + 1)
        assert node.written == [{"tank.level": 1.0}]


async def test_two_writings_never_overlap() -> None:
    async with writing(thing("tank", Board((LEVEL,), {"level": 1.0}))) as (now, node):
        assert all(await asyncio.gather(now.write(), now.write(), now.write()))
        assert len(node.written) == 3
