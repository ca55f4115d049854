"""A day offline, and then the link: does all of it arrive, once, in order, and what does it cost the agent?

The store is filled with readings of a counter, ten a second, that no server has. Then `jidget run` logs in to a private
Prosody with TLS, and somebody follows who checks value, time and order of every single one.

    .venv/bin/python tests/bench/offline.py [--rows 864000] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, write_config
from tests.support.backlog import QUIET, Checker, fill, resident

from jidget.demo.prosody import Prosody

PATIENCE = 3600.0


def main() -> int:
    """Measure and print; 0 if everything arrived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=864_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Prosody(Path(directory) / "prosody") as server:
        figures = asyncio.run(measure(server, Path(directory), args.rows))
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<34} {value:>12,.1f}" if isinstance(value, float) else f"{name:<34} {value:>12,}")
    return 0


async def measure(server: Prosody, root: Path, rows: int) -> dict[str, float]:
    """Fill a store, have it replayed, and return what was seen."""
    account = Accounts()
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(root / "etc", pi, {alice.jid: '"viewer"'}, things=QUIET)
    store = root / "etc" / "jidget.db"
    began = time.monotonic()
    start = await fill(store, rows)
    filled = time.monotonic() - began
    agent = WatchedAgent(root / "agent", file)
    checker = Checker(alice, f"{pi.jid}/agent", start)
    async with checker:
        await checker.appear()
        began = time.monotonic()
        async with agent:
            process = psutil.Process(agent.pid)
            await checker.has(min(rows, 1000), within=PATIENCE)
            first, first_at = resident(agent.pid), time.monotonic() - began
            watching = asyncio.create_task(highest(agent.pid))
            await checker.has(rows, within=PATIENCE)
            took = time.monotonic() - began
            watching.cancel()
            used = process.cpu_times()
            last = resident(agent.pid)
            peak = await watching
    return {
        "rows": rows,
        "in order": checker.next,
        "batches repeated": checker.repeated,
        "store, MB": store.stat().st_size / 1e6,
        "filling the store, s": filled,
        "start to first 1000, s": first_at,
        "replay, s": took,
        "readings/s": rows / took,
        "agent CPU, us a reading": 1e6 * (used.user + used.system) / rows,
        "agent RSS after 1000, MB": first,
        "agent RSS, highest, MB": max(peak, last),
        "agent RSS at the end, MB": last,
    }


async def highest(pid: int) -> float:
    """Look at a process's memory until cancelled; return the most it had."""
    most = 0.0
    try:
        while True:
            most = max(most, resident(pid))
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return most


if __name__ == "__main__":
    sys.exit(main())
