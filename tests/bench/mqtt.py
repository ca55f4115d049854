"""What a bridge to an MQTT broker costs and carries: messages a second, CPU, memory, and how long a start takes.

A house of plugs as Zigbee2MQTT announces them (8 entities each, one state topic) on a private mosquitto; `jidget run`
as a process of its own, logged in by TLS; a subscriber that parses every reading. See README.md beside this file.

    .venv/bin/python tests/bench/mqtt.py [--quick] [--repeats 3] [--json FILE]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by its path

from tests.bench import report
from tests.bench.peers.usage import cpu_of, memory_of
from tests.bench.report import Samples, Target
from tests.bench.runs import MOSQUITTO
from tests.bench.things import MeasuredAgent
from tests.bench.venvs import CACHE, plain_python
from tests.bench.workers import Worker
from tests.support.accounts import Account
from tests.support.agents import write_config
from tests.support.mqtt_house import Speaker, house_of, state_of, topic_of

from jidget.commands.local import ask_for_things
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

AGENT, OWNER = "pi", "alice"
USERS = {AGENT: "secret", OWNER: "secret"}
LIMIT = 120.0
SETTLE = 3.0
"""Seconds after the last Thing came until memory is looked at."""
LAST = 999_999.0
"""The value that each device tells last."""
ROUNDS = 60
"""Messages of each device, none with the same value as the one before: of one topic so many may wait."""
NONE, EMPTY, FIFTY, MANY = "no [mqtt]", "0 devices", "50 devices", "250 devices"
COLUMNS = {
    "rss": "RSS MiB",
    "pss": "PSS MiB",
    "start": "start s",
    "rate": "messages/s",
    "values": "values %",
    "cpu": "µs a message",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What is on the broker; `bridged` is whether the agent looks."""

    devices: int
    bridged: bool = True


CASES = {NONE: Case(0, bridged=False), EMPTY: Case(0), FIFTY: Case(50), MANY: Case(250)}


def main() -> int:
    """Measure and print; return 0 if the targets are met."""
    args = _arguments()
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="jidget-bench-") as directory:
        _measure(Path(directory), args, samples)
    targets = targets_of(samples)
    if args.json != "-":
        report.show("A bridge; medians of the repeats", COLUMNS, samples.rows)
        report.show_targets(targets)
    if args.json:
        report.write_json(args.json, samples, targets, repeats=args.repeats)
    return int(report.missed(targets))


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__, quick="one repeat")
    parser.set_defaults(repeats=3)
    parser.add_argument("--plain-venv", type=Path, default=CACHE / "plain", help="environment for Jidget; made anew")
    args = parser.parse_args()
    if args.quick:
        args.repeats = 1
    return args


def _measure(directory: Path, args: argparse.Namespace, samples: Samples) -> None:
    progress = report.progress()
    progress.show("preparing the environment")
    python = plain_python(args.plain_venv)
    with Prosody(directory / "prosody", users=USERS) as server:
        server.add_roster(AGENT, OWNER)
        for number in range(args.repeats):
            for name, case in CASES.items():
                progress.show(f"{number + 1}/{args.repeats} {name}")
                place = directory / f"{number} {name}"
                place.mkdir()
                with Mosquitto(place / "broker", extra=MOSQUITTO) as broker:
                    samples.add(name, _run(case, place, server, broker, python))
    progress.clear()


def _run(case: Case, place: Path, server: Prosody, broker: Mosquitto, python: Path) -> dict[str, float]:
    speaker = Speaker(broker)
    speaker.says(house_of(case.devices), retain=True)
    store = place / "jidget.db"
    account = Account(server=server, name=AGENT, password=USERS[AGENT])
    table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n' if case.bridged else ""
    config = write_config(
        place / "config", account, {server.jid(OWNER): '"owner"'}, things=f'[store]\npath = "{store}"\n{table}'
    )
    begun = time.monotonic()
    with MeasuredAgent(place / "agent", config, python) as agent:
        agent.log_in()
        _wait_for_things(store, case.devices)
        started = time.monotonic() - begun
        time.sleep(SETTLE)
        figures = memory_of(agent.pid) | {"start": started}
        if case.devices:
            figures |= _carry(case.devices, server, speaker, agent.pid)
    speaker.close()
    return figures


def _wait_for_things(store: Path, devices: int) -> None:
    """Wait until all devices are there and have told.

    Raises:
        TimeoutError: they do not come.
    """
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        told = ask_for_things(store) or ()
        if len({each["thing"] for each in told if each["value"] is not None}) >= devices:
            return
        time.sleep(0.05)
    raise TimeoutError(f"after {LIMIT:g} s there are not {devices} devices")


def _carry(devices: int, server: Prosody, speaker: Speaker, pid: int) -> dict[str, float]:
    """Have each device tell something, as fast as the broker takes it, and wait until it has all come by XMPP."""
    job = {
        "jid": server.jid(OWNER),
        "password": USERS[OWNER],
        "host": server.host,
        "tls_port": server.tls_port,
        "ca_file": str(server.ca_file),
        "publisher": server.jid(AGENT),
        "property": "power",
        "last": LAST,
        "devices": devices,
        "limit": LIMIT,
    }
    with Worker("tests.bench.peers.bridge_subscriber", job) as subscriber:
        subscriber.hear(LIMIT)
        subscriber.go()
        subscriber.hear(LIMIT)
        cpu, begun = cpu_of(pid), time.monotonic_ns()
        speaker.says(_messages(devices))
        got = subscriber.hear(LIMIT)
        cpu = cpu_of(pid) - cpu
    messages = devices * ROUNDS
    seconds = (got["ended"] - begun) / 1e9
    return {"rate": messages / seconds, "values": 100 * got["values"] / messages, "cpu": cpu * 1e6 / messages}


def _messages(devices: int) -> Iterator[tuple[str, str]]:
    for number in range(1, ROUNDS + 1):
        for device in range(devices):
            yield topic_of(device), state_of(LAST if number == ROUNDS else 10.0 + number)


def targets_of(samples: Samples) -> list[Target]:
    """Return what was asked for."""
    return [
        Target(title=f"RSS, {FIFTY}, of {NONE}", reached=samples.ratio(FIFTY, NONE, "rss"), limit=1.3),
        *(
            Target(title=f"messages, {row}", reached=samples.figure(row, "rate"), limit=2000, at_least=True, unit="/s")
            for row in (FIFTY, MANY)
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
