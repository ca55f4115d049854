"""Memory and start-up of an idle agent, store open and logged in, beside mqtt-io and beside bare slixmpp.

Each is connected by TLS to a private server, with one sensor and one output where it has any. Jidget and slixmpp are
measured in an environment as a user has it, without development tools. See README.md beside this file.

    .venv/bin/python tests/bench/footprint.py [--quick] [--repeats 5] [--breakdown] [--json FILE]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by its path

from tests.bench import report
from tests.bench.peers.usage import cpu_of, memory_of
from tests.bench.report import Samples, Target
from tests.bench.venvs import CACHE, mqtt_python, plain_python
from tests.bench.workers import Worker
from tests.support.accounts import Account
from tests.support.agents import write_config

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

AGENT, BARE = "pi", "bare"
USERS = {AGENT: "secret", BARE: "secret", "alice": "secret"}
LIMIT = 60.0
SETTLE = 2.0
"""Seconds of idling before memory and CPU are read."""
POLL = 0.05
JIDGET, MQTT_IO, SLIXMPP = "Jidget", "mqtt-io", "bare slixmpp"
COLUMNS = {"rss": "RSS MiB", "pss": "PSS MiB", "start": "start CPU ms", "idle": "idle CPU µs/s"}
STEPS = {"rss": "RSS MiB", "rss_added": "added", "pss": "PSS MiB", "pss_added": "added", "cpu": "CPU ms"}
THINGS = """\
[things.tank]
driver = "simulated"
interval = "60s"
[things.tank.options.properties]
temperature = { type = "number", unit = "Cel", waveform = "sine" }
[things.pump]
driver = "simulated"
interval = "60s"
[things.pump.options.properties]
state = { type = "boolean", writable = true }
"""
MQTT_IO_CONFIG = """\
mqtt:
  host: localhost
  port: {port}
  topic_prefix: home/pi
  tls:
    enabled: yes
    ca_certs: {ca}
gpio_modules:
  - name: pins
    module: stdio
digital_outputs:
  - name: pump
    module: pins
    pin: 1
    on_payload: "ON"
    off_payload: "OFF"
sensor_modules:
  - name: sensors
    module: mock
sensor_inputs:
  - name: tank
    module: sensors
    interval: 60
"""


def main() -> int:
    """Measure and print; return 0 if the target is met."""
    args = _arguments()
    samples, steps = Samples(), Samples()
    with tempfile.TemporaryDirectory(prefix="jidget-bench-") as directory:
        _measure(Path(directory), args, samples, steps)
    targets = targets_of(samples)
    if args.json != "-":
        if args.breakdown:
            report.show("What each step adds", STEPS, steps.rows)
        report.show("Idle; medians of the repeats", COLUMNS, samples.rows)
        report.show_targets(targets)
    if args.json:
        report.write_json(args.json, samples, targets, repeats=args.repeats, steps=steps.as_json())
    return int(report.missed(targets))


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__, quick="one repeat")
    parser.add_argument("--breakdown", action="store_true", help="also what each import and step adds")
    parser.add_argument("--mqtt-venv", type=Path, default=CACHE / "mqtt", help="environment with mqtt-io; made if none")
    parser.add_argument("--plain-venv", type=Path, default=CACHE / "plain", help="environment for Jidget; made anew")
    args = parser.parse_args()
    if args.quick:
        args.repeats = 1
    return args


def _measure(directory: Path, args: argparse.Namespace, samples: Samples, steps: Samples) -> None:
    progress = report.progress()
    progress.show("preparing the environments")
    others, plain = mqtt_python(args.mqtt_venv), plain_python(args.plain_venv)
    server = Prosody(directory / "prosody", users=USERS)
    with server, Mosquitto(directory / "mosquitto") as broker:
        mqtt_io = directory / "mqtt-io.yml"
        mqtt_io.write_text(MQTT_IO_CONFIG.format(port=broker.tls_port, ca=broker.ca_file))
        config = _configuration(directory, server)
        run = [str(plain), "-m", "jidget", "run", "--config", str(config)]
        cases: dict[str, Callable[[], dict[str, float]]] = {
            MQTT_IO: lambda: _program([str(others), "-m", "mqtt_io", str(mqtt_io)], "Connected to MQTT", directory),
            SLIXMPP: lambda: _bare(plain, server),
            JIDGET: lambda: _program(run, "logged in", directory),
        }
        for number in range(args.repeats):
            for name, case in cases.items():
                progress.show(f"{number + 1}/{args.repeats} {name}")
                samples.add(name, case())
            if args.breakdown:
                progress.show(f"{number + 1}/{args.repeats} step by step")
                for step, figures in _steps(plain, config):
                    steps.add(step, figures)
    progress.clear()


def _configuration(directory: Path, server: Prosody) -> Path:
    account = Account(server=server, name=AGENT, password=USERS[AGENT])
    return write_config(directory, account, {server.jid("alice"): '"owner"'}, things=THINGS)


def _program(command: Sequence[str], connected: str, directory: Path) -> dict[str, float]:
    with _running(command, directory / "output") as process:
        _until_says(process, directory / "output", connected)
        return _idle(process.pid)


def _bare(python: Path, server: Prosody) -> dict[str, float]:
    job = {"jid": server.jid(BARE), "password": USERS[BARE], "host": server.host, "port": server.port}
    with Worker("tests.bench.peers.bare_slixmpp", job | {"ca_file": str(server.ca_file)}, python=python) as worker:
        worker.hear(LIMIT)
        figures = _idle(worker.pid)
        worker.go()
    return figures


def _idle(pid: int) -> dict[str, float]:
    """Let a process settle, and return its memory, its CPU until then, and its CPU while it idles."""
    time.sleep(SETTLE)
    started = cpu_of(pid)
    time.sleep(SETTLE)
    return {**memory_of(pid), "start": started * 1000, "idle": (cpu_of(pid) - started) * 1e6 / SETTLE}


def _steps(python: Path, config: Path) -> Iterator[tuple[str, dict[str, float]]]:
    before = {"rss": 0.0, "pss": 0.0}
    with Worker("tests.bench.breakdown", {"config": str(config)}, python=python) as worker:
        step = ""
        while step != "connected, store open":
            told = worker.hear(LIMIT)
            step = told.pop("step")
            added = {f"{name}_added": told[name] - before[name] for name in before}
            before = {name: told[name] for name in before}
            yield step, {**told, **added, "cpu": told["cpu"] * 1000}


@contextmanager
def _running(command: Sequence[str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=output.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_plain_environment()
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _plain_environment() -> dict[str, str]:
    """Return our environment without what has every authority of the system loaded: users have no such variables."""
    return {name: value for name, value in os.environ.items() if name not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}


def _until_says(process: subprocess.Popen[bytes], output: Path, text: str) -> None:
    """Wait until a program has said something.

    Raises:
        RuntimeError: it ended, or does not say it.
    """
    deadline = time.monotonic() + LIMIT
    while text not in (said := output.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{' '.join(map(str, process.args))} never said {text!r}:\n{said}")  # type: ignore[arg-type]
        time.sleep(POLL)


def targets_of(samples: Samples) -> list[Target]:
    """Return the target, and what bare slixmpp costs of it."""
    return [
        Target(title="RSS, of mqtt-io's", reached=samples.ratio(JIDGET, MQTT_IO, "rss"), limit=1.25),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
