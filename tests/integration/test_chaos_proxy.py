"""The fault-injecting proxy between real clients and a real Prosody: each fault is what it claims to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slixmpp import JID, Iq, Message, Presence
from tests.support.accounts import Account, Accounts
from tests.support.client import Client
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers
from tests.support.wire import DIRECTIONS, Direction

from jidget.demo.prosody import Prosody

LIMIT = 10.0
SILENCE = 0.3

HEADER = (
    b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    b" xmlns:stream='http://etherx.jabber.org/streams'>"
)


class Witness:
    """A contact who reaches the server directly: what it sees of the other one is what the server knows."""

    def __init__(self, client: Client, account: Account) -> None:
        self.jid = JID(account.jid)
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.presences: asyncio.Queue[Presence] = asyncio.Queue()
        client.xmpp.add_event_handler("message", self.messages.put_nowait)
        client.xmpp.add_event_handler("presence", self.presences.put_nowait)
        client.xmpp.send_presence()

    async def sees(self, account: Account, kind: str) -> None:
        """Wait until the account is `available` or `unavailable`."""
        async with asyncio.timeout(LIMIT):
            presence = await self.presences.get()
            while presence["from"].bare != account.jid or presence["type"] != kind:
                presence = await self.presences.get()


class Scene:
    """A device behind the proxy, and its witness."""

    def __init__(self, device: Client, account: Account, witness: Witness) -> None:
        self.device = device
        self.account = account
        self.witness = witness

    async def ping(self) -> Iq:
        """Ask the server something and wait for the answer."""
        answer: Iq = await self.device.xmpp.plugin["xep_0030"].get_info(jid=JID("localhost"), timeout=LIMIT)
        return answer

    def say(self, text: str) -> None:
        """Send the witness a message."""
        self.device.xmpp.send_message(self.witness.jid, text, mtype="chat")


@pytest.fixture
async def proxy(prosody: Prosody) -> AsyncIterator[ChaosProxy]:
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        yield proxy


@pytest.fixture
async def scene(proxy: ChaosProxy, prosody: Prosody, account: Accounts) -> AsyncIterator[Scene]:
    alice = account(prosody, "alice")
    pi = account(prosody, "pi", contacts=(alice,))
    async with Client(alice) as watcher, Client(pi, port=proxy.port, plugins=("xep_0030",)) as device:
        scene = Scene(device, pi, Witness(watcher, alice))
        device.xmpp.send_presence()
        await scene.witness.sees(pi, "available")
        yield scene
        proxy.resume()
        proxy.cut()


@asynccontextmanager
async def raw(proxy: ChaosProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect without any protocol."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def silent(*tasks: asyncio.Task[Any]) -> bool:
    """Say whether none of the tasks ends for a while."""
    done, _ = await asyncio.wait(tasks, timeout=SILENCE)
    return not done


async def hears_nothing(reader: asyncio.StreamReader) -> None:
    """Assert that nothing arrives for a while, neither bytes nor an end."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE):
            await reader.read(1)


async def test_carries_verified_tls_and_an_orderly_end(proxy: ChaosProxy, prosody: Prosody, account: Accounts) -> None:
    async with Client(account(prosody), port=proxy.port):
        assert (proxy.accepted, proxy.open) == (1, 1)
        assert min(proxy.carried.values()) > 500
    async with asyncio.timeout(LIMIT):
        await proxy.carries(0)


@pytest.mark.parametrize("stalled", [*DIRECTIONS, "both"])
async def test_stalled_nothing_gets_through_and_nothing_is_lost(
    proxy: ChaosProxy, scene: Scene, stalled: Direction
) -> None:
    proxy.stall(stalled)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(scene.ping())
        heard = group.create_task(scene.witness.messages.get())
        scene.say("hello")
        if stalled == "down":  # it gets there; only the answer does not come back
            async with asyncio.timeout(LIMIT):
                await heard
            assert await silent(asked)
        else:
            assert await silent(asked, heard)
        proxy.resume()
        async with asyncio.timeout(LIMIT):
            assert (await asked)["type"] == "result"
            assert (await heard)["body"] == "hello"
    assert proxy.accepted == 1


async def test_stalled_not_even_an_end_gets_through(proxy: ChaosProxy, scene: Scene) -> None:
    proxy.stall()
    scene.device.xmpp.abort()
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(scene.witness.sees(scene.account, "unavailable"))
        assert await silent(gone)
        proxy.resume()


async def test_stalled_no_new_connection_is_served(proxy: ChaosProxy) -> None:
    proxy.stall()
    async with raw(proxy) as (reader, writer), asyncio.TaskGroup() as group:
        writer.write(HEADER)
        answer = group.create_task(reader.readuntil(b"</stream:features>"))
        assert await silent(answer)
        proxy.resume()
        async with asyncio.timeout(LIMIT):
            assert b"xmpp-tls" in await answer


async def test_cut_with_rst(proxy: ChaosProxy, scene: Scene) -> None:
    async with raw(proxy) as (reader, _):
        async with asyncio.timeout(LIMIT):
            await proxy.carries(2)
        assert proxy.cut() == 2
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ConnectionResetError):
                await reader.read()
    await scene.witness.sees(scene.account, "unavailable")
    async with asyncio.timeout(LIMIT):
        await proxy.carries(0)


