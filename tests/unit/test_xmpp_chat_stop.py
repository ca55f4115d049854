"""`stop` in chat: nothing that the same person said before holds it up."""

import asyncio
from xml.etree import ElementTree as ET

import pytest
from slixmpp import JID
from tests.support.fakes import House, relay, running, thing
from tests.support.stanzas import ALICE, CLIENT, Table, link

from jidget.commands.words import is_stop
from jidget.things.rules import Rules
from jidget.xmpp import chat as chatting
from jidget.xmpp.chat import Chat
from jidget.xmpp.router import Admission, Incoming


class Talk:
    """Somebody who talks to a house."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.replies: list[str] = []
        wire = link()
        monkeypatch.setattr(wire, "send", lambda sent: self.replies.append(sent.findtext(f"{CLIENT}body")))
        self._table = Table()
        Chat(wire, house.commands.chat, account="own", known=lambda _: True).attach(self._table)
        self._count = 0

    async def say(self, line: str, age: float = 0.0) -> None:
        self._count += 1
        text = f"<message xmlns='jabber:client' type='chat' from='{ALICE}' to='pi@example.org' id='m{self._count}'/>"
        stanza = ET.fromstring(text)
        ET.SubElement(stanza, f"{CLIENT}body").text = line
        for handler in self._table.messages:
            await handler(
                Incoming(stanza=stanza, payload=stanza, sender=JID(ALICE), admission=Admission.OWNER, age=age)
            )


@pytest.mark.parametrize("word", ["stop", "All off", " /STOP\N{ZERO WIDTH SPACE}"])
async def test_a_stop_does_not_wait_for_what_was_said_before(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, board = relay(), relay(on=True)
    rules = {"state": Rules(safe=False)}
    gate, pump = thing("gate", slow, timeout=30, rules=rules), thing("pump", board, rules=rules)
    house = House(gate, pump)
    talk = Talk(house, monkeypatch)
    async with running(gate, pump):
        slow.gate.clear()
        slow.moving.clear()
        before = asyncio.create_task(talk.say("gate on"))
        await slow.moving.wait()
        stop = asyncio.create_task(talk.say(word))
        async with asyncio.timeout(5):
            while board.held["state"]:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
        assert not before.done()
        slow.gate.set()
        await asyncio.gather(before, stop)
        assert slow.held["state"] is False
    assert len(talk.replies) == 2


async def test_whoever_said_too_much_can_still_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chatting, "MOST_REPLIES", 1)
    board = relay()
    pump = thing("pump", board, rules={"state": Rules(safe=False)})
    talk = Talk(House(pump), monkeypatch)
    async with running(pump):
        await talk.say("pump on")
        assert board.held["state"] is True
        await talk.say("stop")
        assert board.held["state"] is False


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("stop", True),
        ("/Stop ", True),
        ("ALL  off", True),
        ("all", False),
        ("stop pump", False),
        ("stopp", False),
        ("", False),
    ],
)
def test_what_means_stop(line: str, means: bool) -> None:
    assert is_stop(line) is means
