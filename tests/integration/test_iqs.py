"""Sensor data and control by IQ, and the small services, over real servers."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Accounts
from tests.support.adhoc import COMMANDS
from tests.support.agents import RunningApp, running_app, write_config
from tests.support.asking import Asker, Refused

from jidget.demo.xmpp_server import XmppServer
from jidget.xmpp.payload import read_fields

SD, CTR, JIDGET, DATA = "urn:nf:iot:sd:1.0", "urn:nf:iot:ctr:1.0", "urn:jidget:1", "jabber:x:data"
INFO = "http://jabber.org/protocol/disco#info"

THINGS = """
[things.pump]
driver = "simulated"
interval = "1h"
options = { record = "moved.log", properties = { state = { type = "boolean", writable = true } } }

[things.tank]
driver = "simulated"
interval = "1h"
[things.tank.options]
record = "moved.log"
[things.tank.options.properties]
level = { unit = "%", low = 40, high = 40 }
target = { unit = "Cel", writable = true, min = 5, max = 30, initial = 20, precision = 1 }
mode = { type = "enum", options = ["eco", "boost"], writable = true }

[things.gate]
driver = "simulated"
interval = "1h"
options = { properties = { open = { type = "boolean", writable = true } } }

[things.deaf]
driver = "simulated"
interval = "1h"
[things.deaf.options]
properties = { state = { type = "boolean", writable = true } }
faults = [{ on = "write", do = "ignore" }]

[things.slow]
driver = "simulated"
interval = "1h"
timeout = "300ms"
[things.slow.options]
properties = { state = { type = "boolean", writable = true } }
faults = [{ on = "write", do = "hang" }]