async def test_cut_with_fin(proxy: ChaosProxy, scene: Scene) -> None:
    async with raw(proxy) as (reader, _):
        async with asyncio.timeout(LIMIT):
            await proxy.carries(2)
        assert proxy.cut("fin") == 2
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""
    await scene.witness.sees(scene.account, "unavailable")


async def test_half_open_the_client_hears_nothing(proxy: ChaosProxy, scene: Scene) -> None:
    async with raw(proxy) as (reader, writer):
        async with asyncio.timeout(LIMIT):
            await proxy.carries(2)
        assert proxy.half_open() == 2
        await scene.witness.sees(scene.account, "unavailable")
        writer.write(HEADER)
        await hears_nothing(reader)
        assert scene.device.xmpp.is_connected()
        proxy.cut()
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_half_open_the_server_keeps_a_zombie(proxy: ChaosProxy, scene: Scene) -> None:
    gone = scene.device.xmpp.disconnected
    proxy.half_open("server")
    async with asyncio.timeout(LIMIT):
        await gone
    async with asyncio.TaskGroup() as group:
        absent = group.create_task(scene.witness.sees(scene.account, "unavailable"))
        assert await silent(absent)
        proxy.cut()


async def test_refuse_and_accept(proxy: ChaosProxy, scene: Scene) -> None:
    proxy.refuse()
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    assert (await scene.ping())["type"] == "result"  # those that are there stay
    proxy.accept()
    proxy.accept()
    async with raw(proxy) as (reader, writer):
        writer.write(HEADER)
        async with asyncio.timeout(LIMIT):
            await reader.readuntil(b"</stream:features>")


async def test_accept_hang(proxy: ChaosProxy) -> None:
    proxy.accept_hang = True
    async with raw(proxy) as (hanging, writer):
        writer.write(HEADER)
        await hears_nothing(hanging)
        proxy.accept_hang = False
        async with raw(proxy) as (reader, other):
            other.write(HEADER)
            async with asyncio.timeout(LIMIT):
                await reader.readuntil(b"</stream:features>")
        await hears_nothing(hanging)


async def test_delay_is_latency_and_not_a_brake(proxy: ChaosProxy, scene: Scene) -> None:
    proxy.delay = 0.1
    loop = asyncio.get_running_loop()
    started = loop.time()
    await scene.ping()
    assert loop.time() - started >= 0.2
    started = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(scene.ping())
            await asyncio.sleep(0.005)  # so that each is a packet of its own
    assert loop.time() - started < 2  # one after the other they would take 4


async def test_rate_is_a_brake(proxy: ChaosProxy, scene: Scene) -> None:
    proxy.rate = 20_000
    loop = asyncio.get_running_loop()
    started = loop.time()
    scene.say("x" * 20_000)
    async with asyncio.timeout(LIMIT):
        message = await scene.witness.messages.get()
    assert len(message["body"]) == 20_000
    assert 0.9 < loop.time() - started < 3


@pytest.mark.parametrize("count", [1, 100])
async def test_cut_after_so_many_bytes_down(proxy: ChaosProxy, count: int) -> None:
    proxy.cut_after(count)
    async with raw(proxy) as (reader, writer):
        writer.write(HEADER)
        received = b""
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ConnectionResetError):
                while True:
                    received += await reader.readexactly(1)
    assert len(received) == count
    assert proxy.carried["down"] == count
    async with raw(proxy) as (reader, writer):  # once only
        writer.write(HEADER)
        async with asyncio.timeout(LIMIT):
            await reader.readuntil(b"</stream:features>")


async def test_cut_after_so_many_bytes_up_spans_connections(proxy: ChaosProxy) -> None:
    proxy.cut_after(len(HEADER) + 5, "up")
    async with raw(proxy) as (reader, writer):
        writer.write(HEADER)
        async with asyncio.timeout(LIMIT):
            await reader.readuntil(b"</stream:features>")
        async with raw(proxy) as (second, other):
            other.write(HEADER)
            async with asyncio.timeout(LIMIT):
                with pytest.raises(ConnectionResetError):
                    await second.read()
        assert proxy.open == 1
    assert proxy.carried["up"] == len(HEADER) + 5


def test_cut_after_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        ChaosProxy("127.0.0.1", 1).cut_after(0)


async def test_the_server_away_and_another_target(
    proxy: ChaosProxy, prosody: Prosody, fresh_server: FreshServers
) -> None:
    other = fresh_server(Prosody, "example.org")
    proxy.target = (other.host, other.port)
    other.kill()
    async with raw(proxy) as (reader, _), asyncio.timeout(LIMIT):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    await other.astart()
    async with raw(proxy) as (reader, writer):
        writer.write(HEADER.replace(b"localhost", b"example.org"))
        async with asyncio.timeout(LIMIT):
            assert b"xmpp-tls" in await reader.readuntil(b"</stream:features>")


async def test_closing_leaves_nothing(prosody: Prosody) -> None:
    tasks = asyncio.all_tasks()
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        async with raw(proxy) as (reader, _), raw(proxy):
            async with asyncio.timeout(LIMIT):
                await proxy.carries(2)
            proxy.stall("up")
            await proxy.close()
            async with asyncio.timeout(LIMIT):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        assert asyncio.all_tasks() == tasks
        with pytest.raises(RuntimeError, match="closed"):
            proxy.accept()
