"""A client's question ends with whoever was to answer it."""

import asyncio
import logging
from xml.etree import ElementTree as ET

import pytest
from slixmpp import JID

from jidget.errors import LinkError
from jidget.xmpp.client import Client
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.xml import element

AGENT = "pi@example.org/agent"
GONE = f"<presence xmlns='jabber:client' from='{AGENT}' type='unavailable'/>"


async def test_a_question_is_given_up_however_often_the_agent_goes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def silence(*_: object, **__: object) -> ET.Element:
        never: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        return await never

    monkeypatch.setattr(Link, "request", silence)
    client = Client(Login(jid="alice@example.org", resource="cli", password="secret"), JID(AGENT))
    async with asyncio.timeout(10), client.router.serving(client.link):
        asked = asyncio.create_task(client.ask("get", element("{urn:q}question")))
        await asyncio.sleep(0)  # until it has asked
        while not asked.done():  # at whatever step of giving up, it goes once more
            client.router.receive(ET.fromstring(GONE))
            await asyncio.sleep(0)
        with pytest.raises(LinkError, match="went offline before it answered"):
            await asked
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
