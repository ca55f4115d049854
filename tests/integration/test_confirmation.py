"""Confirmation on real servers: the pump moves once, by the code of who asked, whichever way it is answered."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.adhoc import COMMANDS, command, form, instructions, note, outcome, session
from tests.support.agents import RunningApp, running_app, write_config
from tests.support.asking import Refused
from tests.support.people import Person

from jidget.demo.xmpp_server import XmppServer

THINGS = """
[things.pump]
driver = "simulated"
interval = "1h"
options = { record = "pump.record", properties = { state = { type = "boolean", writable = true } } }
[things.pump.safety]
safe = false
confirm = true
"""
ON = "pump.state: on (confirmed)"
START = "state false"
"""What the agent does first of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running agent, its owner on two clients, and an operator."""

    agent: RunningApp
    account: Account
    phone: Person
    tablet: Person
    bob: Person
    directory: Path

    def moved(self) -> list[str]:
        """Return what the pump really did since the agent started: `state true`."""
        first, *rest = (line.split(" ", 1)[1] for line in (self.directory / "pump.record").read_text().splitlines())
        assert first == START
        return rest


@pytest.fixture
async def house(server: XmppServer, account: Accounts, tmp_path: Path) -> AsyncIterator[House]:
    alice, bob = account(server, "alice"), account(server, "bob")
    pi = account(server, "pi", contacts=(alice, bob))
    access = {alice.jid: '"owner"', bob.jid: '{ role = "operator", things = ["pump"] }'}
    file = write_config(tmp_path, pi, access, things=THINGS)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(running_app(file))
        who = (Person(alice, agent.jid), Person(alice, agent.jid, "tablet"), Person(bob, agent.jid))
        phone, tablet, operator = [await stack.enter_async_context(person) for person in who]
        for person in (phone, tablet, operator):
            await person.meet()
        yield House(agent=agent, account=pi, phone=phone, tablet=tablet, bob=operator, directory=tmp_path)


def code_in(text: str) -> str:
    found = re.search(r"\b(\d{6})\b", text)
    assert found, text
    return found[1]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def send(person: Person, node: str, inner: str = "", *, id: str = "", **attributes: str) -> ET.Element:
    answer = await person.ask("set", command(node, inner, **attributes), id=id)
    assert answer is not None
    assert answer.tag == f"{COMMANDS}command"
    return answer


# ---- chat ----------------------------------------------------------------------------------------------------------


async def test_by_chat_it_moves_once_and_only_for_who_asked(house: House) -> None:
    asked = await house.phone.asks("pump on", id="ask")
    assert asked.startswith("Please confirm: set pump.state to on.\nyes ")
    code = code_in(asked)
    assert await house.phone.asks("pump on", id="ask") == asked, "the network brought it twice"
    assert (await house.bob.asks(f"yes {code}")).startswith("Refused: nothing of yours waits for a code")
    assert (await house.phone.asks(f"yes {other_than(code)}")).startswith("Refused: that is not the code")
    assert house.moved() == []

    assert await house.tablet.asks(f"yes {code}", id="yes") == ON
    assert house.moved() == ["state true"]
    again = await house.tablet.asks(f"yes {code}", id="yes")
    assert again.startswith(f"{ON}\nAsked before (")
    assert (await house.phone.asks(f"yes {code}")).startswith("Refused: that code was used already")
    assert "nothing was moved again" in await house.phone.asks("pump on", id="ask")
    assert house.moved() == ["state true"]
    assert await house.phone.asks("pump off") == "pump.state: off (confirmed)", "safe needs no code"
    assert house.moved() == ["state true", "state false"]


async def test_no_cancels_and_stop_needs_no_code(house: House) -> None:
    code = code_in(await house.phone.asks("pump on for 10m"))
    assert await house.tablet.asks("no") == "Cancelled: set pump.state to on for 10m"
    assert (await house.phone.asks(f"yes {code}")).startswith("Refused: that code was cancelled")
    code = code_in(await house.phone.asks("pump on"))
    assert await house.bob.asks("stop") == "pump.state: off (confirmed)"
    assert (await house.phone.asks(f"yes {code}")).startswith("Refused: there was a stop since")
    assert "state true" not in house.moved()


async def test_an_old_answer_moves_nothing(house: House) -> None:
    code = code_in(await house.phone.asks("pump on"))
    old = "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>"
    assert (await house.phone.asks(f"yes {code}", more=old)).startswith("Refused: this was sent ")
    assert house.moved() == []
    assert await house.phone.asks(f"yes {code}") == ON


# ---- forms and programs --------------------------------------------------------------------------------------------


async def test_by_form_one_more_stage_asks_for_the_code(house: House) -> None:
    sid = session(await send(house.phone, "set/pump", action="execute"))
    stage = await send(house.phone, "set/pump", form(state="1"), sessionid=sid, action="complete", id="fill")
    assert session(stage) == sid
    assert instructions(stage)[0].startswith("To set pump.state to on, type ")
    code = code_in(instructions(stage)[0])
    same = await send(house.phone, "set/pump", form(state="1"), sessionid=sid, action="complete", id="fill")
    assert instructions(same) == instructions(stage)

    for person in (house.bob, house.tablet):
        with pytest.raises(Refused, match="bad-sessionid"):
            await send(person, "set/pump", form(code=code), sessionid=sid, action="complete")
    assert (await house.bob.asks(f"yes {code}")).startswith("Refused: nothing of yours")
    again = await send(house.phone, "set/pump", form(code=other_than(code)), sessionid=sid, action="complete")
    assert "that is not the code" in instructions(again)[0]
    assert house.moved() == []

    for _ in range(2):
        done = await send(house.phone, "set/pump", form(code=code), sessionid=sid, action="complete", id="code")
        assert outcome(done) == "done"
        assert note(done) == ("info", ON)
    assert house.moved() == ["state true"]


async def test_a_form_brought_along_can_be_answered_in_chat_or_cancelled(house: House) -> None:
    filled = form(target="pump.state", value="on", **{"for": "10m"})
    stage = await send(house.bob, "set", filled, action="execute")
    assert instructions(stage)[0].startswith("To set pump.state to on for 10m, type ")
    cancelled = await send(house.bob, "set", sessionid=session(stage), action="cancel")
    assert cancelled.get("status") == "canceled"
    code = code_in(instructions(stage)[0])
    assert (await house.bob.asks(f"yes {code}")).startswith("Refused: that code was cancelled")
    assert house.moved() == []
    stage = await send(house.bob, "set", filled, action="execute")
    code = code_in(instructions(stage)[0])
    assert (await house.bob.asks(f"yes {code}")).startswith(f"{ON}, off again at ")
    late = await send(house.bob, "set", form(code=code), sessionid=session(stage), action="complete")
    assert outcome(late) == "refused"
    assert house.moved() == ["state true"]


async def test_programs_are_told_to_send_a_person(house: House) -> None:
    payload = "<set xmlns='urn:nf:iot:ctr:1.0'><nd id='pump'/><b n='state' v='{}'/></set>"
    with pytest.raises(Refused) as refused:
        await house.phone.ask("set", payload.format("true"))
    assert (refused.value.condition, refused.value.application) == ("not-acceptable", "{urn:jidget:1}refused")
    assert refused.value.text.endswith("Say it in chat, or execute the form set/pump")
    assert house.moved() == []
    assert await house.phone.ask("set", payload.format("false")) is not None


# ---- a restart -----------------------------------------------------------------------------------------------------


async def test_a_restart_forgets_codes_and_no_command(house: House) -> None:
    waiting = code_in(await house.phone.asks("pump on", id="ask"))
    used = code_in(await house.phone.asks("pump on", id="another"))
    assert await house.phone.asks(f"yes {used}", id="yes") == ON
    seen = len(house.phone.stanzas)
    await house.agent.stop()
    async with running_app(house.directory / "jidget.toml"):
        await house.phone.sees(after=seen)
        assert (await house.phone.asks(f"yes {waiting}")).startswith("Refused: nothing of yours waits for a code")
        assert (await house.phone.asks(f"yes {used}", id="yes")).startswith(f"{ON}\nAsked before (")
        assert (await house.phone.asks("pump on", id="ask")).startswith("Refused: a code was asked for first")
    assert house.moved().count("state true") == 1
