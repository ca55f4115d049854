"""Sessions that outlive their connections (XEP-0198), at real servers: what they keep, and what is no longer new."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import COUNTER, QUICK, running_app, until, write_config
from tests.support.asking import Refused
from tests.support.client import Client
from tests.support.followers import Follower, following
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.sensor_data import NOW_NODE
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.errors import LinkError, RequestTimeout
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.xml import CLIENT, PING, element

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]
SWITCH = "<set xmlns='urn:nf:iot:ctr:1.0'><nd id='pump'/><b n='state' v='true'/></set>"
LIMIT = 20.0


def link_of(account: Account, port: int, liveness: float = 5.0) -> Link:
    server = account.server
    login = Login(
        jid=account.jid,
        resource="agent",
        password=account.password,
        host=server.host,
        port=port,
        security="starttls",
        ca_file=server.ca_file,
    )
    return Link(login, lambda _: None, liveness=liveness, timing=QUICK)


@asynccontextmanager
async def alive(link: Link) -> AsyncIterator[asyncio.Task[object]]:
    """Keep a session for the time of the context."""
    async with link.session():
        task: asyncio.Task[object] = asyncio.create_task(link.stay_alive())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait((task,))
    await link.close()


def ping(link: Link, timeout: float | None = None) -> asyncio.Task[ET.Element]:
    request = link.request("get", element(f"{{{PING}}}ping"), to=link.login.domain, timeout=timeout)
    return asyncio.create_task(request)


async def test_what_was_asked_before_a_gap_and_in_it_is_answered_after_it(
    server: XmppServer, account: Accounts
) -> None:
    pi = account(server, "pi")
    async with ChaosProxy(server.host, server.port) as proxy:
        link = link_of(pi, proxy.port)
        gaps: list[object] = []
        link.tell_gaps(gaps.append)
        async with alive(link), asyncio.timeout(LIMIT):
            await link.prove()
            assert link.fresh()
            proxy.stall("down")
            before = ping(link, timeout=0.5)
            await asyncio.sleep(0)  # the task begins
            proxy.refuse()
            proxy.cut()
            await until(lambda: len(gaps) >= 2)
            within = ping(link, timeout=0.5)
            assert not link.connected
            assert not link.fresh()
            await asyncio.sleep(0.6)  # longer than they would wait for an answer, were there somebody to give it
            proxy.resume()
            proxy.accept()
            assert (await before).get("type") == (await within).get("type") == "result"
            await until(link.fresh)
            assert gaps[-1] is None


async def test_without_a_session_nothing_is_sent_and_what_waits_fails(server: XmppServer, account: Accounts) -> None:
    async with ChaosProxy(server.host, server.port) as proxy:
        link = link_of(account(server, "pi"), proxy.port)
        with pytest.raises(LinkError, match="not connected"):
            await ping(link)
        async with link.session():  # which nobody keeps alive
            await link.prove()
            proxy.stall("down")
            waiting = ping(link)
            await asyncio.sleep(0)
            proxy.cut()
            with pytest.raises(LinkError, match="was lost before"):
                await waiting
        assert not link.connected


async def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_it_may_take(
    server: XmppServer, account: Accounts
) -> None:
    async with ChaosProxy(server.host, server.port) as proxy:
        link = link_of(account(server, "pi"), proxy.port)
        async with alive(link), asyncio.timeout(LIMIT):
            await link.prove()
            proxy.stall("down")
            with pytest.raises(RequestTimeout, match=r"did not answer within 0\.3 s"):
                await ping(link, timeout=0.3)
            proxy.resume()
            await link.prove()


def _senders() -> int:
    """Return how many slixmpp streams of this process have a task."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return sum("run_filters" in name for name in names)


async def test_whatever_is_cut_wherever_all_arrives_and_in_order(server: XmppServer, account: Accounts) -> None:
    """Prosody 0.12 loses a session that was cut within a stanza; what it may have had is then sent again, once."""
    pi, alice = account(server, "pi"), account(server, "alice")
    chance = random.Random(198)  # so that it is the same each time
    heard: list[str] = []
    sessions = 0

    async def keep(link: Link) -> None:
        nonlocal sessions
        while True:
            async with link.session():
                sessions += 1
                link.send_again()
                await link.stay_alive()

    async with ChaosProxy(server.host, server.port) as proxy, Client(alice, "phone") as phone:
        phone.xmpp.add_event_handler("message", lambda message: heard.append(message["id"]))
        link = link_of(pi, proxy.port)
        link.keep_answers(True)
        tasks = _senders()
        keeping = asyncio.create_task(keep(link))
        for cut in range(10):
            await until(lambda: link.connected)
            proxy.cut_after(chance.randrange(1, 4000), "up" if cut % 2 else "down")
            for number in range(30):
                await until(lambda: link.in_session)
                body = element(f"{{{CLIENT}}}body", None, "x" * chance.randrange(200))
                attributes = {"to": f"{alice.jid}/phone", "type": "chat", "id": f"{cut}.{number}"}
                link.send(element(f"{{{CLIENT}}}message", attributes, body))
                if number % 10 == 0:
                    await asyncio.sleep(0.01)
        await until(lambda: len(set(heard)) >= 300 or keeping.done())
        keeping.cancel()
        await asyncio.wait((keeping,))
        await link.close()
        assert _senders() == tasks, "something was left of connections"
    assert list(dict.fromkeys(heard)) == [f"{cut}.{number}" for cut in range(10) for number in range(30)]
    assert sessions == 1 or isinstance(server, Prosody)
    assert sessions > 1 or len(heard) == 300
    assert max(map(heard.count, heard)) <= sessions


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_has_forgotten_the_session_gives_another_over_the_same_connection(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind, hibernation=1)
    pi, alice = account(server, "pi"), account(server, "alice")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, port=proxy.port)
        with watching_log() as log:
            async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
                proxy.stall()  # nothing of it is refused: there is no attempt in between
                proxy.cut()
                await person.sees("unavailable")
                connections, gone = proxy.accepted, len(person.stanzas)
                proxy.resume()
                await log.says("logged in to", times=2)
                await person.sees(after=gone)  # what is said before that reaches nobody
                assert proxy.accepted - connections <= 1
                assert await person.asks("pump on") == "pump.state: on (confirmed)"
                await agent.publishes()
    assert not [trouble for trouble in log.troubles if "no link" not in trouble]


