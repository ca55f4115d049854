"""Long stanzas on slow links, and answers that a session loses: none is taken for a dead link, none comes for ever."""

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.integration.test_stream_management import alive, link_of, ping
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, running_app, until, write_config
from tests.support.client import Client
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.prosody import Prosody
from jidget.errors import JidgetError, LinkError
from jidget.xmpp.answers import LONGEST, MOST_BYTES, MOST_TIMES, STILL_WANTED, Answers
from jidget.xmpp.link import Link
from jidget.xmpp.xml import CLIENT, element


def message(to: str, size: int, name: str = "m1") -> ET.Element:
    body = element(f"{{{CLIENT}}}body", None, "x" * size)
    return element(f"{{{CLIENT}}}message", {"to": to, "type": "chat", "id": name}, body)


async def test_a_long_stanza_on_its_way_to_us_is_waited_for(prosody: Prosody, account: Accounts) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    gaps: list[JidgetError | None] = []
    got: list[ET.Element] = []
    async with ChaosProxy(prosody.host, prosody.port) as proxy, Client(alice, "phone") as phone:
        link = link_of(pi, proxy.port, liveness=2.0)
        link.receive = got.append
        link.tell_gaps(gaps.append)
        async with alive(link) as session:
            await link.prove()
            proxy.rate = 30_000.0  # the stanza takes some three times as long as silence is borne
            phone.xmpp.send_raw(f"<message to='{link.full}' type='chat'><body>{'x' * 150_000}</body></message>")
            await until(lambda: bool(got) or session.done())
    assert not gaps
    assert len(got) == 1


async def test_an_answer_that_no_server_takes_costs_one_session(
    fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(Prosody, options={"c2s_stanza_size_limit": 20_000})
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=COUNTER)
    with watching_log() as log:
        async with running_app(file) as agent:
            await agent.publishes()
            agent.app.link.send(message(f"{alice.jid}/phone", 60_000))
            await log.says("logged in to", times=2)
            async with friends(person := Person(alice, agent.jid, follows=True)):
                await person.reads("meter.count")
            assert len(log.matching("logged in to")) == 2


async def test_an_answer_that_came_between_two_sessions_is_sent_in_the_next(
    prosody: Prosody, account: Accounts
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    heard: list[str] = []
    async with Client(alice, "phone") as phone:
        phone.xmpp.add_event_handler("message", lambda stanza: heard.append(stanza["id"]))
        link = link_of(pi, prosody.port)
        with pytest.raises(LinkError):
            link.send(message(f"{alice.jid}/phone", 10, "unwanted"))
        link.keep_answers(True)
        link.send(message(f"{alice.jid}/phone", 10, "kept"))
        with pytest.raises(LinkError):
            link.send(element(f"{{{CLIENT}}}presence"))
        async with alive(link):
            link.send_again()
            await until(lambda: heard == ["kept"])


async def test_a_request_after_the_end_fails_also_if_nobody_watches(prosody: Prosody, account: Accounts) -> None:
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        link = link_of(account(prosody, "pi"), proxy.port)
        async with link.session() as stream:
            await link.prove()
            proxy.cut()
            await stream.closed
            with pytest.raises(LinkError, match="not connected"):
                await ping(link)


async def test_a_session_whose_counts_do_not_fit_is_given_up_at_once(prosody: Prosody, account: Accounts) -> None:
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        link = link_of(account(prosody, "pi"), proxy.port)
        async with alive(link) as session:
            await link.prove()
            management = link._wire.stream.management if link._wire.stream else None
            assert management is not None
            management._acknowledged += 5  # the server will say less than that
            async with asyncio.timeout(20):
                assert "never sent" in str(await session)
        assert proxy.accepted == 1


async def test_a_gap_in_the_first_ping_of_a_session_does_not_keep_readings_back(
    prosody: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = account(prosody, "pi")
    prove = Link.prove
    first = True
    async with ChaosProxy(prosody.host, prosody.port) as proxy:

        async def cut_off(self: Link, *, timeout: float | None = 20.0) -> None:
            nonlocal first
            if first:
                first = False
                stream = self._wire.stream
                assert stream is not None
                await until(lambda: stream.management.resumable)
                proxy.cut()
                await until(lambda: not self.connected)
            await prove(self, timeout=timeout)

        monkeypatch.setattr(Link, "prove", cut_off)
        async with running_app(write_config(tmp_path, pi, things=COUNTER, port=proxy.port)) as agent:
            await agent.publishes()
            await until(lambda: agent.app.store.extent(agent.app.store.gen) not in (None, (0, None)))


# ---- what is kept --------------------------------------------------------------------------------------------------


def test_answers_are_kept_for_a_while_and_sent_again_once() -> None:
    now = 0.0
    answers = Answers(lambda: now)
    assert not answers.keep("<message id='1'/>"), "nothing is to follow"
    answers.wanted = True
    answers.left(["<message id='1'/>", "<presence/>", "<iq type='set' id='2'/>", "<iq type='result' id='3'/>"])
    answers.left([f"<message id='4'>{'x' * LONGEST}</message>"])
    assert answers.take() == ["<message id='1'/>", "<iq type='result' id='3'/>"]
    for _ in range(MOST_TIMES - 1):
        answers.left(["<message id='1'/>"])
        assert answers.take() == ["<message id='1'/>"]
    answers.left(["<message id='1'/>", "<message id='5'/>"])  # the first was sent again often enough
    assert answers.take() == ["<message id='5'/>"]
    long = [f"<message id='{number}'>{'x' * (LONGEST - 50)}</message>" for number in range(20)]
    answers.left(long)
    last = answers.take()
    assert list(last) == long[-len(last) :], "the oldest give way"
    assert MOST_BYTES - LONGEST < sum(map(len, last)) <= MOST_BYTES
    answers.keep("<message id='6'/>")
    now = STILL_WANTED + 1
    assert answers.take() == []
