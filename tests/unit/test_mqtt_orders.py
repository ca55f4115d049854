"""Commands from a broker: carried out once, in time, with its rights; everything else is refused and told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.fakes import TEXT, Board, House, relay, running, tank, thing

from jidget.commands.model import Face, Outcome, Result
from jidget.mqtt.announcing.orders import MOST_WAITING, Orders
from jidget.mqtt.announcing.payload import Order
from jidget.mqtt.model import Message
from jidget.safety.memory import boottime

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
        ("pump/set", b"x" * 2000, "2000 bytes are too many"),
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


async def test_what_comes_faster_than_it_can_move_is_refused() -> None:
    async with open_counter() as one:
        for _ in range(MOST_WAITING + 3):
            one.hears("pump/set", b"ON")
        results = await one.answer(MOST_WAITING + 3)
        assert [result.outcome for result in results].count(Outcome.REFUSED) == 3
        assert len(one.pump.written) == MOST_WAITING


async def test_the_audit_says_that_it_was_the_broker(caplog: pytest.LogCaptureFixture) -> None:
    async with open_counter() as one:
        with caplog.at_level("INFO", "jidget.audit"):
            one.hears("pump/set", b"ON")
            await one.answer()
            await asyncio.sleep(0)
        assert f"mqtt:broker.example.org:1883 by {Face.MQTT}: set pump state=on -> done" in caplog.text
