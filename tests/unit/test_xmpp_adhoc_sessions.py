"""Ad-hoc commands: whose session it is, how long, and that nothing runs twice."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.support.adhoc import COMMANDS, form, note, outcome, session
from tests.support.desk import Desk, refuses_session
from tests.support.fakes import BOB, running
from tests.support.stanzas import ALICE, incoming, refuses

from jidget.config.model import Grant
from jidget.errors import StanzaError
from jidget.xmpp.adhoc import MOST_SESSIONS, RESULT_TTL, SESSION_TTL

NODE = COMMANDS.strip("{}")
BOBS = f"{BOB}/phone"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with running(*made.things):
        yield made


@pytest.mark.parametrize("action", ["execute", "complete", "next", "prev", "cancel", None])
async def test_an_unknown_session_never_runs_anything(desk: Desk, action: str | None) -> None:
    for sid in ("0" * 32, ""):
        with refuses_session():
            await desk.send("set/pump", form(state="1"), sessionid=sid, action=action)
    assert desk.pump.written == []


@pytest.mark.parametrize("action", ["complete", "next", "prev", "cancel"])
async def test_going_on_with_nothing_is_refused(desk: Desk, action: str) -> None:
    with refuses_session():
        await desk.send("set/pump", form(state="1"), action=action)
    assert desk.pump.written == []


@pytest.mark.parametrize(
    ("sender", "node"),
    [(BOBS, "set/pump"), ("alice@example.org/laptop", "set/pump"), (ALICE, "set/tank"), (ALICE, "set")],
)
async def test_a_session_belongs_to_one_full_jid_and_one_node(desk: Desk, sender: str, node: str) -> None:
    sid = session(await desk.send("set/pump"))
    for action in ("complete", "cancel"):
        with refuses_session():
            await desk.send(node, form(state="1"), sender, sessionid=sid, action=action)
    assert desk.pump.written == []
    assert outcome(await desk.send("set/pump", form(state="1"), sessionid=sid)) == "done"  # hers is untouched


async def test_a_session_ends_after_a_while(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    desk.clock.advance(SESSION_TTL - 1)
    await desk.send("set/pump", form(state="neither"), sessionid=sid)  # being used keeps it
    desk.clock.advance(SESSION_TTL - 1)
    await desk.send("set/pump", form(state="neither"), sessionid=sid)
    desk.clock.advance(SESSION_TTL)
    with refuses_session():
        await desk.send("set/pump", form(state="1"), sessionid=sid)
    assert desk.pump.written == []


async def test_the_oldest_of_too_many_sessions_of_one_person_is_forgotten(desk: Desk) -> None:
    others = session(await desk.send("set/pump", sender=BOBS))
    sids = []
    for number in range(MOST_SESSIONS + 1):
        desk.clock.advance(1)
        sids.append(session(await desk.send("set/pump", sender=f"alice@example.org/r{number}")))
    with refuses_session():
        await desk.send("set/pump", form(state="1"), "alice@example.org/r0", sessionid=sids[0])
    for number in (1, MOST_SESSIONS):
        answer = await desk.send("set/pump", form(state="1"), f"alice@example.org/r{number}", sessionid=sids[number])
        assert outcome(answer) == "done"
    assert outcome(await desk.send("set/pump", form(state="0"), BOBS, sessionid=others)) == "done"


async def test_finished_sessions_do_not_crowd_out_open_ones(desk: Desk) -> None:
    waiting = session(await desk.send("set/tank"))
    for number in range(2 * MOST_SESSIONS):
        desk.clock.advance(1)
        sid = session(await desk.send("set/pump"))
        await desk.send("set/pump", form(state=str(number % 2)), sessionid=sid)
    assert outcome(await desk.send("set/tank", form(target="25"), sessionid=waiting)) == "done"


async def test_cancel_ends_a_session(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    answer = await desk.send("set/pump", sessionid=sid, action="cancel")
    assert (answer.get("status"), answer.get("sessionid"), len(answer)) == ("canceled", sid, 0)
    with refuses_session():
        await desk.send("set/pump", form(state="1"), sessionid=sid)
    with refuses_session():
        await desk.send("set/pump", sessionid=sid, action="cancel")
    assert desk.pump.written == []


async def test_a_form_that_was_cancelled_ends_it_too(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    answer = await desk.send("set/pump", "<x xmlns='jabber:x:data' type='cancel'/>", sessionid=sid)
    assert answer.get("status") == "canceled"
    with refuses_session():
        await desk.send("set/pump", form(state="1"), sessionid=sid)


async def test_there_is_no_way_back_from_the_only_stage(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    with refuses("bad-request", f"{COMMANDS}bad-action"):
        await desk.send("set/pump", form(state="1"), sessionid=sid, action="prev")
    assert desk.pump.written == []
    assert outcome(await desk.send("set/pump", form(state="1"), sessionid=sid)) == "done"


@pytest.mark.parametrize("action", ["explode", "", "EXECUTE", "x" * 10_000])
async def test_an_action_that_does_not_exist(desk: Desk, action: str) -> None:
    sid = session(await desk.send("set/pump"))
    for sessionid in (None, sid):
        with refuses("bad-request", f"{COMMANDS}malformed-action") as raised:
            await desk.send("set/pump", form(state="1"), sessionid=sessionid, action=action)
        assert len(raised.value.text) < 100
    assert desk.pump.written == []


async def test_a_command_without_a_node(desk: Desk) -> None:
    with refuses("bad-request", says="node"):
        await desk.table.ask(incoming(f"<command xmlns='{NODE}'/>"))


# ---- nothing twice -------------------------------------------------------------------------------------------------


async def test_the_same_request_again_tells_the_first_outcome(desk: Desk) -> None:
    first = await desk.send("set/pump", form(state="1"), id="same")
    desk.pump.held["state"] = False
    again = await desk.send("set/pump", form(state="1"), id="same")
    assert outcome(first) == outcome(again) == "done"
    assert "nothing was moved again" in note(again)[1]
    assert desk.pump.written == [("state", True)]


@pytest.mark.parametrize("id", ["same", "another"])
async def test_a_finished_session_answers_the_same_request_the_same_way(desk: Desk, id: str) -> None:
    sid = session(await desk.send("set/pump"))
    first = await desk.send("set/pump", form(state="1"), id="same", sessionid=sid)
    desk.pump.held["state"] = False
    again = await desk.send("set/pump", form(state="1"), id=id, sessionid=sid)
    assert ET.tostring(again) == ET.tostring(first)
    assert desk.pump.written == [("state", True)]
    with refuses_session():  # it is over for anything else
        await desk.send("set/pump", form(state="0"), sessionid=sid)
    with refuses_session():
        await desk.send("set/pump", sessionid=sid, action="cancel")
    desk.clock.advance(RESULT_TTL)
    with refuses_session():
        await desk.send("set/pump", form(state="1"), id=id, sessionid=sid)
    assert desk.pump.written == [("state", True)]


async def test_the_same_form_sent_twice_at_the_same_time_runs_once(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    desk.pump.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(desk.send("set/pump", form(state="1"), sessionid=sid))
        await desk.pump.moving.wait()
        second = tasks.create_task(desk.send("set/pump", form(state="1"), sessionid=sid))
        other = tasks.create_task(_refused(desk.send("set/pump", form(state="0"), sessionid=sid)))
        cancel = tasks.create_task(_refused(desk.send("set/pump", sessionid=sid, action="cancel")))
        await asyncio.sleep(0)
        desk.pump.gate.set()
    assert outcome(first.result()) == outcome(second.result()) == "done"
    assert other.result() == cancel.result() == f"{COMMANDS}bad-sessionid"
    assert desk.pump.written == [("state", True)]


async def _refused(asking: Coroutine[Any, Any, ET.Element]) -> str:
    with pytest.raises(StanzaError) as raised:
        await asking
    return raised.value.application or raised.value.condition


async def test_what_waited_for_a_session_that_came_to_nothing_runs_nothing(desk: Desk) -> None:
    sid = session(await desk.send("set/pump", sender=BOBS))
    desk.pump.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        ahead = tasks.create_task(desk.send("set/pump", form(state="1")))
        await desk.pump.moving.wait()
        first = tasks.create_task(_refused(desk.send("set/pump", form(state="1"), BOBS, sessionid=sid)))
        second = tasks.create_task(_refused(desk.send("set/pump", form(state="on"), BOBS, sessionid=sid)))
        await asyncio.sleep(0)  # until they wait: the first for the pump, the second for the first
        desk.house.access._grants[BOB] = Grant.model_validate("viewer")
        desk.pump.gate.set()
    assert outcome(ahead.result()) == "done"
    assert (first.result(), second.result()) == ("forbidden", f"{COMMANDS}bad-sessionid")
    assert desk.pump.written == [("state", True)]
