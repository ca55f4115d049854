"""The safety rules as chat shows them: `for`, `stop`, and refusals that say which rule and until when."""

import asyncio
import re

import pytest
from tests.support.fakes import (
    ALICE,
    BOB,
    EVE,
    VERA,
    Gate,
    House,
    relay,
    request,
    running,
    tank,
    thing,
    until,
    until_available,
)

from jidget.commands.model import Face, Outcome, Submission
from jidget.things.host import Thing
from jidget.things.rules import Rules
from jidget_drivers import DeviceUnavailable

ON, OFF = "pump.state: on (confirmed)", "pump.state: off (confirmed)"
SAFE = Rules(safe=False)


class Home(House):
    """A pump under rules, a heater with a safe value, a tank without, and a gate that only acts."""

    def __init__(self, rules: Rules = SAFE) -> None:
        self.pump, self.heater, self.tank = relay(), relay(), tank()
        self.things = [
            thing("pump", self.pump, rules={"state": rules}),
            thing("heater", self.heater, rules={"state": SAFE}),
            thing("tank", self.tank),
            thing("gate", Gate()),
        ]
        super().__init__(*self.things)

    def thing(self, thing_id: str) -> Thing:
        found = self.directory.get(thing_id)
        assert found is not None
        return found


# ---- for -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("pump on for 10m", f"{ON}, off again at 14:23:20Z, in 10 min"),
        ("pump on for 10 min", f"{ON}, off again at 14:23:20Z, in 10 min"),
        ("pump on for 10 minutes", f"{ON}, off again at 14:23:20Z, in 10 min"),
        ("set pump.state on for 1,5h", f"{ON}, off again at 15:43:20Z, in 2 h"),
        ("PUMP ON FOR 30S", f"{ON}, off again at 14:13:50Z, in 30 s"),
        ("pump on for 2 days", f"{ON}, off again at 14:13:20Z, in 2 d"),
        ("pump off for 10m", OFF),
        ("tank.target 25 for 1h", "tank.target: 25.0 °C (confirmed), 20.0 °C again at 15:13:20Z, in 60 min"),
    ],
)
async def test_for_says_what_follows_by_itself_and_when(line: str, answer: str) -> None:
    home = Home()
    async with running(*home.things):
        assert await home.say(line) == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("pump on for 0s", 'Refused: for takes at least "1s" and at most "366d", not "0s"'),
        ("pump on for 500ms", 'Refused: for takes at least "1s" and at most "366d", not "500ms"'),
        ("pump on for 400d", 'Refused: for takes at least "1s" and at most "366d", not "400d"'),
        ("pump on for ever", 'Refused: pump.state: "on for ever" is not a switch position: say on or off'),
        ("pump on for -5m", 'Refused: pump.state: "on for -5m" is not a switch position: say on or off'),
        ("pump for 10m", "Refused: say what to set pump.state to: on or off"),
    ],
)
async def test_what_is_no_span_of_time_moves_nothing(line: str, answer: str) -> None:
    home = Home()
    async with running(*home.things):
        assert await home.say(line) == answer
    assert home.pump.written == []


async def test_for_ends_in_the_safe_value() -> None:
    home = Home()
    async with running(*home.things):
        keeping = asyncio.create_task(home.keeper.run())
        switched_off = asyncio.Event()
        home.keeper.on_forced = lambda *_: switched_off.set()
        await home.say("pump on for 10m")
        home.clock.advance(601)
        home.keeper.guard.outputs["pump", "state"].changed.set()
        async with asyncio.timeout(5):
            await switched_off.wait()
        keeping.cancel()
        assert home.pump.written == [("state", True), ("state", False)]


async def test_a_later_set_cancels_it() -> None:
    home = Home()
    async with running(*home.things):
        await home.say("pump on for 10m")
        assert await home.say("pump on") == ON
        output = home.keeper.guard.outputs["pump", "state"]
        assert output.deadline is None


# ---- rules ---------------------------------------------------------------------------------------------------------


async def test_longer_than_max_on_is_refused_with_the_limit() -> None:
    home = Home(Rules(safe=False, max_on=900))
    async with running(*home.things):
        assert await home.say("pump on for 20m") == "Refused: pump.state may be on for 15m at most (max_on)"
        assert home.pump.written == []
        assert await home.say("pump on") == ON
        home.clock.advance(600)
        home.now.advance(600)
        refused = await home.say("pump on for 10m")
        assert refused == "Refused: pump.state may stay on only until 14:28:20Z, in 5 min (max_on)"
        assert await home.say("pump on for 5m") == f"{ON}, off again at 14:28:20Z, in 5 min"


async def test_min_off_says_until_when() -> None:
    home = Home(Rules(safe=False, min_off=60))
    async with running(*home.things):
        await home.say("pump on")
        assert await home.say("pump off") == OFF
        assert await home.say("pump on") == "Refused: pump.state must stay off until 14:14:20Z, in 60 s (min_off)"
        home.clock.advance(61)
        assert await home.say("pump on") == ON


