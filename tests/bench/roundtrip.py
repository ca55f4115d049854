"""How long a command takes until its answer is there, beside a bare ping between two clients and beside MQTT 5.

In one run, interleaved, over TLS: a running agent is asked and told by a client without an XMPP library; two such
clients ping each other; paho-mqtt asks paho-mqtt by MQTT 5 request and response. See README.md beside this file.

    .venv/bin/python tests/bench/roundtrip.py [--quick] [--repeats 5] [--calls 400] [--json FILE]
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by its path

from tests.bench import report
from tests.bench.report import Samples, Target
from tests.bench.venvs import CACHE, mqtt_python
from tests.bench.workers import Worker
from tests.support.accounts import Account
from tests.support.agents import write_config

from jidget.demo.agent_process import AgentProcess
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

AGENT, CALLER, RESPONDER = "pi", "alice", "bob"
USERS = {AGENT: "secret", CALLER: "secret", RESPONDER: "secret"}
WARM_UP = 50
NAGLE_CALLS = 40
"""Calls a repeat where each takes tens of milliseconds."""
READ, SET, FORM_READ, FORM_SET = "Jidget, <req> read", "Jidget, <set>", "Jidget, form read", "Jidget, form set"
QUESTIONS = {READ: "read", SET: "set", FORM_READ: "form read", FORM_SET: "form set"}
PING, NO_DELAY, DEFAULT = "ping, client to client", "MQTT 5, TCP_NODELAY", "MQTT 5, as it comes"
COLUMNS = {"p50": "p50 µs", "p95": "p95 µs", "ratio": "p50 of ping's"}
THINGS = """\
[things.pump]
driver = "simulated"
interval = "10s"
[things.pump.options.properties]
state = { type = "boolean", writable = true }
"""


def main() -> int:
    """Measure and print; return 0 if every target is met."""
    args = _arguments()
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="jidget-bench-", dir=args.directory) as directory:
        _measure(Path(directory), args, samples)
    targets = targets_of(samples)
    if args.json != "-":
        report.show("Round trips; medians of the repeats", COLUMNS, samples.rows, notes=NOTES)
        report.show_targets(targets)
    if args.json:
        report.write_json(args.json, samples, targets, repeats=args.repeats, calls=args.calls)
    return int(report.missed(targets))


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__, quick="one repeat with a tenth of the calls")
    parser.add_argument("--calls", type=int, default=400, help="calls in each repeat")
    parser.add_argument("--directory", type=Path, help="where the agent's store is: on the disk that is meant")
    parser.add_argument("--mqtt-venv", type=Path, default=CACHE / "mqtt", help="environment with paho-mqtt")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.calls = 1, max(args.calls // 10, 10)
    return args


def _measure(directory: Path, args: argparse.Namespace, samples: Samples) -> None:
    progress = report.progress()
    progress.show("preparing paho-mqtt")
    python = mqtt_python(args.mqtt_venv)
    server = Prosody(directory / "prosody", users=USERS)
    server.add_roster(CALLER, AGENT, RESPONDER)
    with (
        server,
        Mosquitto(directory / "default", extra="log_type none") as default,
        Mosquitto(directory / "no-delay", extra="log_type none\nset_tcp_nodelay true") as no_delay,
        AgentProcess(directory / "agent", _configuration(directory, server)),
    ):
        cases: dict[str, Callable[[], list[float]]] = {
            PING: lambda: _ping(server, args.calls),
            NO_DELAY: lambda: _mqtt(no_delay, python, args.calls, no_delay=True),
            DEFAULT: lambda: _mqtt(default, python, min(args.calls, NAGLE_CALLS), no_delay=False),
        }
        for name, question in QUESTIONS.items():
            cases[name] = lambda question=question: _call(server, AGENT, "agent", question, args.calls)  # type: ignore[misc]
        for number in range(args.repeats):
            taken: dict[str, list[float]] = {}
            for name, run in cases.items():
                progress.show(f"{number + 1}/{args.repeats} {name}")
                taken[name] = sorted(run())
            middle = statistics.median(taken[PING])
            for name, times in taken.items():
                p50 = statistics.median(times)
                samples.add(name, {"p50": p50, "p95": times[int(len(times) * 0.95)], "ratio": p50 / middle})
    progress.clear()


def _configuration(directory: Path, server: Prosody) -> Path:
    account = Account(server=server, name=AGENT, password=USERS[AGENT])
    return write_config(directory, account, {server.jid(CALLER): '"owner"'}, things=THINGS)


def _account(server: Prosody, user: str) -> dict[str, object]:
    return {
        "jid": server.jid(user),
        "password": USERS[user],
        "host": server.host,
        "tls_port": server.tls_port,
        "ca_file": str(server.ca_file),
    }


def _call(server: Prosody, user: str, resource: str, question: str, count: int) -> list[float]:
    job = {"to": f"{server.jid(user)}/{resource}", "question": question, "count": count, "warm_up": WARM_UP}
    with Worker("tests.bench.peers.raw_caller", _account(server, CALLER) | job) as caller:
        caller.hear()
        caller.go()
        return list(caller.hear()["times"])


def _ping(server: Prosody, count: int) -> list[float]:
    with Worker("tests.bench.peers.raw_responder", _account(server, RESPONDER)) as responder:
        responder.hear()
        times = _call(server, RESPONDER, "responder", "ping", count)
        responder.go()
    return times


def _mqtt(broker: Mosquitto, python: Path, count: int, *, no_delay: bool) -> list[float]:
    job = {"host": "localhost", "port": broker.tls_port, "ca_file": str(broker.ca_file), "no_delay": no_delay}
    job |= {"count": count, "warm_up": min(WARM_UP, count)}
    module = "tests.bench.peers.mqtt_call"
    with Worker(module, job | {"role": "responder"}, python=python) as responder:
        responder.hear()
        with Worker(module, job | {"role": "caller"}, python=python) as caller:
            caller.hear()
            caller.go()
            times = list(caller.hear()["times"])
        responder.go()
    return times


def targets_of(samples: Samples) -> list[Target]:
    """Return the targets of the way of a command, with what was reached."""
    titles = {READ: "p50 of read, of a ping", SET: "p50 of set, journal on the disk included, of a ping"}
    targets = [Target(title=title, reached=samples.figure(row, "ratio"), limit=3.0) for row, title in titles.items()]
    against = samples.ratio(SET, DEFAULT, "p50")
    return [*targets, Target(title="p50 of set, of MQTT 5 as it comes", reached=against, limit=1.0)]


NOTES = (
    "A set is two rows in the journal; the first is on the disk (fdatasync) before the simulated hardware is told.",
    "MQTT 5 as it comes: neither paho nor mosquitto sets TCP_NODELAY unless told to.",
)

if __name__ == "__main__":
    raise SystemExit(main())
