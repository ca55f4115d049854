"""Single faults that deserve a test of their own; the soak inflicts all of them, in any order."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from slixmpp.exceptions import IqTimeout
from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, write_config
from tests.support.asking import Asker, Refused
from tests.support.followers import Follower, following
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.soak.agent import SoakAgent
from tests.support.soak.disk import CannotMount, SmallDisk
from tests.support.soak.wall_clock import WallClock
from tests.support.strict_skips import ABSENT
from tests.support.wire import Direction

from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

VALVE = """
[things.valve]
driver = "simulated"
interval = "1h"
[things.valve.options]
record = "valve.record"
state_file = "valve.state"
[things.valve.options.properties]
level = { type = "integer", writable = true, high = 1000000 }
"""
BUSY = """
[things.meter]
driver = "simulated"
interval = "10ms"
[things.meter.options.properties]
a = { type = "integer", waveform = "counter" }
b = { type = "integer", waveform = "counter" }
c = { type = "integer", waveform = "counter" }
"""
"""Ten times the readings that get through where a server throttles to 3 kB a second."""
COUNTER = """
[things.meter]
driver = "simulated"
interval = "50ms"
[things.meter.options.properties]
count = { type = "integer", waveform = "counter" }
"""
LIVENESS = 4.0
STALE = 33.0
NOTICED = 2 * 20.0
"""Seconds in which a dead link is noticed with the default settings, and as much again for a busy machine."""
YEARS_BACK = -20 * 366 * 86400.0
BACK_ON_DISK = 2 * 30.0


def moves(directory: Path) -> list[int]:
    """Return what the valve was made to do."""
    record = directory / "valve.record"
    return [int(line.split()[2]) for line in record.read_text().splitlines()] if record.exists() else []


def set_level(value: int) -> str:
    return f"<set xmlns='urn:nf:iot:ctr:1.0'><nd id='valve'/><l n='level' v='{value}'/></set>"


async def test_a_link_that_is_silent_is_noticed_in_time_and_what_waited_in_it_is_too_old_to_be_done(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=VALVE, port=proxy.port)
        async with (
            WatchedAgent(tmp_path / "agent", file) as agent,
            friends(person := Person(alice, f"{pi.jid}/agent")),
        ):
            assert await person.asks("set valve 1") == "valve.level: 1 (confirmed)"
            dialled, stalled = proxy.accepted, time.monotonic()
            proxy.stall()
            person.says("set valve 2")
            person.xmpp.send_raw(f"<iq type='set' id='three' to='{person.agent}'>{set_level(3)}</iq>")
            async with asyncio.timeout(NOTICED):
                await proxy.changed.until(lambda: proxy.accepted > dialled)
            await asyncio.sleep(STALE - (time.monotonic() - stalled))  # it is the time itself that makes them old
            proxy.resume()
            assert (await person.answer(after=1)).startswith("Refused: ")
            assert await outcome(person, set_level(3), id="three") != "done"  # which is the first outcome again
            assert await person.asks("set valve 4") == "valve.level: 4 (confirmed)"
            assert moves(tmp_path) == [1, 4]
            assert "Traceback" not in agent.said


async def outcome(asker: Asker, payload: str, *, id: str) -> str:
    """Ask until there is an answer; return its error condition, or done."""
    while True:
        try:
            await asker.ask("set", payload, id=id)
        except Refused as refusal:
            if refusal.application:  # else the server could not deliver it
                return refusal.condition
            await asyncio.sleep(0.2)  # and nothing tells when it can
        except IqTimeout:
            continue
        else:
            return "done"


async def test_a_link_that_only_hears_is_noticed(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=VALVE, port=proxy.port, liveness="1s")
        async with (
            WatchedAgent(tmp_path / "agent", file),
            friends(person := Person(alice, f"{pi.jid}/agent")),
        ):
            assert await person.asks("read valve")
            dialled = proxy.accepted
            proxy.stall("up")
            async with asyncio.timeout(2 * (2 * 1.0) + 1):
                while proxy.accepted == dialled:
                    person.says("read valve")  # what it hears is no sign that it is heard
                    await asyncio.sleep(0.2)


async def until_done(asker: Asker, level: int) -> int:
    """Set the valve to a level or, while that is refused, to higher ones; return which it was."""
    while await outcome(asker, set_level(level), id=f"set-{level}") != "done":
        level += 1
    return level


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_command_that_a_reset_overtakes_is_done_once(
    server: XmppServer, account: Accounts, tmp_path: Path, direction: Direction
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=VALVE, port=proxy.port)
        async with WatchedAgent(tmp_path / "agent", file) as agent, friends(person := Person(alice, f"{pi.jid}/agent")):
            done = []
            for level in range(1, 7):
                dialled = proxy.accepted
                proxy.cut_after(40 * level, direction)
                said = await outcome(person, set_level(level), id=f"set-{level}")
                assert await outcome(person, set_level(level), id=f"set-{level}") == said  # the first outcome again
                if said == "done":
                    done.append(level)
                await proxy.changed.until(lambda dialled=dialled: proxy.accepted > dialled)  # type: ignore[misc]
            done.append(await until_done(person, 10))
            assert moves(tmp_path) == done  # the others were refused: nobody could know how old they were
            assert "Traceback" not in agent.said


async def test_a_server_that_throttles_is_not_taken_for_a_dead_link_and_people_come_before_the_backlog(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        file = write_config(
            tmp_path, pi, {alice.jid: '"owner"'}, things=BUSY + VALVE, port=proxy.port, liveness=f"{LIVENESS:g}s"
        )
        async with (
            WatchedAgent(tmp_path / "agent", file),
            friends(person := Person(alice, f"{pi.jid}/agent")),
        ):
            assert await person.asks("set valve 0") == "valve.level: 0 (confirmed)"
            level, dialled = 0, proxy.accepted
            proxy.rate = 3000.0
            until = time.monotonic() + 4 * LIVENESS  # in which a link that is taken for dead would be given up twice
            while time.monotonic() < until:
                level += 1
                asked = time.monotonic()
                assert await person.asks(f"set valve {level}") == f"valve.level: {level} (confirmed)"
                assert time.monotonic() - asked < 2 * LIVENESS
                await asyncio.sleep(1)
            assert proxy.accepted == dialled
            proxy.rate = None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of the test's own, which it may fill."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(SmallDisk(tmp_path / "disk"))
        except CannotMount as problem:
            pytest.skip(f"{ABSENT}the right to mount a small disk: {problem}")
        yield disk


async def test_a_full_disk_costs_no_reading_repeats_no_command_and_is_told_and_over_by_itself(
    prosody: Prosody, account: Accounts, tmp_path: Path, small_disk: SmallDisk
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    store = f'[store]\npath = "{small_disk.path / "jidget.db"}"\n'
    file = write_config(tmp_path / "config", pi, {alice.jid: '"owner"'}, things=store + COUNTER + VALVE)
    async with (
        following(follower := Follower(alice, f"{pi.jid}/agent")),
        WatchedAgent(tmp_path / "agent", file) as agent,
    ):
        await follower.hears("meter.count", 5)
        assert await outcome(follower, set_level(1), id="one") == "done"
        await asyncio.to_thread(agent.kill)
        await agent.astart()
        await follower.hears("meter.count", len(follower.rows("meter.count")) + 5)
        small_disk.fill()
        await says(agent, "readings are kept in memory only")
        assert await outcome(follower, set_level(1), id="one") == "done"  # of an earlier life
        await follower.hears("meter.count", len(follower.rows("meter.count")) + 20)
        assert "disk is full" in await follower.asks("status")
        assert await until_done(follower, 2) == 2
        small_disk.free()
        await says(agent, "readings are kept in the store")
        assert "disk is full" not in await follower.asks("status")
        count = len(follower.rows("meter.count"))
        await asyncio.to_thread(agent.kill)
        await agent.astart()
        await follower.hears("meter.count", count + 20)
        assert await outcome(follower, set_level(2), id="set-2") == "done"
        rows = sorted(follower.rows("meter.count"), key=lambda row: row.time)
        for first, second in pairwise(int(row.value) for row in rows):
            assert second in (0, first + 1)  # each life counts from 0
        assert moves(tmp_path / "config") == [1, 2]
        assert "Traceback" not in agent.said


async def says(agent: WatchedAgent, text: str) -> None:
    """Wait until something is in the agent's log."""
    async with asyncio.timeout(BACK_ON_DISK):
        while text not in agent.said:  # noqa: ASYNC110  # a log has no events
            await asyncio.sleep(0.1)


async def test_a_clock_that_jumps_costs_no_reading(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path / "config", pi, {alice.jid: '"owner"'}, things=COUNTER + VALVE)
    clock = WallClock(tmp_path / "clock")
    async with (
        following(follower := Follower(alice, f"{pi.jid}/agent")),
        SoakAgent(tmp_path / "agent", file, clock) as agent,
    ):
        for step in (0.0, 3600.0, -900.0, 0.0, 3600.0, YEARS_BACK, 0.0):
            clock.jump(step)
            count = len(follower.rows("meter.count"))
            await follower.hears("meter.count", count + 20)
            assert await follower.asks("set valve 1") == "valve.level: 1 (confirmed)"
        rows = follower.rows("meter.count")
        assert [int(row.value) for row in rows] == list(range(len(rows)))
        now = time.time() * 1000
        assert [row for row in rows if row.milliseconds > now + 3_000_000]
        unset = [row for row in rows if row.milliseconds < now + YEARS_BACK * 1000 + 3_000_000]
        assert unset
        assert all("of" in row.flags for row in unset)
        assert not [row for row in rows if "of" in row.flags and row not in unset]
        assert "Traceback" not in agent.said
