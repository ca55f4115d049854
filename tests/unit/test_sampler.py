"""From Things to readings worth reporting: held back and released, repeated, rounded (DESIGN 4.1 [report])."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.fakes import LEVEL, MODE, STATE, TARGET, Board, Clock, Line, relay, simulated, thing, until_available

from jidget.reading import Reading
from jidget.readings.policy import ReportPolicy
from jidget.readings.sampler import Sampler
from jidget.things.calibration import Calibration
from jidget.things.host import Thing
from jidget_drivers import Property, Scalar, Unit

LIMIT = 5.0


class Sink:
    """What was reported, in the order in which it was."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.calls: list[int] = []
        self._more = asyncio.Event()

    def __call__(self, readings: Sequence[Reading]) -> None:
        self.readings.extend(readings)
        self.calls.append(len(readings))
        self._more.set()

    def values(self, name: str) -> list[Scalar]:
        return [reading.value for reading in self.readings if reading.property.name == name]

    def times(self, name: str) -> list[int]:
        return [reading.time for reading in self.readings if reading.property.name == name]

    async def until(self, name: str, count: int) -> list[Scalar]:
        async with asyncio.timeout(LIMIT):
            while len(self.values(name)) < count:
                self._more.clear()
                await self._more.wait()
        return self.values(name)


@asynccontextmanager
async def sampling(
    *things: Thing, policies: Mapping[str, ReportPolicy] | None = None, now: Clock | None = None
) -> AsyncIterator[Sink]:
    sink = Sink()
    sampler = Sampler(things, policies or {}, sink, now) if now else Sampler(things, policies or {}, sink)
    running = asyncio.create_task(sampler.run())
    try:
        for one in things:
            await until_available(one)
        yield sink
    finally:
        running.cancel()
        await asyncio.wait((running,))


def tell(one: Thing, clock: Clock, **values: Scalar) -> None:
    """Have a Thing's host pass readings on, all of this instant."""
    time = int(clock() * 1000)
    one.on_readings([Reading(one.id, one.properties[name], value, time) for name, value in values.items()])


async def test_a_polled_thing_is_reported_on_change_only() -> None:
    board = Board((LEVEL,), {"level": 40.0})
    async with sampling(tank := thing("tank", board, interval=0.01)) as sink:
        while board.reads < 5:
            await tank.read_now()
        board.held["level"] = 41.0
        assert await sink.until("level", 2) == [40.0, 41.0]
        board.held["level"] = 40.0
        assert await sink.until("level", 3) == [40.0, 41.0, 40.0]


async def test_readings_of_one_instant_are_reported_together() -> None:
    board = Board((LEVEL, TARGET), {"level": 40.0, "target": 20.0})
    async with sampling(thing("tank", board)) as sink:
        assert sink.calls == [2]
        assert len(set(sink.times("level") + sink.times("target"))) == 1


async def test_an_unchanged_value_is_reported_at_least_every_so_often() -> None:
    board = relay()
    policy = ReportPolicy(max_interval=0.1)
    async with sampling(thing("pump", board, interval=0.02), policies={"pump": policy}) as sink:
        await sink.until("state", 6)
    gaps = [after - before for before, after in zip(sink.times("state"), sink.times("state")[1:], strict=False)]
    assert min(gaps[:5]) >= 80, gaps
    assert sorted(gaps[:5])[2] <= 130, gaps


async def test_what_changes_too_soon_is_held_and_its_last_value_reported_then() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL,), {"level": 1.0}), now=clock)
    async with sampling(tank, policies={"tank": ReportPolicy(min_interval=0.05)}, now=clock) as sink:
        clock.advance(0.01)
        tell(tank, clock, level=2.0)
        clock.advance(0.01)
        tell(tank, clock, level=3.0)
        held_since = clock()
        assert sink.values("level") == [1.0]
        clock.advance(0.04)
        assert await sink.until("level", 2) == [1.0, 3.0]
        assert sink.times("level")[1] == int(held_since * 1000), "with the time at which it was read"


async def test_what_comes_back_to_what_was_reported_is_not_reported() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL,), {"level": 1.0}), now=clock)
    async with sampling(tank, policies={"tank": ReportPolicy(min_interval=0.02)}, now=clock) as sink:
        clock.advance(0.01)
        tell(tank, clock, level=2.0)
        tell(tank, clock, level=1.0)
        clock.advance(0.02)
        tell(tank, clock, level=5.0)
        assert await sink.until("level", 2) == [1.0, 5.0]


async def test_what_is_held_is_reported_when_sampling_ends() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL,), {"level": 1.0}), now=clock)
    async with sampling(tank, policies={"tank": ReportPolicy(min_interval=60)}, now=clock) as sink:
        clock.advance(1)
        tell(tank, clock, level=2.0)
        assert sink.values("level") == [1.0]
    assert sink.values("level") == [1.0, 2.0]


