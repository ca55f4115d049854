"""Confirmation: what changed between question and answer, what comes twice, other faces, and what is kept of it."""

import asyncio
import logging

import pytest
from tests.support.confirming import GUARDED, NOTHING, ON, Home, code_in, wrong
from tests.support.fakes import ALICE, BOB, VERA, Board, House, relay, request, running, thing

from jidget.commands.access import Access
from jidget.commands.confirmation import LIFETIME, REMEMBERED
from jidget.commands.model import Face, Outcome, Reason
from jidget.config.model import Grant
from jidget.store.journal import MemoryJournal
from jidget.things.rules import Rules
from jidget_drivers import Kind, Property

# ---- what changed since --------------------------------------------------------------------------------------------


async def test_rights_are_those_at_the_time_of_the_answer() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code(jid=BOB)
        home.access._grants[BOB] = Grant.model_validate({"role": "operator", "things": ["tank"]})
        assert await home.say(f"yes {code}", BOB) == "Refused: you may not act on pump"
        home.access._grants[BOB] = Grant.model_validate("viewer")
        assert await home.say(f"yes {code}", BOB) == "Refused: you may not use yes here"
        home.commands._access = Access({}, "pi@example.org")
        assert await home.commands.chat(request(BOB), f"yes {code}") is None
    assert home.pump.written == []


async def test_a_stop_since_it_was_asked_for_comes_first() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        await home.say("stop", BOB)
        answer = await home.say(f"yes {code}")
        assert answer == "Refused: there was a stop since that code was sent. Say the command again for a new code"
        assert home.pump.written == [("state", False)]
        assert await home.say(f"yes {await home.code()}") == ON


async def test_what_the_safety_rules_forbid_is_refused_before_and_after_a_code_is_asked_for() -> None:
    pump, heater = relay(), relay()
    rules = {"state": Rules(safe=False, confirm=True, max_on=60, interlock=(("heater", "state"),))}
    home = House(
        thing("pump", pump, rules=rules),
        thing("heater", heater, rules={"state": Rules(safe=False, interlock=(("pump", "state"),))}),
    )
    async with running(*home.directory):
        assert await home.say("pump on for 2m") == "Refused: pump.state may be on for 1m at most (max_on)"
        code = code_in(await home.say("pump on"))
        await home.say("heater on")
        refused = "Refused: heater.state is on, so pump.state stays off (interlock)"
        assert await home.say("pump on") == refused
        assert await home.say(f"yes {code}") == refused
        await home.say("heater off")
        assert (await home.say(f"yes {code}")).startswith(ON), "nothing was moved, so the code is still good"
    assert pump.written == [("state", True)]


@pytest.mark.parametrize("age", [None, 31.0])
async def test_an_old_question_or_answer_moves_nothing(age: float | None) -> None:
    home = Home()
    async with running(*home.directory):
        assert "nothing was moved" in await home.say("pump on", age=age)
        code = await home.code()
        assert "nothing was moved" in await home.say(f"yes {code}", age=age)
        assert home.pump.written == []
        assert await home.say(f"yes {code}") == ON


# ---- repeated ------------------------------------------------------------------------------------------------------


async def test_a_repeated_question_is_the_same_one_and_never_runs() -> None:
    home = Home()
    async with running(*home.directory):
        first = await home.say("pump on", key="message:1")
        assert await home.say("pump on", key="message:1") == first
        together = await asyncio.gather(*(home.say("pump on", key="message:2") for _ in range(5)))
        assert len(set(together)) == 1
        assert await home.say(f"yes {code_in(first)}") == ON
        again = await home.say("pump on", key="message:1")
        assert again.splitlines()[0].startswith("Refused: a code was asked for first, and nothing was moved.")
        assert again.splitlines()[1].endswith("nothing was moved again.")
        assert again.splitlines()[2].startswith("Now pump.state: on (")
    assert home.pump.written == [("state", True)]


async def test_a_repeated_answer_is_told_the_first_outcome() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        assert await home.say(f"yes {code}", key="message:yes") == ON
        await home.say("pump off")
        again = await home.say(f"yes {code}", key="message:yes")
        assert again.splitlines()[0] == ON
        assert "nothing was moved again" in again
        home.clock.advance(LIFETIME + REMEMBERED + 1)  # the code is forgotten, the journal is not
        assert (await home.say(f"yes {code}", key="message:yes")).startswith(f"{ON}\nAsked before (")
    assert home.pump.written == [("state", True), ("state", False)]


