"""What outlives a process, a store and a stop: neither lost, nor done twice."""

import asyncio
import json

import pytest
from tests.support.fakes import ALICE, STATE, TARGET, Board, Facts, Gate, House, Line, relay, request, running, thing
from tests.support.site import Site, ruled, writes

from jidget.safety import keeper as keeping
from jidget.safety.memory import OutputMemory, Remembered, boottime
from jidget.things.host import Thing
from jidget.things.rulebook import Button
from jidget.things.rules import Rules
from jidget_drivers import Kind, Property

CONTACT = Property(name="contact", kind=Kind.BOOLEAN)


def tank(board: Board) -> Thing:
    return thing("tank", board, rules={"target": Rules()})


async def test_a_for_that_ended_after_a_restart_does_not_end_again_after_the_next() -> None:
    board, facts = Board((TARGET,), {"target": 20.0}), Facts()
    first = Site(tank(board), facts=facts)
    async with first.open():
        await first.guard.write(first.things[0], {"target": 25.0}, by=ALICE, span=0.5)
    second = Site(tank(board), facts=facts)  # it was killed, and runs again within that time
    async with second.open():
        await second.until(lambda: second.forced)
        assert board.held["target"] == 20.0
        await second.guard.write(second.things[0], {"target": 22.0}, by=ALICE)
    third = Site(tank(board), facts=facts)
    async with third.open():
        await asyncio.sleep(0)
        assert board.held["target"] == 22.0
        assert not third.forced


async def test_a_for_without_anything_to_go_back_to_any_more_is_forgotten() -> None:
    facts = Facts()  # it had a safe value when it was set, and has none now
    past = {"boot": "boot", "commanded": 25.0, "by": ALICE, "on_since": boottime(), "until": boottime() + 0.1}
    facts.kept["output tank.target"] = json.dumps(past)
    site = Site(tank(Board((TARGET,), {"target": 25.0})), facts=facts)
    async with site.open():
        await asyncio.sleep(0.2)
        assert site.guard.outputs["tank", "target"].deadline is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '"on"',
        "1",
        "null",
        '{"on_since": "long ago", "boot": "boot"}',
        '{"until": [1], "boot": "boot"}',
        '{"commanded": {"a": 1}, "boot": "boot"}',
        '{"by": 1, "boot": "boot"}',
        '{"until": NaN, "boot": "boot"}',
    ],
)
def test_what_makes_no_sense_is_not_known(text: str) -> None:
    facts = Facts()
    facts.kept["output pump.state"] = text
    assert OutputMemory(facts, boot=lambda: "boot").load("pump.state") is None


def test_a_store_that_is_begun_anew_learns_all_that_the_old_one_knew() -> None:
    facts = Facts()
    memory = OutputMemory(facts, boot=lambda: "boot")
    memory.keep("pump.state", Remembered(commanded=True, on_since=5.0))
    facts.kept.clear()  # as where the old one was damaged and put aside
    memory.catch_up()
    known = OutputMemory(facts, boot=lambda: "boot").load("pump.state")
    assert known == (Remembered(commanded=True, on_since=5.0), True)


def test_what_could_not_be_written_is_known_all_the_same() -> None:
    facts = Facts()
    memory = OutputMemory(facts, boot=lambda: "boot")
    memory.keep("pump.state", Remembered(commanded=True))
    facts.usable = False
    memory.keep("pump.state", Remembered(commanded=False))
    assert memory.load("pump.state") == (Remembered(commanded=False), True)


async def test_off_said_while_the_agent_stops_is_what_it_goes_back_to() -> None:
    board, facts = relay(), Facts()
    rules = Rules(safe=False, restore=True)
    site = Site(ruled("pump", board, rules), facts=facts)
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        await site.keeper.leave(1)
        await site.guard.write(site.things[0], {"state": False}, by=ALICE)
    again = Site(ruled("pump", board, rules), facts=facts)
    async with again.open():
        assert board.held["state"] is False


# ---- stop ----------------------------------------------------------------------------------------------------------


async def test_what_did_not_obey_a_stop_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.05)
    board = relay()
    site = Site(ruled("pump", board))
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        await asyncio.sleep(0.05)  # its keeper has seen that, and waits again
        board.deaf = True
        outputs = [site.guard.outputs["pump", "state"]]
        assert await site.keeper.stop(outputs, ALICE) == outputs
        board.deaf = False
        await site.until(lambda: len(site.stuck) == 2)
        assert board.held["state"] is False


async def test_a_stop_says_what_it_does_not_know() -> None:
    class Silent(Line):
        def tells(self, _name: str) -> bool:
            return False

    line = Silent((STATE,))
    line.echo = False
    one = ruled("plug", line)
    house = House(one)
    async with running(one):
        assert await house.say("stop") == "plug.state: off sent, unconfirmed"
        result = await house.commands.run(request(), "stop", {})
        assert result.outcome == "unconfirmed"


async def test_an_action_that_waited_is_not_begun_after_a_stop() -> None:
    gate = Gate()
    gate.properties = (gate.properties[0].__class__(name="position", minimum=0, maximum=100, writable=True),)
    one = thing("gate", gate, rules={"position": Rules(safe=0.0)})
    house = House(one)
    async with running(one), house.keeper.guard.turn((one,)):
        waits = asyncio.create_task(house.say("do gate open_to position=40"))
        await asyncio.sleep(0.05)
        assert not waits.done()
        await house.say("stop")
        house.keeper.guard._turns["gate"].release()  # what held it ends
        assert await waits == "Refused: gate was stopped meanwhile"
        await house.keeper.guard._turns["gate"].acquire()
    assert gate.invoked == []


async def test_a_press_that_waited_switches_nothing_on_after_a_stop() -> None:
    line, board = Line((CONTACT,)), relay()
    site = Site(
        thing("button", line), ruled("lamp", board), buttons=(Button(("button", "contact"), ("lamp", "state")),)
    )
    async with site.open():
        lamp = site.things[1]
        async with site.guard.turn((lamp,)):
            line.tell({"contact": False})
            line.tell({"contact": True})
            async with asyncio.timeout(5):
                while line.waiting:  # noqa: ASYNC110  # nothing tells of it
                    await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            await site.keeper.stop(site.guard.outputs_of(lamp), ALICE)
        await site.until(lambda: site.presses)
        assert (site.presses[0].refused, site.presses[0].problem) == (True, "lamp was stopped meanwhile")
    assert True not in writes(board)
