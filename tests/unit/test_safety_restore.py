"""Going back to what was commanded at the start: never against a rule, and never against somebody's word."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from tests.support.fakes import ALICE, TARGET, Board, Facts, Line, relay, running, thing
from tests.support.site import Site, ruled, writes

from jidget.safety import keeper as keeping
from jidget.safety.guard import Objection
from jidget.safety.memory import Remembered
from jidget.safety.output import Output
from jidget.things.rules import Rules
from jidget_drivers import DeviceUnavailable, Kind, Property, Scalar

STATE = Property(name="state", kind=Kind.BOOLEAN, writable=True)
RESTORE = Rules(safe=False, restore=True)


class Coarse(Board):
    """A valve that stands at whole numbers only, whatever it is told."""

    async def write(self, name: str, value: Scalar) -> None:
        await super().write(name, value)
        self.held[name] = float(round(float(value)))


def remembering(**outputs: Scalar) -> Facts:
    """Return a store in which outputs of this boot were commanded something: `pump=True` for `pump.state`."""
    facts = Facts()
    for name, value in outputs.items():
        output = name.replace("__", ".") if "__" in name else f"{name}.state"
        facts.kept[f"output {output}"] = json.dumps({"boot": "boot", "commanded": value, "by": ALICE})
    return facts


async def test_what_does_not_take_exactly_what_was_restored_still_has_its_limit() -> None:
    valve = Coarse((Property(name="target", minimum=0, maximum=100, writable=True),), {"target": 0.0})
    tank = thing("tank", valve, rules={"target": Rules(safe=0.0, restore=True, max_on=0.2)})
    site = Site(tank, facts=remembering(tank__target=33.4))
    async with site.open():
        await site.until(lambda: ("tank.target", "max_on is 200ms") in site.unexpected)
        assert valve.held["target"] == 0.0
        assert [value for _, value in valve.written] == [33.4, 0.0]


async def test_off_said_after_a_restore_that_did_not_take_is_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.05)
    board = relay()
    board.deaf = True
    site = Site(ruled("pump", board, RESTORE), facts=remembering(pump=True))
    async with site.open():
        pump = site.things[0]
        await site.guard.require(pump, {"state": False})
        await site.guard.write(pump, {"state": False}, by=ALICE)
        board.deaf = False
        await asyncio.sleep(0.2)
    assert writes(board) == [True, False]
    assert board.held["state"] is False


async def test_on_said_after_a_restore_that_did_not_take_is_not_refused() -> None:
    board = relay()
    board.deaf = True
    site = Site(ruled("pump", board, RESTORE), facts=remembering(pump=True))
    async with site.open():
        board.deaf = False
        await site.guard.require(site.things[0], {"state": True})
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        assert board.held["state"] is True


async def test_a_restore_that_did_not_take_is_not_made_while_its_partner_is_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.05)
    pump, heater = relay(), relay()
    pump.deaf = True
    site = Site(
        ruled("pump", pump, Rules(safe=False, restore=True, interlock=(("heater", "state"),))),
        ruled("heater", heater, Rules(safe=False, interlock=(("pump", "state"),))),
        facts=remembering(pump=True),
    )
    async with site.open():
        one = site.things[1]
        await site.guard.require(one, {"state": True})
        await site.guard.write(one, {"state": True}, by=ALICE)
        pump.deaf = False
        await asyncio.sleep(0.2)
        assert (pump.held["state"], heater.held["state"]) == (False, True)


async def test_a_limit_holds_while_a_restore_waits_for_its_device() -> None:
    board = relay()
    board.open_error = DeviceUnavailable("no such board")
    site = Site(ruled("pump", board, Rules(safe=False, restore=True, max_on=0.1)), facts=remembering(pump=True))
    site.keeper.wake()
    run = asyncio.create_task(site.keeper.run())
    await asyncio.sleep(0.2)
    board.open_error = None
    async with running(*site.things):
        pass
    run.cancel()
    assert writes(board) == [False], "it may have been on all the time"


async def test_a_restore_that_nothing_tells_of_counts_as_made() -> None:
    line = Line((STATE,))
    line.echo = False
    site = Site(ruled("plug", line, Rules(safe=False, restore=True, max_on=2)), facts=remembering(plug=True))
    async with site.open():
        await site.until(lambda: ("plug.state", "max_on is 2s") in site.unexpected)
    assert writes(line) == [True, False]


def test_a_wish_to_restore_ends_with_the_deadline_and_with_a_command() -> None:
    one = ruled("pump", relay(), Rules(safe=False, restore=True, max_on=60))
    pump = Output(one, one.properties["state"])
    pump.wake((Remembered(commanded=True), True), 100)
    forced = pump.expire(160)
    assert forced is not None
    assert forced.value is False
    pump.wake((Remembered(commanded=True), True), 100)
    assert pump.objection(True, 110) is None
    earlier = pump.begin(False, 110, ALICE, None)
    assert pump.pending is None
    pump.undo(earlier, 110)
    assert pump.pending is not None, "nothing came of the command"


async def test_both_of_an_interlock_are_not_restored_whichever_opens_first() -> None:
    pump, heater = relay(), relay()
    rules = {"pump": (("heater", "state"),), "heater": (("pump", "state"),)}
    site = Site(
        *(
            ruled(name, board, Rules(safe=False, restore=True, interlock=rules[name]))
            for name, board in (("pump", pump), ("heater", heater))
        ),
        facts=remembering(pump=True, heater=True),
    )
    async with site.open():
        assert not (pump.held["state"] and heater.held["state"])
    assert not (True in writes(pump) and True in writes(heater))


async def test_what_was_never_reached_may_be_on_whatever_is_remembered_of_it() -> None:
    pump, heater = relay(), relay()
    heater.open_error = DeviceUnavailable("no such board")
    site = Site(
        ruled("pump", pump, Rules(safe=False, interlock=(("heater", "state"),))),
        ruled("heater", heater, Rules(safe=False, min_off=0.01, interlock=(("pump", "state"),))),
    )
    site.keeper.wake()
    async with running(site.things[0]):
        assert site.guard.outputs["heater", "state"].past.off_since is not None
        try:
            await site.guard.require(site.things[0], {"state": True})
        except Objection as error:
            said = str(error)
        else:
            said = ""
        assert said == "heater.state is out of reach and may be on, so pump.state stays off (interlock)"


async def test_a_command_that_comes_while_several_outputs_are_set_at_first_comes_after_all_of_them() -> None:
    class Counting(Board):
        async def read(self) -> Mapping[str, Scalar]:
            set_before.append(len(self.written))
            return await super().read()

    set_before: list[int] = []
    board = Counting((STATE, TARGET), {"state": False, "target": 5.0})
    one = thing("board", board, rules={"state": RESTORE, "target": Rules(safe=5.0, restore=True)})
    facts = remembering(board=True, board__target=20.0)
    site = Site(one, facts=facts)
    site.keeper.wake()
    board.gate.clear()
    run = asyncio.create_task(one.run())
    await board.moving.wait()
    reading = asyncio.create_task(one.read_now())
    await asyncio.sleep(0)
    board.gate.set()
    await reading
    assert set_before[0] == 2, "nothing is read before all of them are set"
    run.cancel()