async def test_a_clock_set_back_does_not_hold_anything_back() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL,), {"level": 1.0}), now=clock)
    async with sampling(tank, policies={"tank": ReportPolicy(min_interval=0.02)}, now=clock) as sink:
        clock.advance(0.01)
        tell(tank, clock, level=2.0)
        clock.advance(-3600)
        assert await sink.until("level", 2) == [1.0, 2.0]
        tell(tank, clock, level=3.0)
        assert sink.values("level") == [1.0, 2.0, 3.0]


async def test_each_property_has_its_own_deadband() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL, TARGET), {"level": 40.0, "target": 20.0}), now=clock)
    policy = ReportPolicy(deadband=1.0, deadbands={"target": 0.1})
    async with sampling(tank, policies={"tank": policy}, now=clock) as sink:
        clock.advance(1)
        tell(tank, clock, level=40.5, target=20.5)
        clock.advance(1)
        tell(tank, clock, level=41.5, target=20.5)
    assert sink.values("level") == [40.0, 41.5]
    assert sink.values("target") == [20.0, 20.5]


async def test_a_thing_without_a_policy_of_its_own_has_the_usual_one() -> None:
    async with sampling(thing("pump", relay(on=True))) as sink:
        assert sink.values("state") == [True]


async def test_what_only_tells_of_changes_is_repeated_with_the_time_of_the_repetition() -> None:
    line = Line((STATE, LEVEL))
    line.tell({"state": True})
    async with sampling(door := thing("door", line), policies={"door": ReportPolicy(max_interval=0.1)}) as sink:
        await sink.until("state", 4)
        line.tell({"level": 5.0})
        line.tell({"state": False})
        await sink.until("level", 3)
    assert set(sink.values("state")[:4]) == {True}
    gaps = [after - before for before, after in zip(sink.times("state"), sink.times("state")[1:], strict=False)]
    assert all(gap > 0 for gap in gaps)
    assert all(gap >= 95 for gap in gaps[:3]), gaps
    assert sorted(gaps[:3])[1] <= 150, gaps
    assert door.availability.available
    assert False in sink.values("state")


async def test_events_are_all_reported_even_the_same_again_and_none_is_repeated() -> None:
    line = Line((STATE, replace(MODE, name="press", writable=False, event=True)))
    line.tell({"state": True})
    async with sampling(thing("door", line), policies={"door": ReportPolicy(max_interval=0.05)}) as sink:
        for press in ("eco", "eco", "boost", "boost"):
            line.tell({"press": press})
        await sink.until("press", 4)
        await sink.until("state", 4)
    assert sink.values("press") == ["eco", "eco", "boost", "boost"]


async def test_what_is_away_is_not_repeated() -> None:
    line = Line((STATE,))
    line.tell({"state": True})
    async with sampling(door := thing("door", line), policies={"door": ReportPolicy(max_interval=0.05)}) as sink:
        await sink.until("state", 2)
        line.tell(OSError("pulled out"))
        await until_available(door, available=False)
        seen = len(sink.readings)
        await asyncio.sleep(0.2)  # several repetitions' time
        assert len(sink.readings) == seen


async def test_no_two_readings_of_a_property_have_the_same_time() -> None:
    clock = Clock()
    tank = thing("tank", Board((LEVEL,), {"level": 1.0}), now=clock)
    async with sampling(tank, now=clock) as sink:
        for value in (2.0, 3.0):
            tell(tank, clock, level=value)  # all of them in the same millisecond
    first = sink.times("level")[0]
    assert sink.times("level") == [first, first + 1, first + 2]


async def test_values_are_rounded_to_the_drivers_precision_unless_the_configuration_has_another() -> None:
    props = (
        Property(name="a", precision=1, unit=Unit.CELSIUS),
        Property(name="b", precision=1),
        Property(name="c", precision=2),
        Property(name="d"),
    )
    board = Board(props, dict.fromkeys("abcd", 21.37512))
    calibrations = {"b": Calibration(offset=-0.4), "c": Calibration(precision=0)}
    async with sampling(one := thing("t", board, calibrations=calibrations)) as sink:
        assert {r.property.name: r.value for r in sink.readings} == {"a": 21.4, "b": 21.0, "c": 21.0, "d": 21.37512}
        assert {name: seen.value for name, seen in one.values.items()} == {
            "a": 21.4,
            "b": 21.0,
            "c": 21.0,
            "d": 21.37512,
        }
    assert [one.properties[name].precision for name in "abcd"] == [1, 1, 0, None]


async def test_an_unavailable_thing_keeps_nobody_else_from_being_reported() -> None:
    broken = Board((LEVEL,), {"level": 1.0})
    meter = simulated({"count": {"type": "integer", "waveform": "counter"}})
    async with sampling(bad := thing("bad", broken), good := thing("good", meter, interval=0.01)) as sink:
        broken.read_error = RuntimeError("a bug")
        with pytest.raises(Exception, match="bad is unavailable"):
            await bad.read_now()
        seen = len(sink.values("count"))
        await sink.until("count", seen + 10)
        assert good.availability.available
    counts = sink.values("count")
    assert counts == list(range(len(counts)))
