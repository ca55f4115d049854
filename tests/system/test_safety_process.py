"""Outputs end up safe whatever happens to the process, as the hardware's own record shows."""

# files of some bytes, between the lives of a process

import asyncio
import signal
from datetime import datetime
from pathlib import Path

from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, until, write_config
from tests.support.people import Person, friends

from jidget.demo.prosody import Prosody

LIMITED = """
[things.pump]
driver = "simulated"
interval = "200ms"
[things.pump.options]
record = "pump.record"
state_file = "pump.state"
[things.pump.options.properties]
state = {{ type = "boolean", writable = true }}
[things.pump.safety]
{rules}
"""


def record(file: Path) -> list[tuple[float, str]]:
    """Return when the pump was really set, in Unix seconds, and to what."""
    path = file.parent / "pump.record"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(datetime.fromisoformat(line.split(" ", 1)[0]).timestamp(), line.split(" ", 2)[2]) for line in lines]


def values(file: Path) -> list[str]:
    return [value for _, value in record(file)]


async def test_what_is_on_when_the_agent_is_killed_goes_off_on_its_deadline_and_no_later(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    rules = 'max_on = "5s"\non_start = "restore"'
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=LIMITED.format(rules=rules))
    agent = WatchedAgent(tmp_path / "agent", file)
    async with agent, friends(person := Person(alice, f"{pi.jid}/agent")):
        assert await person.asks("pump on") == "pump.state: on (confirmed)"
        agent.kill()
        assert values(file) == ["false", "true"], "safe at the start, then as asked"
        await asyncio.sleep(5.5)  # dead beyond the deadline: only what is stored can know
        await asyncio.to_thread(agent.start)
        await until(lambda: values(file) == ["false", "true", "false"])
        # Before the hardware was read, and before there could be a link.
        assert agent.said.count("logged in to") <= 1
        await until(lambda: "its time was over when the agent started" in agent.said)
        await agent.tells("READY=1")
        assert len(values(file)) == 3


async def test_a_deadline_holds_through_a_short_death(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    rules = 'max_on = "6s"\non_start = "restore"'
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=LIMITED.format(rules=rules))
    agent = WatchedAgent(tmp_path / "agent", file)
    async with agent, friends(person := Person(alice, f"{pi.jid}/agent")):
        await person.asks("pump on")
        agent.kill()
        await asyncio.to_thread(agent.start)
        await until(lambda: values(file)[-1] == "false")
        _, (on, _), *again, (off, _) = record(file)
        assert all(value == "true" for _, value in again), "it goes back to what was commanded"
        assert off - on < 6 + 5, "the time from before the crash counts"
        assert off - on > 5, "it is not switched off early"


async def test_a_stop_leaves_it_safe_and_a_start_goes_back_to_what_was_commanded(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(
        tmp_path, pi, {alice.jid: '"owner"'}, things=LIMITED.format(rules='on_start = "restore"\nsafe = false')
    )
    agent = WatchedAgent(tmp_path / "agent", file)
    async with agent, friends(person := Person(alice, f"{pi.jid}/agent")):
        await person.asks("pump on")
        assert await agent.ends(signal.SIGTERM) == 0
        assert values(file) == ["false", "true", "false"]
        await asyncio.to_thread(agent.start)
        await until(lambda: values(file) == ["false", "true", "false", "true"])
        assert await agent.ends(signal.SIGTERM) == 0
    assert values(file)[-1] == "false"


async def test_what_somebody_left_on_is_off_before_the_agent_has_a_link(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi = account(prosody, "pi")
    file = write_config(tmp_path, pi, things=LIMITED.format(rules="safe = false"), host="127.0.0.1", port=1)
    (tmp_path / "pump.state").write_text('{"state": true}')
    async with WatchedAgent(tmp_path / "agent", file) as agent:
        await until(lambda: values(file) == ["false"])
        assert await agent.ends(signal.SIGTERM) == 0
    assert set(values(file)) == {"false"}


async def test_who_gives_up_for_good_leaves_it_safe(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    things = LIMITED.format(rules='on_start = "restore"\nsafe = false')
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=things)
    agent = WatchedAgent(tmp_path / "agent", file)
    async with agent, friends(person := Person(alice, f"{pi.jid}/agent")):
        await person.asks("pump on")
        assert await agent.ends(signal.SIGTERM) == 0
        write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=things, password="no longer right")
        await asyncio.to_thread(agent.start)
        assert await agent.ends() == 77, "nobody starts it again"
    assert values(file) == ["false", "true", "false", "true", "false"]
