"""Jidget's way of a reading beside MQTT's: readings a second, CPU, bytes on the wire and on the disk for each.

In one run, interleaved: `jidget run` with its store, TLS and XEP-0198 through a private Prosody; paho-mqtt at QoS 1
with TLS through a private mosquitto; a writer of raw XMPP as the floor. Each to one subscriber that parses every
reading. See README.md beside this file.

    .venv/bin/python tests/bench/throughput.py [--quick] [--repeats 5] [--readings 1] [--json FILE]
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by its path

from tests.bench import report
from tests.bench.report import Samples, Target
from tests.bench.runs import AGENT, MOSQUITTO, RAW, SUBSCRIBER, USERS, Bench, Case
from tests.bench.venvs import CACHE, mqtt_python
from tests.bench.workers import Worker

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

PAHO, MANY = "paho QoS 1", 1_000_000
CASES = (
    Case(name=PAHO, kind="mqtt", readings=15_000),
    Case(name="raw writer, batch 1", kind="raw", batch=1, readings=3_000),
    Case(name="raw writer, batch 10", kind="raw", batch=10, readings=15_000),
    Case(name="raw writer, batch 50", kind="raw", batch=50, readings=40_000),
    Case(name="Jidget, batch 1", kind="agent", batch=1, readings=3_000),
    Case(name="Jidget, batch 10", kind="agent", batch=10, readings=15_000),
    Case(name="Jidget, batch 50", kind="agent", batch=50, readings=40_000),
    Case(name="Jidget, 1,000 queued", kind="queued", readings=16_000, queued=1_000),
    Case(name="Jidget, 8,000 queued", kind="queued", readings=16_000, queued=8_000),
    Case(name="Jidget, 1,000,000 stored", kind="agent", readings=40_000, stored=MANY),
)
COUNTED = ("Jidget, batch 10", "Jidget, batch 50")
"""Of these fsyncs are counted."""
COLUMNS = {
    "rate": "readings/s",
    "cpu": "publisher µs",
    "subscriber_cpu": "subscriber µs",
    "server_cpu": "server µs",
    "up": "bytes up",
    "written": "disk bytes",
    "syncs": "fsyncs",
}


def main() -> int:
    """Measure and print; return 0 if every target that was measured is met."""
    args = _arguments()
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="jidget-bench-", dir=args.directory) as directory:
        _measure(Path(directory), args, samples)
    targets = targets_of(samples)
    if args.json != "-":
        report.show("For each reading; medians", COLUMNS, samples.rows, notes=NOTES)
        report.show_targets(targets)
    if args.json:
        report.write_json(args.json, samples, targets, repeats=args.repeats)
    return int(report.missed(targets))


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__, quick="one repeat with a tenth of the readings")
    parser.add_argument("--readings", type=float, default=1.0, help="times as many readings in every case")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="only rows whose name has this")
    parser.add_argument("--directory", type=Path, help="where the stores are: on a real disk")
    parser.add_argument("--mqtt-venv", type=Path, default=CACHE / "mqtt", help="environment with paho-mqtt")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.readings = 1, args.readings / 10
    return args


def _measure(directory: Path, args: argparse.Namespace, samples: Samples) -> None:
    progress = report.progress()
    progress.show("preparing paho-mqtt")
    python = mqtt_python(args.mqtt_venv)
    cases = [
        replace(case, readings=max(int(case.readings * args.readings), case.queued, 1_000))
        for case in CASES
        if not args.only or any(text in case.name for text in args.only)
    ]
    server = Prosody(directory / "prosody", users=USERS)
    server.add_roster(SUBSCRIBER, AGENT, RAW)
    with server, Mosquitto(directory / "mosquitto", extra=MOSQUITTO) as broker:
        stores = {}
        for rows in {case.stored for case in cases if case.stored}:
            progress.show(f"filling a store with {rows:,} rows")
            stores[rows] = _filled(directory / f"stored-{rows}", rows)
        bench = Bench(directory, server, broker, python, stores)
        for number in range(args.repeats):
            for case in _turned(cases, number):
                progress.show(f"{number + 1}/{args.repeats} {case.name}")
                samples.add(case.name, bench.run(case))
        strace = shutil.which("strace")
        for case in cases:
            if strace and case.name in COUNTED:
                progress.show(f"counting fsyncs: {case.name}")
                samples.set(case.name, "syncs", bench.syncs(case, strace))
    progress.clear()


def _turned(cases: Sequence[Case], number: int) -> Sequence[Case]:
    """Begin each repeat with another case."""
    first = number % max(len(cases), 1)
    return [*cases[first:], *cases[:first]]


def _filled(directory: Path, rows: int) -> Path:
    directory.mkdir()
    with Worker("tests.bench.stored_rows", {"store": str(directory / "jidget.db"), "rows": rows}) as worker:
        worker.hear(600.0)
    return directory


def targets_of(samples: Samples) -> list[Target]:
    """Return the targets of the way of a reading, with what was reached."""
    one, ten, fifty = (f"Jidget, batch {size}" for size in (1, 10, 50))
    few, many, stored = "Jidget, 1,000 queued", "Jidget, 8,000 queued", "Jidget, 1,000,000 stored"

    def ratio(title: str, rows: tuple[str, str], column: str, limit: float, *, at_least: bool = False) -> Target:
        return Target(title=title, reached=samples.ratio(*rows, column), limit=limit, at_least=at_least)

    def figure(title: str, row: str, column: str, limit: float, unit: str) -> Target:
        return Target(title=title, reached=samples.figure(row, column), limit=limit, unit=unit)

    return [
        ratio("end to end, batch 10, of paho", (ten, PAHO), "rate", 1.0, at_least=True),
        ratio("end to end, batch 50, of paho", (fifty, PAHO), "rate", 3.0, at_least=True),
        ratio("publisher CPU, batch 50, of paho", (fifty, PAHO), "cpu", 0.15),
        ratio("publisher CPU, batch 1, of paho", (one, PAHO), "cpu", 1.5),
        ratio("bytes up, batch 50, of MQTT", (fifty, PAHO), "up", 0.7),
        figure("disk bytes, 10 a commit", ten, "written", 1000, "B"),
        figure("disk bytes, 50 a commit", fifty, "written", 1000, "B"),
        figure("fsyncs, 10 a commit", ten, "syncs", 0.05, ""),
        figure("fsyncs, 50 a commit", fifty, "syncs", 0.05, ""),
        ratio("publisher CPU, 8,000 queued, of 1,000 queued", (many, few), "cpu", 1.1),
        ratio("publisher CPU, 1,000,000 stored, of an empty store", (stored, fifty), "cpu", 1.2),
    ]


NOTES = (
    "readings/s: from the first publish to the last reading parsed by the subscriber. queued: to the last result.",
    "bytes up: of TCP payload, TLS and XEP-0198 included. disk bytes: write_bytes of the process, closing included.",
)

if __name__ == "__main__":
    raise SystemExit(main())
