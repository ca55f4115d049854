"""`jidget read` beside an agent that runs: the agent is asked, as two programs cannot have one device."""

# nothing waits for these files

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, PUMP, RunningApp, WatchedAgent, running_app, until, write_config
from tests.support.command_line import Ended, jidget

from jidget.demo.prosody import Prosody
from jidget.store.lock import StoreLock

BREAKABLE = """
[things.tank]
driver = "simulated"
interval = "50ms"
[things.tank.options]
faults = [{ do = "fail", while_file = "broken" }]
[things.tank.options.properties]
level = { type = "number", unit = "%" }
"""


async def read(file: Path, *target: str) -> Ended:
    return await jidget("read", "--config", file, *target)


@asynccontextmanager
async def agent_at(root: Path, prosody: Prosody, account: Accounts, things: str) -> AsyncIterator[RunningApp]:
    """Run an agent that needs no server, and wait until it can be asked."""
    file = write_config(root, account(prosody), things=things)
    async with running_app(file) as agent:
        await until((root / "jidget.db-ask").exists)
        yield agent


async def test_the_agent_is_asked_and_its_values_are_printed_as_always(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    file = tmp_path / "jidget.toml"
    async with agent_at(tmp_path, prosody, account, PUMP + COUNTER) as agent:
        meter, pump = agent.app.directory.get("meter"), agent.app.directory.get("pump")
        assert meter is not None
        assert pump is not None
        await until(lambda: "count" in meter.values and int(meter.values["count"].value) > 5)
        await pump.write({"state": True})
        both = await read(file)
        assert both.code == 0
        (state, count) = both.lines
        assert state == "pump.state on"  # another process would have found it off
        assert count.startswith("meter.count ")
        assert int(count.split()[1]) > 5  # another process would have begun at 0
        assert (await read(file, "pump.state")).lines == ["pump.state on"]
        assert (await read(file, "Water pump")).lines == ["pump.state on"]
        wrong = await read(file, "pmup")
        assert (wrong.code, wrong.out) == (1, "")
        assert 'Did you mean "pump"?' in wrong.err
    assert not (tmp_path / "jidget.db-ask").exists()
    assert (await read(file)).lines == ["pump.state off", "meter.count 0"]  # from the hardware itself


async def test_what_the_agent_cannot_read_is_said(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    async with agent_at(tmp_path, prosody, account, PUMP + BREAKABLE) as agent:
        tank = agent.app.directory.get("tank")
        assert tank is not None
        (tmp_path / "broken").touch()
        await until(lambda: not tank.availability.available)
        ended = await read(tmp_path / "jidget.toml")
    assert (ended.code, ended.lines) == (1, ["pump.state off"])
    assert "tank is unavailable since" in ended.err


async def test_nobody_else_may_ask_and_a_long_path_is_no_obstacle(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    root = tmp_path / ("a" * 80) / ("b" * 80)
    root.mkdir(parents=True)
    async with agent_at(root, prosody, account, PUMP):
        mode = (root / "jidget.db-ask").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert (await read(root / "jidget.toml")).lines == ["pump.state off"]


@pytest.mark.parametrize("question", [b"\n", b"{}\n", b"[]\n", b'{"read": {}}\n', b"\xff\xfe\n", b"x" * 3000, b""])
async def test_nonsense_harms_nobody(prosody: Prosody, account: Accounts, tmp_path: Path, question: bytes) -> None:
    async with agent_at(tmp_path, prosody, account, PUMP) as agent:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(tmp_path / "jidget.db-ask"))
            asking.sendall(question)
            asking.shutdown(socket.SHUT_WR)
            await asyncio.to_thread(asking.recv, 4096)
        assert (await read(tmp_path / "jidget.toml")).lines == ["pump.state off"]
        assert agent.running


async def test_an_agent_that_crashed_is_not_asked_and_one_that_hangs_is_not_bypassed(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    things = PUMP.replace('interval = "100ms"', 'interval = "100ms"\ntimeout = "100ms"')
    file = write_config(tmp_path, account(prosody), things=things)
    async with WatchedAgent(tmp_path / "agent", file) as agent:
        await until((tmp_path / "jidget.db-ask").exists)
        await asyncio.to_thread(agent.freeze)
        hangs = await read(file)
        assert (hangs.code, hangs.out) == (1, "")
        assert (
            hangs.err.splitlines()[-1] == "jidget: the agent that runs has the hardware, and did not answer (timed out)"
        )
        agent.thaw()
        await asyncio.to_thread(agent.kill)
        assert (tmp_path / "jidget.db-ask").exists()
        assert (await read(file)).lines == ["pump.state off"]


async def test_an_agent_that_is_just_starting_keeps_the_hardware(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    file = write_config(tmp_path, account(prosody), things=PUMP)
    lock = StoreLock(tmp_path / "jidget.db")
    try:
        ended = await read(file)
    finally:
        lock.release()
    assert (ended.code, ended.out) == (1, "")
    assert "an agent that runs has the hardware, and cannot be asked" in ended.err
    assert (await read(file)).code == 0
