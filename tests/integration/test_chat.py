"""Chat on real servers: what moves something is a fresh line that a known person really sent, and nothing else."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import running_app, write_config
from tests.support.asking import Refused
from tests.support.people import Person, friends

from jidget.demo.xmpp_server import XmppServer

ON, OFF = "pump.state: on (confirmed)", "pump.state: off (confirmed)"


def ago(seconds: float) -> str:
    """Return a `<delay/>` that says when a message was sent."""
    stamp = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>"


def wrapped(sender: str, to: str) -> str:
    """Return a message as carbons, archives and forwards wrap it."""
    inner = f"<message xmlns='jabber:client' type='chat' from='{sender}' to='{to}'><body>pump on</body></message>"
    return f"<forwarded xmlns='urn:xmpp:forward:0'>{ago(0)}{inner}</forwarded>"


def not_an_order(alice: str, agent: str) -> Mapping[str, tuple[str | None, str, str]]:
    """Return type, body and further payload of messages that are nobody's order to the agent."""
    inner = wrapped(alice, agent)
    event = (
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:nf:iot:sd:1.0'>"
        "<item id='1'><entry xmlns='urn:x'>pump on</entry></item></items></event>"
    )
    return {
        "a room's message": ("groupchat", "pump on", ""),
        "a headline": ("headline", "pump on", ""),
        "an error": ("error", "pump on", "<error type='cancel'><x xmlns='urn:x'/></error>"),
        "a carbon of what was received": (
            "chat",
            "pump on",
            f"<received xmlns='urn:xmpp:carbons:2'>{inner}</received>",
        ),
        "a carbon of what was sent": ("chat", "pump on", f"<sent xmlns='urn:xmpp:carbons:2'>{inner}</sent>"),
        "an archived message": (
            "chat",
            "pump on",
            f"<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>{inner}</result>",
        ),
        "a forwarded message": ("chat", "pump on", inner),
        "an event": ("chat", "pump on", event),
        "a room's private message": ("chat", "pump on", "<x xmlns='http://jabber.org/protocol/muc#user'/>"),
        "another agent's reply": ("chat", "pump on", "<reply xmlns='urn:jidget:1'/>"),
        "a state of typing": ("chat", "", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
    }


async def test_what_is_no_order_moves_nothing_and_gets_no_answer(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        for kind, body, more in not_an_order(f"{alice.jid}/phone", agent.jid).values():
            for to in (pi.jid, agent.jid):
                person.says(body, kind=kind, to=to, more=more)
        assert await person.asks("read pump", to=agent.jid)
        (reply,) = person.replies()
        assert reply.startswith("pump.state: off (")
    assert agent.writes == []


async def test_copies_that_others_forge_move_nothing(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice, mallory = account(server, "pi"), account(server, "alice"), account(server, "mallory")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with (
        running_app(file) as agent,
        friends(person := Person(alice, agent.jid)),
        Person(mallory, agent.jid) as stranger,
    ):
        for kind, body, more in not_an_order(f"{alice.jid}/phone", agent.jid).values():
            stranger.says(body, kind=kind, to=agent.jid, more=more)
        stranger.says("pump on", to=agent.jid)
        stranger.says("pump on")
        claim = f"<address type='ofrom' jid='{alice.jid}'/>"
        stranger.says("pump on", more=f"<addresses xmlns='http://jabber.org/protocol/address'>{claim}</addresses>")
        with pytest.raises(Refused):  # by now what was sent before has been judged
            await stranger.ask("get", "<ping xmlns='urn:xmpp:ping'/>")
        assert await person.asks("read pump")
        assert stranger.replies() == []
    assert agent.writes == []


async def test_its_own_words_are_no_orders(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"', pi.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        agent.says(agent.jid, "pump on")
        agent.says(pi.jid, "pump on")
        assert await person.asks("read pump")
        assert len(person.replies()) == 1
    assert agent.writes == []


# ---- when it was sent ---------------------------------------------------------------------------------------------


async def test_an_old_line_is_refused_with_its_age(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        refusal = await person.asks("pump on", more=ago(60))
        assert re.match(r"Refused: this was sent 6\d s ago, so nothing was moved", refusal)
        refusal = await person.asks("pump on", more=ago(1) + ago(3700))  # the oldest counts
        assert re.match(r"Refused: this was sent (62 min|1 h) ago", refusal)
        assert await person.asks("read pump", more=ago(60))  # asking is not moving
        assert await person.asks("pump on", more=ago(5)) == ON
        assert agent.writes == ["true"]


@pytest.mark.parametrize(
    "delay", [ago(-600), "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>"], ids=["future", "odd"]
)
async def test_a_line_from_the_future_or_from_no_time_is_refused(
    server: XmppServer, account: Accounts, tmp_path: Path, delay: str
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        assert (await person.asks("pump on", more=delay)).startswith("Refused: age unknown")
    assert agent.writes == []


@pytest.mark.ejabberd
async def test_a_line_that_the_server_kept_is_judged_by_when_it_was_said(
    ejabberd: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(ejabberd, "pi"), account(ejabberd, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with Person(alice, f"{pi.jid}/agent") as person:
        await person.appear()
        person.says("pump on")
        async with running_app(file) as agent:
            assert await person.answer(after=0) == ON  # a moment ago
        assert agent.writes == ["true"]


# ---- once ---------------------------------------------------------------------------------------------------------


async def test_a_line_that_comes_twice_is_done_once(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with (
        running_app(file) as agent,
        friends(person := Person(alice, agent.jid), tablet := Person(alice, agent.jid, "tablet")),
    ):
        assert await person.asks("pump on", id="one") == ON
        assert await person.asks("pump off", id="two") == OFF
        again = await person.asks("pump on", id="one")
        assert again.startswith(f"{ON}\nAsked before (")
        assert re.search(r"nothing was moved again\.\nNow pump\.state: off \(\d s ago\)$", again)
        elsewhere = await tablet.asks("pump on", id="one")  # the same person's other client sent it again
        assert elsewhere.startswith(f"{ON}\nAsked before (")
        assert agent.writes == ["true", "false"]
        assert await person.asks("pump off", id="one") == OFF  # the same id says something else
        assert agent.writes == ["true", "false", "false"]


async def test_two_people_may_use_the_same_id(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"', bob.jid: '"operator"'})
    async with running_app(file) as agent, friends(a := Person(alice, agent.jid), b := Person(bob, agent.jid)):
        assert await a.asks("pump on", id="one") == ON
        assert await b.asks("pump on", id="one") == ON
        assert agent.writes == ["true", "true"]
