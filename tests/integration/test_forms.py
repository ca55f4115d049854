"""Commands as forms, over real servers: an agent in this process, plain clients that send raw XML."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.adhoc import COMMANDS, DATA, NODE, command, form, instructions, note, outcome, results, session
from tests.support.agents import RunningApp, running_app, write_config
from tests.support.asking import Asker, Refused

from jidget.demo.xmpp_server import XmppServer

INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"

THINGS = """
[things.pump]
driver = "simulated"
label = "Garden pump"
interval = "1h"
options = { record = "moved.log", properties = { state = { type = "boolean", writable = true } } }

[things.tank]
driver = "simulated"
interval = "1h"
[things.tank.options.properties]
level = { unit = "%", low = 40, high = 40 }
target = { unit = "Cel", writable = true, min = 5, max = 30, initial = 20, precision = 1 }
mode = { type = "enum", options = ["eco", "boost"], writable = true }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running agent and the people around it."""

    agent: RunningApp
    alice: Asker
    bob: Asker
    vera: Asker
    mallory: Asker
    directory: Path
    stack: AsyncExitStack

    def moved(self) -> list[str]:
        """Return what the pump really did: `state true`."""
        record = self.directory / "moved.log"
        return [line.split(maxsplit=1)[1] for line in record.read_text().splitlines()] if record.exists() else []

    async def another(self, account: Account, resource: str) -> Asker:
        """Log somebody in once more, as another resource."""
        return await self.stack.enter_async_context(Asker(account, self.alice.agent, resource))


@pytest.fixture
async def house(server: XmppServer, account: Accounts, tmp_path: Path) -> AsyncIterator[House]:
    """An owner, an operator of the pump, a viewer, and somebody whom nobody listed."""
    async with moved_in(server, account, tmp_path, THINGS) as made:
        yield made


@asynccontextmanager
async def moved_in(server: XmppServer, account: Accounts, directory: Path, things: str) -> AsyncIterator[House]:
    alice, bob, vera, mallory = (account(server, name) for name in ("alice", "bob", "vera", "mallory"))
    pi = account(server, "pi", contacts=(alice, bob, vera))
    access = {alice.jid: '"owner"', bob.jid: '{ role = "operator", things = ["pump"] }', vera.jid: '"viewer"'}
    file = write_config(directory, pi, access, things=things)
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Asker(who, f"{pi.jid}/agent")) for who in (alice, bob, vera, mallory)]
        agent = await stack.enter_async_context(running_app(file))
        await people[0].meet()
        yield House(
            agent=agent,
            alice=people[0],
            bob=people[1],
            vera=people[2],
            mallory=people[3],
            directory=directory,
            stack=stack,
        )


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a peer sends: nothing that it brings about is a surprise to the agent."""
    yield
    assert [r.getMessage() for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


async def send(asker: Asker, node: str, inner: str = "", *, id: str = "", **attributes: str) -> ET.Element:
    answer = await asker.ask("set", command(node, inner, **attributes), id=id)
    assert answer is not None
    assert (answer.tag, answer.get("node")) == (f"{COMMANDS}command", node)
    return answer


async def listed(asker: Asker) -> list[str]:
    answer = await asker.ask("get", f"<query xmlns='{ITEMS}' node='{NODE}'/>")
    assert answer is not None
    assert {item.get("jid") for item in answer} <= {asker.agent}
    return [item.get("node", "") for item in answer]


@contextmanager
def refused(condition: str, application: str = "") -> Iterator[None]:
    with pytest.raises(Refused) as raised:
        yield
    assert (raised.value.condition, raised.value.application) == (condition, application)


@contextmanager
def no_session() -> Iterator[None]:
    with refused("bad-request", f"{COMMANDS}bad-sessionid"):
        yield


# ---- the way through -----------------------------------------------------------------------------------------------


async def test_from_discovery_to_a_pump_that_runs(house: House) -> None:
    about = await house.alice.ask("get", f"<query xmlns='{INFO}'/>")
    assert about is not None
    assert {NODE, "jabber:x:data"} <= {f.get("var") for f in about.iterfind(f"{{{INFO}}}feature")}
    assert {"status", "read", "set", "things", "help", "set/pump", "set/tank"} <= set(await listed(house.alice))
    about = await house.alice.ask("get", f"<query xmlns='{INFO}' node='set/pump'/>")
    assert about is not None
    assert about[0].attrib == {"category": "automation", "type": "command-node", "name": "3 Set Garden pump…"}

    shown = await send(house.alice, "set/pump", action="execute")
    answer = await send(house.alice, "set/pump", form(state="1"), sessionid=session(shown), action="complete")
    assert outcome(answer) == "done"
    assert note(answer) == ("info", "pump.state: on (confirmed)")
    assert results(answer)["pump.state"] == "on"
    assert house.moved() == ["state true"]
    status = await send(house.vera, "status")
    assert results(status)["pump.state"] == "on"


async def test_one_request_is_enough_for_who_brings_the_form(house: House) -> None:
    answer = await send(house.bob, "set", form(target="Garden pump", value="an"), action="execute")
    assert outcome(answer) == "refused"
    assert "on or off" in note(answer)[1]
    answer = await send(house.bob, "set", form(target="Garden pump", value="On"), action="execute")
    assert outcome(answer) == "done"
    assert house.moved() == ["state true"]


async def test_what_is_wrong_is_said_where_every_client_shows_it(house: House) -> None:
    shown = await send(house.alice, "set/tank")
    again = await send(house.alice, "set/tank", form(target="99", mode="eco"), sessionid=session(shown))
    assert session(again) == session(shown)
    assert instructions(again)[0].startswith("Refused: tank.target: 99")
    assert "5 to 30 °C" in instructions(again)[0]
    assert note(again) == ("", "")
    answer = await send(house.alice, "set/tank", form(target="21,5", mode="eco"), sessionid=session(shown))
    assert outcome(answer) == "done"
    assert results(answer)["tank.target"] == "21.5 °C"


async def test_what_real_clients_send_is_understood(house: House) -> None:
    """As their sources have it: an action or none, labels and headings sent back, booleans in two spellings."""
    profanity = form(state="true")  # without an action
    gajim = (
        "<x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:jidget:1#set/pump</value></field>"
        "<field type='fixed'><value>Only what you change is written.</value></field>"
        "<field var='state' type='boolean'><value>false</value></field></x>"
    )
    cheogram = (
        "<x xmlns='jabber:x:data' type='submit'><title>Set Garden pump</title><instructions>Only</instructions>"
        "<field var='state' type='boolean' label='state'><required/><value>1</value></field></x>"
    )
    for filled, action in ((profanity, None), (gajim, "complete"), (cheogram, "execute")):
        shown = await send(house.alice, "set/pump")
        actions = {"action": action} if action else {}
        assert outcome(await send(house.alice, "set/pump", filled, sessionid=session(shown), **actions)) == "done"
    assert house.moved() == ["state true", "state false", "state true"]


# ---- rights --------------------------------------------------------------------------------------------------------


async def test_a_stranger_learns_nothing(house: House) -> None:
    for payload in (
        f"<query xmlns='{ITEMS}' node='{NODE}'/>",
        f"<query xmlns='{INFO}'/>",
        f"<query xmlns='{INFO}' node='set/pump'/>",
    ):
        with refused("service-unavailable"):
            await house.mallory.ask("get", payload)
    for node, inner in (("status", ""), ("set/pump", form(state="1")), ("set", form(target="pump.state", value="on"))):
        with refused("service-unavailable"):
            await send(house.mallory, node, inner)
    assert house.moved() == []


async def test_what_one_may_not_do_is_not_listed_and_forbidden(house: House) -> None:
    assert set(await listed(house.vera)) == {"status", "read", "things", "help"}
    assert set(await listed(house.bob)) == {"status", "read", "things", "help", "set", "set/pump"}
    for asker, node, inner in (
        (house.vera, "set", ""),
        (house.vera, "set/pump", form(state="1")),
        (house.bob, "set/tank", form(target="25")),
        (house.bob, "set", form(target="tank.target", value="25")),
    ):
        with refused("forbidden"):
            await send(asker, node, inner)
    assert house.moved() == []
    assert results(await send(house.vera, "read", form(target="tank.target")))["tank.target"] == "20.0 °C"


async def test_nobody_else_completes_or_cancels_a_session(house: House, account: Accounts) -> None:
    shown = await send(house.alice, "set/pump")
    laptop = await house.another(house.alice.account, "laptop")
    for thief in (house.bob, laptop):
        for action in ("complete", "next", "execute", "prev", "cancel"):
            with no_session():
                await send(thief, "set/pump", form(state="1"), sessionid=session(shown), action=action)
    with refused("service-unavailable"):
        await send(house.mallory, "set/pump", form(state="1"), sessionid=session(shown))
    assert house.moved() == []
    assert outcome(await send(house.alice, "set/pump", form(state="1"), sessionid=session(shown))) == "done"


# ---- once ----------------------------------------------------------------------------------------------------------


async def test_nothing_runs_twice(house: House) -> None:
    for _ in range(2):
        assert outcome(await send(house.alice, "set/pump", form(state="1"), id="one-shot")) == "done"
    assert house.moved() == ["state true"]
    shown = await send(house.alice, "set/pump")
    off = {"sessionid": session(shown), "action": "complete"}
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(send(house.alice, "set/pump", form(state="0"), **off)) for _ in range(5)]
    assert {ET.tostring(task.result()) for task in asked} == {ET.tostring(asked[0].result())}
    assert outcome(asked[0].result()) == "done"
    with no_session():
        await send(house.alice, "set/pump", form(state="1"), **off)
    assert house.moved() == ["state true", "state false"]


