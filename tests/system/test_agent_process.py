"""The daemon as its service manager sees it: how it starts, what it tells, how it ends and what it leaves behind."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, PUMP, WatchedAgent, until, write_config
from tests.support.people import NODE, Person, friends
from tests.support.proxy import ChaosProxy

from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

NOW = f"{NODE}#now"
RELAY = PUMP.replace('record = "pump.record"', 'record = "pump.record"\nstate_file = "pump.state"')


async def test_a_signal_ends_it_in_order(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=PUMP + COUNTER)
    async with WatchedAgent(tmp_path / "agent", file, WATCHDOG_USEC="200000") as agent:
        await agent.tells("WATCHDOG=1", times=3)
        async with friends(person := Person(alice, f"{pi.jid}/agent", follows=True)):
            await person.reads("meter.count")
            assert await person.asks("pump on") == "pump.state: on (confirmed)"
            seen = len(person.stanzas)
            assert await agent.ends(signal.SIGTERM) == 0
            await person.sees("unavailable", after=seen)
            counts = [int(reading.value) for reading in person.readings() if reading.name == "meter.count"]
            assert counts == list(range(counts[0], counts[-1] + 1))
            values = await current_values(person, pi.jid)
            assert values == {"pump.state": "true", "meter.count": str(counts[-1])}
    assert agent.told[0] == "READY=1"
    assert agent.told.index("STOPPING=1") > agent.told.index("WATCHDOG=1")
    assert f"STATUS=online as {pi.jid}/agent" in agent.told
    assert "Traceback" not in agent.said


async def current_values(person: Person, jid: str) -> dict[str, str]:
    """Fetch the state node as a late joiner does."""
    query = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{NOW}'/></pubsub>"
    answer = await person.ask("get", query, to=jid)
    assert answer is not None
    data = f"{{{NODE}}}"
    return {
        f"{nd.get('id')}.{field.get('n')}": field.get("v", "")
        for nd in answer.iter(f"{data}nd")
        for ts in nd.iterfind(f"{data}ts")
        for field in ts
    }


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_also_where_there_is_no_server(
    prosody: Prosody, account: Accounts, tmp_path: Path, sent: signal.Signals
) -> None:
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        proxy.accept_hang = True
        file = write_config(tmp_path, account(prosody), port=proxy.port)
        async with WatchedAgent(tmp_path / "agent", file) as agent:  # ready without any network
            await until(lambda: proxy.accepted > 0)  # it is in the middle of a login
            assert await agent.ends(sent) == 0
    assert "STOPPING=1" in agent.told
    assert "Traceback" not in agent.said


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_the_stream_is_closed_in_order_when_there_is_time(
    fresh_prosody: Callable[..., Prosody], account: Accounts, tmp_path: Path, how: str
) -> None:
    server = fresh_prosody(log_level="debug")
    pi = account(server, "pi")
    async with WatchedAgent(tmp_path / "agent", write_config(tmp_path, pi)) as agent:
        await agent.tells(f"STATUS=online as {pi.jid}/agent")
        await agent.ends(signal.SIGTERM if how == "stopped" else signal.SIGKILL)
        await until(lambda: "Client disconnected" in log_of(server, pi.name))
    closed = "Received </stream:stream>" in log_of(server, pi.name)
    assert closed == (how == "stopped")


def log_of(server: Prosody, user: str) -> str:
    """Return what the server's log tells of the only session of a user."""
    lines = server.log.read_text(encoding="utf-8").splitlines()
    session = next(line.split()[3] for line in lines if f"Authenticated as {user}@" in line)
    return "\n".join(line for line in lines if session in line)


async def test_a_wrong_password_is_told_once_and_for_all(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi = account(server, "pi")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {"alice@localhost": '"owner"'}, password="wrong-secret", port=proxy.port)
        async with WatchedAgent(tmp_path / "agent", file) as agent:
            assert await agent.ends() == 77
        assert proxy.accepted == 1
    last = agent.said.splitlines()[-1]
    assert last == f"jidget: 127.0.0.1:{proxy.port} refused the password of {pi.jid} (not-authorized)"
    assert len(agent.said.splitlines()) == 2  # its version, and this
    assert "wrong-secret" not in agent.said


async def test_a_crash_leaves_nothing_behind_and_the_next_start_takes_over(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=RELAY)
    async with WatchedAgent(tmp_path / "agent", file) as agent, friends(person := Person(alice, f"{pi.jid}/agent")):
        assert await person.asks("pump on") == "pump.state: on (confirmed)"
        process = psutil.Process(agent.pid)
        family = [process, *process.children(recursive=True)]
        await asyncio.to_thread(agent.kill)
        assert not [member for member in family if member.is_running()]
        seen = len(person.stanzas)
        await agent.astart()
        await person.sees(after=seen)
        assert (await person.asks("read pump")).startswith("pump.state: on (")
        assert await person.asks("pump off") == "pump.state: off (confirmed)"


async def test_a_changed_password_does_not_end_what_once_worked(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi = account(server, "pi")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, port=proxy.port, things=COUNTER)
        async with WatchedAgent(tmp_path / "agent", file, WATCHDOG_USEC="200000") as agent:
            await agent.tells(f"STATUS=online as {pi.jid}/agent")
            server.add_user(pi.name, "another one")
            proxy.cut()
            await agent.tells(f"STATUS=127.0.0.1:{proxy.port} refused the password of {pi.jid} (not-authorized)")
            fed = agent.told.count("WATCHDOG=1")
            await agent.tells("WATCHDOG=1", times=fed + 3)
            assert agent.running
            assert await agent.ends(signal.SIGTERM) == 0


async def test_a_password_that_once_worked_is_known_after_a_crash_and_one_that_was_mistyped_since_is_not(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi = account(server, "pi")
    file = write_config(tmp_path, pi, things=COUNTER)
    agent = WatchedAgent(tmp_path / "agent", file, WATCHDOG_USEC="200000")
    await agent.astart()
    await agent.tells(f"STATUS=online as {pi.jid}/agent")
    await asyncio.to_thread(agent.kill)
    server.add_user(pi.name, "another one")
    async with agent:
        await agent.tells(f"STATUS={server.host}:{server.port} refused the password of {pi.jid} (not-authorized)")
        fed = agent.told.count("WATCHDOG=1")
        await agent.tells("WATCHDOG=1", times=fed + 3)
        assert agent.running
        assert await agent.ends(signal.SIGTERM) == 0
    file = write_config(tmp_path, pi, things=COUNTER, password="a new one with a slip")
    async with agent:
        assert await agent.ends() == 77
    file = write_config(tmp_path, pi, things=COUNTER, password="another one")
    async with agent:
        await agent.tells(f"STATUS=online as {pi.jid}/agent")