async def test_after_an_outage_within_a_session_the_current_values_come_first(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    follower = Follower(alice, f"{pi.jid}/agent", now=True)
    async with ChaosProxy(server.host, server.port) as proxy, following(follower):
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=COUNTER, port=proxy.port)
        with watching_log() as log:
            async with running_app(file, replace(QUICK, longest_pause=0.1)) as agent:
                await follower.hears("meter.count", 5)
                proxy.refuse()
                proxy.cut()
                await until(lambda: agent.app.store.waiting > 20)
                in_flight = len(agent.app.store.unacknowledged())
                await follower.follows(lambda it: bool(it.batches()))
                before = len(follower.items())
                proxy.accept()
                await log.says("the session goes on")
                await follower.hears("meter.count", 60)
    after = [item.node for item in follower.items()[before:]]
    assert NOW_NODE in after[: in_flight + 1], after[:10]
    counts = [int(row.value) for row in follower.rows("meter.count")]
    assert counts == list(range(counts[0], counts[0] + len(counts)))


@pytest.mark.parametrize("how", ["chat", "iq"])
async def test_a_command_that_the_server_kept_for_long_over_a_gap_is_refused(
    server: XmppServer, account: Accounts, tmp_path: Path, how: str
) -> None:
    """Servers bring it after the resumption, an IQ without any word of its age."""
    pi, alice = account(server, "pi"), account(server, "alice")
    timing = replace(QUICK, fresh=0.6)
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, port=proxy.port)
        async with running_app(file, timing) as agent, friends(person := Person(alice, agent.jid)):
            assert await person.asks("pump off") == "pump.state: off (confirmed)"
            proxy.refuse()
            proxy.cut()
            await until(lambda: not agent.app.link.connected)
            asked = asyncio.create_task(person.asks("pump on") if how == "chat" else _refusal(person))
            await asyncio.sleep(2 * timing.fresh)  # it is the time itself that makes it old
            proxy.accept()
            assert "age unknown" in await asked
            assert agent.writes == ["false"]
            await until(agent.app.link.fresh)
            assert await person.asks("pump on") == "pump.state: on (confirmed)"
            assert agent.writes == ["false", "true"]


async def _refusal(person: Person) -> str:
    with pytest.raises(Refused) as refused:
        await person.ask("set", SWITCH)
    return str(refused.value)


async def test_a_command_that_the_server_kept_over_a_short_gap_is_done_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, port=proxy.port)
        async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
            assert await person.asks("pump off") == "pump.state: off (confirmed)"
            proxy.refuse()
            proxy.cut()
            await until(lambda: not agent.app.link.connected)
            asked = asyncio.create_task(person.ask("set", SWITCH))
            await asyncio.sleep(0.2)
            proxy.accept()
            await asked
            assert agent.writes == ["false", "true"]


async def test_a_link_that_only_brings_and_takes_nothing_is_given_up(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, port=proxy.port, liveness="500ms")
        with watching_log() as log:
            async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):

                async def chatter() -> None:
                    while True:
                        person.says("status")
                        await asyncio.sleep(0.3)

                chatting = asyncio.create_task(chatter())
                proxy.stall("up")
                await log.says("no link: the server has been silent")
                chatting.cancel()
                proxy.resume()
                await log.says("the link is back|logged in to", times=2)


async def test_whoever_is_quicker_than_our_login_harms_nothing(server: XmppServer, account: Accounts) -> None:
    """Stanzas from others may come before we know that we are bound: they are ours to answer, and to count."""
    pi, alice = account(server, "pi"), account(server, "alice")
    received: list[ET.Element] = []
    link = link_of(pi, server.port)
    link.receive = received.append
    answers: list[str] = []
    async with Client(alice, "phone") as phone:
        phone.xmpp.add_event_handler("iq", lambda iq: answers.append(str(iq)))

        async def hurry() -> None:
            number = 0
            while True:
                number += 1
                phone.xmpp.send_raw(f"<iq type='get' id='q{number}' to='{link.full}'><x xmlns='urn:test'/></iq>")
                await asyncio.sleep(0.001)

        hurrying = asyncio.create_task(hurry())
        for _ in range(15):
            async with link.session() as stream:
                await link.prove()
                stream.ask()
                await link.prove()
                assert not stream.closed.done()
        hurrying.cancel()
    assert received
    assert not [answer for answer in answers if "feature-not-implemented" in answer]