[things.lost]
driver = "simulated"
interval = "1h"
[things.lost.options]
properties = { state = { type = "boolean", writable = true } }
faults = [{ on = "read", do = "fail" }]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running agent and the people around it."""

    agent: RunningApp
    alice: Asker
    bob: Asker
    eve: Asker
    mallory: Asker
    directory: Path

    def moved(self) -> list[str]:
        """Return what the hardware really did: `state true`."""
        record = self.directory / "moved.log"
        return [line.split(maxsplit=1)[1] for line in record.read_text().splitlines()] if record.exists() else []


@pytest.fixture
async def house(server: XmppServer, account: Accounts, tmp_path: Path) -> AsyncIterator[House]:
    """An owner, an operator of the pump who sees everything, one who sees the gate only, and a stranger."""
    alice, bob, eve, mallory = (account(server, name) for name in ("alice", "bob", "eve", "mallory"))
    pi = account(server, "pi", contacts=(alice, bob, eve))
    access = {
        alice.jid: '"owner"',
        bob.jid: '{ role = "operator", things = ["pump"] }',
        eve.jid: '{ role = "operator", things = ["gate"], read = ["gate"] }',
    }
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Asker(who, f"{pi.jid}/agent")) for who in (alice, bob, eve, mallory)]
        agent = await stack.enter_async_context(running_app(write_config(tmp_path, pi, access, things=THINGS)))
        await people[0].meet()
        yield House(agent=agent, alice=people[0], bob=people[1], eve=people[2], mallory=people[3], directory=tmp_path)


@pytest.fixture(autouse=True)
def _no_surprise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a peer sends: nothing that it brings about is a surprise to the agent."""
    yield
    assert [r.getMessage() for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


async def req(asker: Asker, inner: str = "", attributes: str = "m='true'", id: str = "7") -> ET.Element:
    resp = await asker.ask("get", f"<req xmlns='{SD}' id='{id}' {attributes}>{inner}</req>")
    assert resp is not None
    assert (resp.tag, resp.get("id")) == (f"{{{SD}}}resp", id)
    return resp


async def put(asker: Asker, inner: str, *, id: str = "") -> list[str]:
    """Set; return the names of what was set, as the answer has them, after the Thing's."""
    resp = await asker.ask("set", f"<set xmlns='{CTR}'>{inner}</set>", id=id)
    assert resp is not None
    assert resp.tag == f"{{{CTR}}}resp"
    return [child.get("id") or child.get("n") or "" for child in resp]


def named(resp: ET.Element) -> dict[str, object]:
    return {f"{field.thing}.{field.property}": field.value for field in read_fields(resp)}


@contextmanager
def refused(condition: str, application: str = "", says: str = "") -> Iterator[None]:
    with pytest.raises(Refused) as raised:
        yield
    expected = f"{{{JIDGET}}}{application}" if application else ""
    assert (raised.value.condition, raised.value.application) == (condition, expected)
    assert says in raised.value.text


# ---- sensor data ---------------------------------------------------------------------------------------------------


async def test_values_of_now(house: House) -> None:
    resp = await req(house.alice)
    assert named(resp) == {
        "pump.state": False,
        "tank.level": 40.0,
        "tank.target": 20.0,
        "tank.mode": "eco",
        "gate.open": False,
        "deaf.state": False,
        "slow.state": False,
    }
    assert {field.agent for field in read_fields(resp)} == {"agent"}
    (away,) = resp.iterfind(f"{{{SD}}}nd[@id='lost']/{{{SD}}}ts/{{{SD}}}err")
    assert "lost is unavailable since" in (away.text or "")
    narrow = await req(house.alice, "<nd id='tank'/><nd id='pump'/><f n='level'/><f n='state'/>", "", id="n-1")
    assert named(narrow) == {"tank.level": 40.0, "pump.state": False}


async def test_only_who_may_read_and_only_what_they_may(house: House) -> None:
    assert named(await req(house.eve)) == {"gate.open": False}
    with refused("forbidden", says="you may not read pump"):
        await req(house.eve, "<nd id='pump'/>")
    with refused("item-not-found", says='Did you mean "gate"?'):
        await req(house.eve, "<nd id='gats'/>")
    with refused("service-unavailable"):
        await req(house.mallory)


# ---- control -------------------------------------------------------------------------------------------------------


async def test_what_was_set_was_read_back(house: House) -> None:
    assert await put(house.alice, "<nd id='tank'/><db n='target' v='21.5'/><e n='mode' v='boost' t='mode'/>") == [
        "tank",
        "target",
        "mode",
    ]
    assert await put(house.bob, "<nd id='pump'/><b n='state' v='true'/>") == ["pump", "state"]
    assert house.moved() == ["target 21.5", 'mode "boost"', "state true"]
    assert named(await req(house.bob, "<nd id='tank'/><f n='target'/>")) == {"tank.target": 21.5}


async def test_nothing_moves_unless_everything_fits_and_one_may(house: House) -> None:
    target = "<nd id='tank'/><db n='target' v='21'/>"
    with refused("bad-request", "refused", "eco, boost"):
        await put(house.alice, target + "<e n='mode' v='turbo' t='mode'/>")
    with refused("bad-request", "refused", "5 to 30 °C"):
        await put(house.alice, "<nd id='tank'/><e n='mode' v='boost' t='mode'/><db n='target' v='99'/>")
    with refused("not-acceptable", "refused", "tank.level can only be read"):
        await put(house.alice, target + "<db n='level' v='1'/>")
    with refused("item-not-found", "refused", 'Did you mean "mode"?'):
        await put(house.alice, target + "<e n='mod' v='eco' t='mode'/>")
    with refused("item-not-found", "refused", 'there is no "tang"'):
        await put(house.alice, "<nd id='tang'/><db n='target' v='21'/>")
    with refused("forbidden", "refused", "you may not act on tank"):
        await put(house.bob, target)
    with refused("item-not-found", "refused"):
        await put(house.eve, target)
    with refused("service-unavailable"):
        await put(house.mallory, target)
    assert house.moved() == []


async def test_what_did_not_end_well_is_an_error_that_says_whether_it_may_have_moved(house: House) -> None:
    with refused("remote-server-timeout", "unconfirmed", "deaf.state: on sent, unconfirmed"):
        await put(house.alice, "<nd id='deaf'/><b n='state' v='true'/>")
    with refused("remote-server-timeout", "failed", "FAILED: slow.state: no answer"):
        await put(house.alice, "<nd id='slow'/><b n='state' v='true'/>")
    with refused("recipient-unavailable", "refused", "lost is unavailable since"):
        await put(house.alice, "<nd id='lost'/><b n='state' v='true'/>")


async def test_the_same_request_again_moves_nothing(house: House) -> None:
    for _ in range(3):
        assert await put(house.alice, "<nd id='pump'/><b n='state' v='true'/>", id="evening-1") == ["pump", "state"]
    assert house.moved() == ["state true"]
    assert await put(house.alice, "<nd id='pump'/><b n='state' v='false'/>", id="evening-1") == ["pump", "state"]
    assert house.moved() == ["state true", "state false"]


async def test_the_form_there_and_back(house: House) -> None:
    x = await house.alice.ask("get", f"<getForm xmlns='{CTR}'><nd id='tank'/></getForm>")
    assert x is not None
    assert (x.tag, x.get("type")) == (f"{{{DATA}}}x", "form")
    assert [f.get("var") for f in x.iterfind(f"{{{DATA}}}field")] == ["FORM_TYPE", "target", "mode"]
    limits = x.find(f"{{{DATA}}}field/{{http://jabber.org/protocol/xdata-validate}}validate/*")
    assert limits is not None
    assert limits.attrib == {"min": "5", "max": "30"}
    partial = f"<x xmlns='{DATA}' type='submit'><field var='mode'><value>boost</value></field></x>"
    assert await put(house.alice, "<nd id='tank'/>" + partial) == ["tank", "mode"]
    assert house.moved() == ['mode "boost"']
    for asker, thing, condition in (
        (house.bob, "tank", "forbidden"),
        (house.eve, "pump", "item-not-found"),
        (house.mallory, "pump", "service-unavailable"),
    ):
        with refused(condition):
            await asker.ask("get", f"<getForm xmlns='{CTR}'><nd id='{thing}'/></getForm>")


# ---- hostile -------------------------------------------------------------------------------------------------------

BIG = "x" * 100_000
SWITCH = "<b n='state' v='true'/>"
HOSTILE = [
    ("get", f"<req xmlns='{SD}'><nd/></req>"),
    ("get", f"<req xmlns='{SD}' id='1'><nd id='{BIG}'/></req>"),
    ("get", f"<req xmlns='{SD}' id='1'><f n='{BIG}'/></req>"),
    ("get", f"<req xmlns='{SD}' id='1'><x><x><x/></x></x></req>"),
    ("get", f"<req xmlns='{SD}' id='1'><nd xmlns='urn:other' id='pump'/></req>"),
    ("get", f"<req xmlns='{SD}' id='1' from='{BIG}'/>"),
    ("get", f"<req xmlns='{SD}' id='1' h='perhaps'/>"),
    ("get", f"<req xmlns='{SD}' id='1'><batch xmlns='{JIDGET}' from='{'9' * 90_000}'/></req>"),
    ("set", f"<req xmlns='{SD}' id='1'/>"),
    ("set", f"<set xmlns='{CTR}'/>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><nd id='tank'/><b n='state' v='true'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/>{SWITCH * 5000}</set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><b n='state' v='true'/><b n='state' v='false'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><b xmlns='urn:other' n='state' v='true'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><b n='state'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><s n='state' v='{BIG}'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='tank'/><i n='target' v='{'9' * 90_000}'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='{BIG}'/><b n='state' v='true'/></set>"),
    ("set", f"<set xmlns='{CTR}'><nd id='pump'/><x xmlns='{DATA}' type='submit'><field var='{BIG}'/></x></set>"),
    ("get", f"<set xmlns='{CTR}'><nd id='pump'/><b n='state' v='true'/></set>"),
    ("get", f"<getForm xmlns='{CTR}'/>"),
    ("get", f"<getForm xmlns='{CTR}'><nd id='{BIG}'/></getForm>"),
    ("get", f"<getForm xmlns='{CTR}'><nd id='pump'/><b n='state' v='true'/></getForm>"),
]


async def test_hostile_requests_get_a_clean_error_and_keep_the_link(house: House) -> None:
    since = house.agent.app.session.since
    for kind, payload in HOSTILE:
        with pytest.raises(Refused) as raised:
            await house.alice.ask_raw("get" if kind == "get" else "set", payload)
        assert raised.value.condition != "internal-server-error"
        assert len(raised.value.text) < 500
    deep = "<a>" * 3000 + "</a>" * 3000
    with refused("bad-request", "refused"):
        await house.alice.ask_raw("set", f"<set xmlns='{CTR}'><nd id='pump'/>{deep}</set>")
    assert house.moved() == []
    assert house.agent.app.session.since == since
    assert named(await req(house.alice, "<nd id='pump'/>")) == {"pump.state": False}


# ---- services ------------------------------------------------------------------------------------------------------


async def test_what_it_says_of_itself(house: House) -> None:
    about = await house.alice.ask("get", f"<query xmlns='{INFO}'/>")
    assert about is not None
    assert [(i.get("category"), i.get("type")) for i in about.iterfind(f"{{{INFO}}}identity")] == [("client", "bot")]
    features = {f.get("var") for f in about.iterfind(f"{{{INFO}}}feature")}
    assert {SD, CTR, COMMANDS.strip("{}"), DATA, "urn:xmpp:ping", "jabber:iq:version"} <= features
    assert f"{SD}+notify" not in features
    assert await house.alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>") is None
    version = await house.alice.ask("get", "<query xmlns='jabber:iq:version'/>")
    assert version is not None
    assert version.findtext("{jabber:iq:version}name") == "Jidget"
    assert version.find("{jabber:iq:version}os") is None
    last = await house.alice.ask("get", "<query xmlns='jabber:iq:last'/>")
    assert last is not None
    assert last.get("seconds", "").isdecimal()
    moment = await house.alice.ask("get", "<time xmlns='urn:xmpp:time'/>")
    assert moment is not None
    assert (moment.findtext("{urn:xmpp:time}utc") or "").endswith("Z")
    for payload in ("<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:version'/>", f"<query xmlns='{INFO}'/>"):
        with refused("service-unavailable"):
            await house.mallory.ask("get", payload)