async def test_a_repeated_wrong_answer_counts_once() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        for _ in range(5):
            assert "2 more tries" in await home.say(f"yes {wrong(code)}", key="message:wrong")
        assert await home.say(f"yes {code}") == ON


async def test_after_a_restart_codes_are_gone_and_repetitions_are_still_recognised() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code(key="message:1")
        assert await home.say(f"yes {code}", key="message:yes") == ON
        waiting = await home.code(key="message:2")
    other = House(thing("pump", board := relay(), rules={"state": GUARDED}), journal=home.journal)
    async with running(*other.directory):
        assert (await other.say("pump on", key="message:2")).startswith("Refused: a code was asked for first")
        assert await other.say(f"yes {waiting}") == NOTHING
        assert (await other.say(f"yes {code}", key="message:yes")).startswith(f"{ON}\nAsked before (")
    assert board.written == []


# ---- other faces ---------------------------------------------------------------------------------------------------


async def test_programs_are_refused_and_told_how() -> None:
    home = Home()
    async with running(*home.directory):
        result = await home.commands.write(request(face=Face.IQ), "pump", {"state": True})
        assert (result.outcome, result.reason) == (Outcome.REFUSED, Reason.NOT_ACCEPTABLE)
        assert result.note == (
            "Refused: set pump.state to on: a person must confirm this with a code. "
            "Say it in chat, or execute the form set/pump"
        )
        assert await home.say("no") == "Nothing of yours waits for a code.", "nobody was asked"
        assert (await home.commands.write(request(face=Face.IQ), "pump", {"state": False})).outcome is Outcome.DONE
    assert home.pump.written == [("state", False)]


async def test_one_of_several_values_that_needs_a_code_is_enough() -> None:
    lamp = Property(name="lamp", kind=Kind.BOOLEAN, writable=True)
    pump = Property(name="pump", kind=Kind.BOOLEAN, writable=True)
    board = Board((lamp, pump), {"lamp": False, "pump": False})
    home = House(thing("board", board, rules={"pump": GUARDED}))
    async with running(*home.directory):
        values = {"lamp": True, "pump": True}
        result = await home.commands.write(request(face=Face.IQ), "board", values)
        assert result.reason is Reason.NOT_ACCEPTABLE
        assert board.written == []
        asked = await home.commands.write(request(), "board", values)
        assert asked.note.startswith("Please confirm: set board.lamp to on, board.pump to on.")
        assert (await home.commands.write(request(face=Face.IQ), "board", {"lamp": True})).outcome is Outcome.DONE


# ---- told and audited ----------------------------------------------------------------------------------------------


async def test_questions_and_answers_are_audited_and_journaled_without_the_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "jidget")
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        await home.say(f"yes {wrong(code)}")
        await home.say(f"yes {code}")
        await home.code("pump on for 5m")
        await home.say("no")
        await asyncio.sleep(0)
    who = f"{ALICE}/phone by chat"
    asked = "refused: Refused: a code was asked for first, and nothing was moved. Say it again for a new code"
    assert [r.message for r in caplog.records if r.name == "jidget.audit"] == [
        f"{who}: set pump state=on -> {asked}",
        f"{who}: yes -> refused: Refused: that is not the code, so nothing was moved. You have 2 more tries",
        f"{who}: yes to set pump state=on -> done: {ON}",
        f"{who}: set pump state=on for=5m -> {asked}",
        f"{who}: no -> done: Cancelled: set pump.state to on for 5m",
    ]
    assert code not in caplog.text
    assert isinstance(home.journal, MemoryJournal)
    assert code not in repr(home.journal._rows)


async def test_help_on_yes_and_no() -> None:
    home = Home()
    lines = (await home.say("help")).splitlines()
    assert "yes CODE: do what waits for this code; it was in the answer to your command" in lines
    assert "no: cancel all of yours that waits for a code" in lines
    assert (await home.say("help yes")).startswith("yes CODE: ")
    assert (await home.say("help no")).startswith("no: ")
    assert await home.say("help yes", VERA) == "Refused: you may not use yes here"
    assert not {"yes", "no"} & {node.node for node in home.commands.nodes(ALICE)}
    plain = House(thing("pump", relay()))
    assert "yes CODE" not in await plain.say("help"), "where nothing asks for a code"
    assert (await plain.say("help yes")).startswith("yes CODE: ")
