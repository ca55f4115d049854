"""Confirmation by chat: what needs a code moves only by the right one, once, for whom it was sent, in time."""

import asyncio
import logging
import re

import pytest
from tests.support.confirming import GUARDED, NOTHING, ON, Home, code_in, wrong
from tests.support.fakes import ALICE, BOB, VERA, Gate, House, request, running, tank, thing

from jidget.commands.confirmation import LIFETIME, MOST_OPEN, REMEMBERED
from jidget.commands.model import Face
from jidget.things.rules import Rules
from jidget_drivers import Kind, Property

# ---- the way through -----------------------------------------------------------------------------------------------


async def test_a_code_is_asked_for_and_its_answer_carries_it_out() -> None:
    home = Home()
    async with running(*home.directory):
        asked = await home.say("pump on for 10m")
        assert asked.splitlines()[0] == "Please confirm: set pump.state to on for 10m."
        assert home.pump.written == []
        done = await home.say(f"yes {code_in(asked)}")
        assert re.fullmatch(r"pump\.state: on \(confirmed\), off again at \d\d:\d\d:\d\dZ, in 10 min", done)
        assert home.pump.written == [("state", True)]


@pytest.mark.parametrize("spelled", ["YES {}{}", "/yes {}{}", "yes {} {}", "yes  {}-{}."])
async def test_codes_are_read_as_people_write_them(spelled: str) -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        assert await home.say(spelled.format(code[:3], code[3:])) == ON


async def test_going_to_safe_and_what_has_no_such_rule_need_no_code() -> None:
    home = Home()
    async with running(*home.directory):
        assert await home.say("pump off") == "pump.state: off (confirmed)"
        assert await home.say("stop") == "pump.state: off (confirmed)\n" + "\n".join(
            f"tank.{name}: has no safe value, left as it is" for name in ("target", "mode")
        )
        assert await home.say("tank.target 21") == "tank.target: 21.0 °C (confirmed)"


async def test_without_a_safe_value_every_value_needs_a_code() -> None:
    board = tank()
    home = House(thing("tank", board, rules={"target": Rules(confirm=True)}))
    async with running(*home.directory):
        asked = await home.say("tank.target 21,5")
        assert asked.startswith("Please confirm: set tank.target to 21.5 °C.")
        assert board.written == []
        assert await home.say(f"yes {code_in(asked)}") == "tank.target: 21.5 °C (confirmed)"


async def test_actions_of_a_thing_that_asks_for_a_code_ask_for_one_and_keep_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "jidget")
    gate = Gate()
    gate.properties = (*gate.properties, Property(name="motor", kind=Kind.BOOLEAN, writable=True))
    gate.held["motor"] = False
    home = House(thing("gate", gate, rules={"motor": GUARDED}))
    async with running(*home.directory):
        asked = await home.say("do gate unlock code=hunter2")
        assert asked.startswith("Please confirm: do gate.unlock code=•••.")
        assert gate.invoked == []
        assert await home.say(f"yes {code_in(asked)}") == "gate unlock: done"
        await asyncio.sleep(0)
    assert gate.invoked == [("unlock", {"code": "hunter2"})]
    assert "hunter2" not in caplog.text


# ---- whose, which, when --------------------------------------------------------------------------------------------


async def test_it_is_the_askers_code_on_whichever_client() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code(jid=ALICE)
        for other in (BOB, "pi@example.org"):
            assert await home.say(f"yes {code}", other) == NOTHING
        assert await home.say(f"yes {code}", VERA) == "Refused: you may not use yes here"
        assert home.pump.written == []
        from_tablet = request(ALICE)
        answer = await home.commands.chat(
            type(from_tablet)(jid=ALICE, asker=f"{ALICE}/tablet", face=Face.CHAT, key=None, age=0.0), f"yes {code}"
        )
        assert answer == ON


