"""Chat on real servers: rubbish gets a clear answer, and the agent has manners, also towards other machines."""

from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import PUMP, running_app, until, write_config
from tests.support.asking import Refused
from tests.support.logs import watching_log
from tests.support.people import Person, friends

from jidget.demo.xmpp_server import XmppServer
from jidget.xmpp.chat import CANNOT_DECRYPT, MOST_REPLIES, TOO_MUCH
from jidget.xmpp.router import MOST_OF_ONE

ON, OFF = "pump.state: on (confirmed)", "pump.state: off (confirmed)"
CLIENT = "{jabber:client}"

DEAF = """
[things.slow]
driver = "simulated"
interval = "1h"
timeout = "1h"
[things.slow.options]
faults = [{ on = "read", do = "hang" }]
[things.slow.options.properties]
level = { type = "number" }
"""
"""A sensor that never answers."""


RUBBISH = {
    "a long line": ("x" * 100_000, "too long"),
    "many words": ("pump " * 20_000, "too long"),
    "emoji": ("\N{PARTY POPPER}\N{ZERO WIDTH JOINER}\N{POTABLE WATER SYMBOL}", "Unknown word"),
    "right to left": ("\u202epump on\u202c \u05de\u05e9\u05d0\u05d1\u05d4", None),
    "arabic": ("\u0634\u063a\u0644 \u0627\u0644\u0645\u0636\u062e\u0629", "Unknown word"),
    "markup": ("<script>alert(1)</script> & ]]> &amp;", "Unknown word"),
    "several lines": ("pump on\npump off", "several lines"),
    "a bell": ("pump\x85 on", None),
    "an open quote": ('set "pump on', "not closed"),
    "blanks": ("   ", "Say what to do"),
    "format characters": ("%s %n {0} {pump} ${HOME} `id`", "Unknown word"),
    "combining marks": ("p\u0301\u0302\u0303" * 500, None),
    "high planes": ("\U0010fffd\U000e0001", None),
}


async def test_rubbish_is_answered_clearly_and_the_next_line_works(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    with watching_log() as log:
        async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
            for name, (line, says) in RUBBISH.items():
                reply = await person.asks(line)
                assert len(reply) < 1500, name
                assert "Traceback" not in reply
                assert "Error" not in reply
                if says is not None:
                    assert says in reply, name
            assert agent.writes in ([], ["true"])  # marks of direction around a command are no part of it
            assert await person.asks("pump off") == OFF
            assert len(log.matching("logged in to")) == 1
            assert not log.troubles


async def test_what_is_encrypted_is_answered_with_a_hint(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    legacy = (
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><key rid='2'>AA==</key><iv>AA==</iv>"
        "</header>{}</encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>"
    )
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        fallback = "I sent you an OMEMO encrypted message but your client doesn't seem to support that."
        assert await person.asks(fallback, more=legacy.format("<payload>AA==</payload>")) == CANNOT_DECRYPT
        assert await person.asks("", more=legacy.format("<payload>AA==</payload>")) == CANNOT_DECRYPT
        newer = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>AA==</payload></encrypted>"
        assert await person.asks("pump on", more=newer) == CANNOT_DECRYPT
        person.says("", more=legacy.format(""))  # brings a key, says nothing
        assert await person.asks("pump on") == ON
        assert len(person.replies()) == 4
        assert agent.writes == ["true"]


# ---- manners ------------------------------------------------------------------------------------------------------


async def test_a_reply_goes_to_who_asked_in_the_way_they_asked(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with (
        running_app(file) as agent,
        friends(phone := Person(alice, agent.jid), tablet := Person(alice, agent.jid, "tablet")),
    ):
        more = "<thread>t1</thread><request xmlns='urn:xmpp:receipts'/>"
        assert await phone.asks("pump on", id="one", more=more) == ON
        reply = await phone.until(lambda stanza: stanza.findtext(f"{CLIENT}body") == ON)
        assert reply.get("from") == agent.jid
        assert reply.get("type") == "chat"
        assert reply.get("id")
        assert reply.findtext(f"{CLIENT}thread") == "t1"
        receipt = reply.find("{urn:xmpp:receipts}received")
        assert receipt is not None
        assert receipt.get("id") == "one"
        assert await tablet.asks("pump off", kind="normal") == OFF
        assert [stanza.get("type") for stanza in tablet.stanzas if stanza.find(f"{CLIENT}body") is not None] in (
            [None],
            ["normal"],
        )
        assert phone.replies() == [ON]


async def test_two_agents_do_not_talk_to_each_other_for_ever(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    barn, house, alice = account(server, "barn"), account(server, "house"), account(server, "alice")

    def config(me: Account, other: Account) -> Path:
        return write_config(tmp_path / me.name, me, {other.jid: '"owner"', alice.jid: '"owner"'})

    async with (
        running_app(config(barn, house)) as one,
        running_app(config(house, barn)) as two,
        friends(a := Person(alice, one.jid), b := Person(alice, two.jid, "tablet")),
    ):
        heard = [one.hearing(), two.hearing()]
        one.says(house.jid, "hello?")
        two.says(barn.jid, "pump on")
        expected = [["pump on", "Unknown word"], ["hello?", "pump.state"]]
        await until(lambda: [len(lines) for lines in heard] == [2, 2])
        assert await a.asks("read pump")
        assert await b.asks("read pump")
        assert [len(lines) for lines in heard] == [3, 3]
        for lines, beginnings in zip(heard, expected, strict=True):
            for beginning in beginnings:
                assert any(line.startswith(beginning) for line in lines), lines
        assert (one.writes, two.writes) == (["true"], [])


async def test_who_asks_too_often_is_left_unanswered_for_a_while(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"', bob.jid: '"owner"'})
    with watching_log() as log:
        async with running_app(file) as agent, friends(a := Person(alice, agent.jid), b := Person(bob, agent.jid)):
            for _ in range(MOST_REPLIES):
                await a.asks("pump on")
            for _ in range(10):
                a.says("pump off")
            await log.says(f"{alice.jid} asks more than {MOST_REPLIES} times a minute")
            assert (await b.asks("read pump")).startswith("pump.state: on (")
            assert len(a.replies()) == MOST_REPLIES
            assert len(log.troubles) == 1
    assert agent.writes == ["true"] * MOST_REPLIES


async def test_one_person_who_asks_for_too_much_keeps_nobody_else_waiting(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob, viv = (account(server, name) for name in ("pi", "alice", "bob", "viv"))
    access = {alice.jid: '"owner"', bob.jid: '"viewer"', viv.jid: '"viewer"'}
    file = write_config(tmp_path, pi, access, things=PUMP + DEAF)
    async with (
        running_app(file) as agent,
        friends(owner := Person(alice, agent.jid), other := Person(bob, agent.jid), eager := Person(viv, agent.jid)),
    ):
        for _ in range(3 * MOST_OF_ONE):
            eager.says("read slow", to=agent.jid)
        with pytest.raises(Refused, match="resource-constraint"):  # by now the lines before have found room, or not
            await eager.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        assert eager.replies() == [TOO_MUCH]
        assert await owner.asks("pump on") == ON
        assert await owner.asks("pump off") == OFF
        assert (await other.asks("read pump")).startswith("pump.state: off (")
        assert eager.replies() == [TOO_MUCH]
    assert agent.writes == ["true", "false"]
