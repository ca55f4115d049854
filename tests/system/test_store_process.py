"""The daemon and its store as a machine that crashes sees them: `kill -9` loses no reading and repeats no command."""

# ruff: noqa: ASYNC240  # files of some kilobytes, between the lives of a process

import asyncio
import random
import signal
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, until, write_config
from tests.support.followers import Follower, following
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.sensor_data import Row, batch_of
from tests.support.stores import ask

from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

STUBBORN = """
[things.pump]
driver = "simulated"
interval = "1h"
timeout = "1m"
[things.pump.options]
record = "pump.record"
state_file = "pump.state"
faults = [
    { on = "write", do = "hang", while_file = "stuck-before" },
    { on = "read", do = "hang", while_file = "stuck-after" },
]
[things.pump.options.properties]
state = { type = "boolean", writable = true }
"""
"""A relay that hangs before or after it moves while a file is there."""
WHY = "interrupted by a restart of the agent"


def progress(file: Path) -> list[str]:
    """Return how far the commands in the journal have come, the first first."""
    return [str(row[0]) for row in ask(file.parent / "jidget.db", "SELECT progress FROM command ORDER BY id")]


def writes(file: Path) -> list[str]:
    """Return what the pump was made to do."""
    record = file.parent / "pump.record"
    return [line.split(" ", 2)[2] for line in record.read_text().splitlines()] if record.exists() else []


def unasked(person: Person) -> list[str]:
    """Return what a person was told of interrupted commands without having asked.

    The server may bring the command itself again, which it cannot know to have arrived: that is answered, too.
    """
    return [text for text in person.replies() if WHY in text and "Asked before" not in text]


async def told_of(person: Person) -> str:
    """Wait until a person is told of an interrupted command."""
    await person.until(lambda _: bool(unasked(person)))
    return unasked(person)[0]


# ---- commands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moved", "ends"),
    [
        ([], f"FAILED: pump: {WHY}; pump.state is off now (read back)"),
        (["true"], f"pump: {WHY}; pump.state is on now (read back)"),
    ],
    ids=["before", "after"],
)
async def test_a_command_that_a_crash_interrupts_is_looked_into_told_once_and_never_run_again(
    server: XmppServer, account: Accounts, tmp_path: Path, moved: list[str], ends: str
) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    grants = {alice.jid: '"owner"', bob.jid: '{ role = "operator", things = ["pump"] }'}
    file = write_config(tmp_path, pi, grants, things=STUBBORN)
    stuck = tmp_path / ("stuck-after" if moved else "stuck-before")
    async with (
        WatchedAgent(tmp_path / "agent", file) as agent,
        friends(a := Person(alice, f"{pi.jid}/agent"), b := Person(bob, f"{pi.jid}/agent")),
    ):
        stuck.touch()
        a.says("pump on", id="first")
        await until(lambda: progress(file) == ["driving"])
        b.says("pump off", id="second")  # which waits for its turn
        await until(lambda: progress(file) == ["driving", "asked"])
        await until(lambda: writes(file) == moved)
        await asyncio.to_thread(agent.kill)
        stuck.unlink()

        await agent.astart()
        told = await told_of(a)
        assert told.startswith("set pump state=on (")
        assert told.endswith(f"Z): {ends}")
        other = await told_of(b)
        assert other.startswith("set pump state=off (")
        assert other.endswith(f"FAILED: pump: {WHY} before anything moved. Send it again if you still want it")
        again = await a.asks("pump on", id="first")  # the client repeats what was never answered
        assert again.startswith(f"{ends}\nAsked before (")
        assert "nothing was moved again" in again
        assert "before anything moved" in await b.asks("pump off", id="second")
        assert writes(file) == moved

        await until(lambda: ask(tmp_path / "jidget.db", "SELECT count(*) FROM command WHERE tell") == [(0,)])
        for end in (agent.kill, agent.stop):
            await asyncio.to_thread(end)
            before, said = len(a.stanzas), len(a.replies())
            await agent.astart()
            await a.sees(after=before)
            a.says("read pump")
            await a.until(lambda _, n=said: any(line.startswith("pump.state: ") for line in a.replies()[n:]))  # type: ignore[misc]
        assert unasked(a) + unasked(b) == [told, other]
        assert writes(file) == moved
    assert progress(file) == ["ended", "ended"]
    audited = [line for line in agent.said.splitlines() if f"{alice.jid}/phone by chat: set pump state=on -> " in line]
    assert sum("Asked before" not in line for line in audited) == 1
    assert "Traceback" not in agent.said