async def test_a_code_is_good_once() -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        assert await home.say(f"yes {code}") == ON
        assert await home.say("pump off") == "pump.state: off (confirmed)"
        again = await home.say(f"yes {code}")
        assert again == "Refused: that code was used already. Say the command again for a new code"
        both = await home.code()
        answers = await asyncio.gather(home.say(f"yes {both}"), home.say(f"yes {both}"))
        assert sorted(answers) == sorted([ON, again])
    assert home.pump.written == [("state", True), ("state", False), ("state", True)]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (LIFETIME - 1, ON),
        (LIFETIME, "Refused: that code was good for 2 min only. Say the command again for a new code"),
        (LIFETIME + REMEMBERED, NOTHING),
    ],
)
async def test_a_code_is_good_for_two_minutes(seconds: float, says: str) -> None:
    home = Home()
    async with running(*home.directory):
        code = await home.code()
        home.now.advance(-(10**8))  # whatever the wall clock does
        home.clock.advance(seconds)
        assert await home.say(f"yes {code}") == says
    assert bool(home.pump.written) is (says == ON)


async def test_a_wrong_code_is_told_and_the_third_cancels_all() -> None:
    home = Home()
    async with running(*home.directory):
        codes = [await home.code(), await home.code("pump on for 1m")]
        bad = wrong(*codes)
        assert await home.say(f"yes {bad}") == (
            "Refused: that is not the code, so nothing was moved. You have 2 more tries"
        )
        assert await home.say(f"yes {bad}") == (
            "Refused: that is not the code, so nothing was moved. You have one more try"
        )
        assert await home.say(f"yes {bad}") == (
            "Refused: that is not the code either, so this is cancelled: "
            "set pump.state to on; set pump.state to on for 1m. Say the command again for a new code"
        )
        for code in codes:
            assert await home.say(f"yes {code}") == (
                "Refused: that code was cancelled. Say the command again for a new code"
            )
        assert await home.say(f"yes {bad}") == NOTHING
        assert home.pump.written == []
        code = await home.code()
        assert "2 more tries" in await home.say(f"yes {wrong(code, *codes)}")
        assert await home.say(f"yes {code}") == ON
        code = await home.code()
        assert "2 more tries" in await home.say(f"yes {wrong(code, *codes)}"), "a right one begins the count anew"


async def test_somebody_elses_wrong_codes_cancel_nothing_of_mine() -> None:
    home = Home()
    async with running(*home.directory):
        code, other = await home.code(jid=ALICE), await home.code(jid=BOB)
        for _ in range(4):
            await home.say(f"yes {wrong(code, other)}", BOB)
        assert await home.say(f"yes {code}") == ON


async def test_several_can_wait_and_the_oldest_gives_way() -> None:
    home = Home()
    async with running(*home.directory):
        codes = [await home.code(f"pump on for {n}m") for n in range(1, MOST_OPEN + 2)]
        assert len(set(codes)) == len(codes)
        assert (await home.say(f"yes {codes[0]}")).startswith("Refused: that code was cancelled")
        assert "in 3 min" in await home.say(f"yes {codes[2]}")


@pytest.mark.parametrize("line", ["yes", "yes please", "yes 12345", "yes 1234567", "yes ¹²³⁴⁵⁶", "yes " + "9" * 300])
async def test_what_is_no_code_moves_nothing(line: str) -> None:
    home = Home()
    async with running(*home.directory):
        await home.code()
        assert (await home.say(line)).startswith("Refused: ")
    assert home.pump.written == []


# ---- no ------------------------------------------------------------------------------------------------------------


async def test_no_cancels_all_of_ones_own_and_says_what() -> None:
    home = Home()
    async with running(*home.directory):
        assert await home.say("no") == "Nothing of yours waits for a code."
        code, bobs = await home.code(), await home.code(jid=BOB)
        await home.code("pump on for 5m")
        assert await home.say("No") == "Cancelled: set pump.state to on; set pump.state to on for 5m"
        assert await home.say("no") == "Nothing of yours waits for a code."
        assert (await home.say(f"yes {code}")).startswith("Refused: that code was cancelled")
        assert home.pump.written == []
        assert await home.say(f"yes {bobs}", BOB) == ON
        assert await home.say("no", BOB) == "Nothing of yours waits for a code."
        assert await home.say("no", VERA) == "Refused: you may not use no here"
