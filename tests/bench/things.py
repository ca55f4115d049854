"""What Things cost: CPU and memory of `jidget run` with one, ten and twenty of them, logged in and publishing.

Simulated hardware, so that what is measured is ours; and gpio-output on gpiozero's mock pins. Each agent is a process
of its own, in an environment as a user has it, with its store on the disk and TLS to a private Prosody. See README.md
beside this file.

    .venv/bin/python tests/bench/things.py [--quick] [--repeats 3] [--seconds 30] [--json FILE]
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by its path

from tests.bench import report
from tests.bench.peers.usage import cpu_of, memory_of
from tests.bench.report import Samples, Target
from tests.bench.venvs import CACHE, gpio_python, plain_python
from tests.support.accounts import Account
from tests.support.agents import WatchedAgent, write_config

from jidget.demo.prosody import Prosody

AGENT, OWNER = "pi", "alice"
USERS = {AGENT: "secret", OWNER: "secret"}
LIMIT = 60.0
"""Seconds for an agent to log in."""
SETTLE = 5.0
"""Seconds after the login that are not measured."""
QUICK = 10.0
ONE, TEN, TWENTY, PINS = "1 Thing, every 10 s", "10 Things, every 10 s", "20 Things, every 1 s", "10 pins, every 10 s"
COLUMNS = {
    "rss": "RSS MiB",
    "pss": "PSS MiB",
    "cpu": "CPU % of a core",
    "wakes": "wake-ups/s",
    "readings": "readings/s",
    "each": "µs a reading",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an agent is made of.

    Attributes:
        things: how many.
        interval: between two readings of each, as in the configuration.
        pins: whether they are gpio-output, on mock pins, rather than simulated.
        variables: of the agent's environment.
    """

    things: int
    interval: str
    pins: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def configuration(self) -> str:
        """Return the `[things]` tables: a number that is another one at each reading, or a pin that nobody sets."""
        parts = []
        for number in range(1, self.things + 1):
            driver = "gpio-output" if self.pins else "simulated"
            parts.append(f'[things.t{number}]\ndriver = "{driver}"\ninterval = "{self.interval}"')
            if self.pins:
                parts.append(f"[things.t{number}.options]\npin = {number + 1}")
            else:
                kind = '{ type = "number", unit = "Cel", waveform = "sine", precision = 4 }'
                parts.append(f"[things.t{number}.options.properties]\ntemperature = {kind}")
        return "\n".join(parts)


CASES = {
    ONE: Case(things=1, interval="10s"),
    TEN: Case(things=10, interval="10s"),
    TWENTY: Case(things=20, interval="1s"),
    PINS: Case(things=10, interval="10s", pins=True, variables={"GPIOZERO_PIN_FACTORY": "mock"}),
}


class MeasuredAgent(WatchedAgent):
    """`jidget run` in an environment of its own."""

    def __init__(self, root: Path, config: Path, python: Path, **variables: str) -> None:
        super().__init__(root, config, **variables)
        self._python = python

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(self._python), *super().command()[1:]]

    def log_in(self) -> None:
        """Wait until it has told that it is online.

        Raises:
            RuntimeError: it does not.
        """
        deadline = time.monotonic() + LIMIT
        while not any(told.startswith("STATUS=online") for told in self.told):
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(f"the agent did not log in:\n{self.said}")
            self.answers()


def main() -> int:
    """Measure and print; return 0 if the target is met."""
    args = _arguments()
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="jidget-bench-") as directory:
        _measure(Path(directory), args, samples)
    targets = targets_of(samples)
    if args.json != "-":
        report.show("Running; medians of the repeats", COLUMNS, samples.rows)
        report.show_targets(targets)
    if args.json:
        report.write_json(args.json, samples, targets, repeats=args.repeats, seconds=args.seconds)
    return int(report.missed(targets))


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__, quick=f"one repeat of {QUICK:g} s")
    parser.set_defaults(repeats=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each figure; a multiple of 10 is fair")
    parser.add_argument("--plain-venv", type=Path, default=CACHE / "plain", help="environment for Jidget; made anew")
    parser.add_argument("--gpio-venv", type=Path, default=CACHE / "gpio", help="the same with its extra gpio")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.seconds = 1, QUICK
    return args


def _measure(directory: Path, args: argparse.Namespace, samples: Samples) -> None:
    progress = report.progress()
    progress.show("preparing the environments")
    plain, gpio = plain_python(args.plain_venv), gpio_python(args.gpio_venv)
    with Prosody(directory / "prosody", users=USERS) as server:
        for number in range(args.repeats):
            for name, case in CASES.items():
                progress.show(f"{number + 1}/{args.repeats} {name}")
                place = directory / f"{number} {name}"
                place.mkdir()
                samples.add(name, _run(case, place, server, gpio if case.pins else plain, args.seconds))
    progress.clear()


def _run(case: Case, place: Path, server: Prosody, python: Path, seconds: float) -> dict[str, float]:
    store = place / "jidget.db"
    account = Account(server=server, name=AGENT, password=USERS[AGENT])
    things = f'[store]\npath = "{store}"\n{case.configuration()}'
    config = write_config(place / "config", account, {server.jid(OWNER): '"owner"'}, things=things)
    with MeasuredAgent(place / "agent", config, python, **case.variables) as agent:
        agent.log_in()
        time.sleep(SETTLE)
        began, cpu, wakes, rows = time.monotonic(), cpu_of(agent.pid), wakes_of(agent.pid), rows_of(store)
        time.sleep(seconds)
        took, cpu, wakes = time.monotonic() - began, cpu_of(agent.pid) - cpu, wakes_of(agent.pid) - wakes
        figures = memory_of(agent.pid)
        readings = rows_of(store) - rows
    figures |= {"cpu": 100 * cpu / took, "wakes": wakes / took, "readings": readings / took}
    return figures | ({"each": cpu * 1e6 / readings} if readings else {})


def wakes_of(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep by themselves (/proc/PID/task/TID/status, proc(5)).

    Those of threads that have ended are not known any more.
    """
    lines = [
        line
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text(encoding="ascii", errors="replace").splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def rows_of(store: Path) -> int:
    """Return how many readings are in the store of a running agent."""
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM reading").fetchone()[0])


def targets_of(samples: Samples) -> list[Target]:
    """Return what was asked for."""
    return [
        Target(title=f"CPU, {TEN}", reached=samples.figure(TEN, "cpu"), limit=1.0, unit="% of a core"),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
