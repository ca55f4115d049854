"""What contacts see of the agent: that it is there, what it can, how it is; and that strangers see nothing at all."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import PUMP, QUICK, running_app, until, write_config
from tests.support.asking import Refused
from tests.support.people import Person, friends

from jidget import __version__
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

CLIENT = "{jabber:client}"
INFO = "{http://jabber.org/protocol/disco#info}"
CAPS = "{http://jabber.org/protocol/caps}c"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

BREAKABLE = """
[things.tank]
driver = "simulated"
interval = "50ms"
[things.tank.options]
faults = [{ do = "fail", while_file = "broken" }]
[things.tank.options.properties]
full = { type = "boolean", waveform = "square", period = "1h" }
"""


def caps_hash(info: ET.Element) -> str:
    """Compute the verification string of a disco#info answer (XEP-0115 5.1), which here has no forms."""
    identities = sorted(
        f"{i.get('category')}/{i.get('type')}/{i.get(LANG, '')}/{i.get('name', '')}<"
        for i in info.iterfind(f"{INFO}identity")
    )
    features = sorted(f"{f.get('var')}<" for f in info.iterfind(f"{INFO}feature"))
    assert not info.findall("{jabber:x:data}x")
    assert len(set(features)) == len(features)
    return base64.b64encode(hashlib.sha1("".join(identities + features).encode()).digest()).decode()


def disco(node: str = "", kind: str = "info") -> str:
    return f"<query xmlns='http://jabber.org/protocol/disco#{kind}'{f' node={node!r}' if node else ''}/>"