async def test_min_on_says_until_when_and_that_stop_does_not_wait() -> None:
    home = Home(Rules(safe=False, min_on=60))
    async with running(*home.things):
        await home.say("pump on")
        assert await home.say("pump off") == (
            "Refused: pump.state must stay on until 14:14:20Z, in 60 s (min_on). In an emergency: stop"
        )
        assert (await home.say("stop")).startswith(OFF)
    assert home.pump.written == [("state", True), ("state", False)]


async def test_what_is_interlocked_is_named() -> None:
    home = Home(Rules(safe=False, interlock=(("heater", "state"),)))
    async with running(*home.things):
        await home.say("heater on")
        assert await home.say("pump on") == "Refused: heater.state is on, so pump.state stays off (interlock)"
        home.heater.read_error = DeviceUnavailable("gone")
        assert await home.say("pump on") == (
            "Refused: heater.state is out of reach and may be on, so pump.state stays off (interlock)"
        )
        assert home.pump.written == []


async def test_a_rate_limit_says_how_often_and_until_when() -> None:
    home = Home(Rules(safe=False, rate=(2, 3600)))
    async with running(*home.things):
        for line in ("pump on", "pump off") * 2:
            assert not (await home.say(line)).startswith("Refused")
        assert await home.say("pump on") == (
            "Refused: pump.state was switched 2 times in 1h (rate_limit): wait until 15:13:20Z, in 60 min"
        )


# ---- stop ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["stop", "STOP", "/stop", "all off"])
async def test_stop_sets_all_that_one_may_act_on_to_its_safe_value(line: str) -> None:
    home = Home()
    async with running(*home.things):
        await home.say("pump on")
        await home.say("heater on")
        assert (await home.say(line)).splitlines() == [
            OFF,
            "heater.state: off (confirmed)",
            "tank.target: has no safe value, left as it is",
            "tank.mode: has no safe value, left as it is",
        ]
    assert home.pump.written[-1] == home.heater.written[-1] == ("state", False)
    assert home.tank.written == []


async def test_stop_reaches_no_further_than_ones_rights() -> None:
    home = Home()
    async with running(*home.things):
        await home.say("pump on")
        await home.say("heater on")
        assert await home.say("stop", BOB) == OFF
        assert await home.say("stop", VERA) == "Refused: you may not use stop here"
        assert await home.say("stop", EVE) == "Refused: there is no output with a safe value that you may act on"
    assert home.heater.written == [("state", True)]


async def test_what_is_out_of_reach_is_stopped_when_it_returns() -> None:
    home = Home()
    async with running(*home.things):
        keeping = asyncio.create_task(home.keeper.run())
        await home.say("pump on")
        home.pump.read_error = DeviceUnavailable("cable pulled")
        await home.say("read pump")
        result = await home.commands.submit(request(face=Face.FORM), Submission(node="stop"))
        assert result.outcome is Outcome.UNCONFIRMED
        assert result.note.splitlines()[:2] == [
            "pump.state: out of reach, set to off as soon as it returns",
            "heater.state: off (confirmed)",
        ]
        assert (await home.say("status")).count("pump is unavailable since") == 1
        assert home.keeper.alarms == [
            "safety pending: pump.state is to be off: cable pulled",
        ]
        home.pump.read_error = None
        await home.say("read pump")
        await until_available(home.thing("pump"))
        await until(home.thing("pump"), lambda: not home.keeper.alarms)
        keeping.cancel()
    assert home.pump.written == [("state", True), ("state", False)]


async def test_what_does_not_obey_is_not_called_stopped() -> None:
    home = Home()
    async with running(*home.things):
        await home.say("pump on")
        home.pump.deaf = True
        assert (await home.say("stop")).startswith("pump.state: off sent, unconfirmed: tried again until it is\n")


async def test_stop_waits_for_nobody_and_comes_first() -> None:
    """What was asked for before it and waits for its turn does not switch on again what was stopped."""
    home = Home(Rules(safe=False, interlock=(("heater", "state"),)))
    async with running(*home.things):
        home.heater.gate.clear()
        heating = asyncio.create_task(home.say("heater on", ALICE))
        async with asyncio.timeout(5):
            await home.heater.moving.wait()
        waiting = asyncio.create_task(home.say("pump on", BOB))
        await asyncio.sleep(0)
        assert await home.say("stop", BOB) == OFF
        home.heater.gate.set()
        await heating
        assert re.match(r"Refused: (pump was stopped meanwhile|heater\.state is on)", await waiting)
    assert ("state", True) not in home.pump.written


async def test_stop_is_repeated_like_any_command() -> None:
    home = Home()
    async with running(*home.things):
        await home.say("stop", BOB, key="message:1")
        await home.say("pump on", BOB)
        again = await home.say("stop", BOB, key="message:1")
        assert again.startswith(f"{OFF}\nAsked before (")
        assert "Now pump.state: on" in again
    assert home.pump.written[-1] == ("state", True)


async def test_help_on_stop() -> None:
    home = Home()
    explained = "stop: every output you may act on to its safe value, at once; also: all off"
    assert (await home.say("help stop")).startswith(explained)
    assert explained in (await home.say("help")).splitlines()
    assert not [line for line in (await home.say("help", VERA)).splitlines() if line.startswith("stop")]