async def test_sessions_end_and_what_names_one_that_ended_runs_nothing(house: House) -> None:
    shown = await send(house.alice, "set/pump")
    cancelled = await send(house.alice, "set/pump", sessionid=session(shown), action="cancel")
    assert (cancelled.get("status"), cancelled.get("sessionid")) == ("canceled", session(shown))
    for action in ("execute", "complete", "next", "prev", "cancel"):
        for sessionid in (session(shown), "never-was"):
            with no_session():
                await send(house.alice, "set/pump", form(state="1"), sessionid=sessionid, action=action)
    with refused("bad-request", f"{COMMANDS}malformed-action"):
        await send(house.alice, "set/pump", form(state="1"), action="explode")
    first = await send(house.alice, "set/pump")
    for _ in range(4):
        await send(house.alice, "set/pump")
    with no_session():
        await send(house.alice, "set/pump", form(state="1"), sessionid=session(first))
    assert house.moved() == []


# ---- hostile -------------------------------------------------------------------------------------------------------

SUBMIT = "<x xmlns='jabber:x:data' type='submit'>"
HOSTILE = [
    SUBMIT + "<field var='target'><value>" + "x" * 100_000 + "</value></field></x>",
    SUBMIT + "<field var='" + "x" * 100_000 + "'/></x>",
    SUBMIT + "<field var='target'>" + "<value>pump.state</value>" * 3000 + "</field></x>",
    SUBMIT + "".join(f"<field var='f{n}'><value>1</value></field>" for n in range(3000)) + "</x>",
    SUBMIT + "<field var='target'><value>pump.state</value></field>" * 2 + "</x>",
    SUBMIT
    + "<field var='target'><value><b>pump.state</b></value></field><field var='value'><value>on</value></field></x>",
    SUBMIT
    + "<field var='target'><value>pump.state\x7f\u202e</value></field><field var='value'><value>on</value></field></x>",
    SUBMIT + "<field var='target'><value>pump.state</value></field><field var='value'/></x>",
    SUBMIT + "<field/><field var=''/><value>stray</value></x>",
    SUBMIT + "</x>" + SUBMIT + "</x>",
    "<x xmlns='jabber:x:data' type='result'><reported/><item/></x>",
    "<x xmlns='jabber:x:data'/>",
    SUBMIT + "<a>" * 400 + "</a>" * 400 + "</x>",
]


