"""The guard and its keeper over Things: what is set, what is not, and what becomes safe by itself."""

import asyncio
import json

import pytest
from tests.support.fakes import ALICE, STATE, Board, Facts, House, Line, relay, running, thing, until, until_available
from tests.support.site import Site, ruled, writes

from jidget.safety import keeper as keeping
from jidget.safety.guard import Objection
from jidget.safety.memory import boottime
from jidget.things.rulebook import Button
from jidget.things.rules import Rules
from jidget.things.state import ThingUnavailable
from jidget_drivers import DeviceUnavailable


async def test_it_is_safe_before_it_is_read() -> None:
    board = relay(on=True)
    site = Site(ruled("pump", board))
    board.read_error = DeviceUnavailable("it tells nothing yet")
    site.keeper.wake()
    run = asyncio.create_task(site.things[0].run())
    async with asyncio.timeout(5):
        while not board.reads:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)
    assert writes(board)[0] is False
    run.cancel()


async def test_what_limits_the_time_on_is_kept_before_anything_moves() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=60)))
    async with site.open():
        board.gate.clear()
        board.moving.clear()
        work = asyncio.create_task(site.guard.write(site.things[0], {"state": True}, by=ALICE))
        await board.moving.wait()
        kept = json.loads(site.facts.kept["output pump.state"])
        assert kept["on_since"] is not None
        assert (kept["boot"], kept["commanded"], kept["by"]) == ("boot", True, ALICE)
        board.gate.set()
        assert (await work).confirmed
    assert writes(board) == [False, True]


async def test_max_on_switches_off_whoever_switched_on() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=0.2)))
    async with site.open():
        board.held["state"] = True  # by hand, at the device
        await site.things[0].read_now()
        await site.until(lambda: site.unexpected == [("pump.state", "max_on is 200ms")])
        assert board.held["state"] is False


async def test_a_device_that_does_not_obey_is_tried_again_and_told_of_once_each_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.05)
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=0.1)))
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        board.deaf = True
        await site.until(lambda: len(site.stuck) == 1)
        tries = len(board.written)
        assert site.stuck == ["safety pending: pump.state is to be off (max_on is 100ms), but it still reads on"]
        assert site.keeper.alarms == ["safety pending: pump.state is to be off: it still reads on"]
        async with asyncio.timeout(5):
            while len(board.written) < tries + 3:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.01)
        with pytest.raises(Objection, match="is to go to off: max_on is 100ms"):
            await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        board.deaf = False
        await site.until(lambda: len(site.stuck) == 2)
        assert site.stuck[1] == "pump.state is off now"
        assert not site.keeper.alarms


async def test_what_is_out_of_reach_is_made_safe_as_soon_as_it_returns() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=0.2)))
    async with site.open():
        pump = site.things[0]
        await site.guard.write(pump, {"state": True}, by=ALICE)
        board.read_error = board.open_error = DeviceUnavailable("no such board")
        with pytest.raises(ThingUnavailable):
            await pump.read_now()
        await until_available(pump, available=False)
        await site.until(lambda: len(site.stuck) == 1)
        assert site.keeper.alarms == ["safety pending: pump.state is to be off: no such board"]
        board.read_error = board.open_error = None
        await until(pump, lambda: pump.availability.available)
        assert writes(board) == [False, True, False]
        assert not site.keeper.alarms


async def test_a_thing_that_hangs_delays_no_other_ones_deadline() -> None:
    hanging, board = relay(), relay()
    rules = Rules(safe=False, max_on=0.2)
    stuck = thing("gate", hanging, timeout=30)
    stuck.rules["state"] = rules
    site = Site(stuck, ruled("pump", board, rules))
    async with site.open():
        for one in site.things:
            await site.guard.write(one, {"state": True}, by=ALICE)
        hanging.gate.clear()
        reading = asyncio.create_task(stuck.read_now())
        await site.until(lambda: ("pump.state", "max_on is 200ms") in site.unexpected)
        assert hanging.held["state"] is True
        hanging.gate.set()
        await reading
        await site.until(lambda: ("gate.state", "max_on is 200ms") in site.unexpected)


async def test_a_refused_or_impossible_write_leaves_nothing_behind() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=60, min_off=0.0)))
    async with site.open():
        board.write_error = DeviceUnavailable("gone")
        with pytest.raises(ThingUnavailable):
            await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        assert site.guard.outputs["pump", "state"].deadline is None
        assert json.loads(site.facts.kept["output pump.state"])["on_since"] is None
        board.write_error = None


