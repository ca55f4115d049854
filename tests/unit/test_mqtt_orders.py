"""Commands from a broker: carried out once, in time, with its rights; everything else is refused and told."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.fakes import TEXT, Board, House, relay, running, tank, thing

from jidget.commands.model import Face, Outcome, Result
from jidget.mqtt.announcing.orders import MOST_WAITING, PAUSE, Orders
from jidget.mqtt.announcing.payload import Order
from jidget.mqtt.model import Message
from jidget.safety.memory import boottime
from jidget.things.rules import Rules

PATIENCE = 5.0


class Counter:
    """Orders to a pump, a tank and a gate that the broker has no right to, and what was answered."""

    def __init__(self, pump: Board) -> None:
        self.pump, self.tank, self.gate = pump, tank(), relay()
        things = thing("pump", self.pump), thing("tank", self.tank), thing("gate", self.gate)
        self.house = House(*things)
        topics = {
            "pump/set": Order(thing=things[0], prop=pump.properties[0].name),
            "gate/set": Order(thing=things[2], prop="state"),
        }
        topics["tank/set"] = Order(thing=things[1], prop="target")
        topics["pump/do"] = Order(thing=things[0], action="swing")
        self.answers: list[tuple[str, Result]] = []
        self.problems: dict[str, str] = {}
        self.orders = Orders(self.house.commands, "mqtt:broker.example.org:1883", topics, self._answered)
        self.orders.on_problem = self.problems.__setitem__
        self._changed = asyncio.Event()

    def _answered(self, order: Order, result: Result) -> None:
        self.answers.append((order.target, result))
        self._changed.set()

    def hears(self, topic: str, payload: bytes, *, age: float | None = 0.0, retained: bool = False) -> None:
        message = Message(topic=topic, payload=payload, retained=retained)
        self.orders.receive(message, None if age is None else boottime() - age)

    async def answer(self, count: int = 1) -> list[Result]:
        async with asyncio.timeout(PATIENCE):
            while len(self.answers) < count:
                self._changed.clear()
                await self._changed.wait()
        return [result for _, result in self.answers]


@asynccontextmanager
async def open_counter(pump: Board | None = None) -> AsyncIterator[Counter]:
    one = Counter(relay() if pump is None else pump)
    async with running(*one.house.directory):
        serving = asyncio.create_task(one.orders.run())
        try:
            yield one
        finally:
            serving.cancel()
            await asyncio.wait((serving,))


def written(board: Board) -> list[object]:
    return [value for _, value in board.written]


async def test_a_command_is_carried_out_and_confirmed() -> None:
    async with open_counter() as one:
        one.hears("pump/set", b"ON")
        (result,) = await one.answer()
        assert (result.outcome, result.note) == (Outcome.DONE, "pump.state: on (confirmed)")
        assert written(one.pump) == [True]


async def test_what_comes_is_carried_out_in_its_order() -> None:
    async with open_counter() as one:
        for payload in (b"ON", b"OFF", b"ON", b"OFF"):
            one.hears("pump/set", payload)
        await one.answer(4)
        assert written(one.pump) == [True, False, True, False]


async def test_a_text_can_be_emptied() -> None:
    async with open_counter(Board((TEXT,), {"text": "closed"})) as one:
        one.hears("pump/set", b"")
        await one.answer()
        assert written(one.pump) == [""]


async def test_what_clears_a_retained_command_sets_nothing() -> None:
    async with open_counter(Board((TEXT,), {"text": "closed"})) as one:
        one.hears("pump/set", b"open", retained=True)
        assert "never carried out" in one.problems["pump/set"]
        one.hears("pump/set", b"")
        assert one.problems["pump/set"] == ""
        one.hears("pump/set", b"ajar")
        await one.answer()
        assert written(one.pump) == ["ajar"]


async def test_what_is_kept_by_the_broker_is_never_carried_out() -> None:
    async with open_counter() as one:
        one.hears("pump/set", b"ON", retained=True)
        assert "never carried out" in one.problems["pump/set"]
        one.hears("pump/set", b"")
        one.hears("pump/set", b"")
        one.hears("somewhere/else", b"ON")
        one.hears("pump/set", b"OFF")
        await one.answer()
        assert written(one.pump) == [False]
        assert one.problems["pump/set"] == ""


@pytest.mark.parametrize(
    ("age", "why"), [(31.0, "this was sent 31 s ago"), (None, "age unknown"), (86400.0, "this was sent 24 h ago")]
)
async def test_what_is_old_or_of_unknown_age_is_refused(age: float | None, why: str) -> None:
    async with open_counter() as one:
        one.hears("pump/set", b"ON", age=age)
        (result,) = await one.answer()
        assert result.outcome is Outcome.REFUSED
        assert why in result.note
        assert not one.pump.written


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        ("pump/set", b"maybe", "pump.state"),
        ("pump/set", b"\xff\xfe", "no text in UTF-8"),
        ("pump/set", b"x" * 2000, "a command has at most 1024 bytes"),
        ("tank/set", b"NaN", "tank.target"),
        ("tank/set", b"1e9", "5 to 30"),
        ("pump/do", b"NOW", '"NOW" is not PRESS'),
        ("pump/do", b"PRESS", "pump has no actions"),
        ("gate/set", b"ON", "you may not act on gate"),
    ],
)
async def test_what_does_not_fit_is_refused_and_said(topic: str, payload: bytes, why: str) -> None:
    async with open_counter() as one:
        one.hears(topic, payload)
        (result,) = await one.answer()
        assert result.outcome is Outcome.REFUSED
        assert why in result.note
        assert not one.pump.written + one.tank.written + one.gate.written


async def test_of_what_comes_faster_than_it_can_move_the_last_counts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with open_counter() as one:
            one.pump.gate.clear()
            one.hears("pump/set", b"ON")
            await one.pump.moving.wait()
            for _ in range(1000):
                one.hears("pump/set", b"ON")
            one.hears("pump/set", b"OFF")
            one.pump.gate.set()
            results = [result.outcome for result in await one.answer(MOST_WAITING + 2)]
            await asyncio.sleep(2 * PAUSE)  # after which it is said how many more were left out
    assert (results.count(Outcome.REFUSED), results.count(Outcome.DONE)) == (1, MOST_WAITING + 1)
    assert written(one.pump)[-1] is False
    said = [record.getMessage() for record in caplog.records if "faster than it can move" in record.getMessage()]
    assert len(said) == 2
    assert "984 more commands to pump" in said[1]


async def test_what_waits_is_not_large() -> None:
    async with open_counter() as one:
        one.pump.gate.clear()
        one.hears("pump/set", b"ON")
        await one.pump.moving.wait()
        tracemalloc.start()
        for _ in range(MOST_WAITING):
            one.hears("pump/set", bytes(4_000_000))
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        one.pump.gate.set()
        results = await one.answer(MOST_WAITING + 1)
    assert held < 1_000_000
    assert all("at most 1024 bytes" in result.note for result in results[1:])


async def test_what_came_before_a_stop_does_not_follow_it() -> None:
    async with open_counter() as one:
        pump = one.house.directory.get("pump")
        assert pump is not None
        pump.rules["state"] = Rules(safe=False)
        one.pump.gate.clear()
        one.hears("tank/set", b"21")
        one.hears("pump/set", b"ON")
        await one.pump.moving.wait()
        one.hears("pump/set", b"ON")  # waits
        stopping = asyncio.create_task(one.house.say("stop"))
        async with asyncio.timeout(PATIENCE):
            while one.house.commands.stops(pump) == 0:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
        one.pump.gate.set()
        await stopping
        results = {target: result for target, result in one.answers if await one.answer(3)}
        assert results["pump.state"].note == "Refused: pump was stopped meanwhile"
        assert written(one.pump)[-1] is False
        one.hears("pump/set", b"ON")
        await one.answer(4)
        assert written(one.pump)[-1] is True


async def test_the_audit_says_that_it_was_the_broker(caplog: pytest.LogCaptureFixture) -> None:
    async with open_counter() as one:
        with caplog.at_level("INFO", "jidget.audit"):
            one.hears("pump/set", b"ON")
            await one.answer()
            await asyncio.sleep(0)
        assert f"mqtt:broker.example.org:1883 by {Face.MQTT}: set pump state=on -> done" in caplog.text