@pytest.mark.parametrize("node", ["set", "set/pump"])
async def test_hostile_forms_are_answered_and_move_nothing(house: House, node: str) -> None:
    since = house.agent.app.session.since
    for inner in HOSTILE:
        answer = await send(house.alice, node, inner)
        assert outcome(answer) in ("refused", "done")  # done: nothing was changed
        shown = await send(house.alice, node)
        answer = await send(house.alice, node, inner, sessionid=session(shown), action="complete")
        assert answer.get("status") == "executing" or results(answer)["outcome"] == "done"
    assert house.moved() == []
    assert house.agent.app.session.since == since
    assert outcome(await send(house.alice, "set/pump", form(state="1"))) == "done"


async def test_hostile_commands_are_answered_and_move_nothing(house: House) -> None:
    since = house.agent.app.session.since
    for payload, condition in (
        (f"<command xmlns='{NODE}'/>", "bad-request"),
        (f"<command xmlns='{NODE}' node=''/>", "bad-request"),
        (f"<command xmlns='{NODE}' node='{'x' * 100_000}'/>", "item-not-found"),
        (f"<command xmlns='{NODE}' node='set/pump' action='{'x' * 100_000}'/>", "bad-request"),
        (f"<command xmlns='{NODE}' node='set/pump' sessionid='{'x' * 100_000}'/>", "bad-request"),
        (f"<command xmlns='{NODE}' node='../../etc/passwd'/>", "item-not-found"),
        ("<command xmlns='urn:other' node='set/pump'/>", "service-unavailable"),
    ):
        with refused(condition) if condition != "bad-request" else pytest.raises(Refused, match=condition):
            await house.alice.ask("set", payload)
    with refused("service-unavailable"):
        await house.alice.ask("get", command("set/pump", form(state="1")))
    assert house.moved() == []
    assert house.agent.app.session.since == since


