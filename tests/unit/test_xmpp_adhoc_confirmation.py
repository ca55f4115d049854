"""Commands as forms that ask for a code: one more stage, and none of the ways around it."""

import re
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest
from tests.support.adhoc import DATA, form, instructions, note, outcome, results, session, shown
from tests.support.desk import Desk, refuses_session
from tests.support.fakes import BOB, request, running
from tests.support.stanzas import ALICE, refuses

from jidget.config.model import Grant
from jidget.things.rules import Rules

TABLET = f"{ALICE.partition('/')[0]}/tablet"
BOBS = f"{BOB}/phone"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk whose pump asks for a code."""
    made = Desk({"pump": {"state": Rules(safe=False, confirm=True)}})
    async with running(*made.things):
        yield made


async def asked(desk: Desk, sender: str = ALICE, *, id: str = "") -> ET.Element:
    """Fill in that the pump is to be on, and return the stage that asks for a code."""
    sid = session(await desk.send("set/pump", sender=sender))
    return await desk.send("set/pump", form(state="1"), sender, sessionid=sid, action="complete", id=id)


def code_in(stage: ET.Element) -> str:
    """Return the code of a stage that asks for one, which is as all other stages are."""
    assert stage.get("status") == "executing"
    assert note(stage) == ("", "")
    assert [field.get("var") for field in stage.iterfind(f"{DATA}x/{DATA}field")] == ["FORM_TYPE", "code"]
    assert shown(stage, "FORM_TYPE") == "urn:jidget:1#confirm"
    assert shown(stage, "code") == "", "it is to be typed"
    found = re.search(r"type (\d{6}) within 2 min", instructions(stage)[-1])
    assert found
    return found[1]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


# ---- the way through -----------------------------------------------------------------------------------------------


async def test_the_form_is_followed_by_a_stage_with_the_code(desk: Desk) -> None:
    stage = await asked(desk)
    assert instructions(stage)[0].startswith("To set pump.state to on, type ")
    assert [child.tag.rpartition("}")[2] for child in stage] == ["actions", "x"]
    assert stage[0].get("execute") == "complete"
    assert desk.pump.written == []
    done = await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage), action="complete")
    assert outcome(done) == "done"
    assert note(done) == ("info", "pump.state: on (confirmed)")
    assert results(done)["pump.state"] == "on"
    assert desk.pump.written == [("state", True)]


@pytest.mark.parametrize(
    ("node", "fields"),
    [
        ("set", {"target": "pump.state", "value": "on"}),
        ("set", {"target": "pump.state", "value": "on", "for": "10m"}),
        ("set/pump", {"state": "1"}),
    ],
)
async def test_execute_that_brings_the_form_leads_to_the_same_stage(
    desk: Desk, node: str, fields: dict[str, str]
) -> None:
    stage = await desk.send(node, form(**fields), action="execute")
    assert desk.pump.written == []
    done = await desk.send(node, form(code=code_in(stage)), sessionid=session(stage))
    assert outcome(done) == "done"
    assert desk.pump.written == [("state", True)]


async def test_an_action_without_a_form_has_only_the_stage_with_the_code() -> None:
    desk = Desk({"gate": {"position": Rules(safe=0.0, confirm=True)}}, position_can_be_set=True)
    async with running(*desk.things):
        for node, inner in (("do/gate/ring", ""), ("do", form(target="gate.ring"))):
            stage = await desk.send(node, inner)
            assert instructions(stage)[0].startswith("To do gate.ring, type ")
            assert outcome(await desk.send(node, form(code=code_in(stage)), sessionid=session(stage))) == "done"
        assert desk.gate.invoked == [("ring", {})] * 2


async def test_the_code_of_a_form_can_be_answered_in_chat(desk: Desk) -> None:
    stage = await asked(desk)
    assert await desk.house.say(f"yes {code_in(stage)}") == "pump.state: on (confirmed)"
    late = await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))
    assert outcome(late) == "refused"
    assert "was used already" in note(late)[1]
    assert desk.pump.written == [("state", True)]


# ---- not the code --------------------------------------------------------------------------------------------------


async def test_a_wrong_code_shows_the_stage_again_and_the_third_ends_it(desk: Desk) -> None:
    stage = await asked(desk)
    bad = form(code=other_than(code_in(stage)))
    for left in ("2 more tries", "one more try"):
        again = await desk.send("set/pump", bad, sessionid=session(stage))
        assert session(again) == session(stage)
        assert instructions(again)[0].startswith("Refused: that is not the code")
        assert instructions(again)[0].endswith(left)
        assert code_in(again) == code_in(stage)
    over = await desk.send("set/pump", bad, sessionid=session(stage))
    assert outcome(over) == "refused"
    assert note(over)[0] == "error"
    assert "this is cancelled: set pump.state to on" in note(over)[1]
    with refuses_session():
        await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))
    assert desk.pump.written == []


async def test_after_a_wrong_code_the_right_one_is_right(desk: Desk) -> None:
    stage = await asked(desk)
    await desk.send("set/pump", form(code=other_than(code_in(stage))), sessionid=session(stage))
    assert outcome(await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))) == "done"


@pytest.mark.parametrize("inner", ["", form(), form(code=""), form(code="  "), form(state="0")])
async def test_no_code_is_no_try(desk: Desk, inner: str) -> None:
    stage = await asked(desk)
    for _ in range(5):
        again = await desk.send("set/pump", inner, sessionid=session(stage), action="complete")
        assert code_in(again) == code_in(stage)
        assert desk.pump.written == []
    assert outcome(await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))) == "done"


async def test_the_code_of_another_form_is_wrong(desk: Desk) -> None:
    first, second = await asked(desk), await asked(desk)
    mixed = await desk.send("set/pump", form(code=code_in(second)), sessionid=session(first))
    assert "that is not the code" in instructions(mixed)[0]
    assert desk.pump.written == []


async def test_a_code_that_is_over_ends_the_form(desk: Desk) -> None:
    stage = await asked(desk)
    desk.house.clock.advance(121)
    late = await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))
    assert outcome(late) == "refused"
    assert "was good for 2 min only" in note(late)[1]
    assert desk.pump.written == []


async def test_an_old_answer_is_refused_and_ends_the_form(desk: Desk) -> None:
    stage = await asked(desk)
    late = await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage), age=None)
    assert outcome(late) == "refused"
    assert "age unknown" in note(late)[1]
    assert desk.pump.written == []


# ---- not doing it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "action"), [("", "cancel"), ("<x xmlns='jabber:x:data' type='cancel'/>", "complete")]
)
async def test_cancel_cancels_the_code_too(desk: Desk, inner: str, action: str) -> None:
    stage = await asked(desk)
    answer = await desk.send("set/pump", inner, sessionid=session(stage), action=action)
    assert answer.get("status") == "canceled"
    with refuses_session():
        await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))
    assert (await desk.house.say(f"yes {code_in(stage)}")).startswith("Refused: that code was cancelled")
    assert desk.pump.written == []


async def test_cancelling_one_form_leaves_what_else_waits(desk: Desk) -> None:
    first, second = await asked(desk), await asked(desk)
    await desk.send("set/pump", sessionid=session(first), action="cancel")
    assert outcome(await desk.send("set/pump", form(code=code_in(second)), sessionid=session(second))) == "done"


async def test_no_in_chat_cancels_forms_too(desk: Desk) -> None:
    stage = await asked(desk)
    assert await desk.house.say("no") == "Cancelled: set pump.state to on"
    answer = await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))
    assert outcome(answer) == "refused"
    assert desk.pump.written == []


# ---- whose ---------------------------------------------------------------------------------------------------------


async def test_the_stage_belongs_to_who_opened_it(desk: Desk) -> None:
    stage = await asked(desk)
    for sender in (BOBS, TABLET):
        for action in ("complete", "cancel"):
            with refuses_session():
                await desk.send("set/pump", form(code=code_in(stage)), sender, sessionid=session(stage), action=action)
    theirs = await asked(desk, BOBS)
    wrong = await desk.send("set/pump", form(code=code_in(stage)), BOBS, sessionid=session(theirs))
    assert "that is not the code" in instructions(wrong)[0]
    assert desk.pump.written == []


async def test_rights_lost_before_the_code_are_lost(desk: Desk) -> None:
    stage = await asked(desk, BOBS)
    desk.house.access._grants[BOB] = Grant.model_validate({"role": "operator", "things": ["gate"]})
    with refuses("forbidden"):
        await desk.send("set/pump", form(code=code_in(stage)), BOBS, sessionid=session(stage))
    with refuses_session():
        await desk.send("set/pump", form(code=code_in(stage)), BOBS, sessionid=session(stage))
    assert desk.pump.written == []


# ---- repeated ------------------------------------------------------------------------------------------------------


async def test_each_stage_repeated_gets_the_same_answer(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    stages = [await desk.send("set/pump", form(state="1"), sessionid=sid, id="two") for _ in range(3)]
    assert {ET.tostring(stage) for stage in stages} == {ET.tostring(stages[0])}
    ends = [await desk.send("set/pump", form(code=code_in(stages[0])), sessionid=sid, id="three") for _ in range(3)]
    assert {ET.tostring(end) for end in ends} == {ET.tostring(ends[0])}
    assert outcome(ends[0]) == "done"
    assert desk.pump.written == [("state", True)]


async def test_a_wrong_code_repeated_by_the_network_is_one_try(desk: Desk) -> None:
    stage = await asked(desk)
    for _ in range(5):
        again = await desk.send("set/pump", form(code=other_than(code_in(stage))), sessionid=session(stage), id="bad")
        assert "2 more tries" in instructions(again)[0]
    assert outcome(await desk.send("set/pump", form(code=code_in(stage)), sessionid=session(stage))) == "done"


async def test_a_form_brought_along_and_repeated_asks_for_the_same_code(desk: Desk) -> None:
    filled = form(target="pump.state", value="on")
    stages = [await desk.send("set", filled, id="one") for _ in range(2)]
    assert code_in(stages[0]) == code_in(stages[1])
    assert outcome(await desk.send("set", form(code=code_in(stages[0])), sessionid=session(stages[0]))) == "done"
    second = await desk.send("set", form(code=code_in(stages[1])), sessionid=session(stages[1]))
    assert outcome(second) == "refused"
    third = await desk.send("set", filled, id="one")
    assert outcome(third) == "refused"
    assert "nothing was moved again" in note(third)[1]
    assert desk.pump.written == [("state", True)]


async def test_what_is_refused_anyway_asks_for_no_code(desk: Desk) -> None:
    stage = await desk.send("set/pump", form(state="maybe"), sessionid=session(await desk.send("set/pump")))
    assert "is not a switch position" in instructions(stage)[0]
    assert await desk.house.commands.chat(request(), "no") == "Nothing of yours waits for a code."