async def test_who_asked_is_told_when_the_link_comes_however_often_it_is_restarted_before(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=STUBBORN, port=proxy.port)
        agent = WatchedAgent(tmp_path / "agent", file)
        async with agent, friends(a := Person(alice, f"{pi.jid}/agent")):
            (tmp_path / "stuck-after").touch()
            a.says("pump on", id="first")
            await until(lambda: writes(file) == ["true"])
            await asyncio.to_thread(agent.kill)
            (tmp_path / "stuck-after").unlink()
            proxy.refuse()
            for _ in range(2):
                await agent.astart()
                await until(lambda: progress(file) == ["ended"])  # looked into without any link
                await asyncio.to_thread(agent.kill)
            await agent.astart()
            proxy.accept()
            assert (await told_of(a)).endswith(f"pump: {WHY}; pump.state is on now (read back)")
            a.says("pump off")
            await a.until(lambda _: "pump.state: off (confirmed)" in a.replies())
            assert len(unasked(a)) == 1
        assert writes(file) == ["true", "false"]


# ---- readings ------------------------------------------------------------------------------------------------------

LASTING = """
[things.meter]
driver = "simulated"
interval = "50ms"
[things.meter.options.properties]
count = { type = "integer", waveform = "counter" }
"""
"""A sensor that shows one more at each reading, and begins anew with each process."""


def lives(rows: list[Row]) -> list[list[int]]:
    """Return what was counted in each life of the agent, in the order of time."""
    found: list[list[int]] = []
    for row in sorted(rows, key=lambda row: row.time):
        if int(row.value) == first_count(rows):
            found.append([])
        found[-1].append(int(row.value))
    return found


def first_count(rows: list[Row]) -> int:
    """Return what the counter begins with."""
    return min(int(row.value) for row in rows)


def kept(file: Path) -> int:
    """Return how many readings the store has."""
    return int(str(ask(file.parent / "jidget.db", "SELECT count(*) FROM reading")[0][0]))


async def follows_all(follower: Follower, file: Path) -> list[Row]:
    """Wait until the follower has everything that the store has, and return it."""
    rows = kept(file)
    return await follower.hears("meter.count", rows)


async def test_kill_9_loses_nothing_whether_there_is_a_link_or_not(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    seeded = random.Random(20261121)
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=LASTING, port=proxy.port)
        agent = WatchedAgent(tmp_path / "agent", file)
        async with following(follower := Follower(alice, f"{pi.jid}/agent")):
            await agent.astart()
            await follower.hears("meter.count", 3)
            for life in range(8):
                online = life % 2 == 0
                before = kept(file)
                (proxy.accept if online else proxy.refuse)()
                if not agent.running:
                    await agent.astart()
                await until(lambda so_far=before + 3: kept(file) >= so_far)  # type: ignore[misc]
                await asyncio.sleep(seeded.uniform(0, 0.1))  # anywhere between two steps
                await asyncio.to_thread(agent.kill)
            proxy.accept()
            async with agent:
                await until(lambda: kept(file) > before)
                await follower.hears("meter.count", kept(file))
                assert await agent.ends(signal.SIGTERM) == 0
            rows = await follows_all(follower, file)
        counted = lives(rows)
        assert len(counted) == 9
        for values in counted:
            assert values == list(range(values[0], values[0] + len(values)))
        assert len(rows) == kept(file)
        generations = {batch_of(item.id)[0] for item in follower.batches()}
        assert len(generations) == 1  # the machine was not started anew: no number can have been given out twice
        numbers = sorted(batch_of(item.id)[1] for item in follower.batches())
        assert numbers == list(range(1, len(numbers) + 1))
        assert "Traceback" not in agent.said


@pytest.mark.parametrize("how", ["kept", "removed", "put back"])
async def test_a_store_that_forgot_batches_begins_a_new_generation_and_one_that_did_not_keeps_it(
    prosody: Prosody, account: Accounts, tmp_path: Path, how: str
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=LASTING)
    store = tmp_path / "jidget.db"
    agent = WatchedAgent(tmp_path / "agent", file)
    async with following(follower := Follower(alice, f"{pi.jid}/agent")):
        await agent.astart()
        await follower.hears("meter.count", 5)
        await asyncio.to_thread(agent.kill)
        files = [path for path in (store, Path(f"{store}-wal")) if path.exists()]
        earlier = {path: path.read_bytes() for path in files}
        await agent.astart()
        await follower.hears("meter.count", len(follower.rows()) + 5)
        await asyncio.to_thread(agent.kill)
        if how == "removed":
            for path in tmp_path.glob("jidget.db*"):
                path.unlink()
        elif how == "put back":  # a backup is of the database alone: the note beside it stays
            for suffix in ("-wal", "-shm"):
                Path(f"{store}{suffix}").unlink(missing_ok=True)
            for path, content in earlier.items():
                path.write_bytes(content)
        async with agent:
            before = len(follower.batches())
            await follower.follows(lambda it: len(it.batches()) >= before + 5)
        ids = [batch_of(item.id) for item in follower.batches()]  # which checks that none came with another content
        assert len({gen for gen, _ in ids}) == (1 if how == "kept" else 2)
        for gen in {gen for gen, _ in ids}:
            numbers = sorted(seq for each, seq in ids if each == gen)
            assert numbers == list(range(1, len(numbers) + 1))
    assert store.exists()
