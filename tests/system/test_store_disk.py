"""What the store costs the disk, and what it gives back after a long time offline."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, write_config
from tests.support.backlog import QUIET, Checker, fill, resident
from tests.support.strict_skips import ABSENT

from jidget.demo.prosody import Prosody

ROWS = 20_000
BATCHES = 200
WORK = f"""
import asyncio, sys
from pathlib import Path
from jidget.reading import Reading
from jidget.store.store import Store
from jidget_drivers import Property

async def main():
    prop = Property(name="temperature")
    async with Store(Path(sys.argv[1]), full=sys.argv[2] == "full") as store, asyncio.TaskGroup() as tasks:
        upkeep = tasks.create_task(store.run())
        for batch in range({BATCHES}):
            for commit in range(5):
                now = 1_790_000_000_000 + batch * 1000 + commit * 100
                store.append([Reading("probe", prop, 21.5, now + n) for n in range(10)])
                store.flush()
                await asyncio.sleep(0)
            cut = store.cut(50, backlog=False)
            await store.secured()
            store.acknowledge(cut)
        upkeep.cancel()

asyncio.run(main())
"""


def syncs(path: Path, durability: str) -> int:
    """Return how often a process waits for the disk that keeps readings, ten a commit and fifty a batch."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace, which counts what SQLite does, is not installed: sudo apt install strace")
    trace = path.with_suffix(".trace")
    command = [strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(trace)]
    done = subprocess.run(
        [*command, sys.executable, "-c", WORK, str(path), durability], capture_output=True, text=True, check=False
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"{ABSENT}the right to trace a process: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"^\d+ +f(?:data)?sync\(", trace.read_text(), re.MULTILINE))


def test_normal_durability_hardly_ever_waits_for_the_disk(tmp_path: Path) -> None:
    assert syncs(tmp_path / "jidget.db", "normal") <= 0.05 * 50 * BATCHES / 2  # twofold slack


def test_full_durability_waits_for_it_at_least_once_a_batch(tmp_path: Path) -> None:
    assert syncs(tmp_path / "jidget.db", "full") >= BATCHES


async def test_what_a_long_time_offline_left_arrives_completely_in_order_and_in_little_memory(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=QUIET)
    start = await fill(tmp_path / "jidget.db", ROWS)
    checker = Checker(alice, f"{pi.jid}/agent", start)
    async with checker:
        await checker.appear()
        async with WatchedAgent(tmp_path / "agent", file) as agent:
            await checker.has(1000, within=60)
            before = resident(agent.pid)
            await checker.has(ROWS, within=120)
            assert resident(agent.pid) - before < 20  # MB: the readings alone would take that as objects
            assert checker.repeated == 0
            await agent.tells(f"STATUS=online as {pi.jid}/agent")
    assert "Traceback" not in agent.said