async def test_what_was_to_be_set_before_a_stop_is_not_set_after_it() -> None:
    board = relay()
    site = Site(ruled("pump", board))
    async with site.open():
        pump = site.things[0]
        mark = site.guard.mark(pump)
        assert await site.keeper.stop([site.guard.outputs["pump", "state"]], ALICE) == []
        with pytest.raises(Objection, match="pump was stopped meanwhile"):
            await site.guard.write(pump, {"state": True}, by=ALICE, since=mark)
        await site.guard.write(pump, {"state": True}, by=ALICE, since=site.guard.mark(pump))
    assert writes(board) == [False, False, True]


async def test_a_check_that_fails_at_the_last_moment_moves_nothing() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=60)))

    def refuse() -> None:
        raise Objection("too late")

    async with site.open():
        with pytest.raises(Objection, match="too late"):
            await site.guard.write(site.things[0], {"state": True}, by=ALICE, check=refuse)
        assert site.guard.outputs["pump", "state"].deadline is None
    assert writes(board) == [False]


# ---- interlocks ----------------------------------------------------------------------------------------------------


def pair(pump: Board, heater: Board) -> Site:
    return Site(
        ruled("pump", pump, Rules(safe=False, interlock=(("heater", "state"),))),
        ruled("heater", heater, Rules(safe=False, interlock=(("pump", "state"),))),
    )


async def switch(site: Site, name: str, value: bool = True) -> str:
    """Switch as a command does; return what objected."""
    one = next(one for one in site.things if one.id == name)
    async with site.guard.turn((one,)):
        try:
            await site.guard.require(one, {"state": value})
            await site.guard.write(one, {"state": value}, by=ALICE)
        except Objection as error:
            return str(error)
    return ""


@pytest.mark.parametrize("first", ["pump", "heater"])
async def test_both_at_once_is_one_of_them(first: str) -> None:
    boards = {"pump": relay(), "heater": relay()}
    site = pair(**boards)
    second = "heater" if first == "pump" else "pump"
    async with site.open():
        said = list(await asyncio.gather(switch(site, first), switch(site, second)))
        assert said == ["", f"{first}.state is on, so {second}.state stays off (interlock)"]
        assert True not in writes(boards[second])


async def test_what_was_switched_by_hand_counts_and_is_looked_at() -> None:
    pump, heater = relay(), relay()
    site = pair(pump, heater)
    async with site.open():
        heater.held["state"] = True
        assert await switch(site, "pump") == "heater.state is on, so pump.state stays off (interlock)"


async def test_the_later_one_goes_off_again_if_both_were_switched_by_hand() -> None:
    pump, heater = relay(), relay()
    site = pair(pump, heater)
    async with site.open():
        assert await switch(site, "pump") == ""
        heater.held["state"] = True
        await site.things[1].read_now()
        await site.until(lambda: site.unexpected == [("heater.state", "pump.state is on (interlock)")])
        assert (pump.held["state"], heater.held["state"]) == (True, False)


async def test_what_cannot_be_asked_may_be_on() -> None:
    pump, heater = relay(), relay()
    site = pair(pump, heater)
    async with site.open():
        heater.read_error = DeviceUnavailable("gone")
        said = await switch(site, "pump")
        assert said == "heater.state is out of reach and may be on, so pump.state stays off (interlock)"
        assert await switch(site, "pump", value=False) == "", "safe is never interlocked"
        heater.read_error = None


async def test_two_outputs_of_one_board_change_places_in_one_go() -> None:
    ab = tuple(STATE.__class__(name=name, kind=STATE.kind, writable=True) for name in ("a", "b"))
    board = Board(ab, {"a": False, "b": False})
    one = thing("board", board)
    one.rules["a"] = Rules(safe=False, interlock=(("board", "b"),))
    one.rules["b"] = Rules(safe=False, interlock=(("board", "a"),))
    site = Site(one)
    async with site.open():
        await site.guard.write(one, {"a": True}, by=ALICE)
        await site.guard.write(one, {"b": True, "a": False}, by=ALICE)
        with pytest.raises(Objection, match="never on together"):
            await site.guard.write(one, {"a": True, "b": True}, by=ALICE)
    assert board.written[-3:] == [("a", True), ("a", False), ("b", True)]