async def test_its_capabilities_are_what_it_answers(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        caps = (await person.sees()).find(CAPS)
        assert caps is not None
        assert caps.get("hash") == "sha-1"
        whole = await person.ask("get", disco())
        by_node = await person.ask("get", disco(f"{caps.get('node')}#{caps.get('ver')}"))
        assert whole is not None
        assert by_node is not None
        assert caps_hash(whole) == caps_hash(by_node) == caps.get("ver")
        identities = [(i.get("category"), i.get("type")) for i in whole.iterfind(f"{INFO}identity")]
        assert identities == [("client", "bot")]
        features = {f.get("var") for f in whole.iterfind(f"{INFO}feature")}
        assert {
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/caps",
            "http://jabber.org/protocol/commands",
            "urn:xmpp:ping",
            "urn:xmpp:time",
            "jabber:iq:version",
            "jabber:iq:last",
            "urn:nf:iot:sd:1.0",
            "urn:nf:iot:ctr:1.0",
        } <= features


async def test_answers_what_every_good_client_answers(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        assert await person.ask("get", "<ping xmlns='urn:xmpp:ping'/>") is None
        version = await person.ask("get", "<query xmlns='jabber:iq:version'/>")
        assert version is not None
        assert {child.tag.partition("}")[2]: child.text for child in version} == {
            "name": "Jidget",
            "version": __version__,
        }
        time = await person.ask("get", "<time xmlns='urn:xmpp:time'/>")
        assert time is not None
        told = datetime.fromisoformat(time.findtext("{urn:xmpp:time}utc", ""))
        assert abs((datetime.now(UTC) - told).total_seconds()) < 5
        assert (time.findtext("{urn:xmpp:time}tzo") or "")[0] in "+-Z"
        last = await person.ask("get", "<query xmlns='jabber:iq:last'/>")
        assert last is not None
        assert int(last.get("seconds", "")) < 60


async def test_what_it_does_not_know_is_no_service(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    roster = f"<query xmlns='jabber:iq:roster'><item jid='{alice.jid}' subscription='remove'/></query>"
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        for kind, payload in (
            ("get", "<question xmlns='urn:example:unknown'/>"),
            ("set", "<ping xmlns='urn:xmpp:ping'/>"),
            ("set", roster),
        ):
            await refused_as_no_service(person, kind, payload)
        await refused_as(person, "item-not-found", disco("no-such-node"))
        assert "pump" in await person.asks("status")


STRANGER_ASKS: Mapping[str, tuple[Literal["get", "set"], str]] = {
    "what it is": ("get", disco()),
    "its commands": ("get", disco("http://jabber.org/protocol/commands", "items")),
    "a ping": ("get", "<ping xmlns='urn:xmpp:ping'/>"),
    "its version": ("get", "<query xmlns='jabber:iq:version'/>"),
    "its uptime": ("get", "<query xmlns='jabber:iq:last'/>"),
    "a command": (
        "set",
        "<command xmlns='http://jabber.org/protocol/commands' node='set' action='execute'><x xmlns='jabber:x:data'"
        " type='submit'><field var='target'><value>pump.state</value></field>"
        "<field var='value'><value>on</value></field></x></command>",
    ),
    "readings": ("get", "<req xmlns='urn:nf:iot:sd:1.0' id='1' m='true'/>"),
    "a write": ("set", "<set xmlns='urn:nf:iot:ctr:1.0'><nd id='pump'/><b n='state' v='true'/></set>"),
    "a roster change": ("set", "<query xmlns='jabber:iq:roster'><item jid='mallory@localhost'/></query>"),
    "nonsense": ("get", "<question xmlns='urn:example:unknown'/>"),
}


async def test_to_a_stranger_nothing_is_there(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice, mallory = account(server, "pi"), account(server, "alice"), account(server, "mallory")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with (
        running_app(file) as agent,
        friends(person := Person(alice, agent.jid)),
        Person(mallory, agent.jid) as stranger,
    ):
        await stranger.appear()
        texts = set()
        for kind, payload in STRANGER_ASKS.values():
            texts.add(await refused_as_no_service(stranger, kind, payload))
        assert texts == {""}  # nothing that would tell one refusal from another
        stranger.xmpp.send_presence(pto=agent.jid)
        stranger.xmpp.send_presence(pto=pi.jid, ptype="subscribe")
        stranger.says("status")
        stranger.says("status", to=agent.jid)
        await refused_as_no_service(stranger, "get", disco())  # what was sent before has been judged by now
        assert "pump" in await person.asks("status")
        assert not stranger.presences()
        assert not stranger.replies()
    assert agent.writes == []


async def refused_as_no_service(person: Person, kind: str, payload: str) -> str:
    assert kind in ("get", "set")
    with pytest.raises(Refused) as refused:
        await person.ask("get" if kind == "get" else "set", payload)
    assert (refused.value.condition, refused.value.type) == ("service-unavailable", "cancel")
    assert refused.value.application == ""
    return refused.value.text


async def refused_as(person: Person, condition: str, payload: str) -> None:
    with pytest.raises(Refused) as refused:
        await person.ask("get", payload)
    assert refused.value.condition == condition


# ---- how things are -----------------------------------------------------------------------------------------------


async def test_the_status_line_tells_at_a_glance_and_changes_rarely(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file, replace(QUICK, rarely=1.0)) as agent, friends(person := Person(alice, agent.jid)):
        first = await person.sees()
        assert first.findtext(f"{CLIENT}status") in (None, "Water pump off")  # None: before the first reading
        assert first.findtext(f"{CLIENT}priority") == "5"
        assert first.find(f"{CLIENT}show") is None
        for line in ("pump on", "pump off", "pump on", "pump off", "pump on"):
            await person.asks(line)
        await person.until(lambda s: s.findtext(f"{CLIENT}status") == "Water pump on")
        told = [presence.findtext(f"{CLIENT}status") for presence in person.presences()]
        shown = [status for status, _ in groupby(told)]  # Prosody may tell a new contact twice
        assert shown[-1] == "Water pump on"
        assert shown[:-1] in (["Water pump off"], [None], [None, "Water pump off"])


async def test_trouble_is_told_when_it_lasts_and_taken_back(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=BREAKABLE + PUMP)
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        await person.sees()
        (tmp_path / "broken").touch()
        away = await person.until(lambda s: s.findtext(f"{CLIENT}show") == "away")
        assert (away.findtext(f"{CLIENT}status") or "").startswith("unavailable: tank · Water pump off")
        (tmp_path / "broken").unlink()
        after = len(person.stanzas)
        back = await person.sees(after=after)
        assert back.find(f"{CLIENT}show") is None
        assert "unavailable" not in (back.findtext(f"{CLIENT}status") or "")


async def test_trouble_that_passes_at_once_is_not_told(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=BREAKABLE)
    async with running_app(file, replace(QUICK, settle=1.5, rarely=60)) as agent:
        (tank,) = agent.app.directory
        await until(lambda: tank.availability.available)
        async with friends(person := Person(alice, agent.jid)):
            (tmp_path / "broken").touch()
            await until(lambda: not tank.availability.available)
            (tmp_path / "broken").unlink()
            await until(lambda: tank.availability.available)
            await asyncio.sleep(1.6)  # by now it would have been told
            assert "tank" in await person.asks("status")
            assert {presence.findtext(f"{CLIENT}show") for presence in person.presences()} == {None}