async def test_however_deep_it_goes(house: House) -> None:
    """Deeper than Python recurses, and both servers carry it. It means nothing, so the rest of the request counts."""
    since = house.agent.app.session.since
    deep = "<a>" * 3000 + "</a>" * 3000
    answer = await house.alice.ask_raw("set", command("set/pump", form(state="1") + deep))
    assert answer is not None
    assert outcome(answer) == "done"
    with refused("service-unavailable"):
        await house.alice.ask_raw("set", deep.replace("<a>", "<a xmlns='urn:other'>", 1))
    assert house.moved() == ["state true"]
    assert house.agent.app.session.since == since


async def test_very_many_values_do_not_end_the_stream(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    """40 Things of 40 values are more than either server carries in a stanza."""
    values = "\n".join(
        f'a_rather_long_name_of_a_value_{n} = {{ low = 0, high = 1, label = "{"ü" * 60}" }}' for n in range(40)
    )
    things = "".join(
        f'[things.thing{n}]\ndriver = "simulated"\ninterval = "1h"\n[things.thing{n}.options.properties]\n{values}\n'
        for n in range(40)
    )
    async with moved_in(server, account, tmp_path, things) as house:
        answer = await send(house.alice, "read", form(target="all"))
        assert outcome(answer) == "done"
        (x,) = answer.iterfind(f"{DATA}x")
        assert "more values" in (x[-1].findtext(f"{DATA}value") or "")
        assert session(await send(house.alice, "read"))
        assert outcome(await send(house.alice, "things")) == "done"