# ---- what tells nothing, and what is not kept ----------------------------------------------------------------------


async def test_an_output_that_tells_nothing_is_believed_to_be_what_it_was_set_to() -> None:
    line = Line((STATE,))
    line.echo = False
    site = Site(ruled("plug", line, Rules(safe=False, max_on=1.0)))
    async with site.open():
        result = await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        assert not result.confirmed
        assert site.guard.outputs["plug", "state"].past.on_since is not None
        await site.until(lambda: ("plug.state", "max_on is 1s") in site.unexpected)
        assert line.written[-1] == ("state", False)


async def test_what_the_store_cannot_take_is_written_as_soon_as_it_can() -> None:
    board, facts = relay(), Facts()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=60)), facts=facts)
    async with site.open():
        facts.usable = False
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        facts.usable = True
        site.guard.memory.catch_up()
        assert json.loads(facts.kept["output pump.state"])["on_since"] is not None


async def test_a_stop_of_the_agent_leaves_all_safe_and_remembers_what_was_on() -> None:
    board, facts = relay(), Facts()
    rules = Rules(safe=False, restore=True, max_on=60)
    site = Site(ruled("pump", board, rules), facts=facts)
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE, span=30)
        until = site.guard.outputs["pump", "state"].past.until
        await site.keeper.leave(1)
        with pytest.raises(Objection, match="being stopped"):
            await site.guard.write(site.things[0], {"state": True}, by=ALICE)
    assert writes(board) == [False, True, False]
    again = Site(ruled("pump", board, rules), facts=facts)
    async with again.open():
        assert writes(board)[-1] is True
        assert again.guard.outputs["pump", "state"].past.until == until, "a restart is no reason to be on for longer"
    assert until is not None
    assert boottime() < until < boottime() + 30


async def test_a_board_that_hangs_does_not_keep_the_agent_from_stopping() -> None:
    board = relay()
    site = Site(ruled("pump", board))
    async with site.open():
        board.gate.clear()
        async with asyncio.timeout(3):
            await site.keeper.leave(0.1)
        board.gate.set()


# ---- buttons -------------------------------------------------------------------------------------------------------

CONTACT = STATE.__class__(name="contact", kind=STATE.kind)


async def test_each_press_switches_over_under_the_same_rules() -> None:
    line, board = Line((CONTACT,)), relay()
    site = Site(
        thing("button", line),
        ruled("lamp", board, Rules(safe=False, min_off=60, confirm=True)),
        buttons=(Button(("button", "contact"), ("lamp", "state")),),
    )
    async with site.open():
        site.guard.outputs["lamp", "state"].past.off_since = boottime() - 100
        for value in (True, False, True, True, False):  # where it stands at first is no press; nor is what is repeated
            line.tell({"contact": value})
        await site.until(lambda: len(site.presses) == 1)
        line.tell({"contact": True})
        await site.until(lambda: len(site.presses) == 2)
        line.tell({"contact": False})
        line.tell({"contact": True})
        await site.until(lambda: len(site.presses) == 3)
    assert writes(board) == [False, True, False]
    assert [(press.value, press.refused) for press in site.presses] == [(True, False), (False, False), (True, True)]
    assert "min_off" in site.presses[2].problem


async def test_where_a_button_stands_after_it_was_away_is_no_press() -> None:
    line, board = Line((CONTACT,)), relay()
    site = Site(
        thing("button", line), ruled("lamp", board), buttons=(Button(("button", "contact"), ("lamp", "state")),)
    )
    async with site.open():
        line.tell({"contact": False})
        line.tell(DeviceUnavailable("unplugged"))
        await until_available(site.things[0], available=False)
        line.tell({"contact": True})
        await until_available(site.things[0])
        await asyncio.sleep(0.05)
        assert not site.presses
        line.tell({"contact": False})
        line.tell({"contact": True})
        await site.until(lambda: site.presses)
        assert [press.value for press in site.presses] == [True]


async def test_commands_meet_the_rules_in_every_face() -> None:
    board = relay()
    one = ruled("pump", board, Rules(safe=False, min_off=60))
    house = House(one)
    async with running(one):
        house.keeper.guard.outputs["pump", "state"].past.off_since = house.clock() - 10
        said = await house.say("pump on")
        assert said.startswith("Refused: pump.state must stay off until ")
    assert writes(board) == []
