"""What the agent costs beside bare slixmpp: idle memory, CPU to start, CPU and bytes to publish a reading.

Every figure is the median of interleaved repeats in one run on one private Prosody with TLS; look at the ratios.

    .venv/bin/python tests/bench/cost.py [--repeats 5] [--readings 3000] [--json]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jidget.demo.agent_process import AgentProcess
from jidget.demo.prosody import Prosody
from jidget.reading import Reading
from jidget.readings.publisher import MOST_READINGS, Publisher
from jidget.store.outbox import MemoryOutbox
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.pep import Pep
from jidget.xmpp.router import Admission, Router
from jidget_drivers import Property, Unit

SETTLE = 2.0
"""Seconds of idling before memory is read."""
PROPERTIES = tuple(
    Property(name=name, unit=unit)
    for name, unit in (("temperature", Unit.CELSIUS), ("humidity", Unit.RELATIVE_HUMIDITY), ("pressure", Unit.PASCAL))
)
CONFIG = """\
[xmpp]
jid = "{jid}"
password_file = "password"
host = "{host}"
port = {port}
security = "starttls"
ca_file = "{ca}"
[access]
"{owner}" = "owner"
[things.machine]
driver = "system"
[things.greenhouse]
driver = "simulated"
[things.greenhouse.options.properties]
temperature = {{ type = "number", unit = "Cel", waveform = "sine" }}
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--readings", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--login", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(asyncio.run(WORKERS[args.worker](_login(args.login), args.readings))))
        return 0
    rows = _measure(args.repeats, args.readings)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        _table(rows)
    return 0


def _measure(repeats: int, readings: int) -> dict[str, dict[str, float]]:
    samples: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="jidget-bench-") as directory:
        root = Path(directory)
        with Prosody(root / "prosody", users={"pi": "secret", "bare": "secret", "alice": "secret"}) as server:
            for number in range(repeats):
                tasks: dict[str, Callable[[], dict[str, float]]] = {
                    "slixmpp batch 1": lambda: _bare("publish", server, readings),
                    "jidget batch 1": lambda: _work("jidget batch 1", server, "pi", readings),
                    "jidget batch 50": lambda: _work("jidget batch 50", server, "pi", readings),
                    "slixmpp idle": lambda: _bare("idle", server, 0),
                    "jidget idle": lambda number=number: _idle_agent(root / f"agent{number}", server),  # type: ignore[misc]
                }
                for name, task in tasks.items():
                    _progress(f"{number + 1}/{repeats} {name}")
                    samples.setdefault(name, []).append(task())
    _progress("")
    return {
        name: {key: statistics.median(sample[key] for sample in taken) for key in taken[0]}
        for name, taken in samples.items()
    }


def _bare(what: str, server: Prosody, readings: int) -> dict[str, float]:
    script = Path(__file__).with_name("bare_slixmpp.py")
    address = [server.jid("bare"), server.users["bare"], server.host, str(server.port), str(server.ca_file)]
    return _run([sys.executable, str(script), what, *address, str(readings)])


def _run(command: list[str]) -> dict[str, float]:
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return dict(json.loads(result.stdout))


def _work(name: str, server: Prosody, user: str, readings: int) -> dict[str, float]:
    login = json.dumps([server.jid(user), server.users[user], server.host, server.port, str(server.ca_file)])
    return _run([sys.executable, __file__, "--worker", name, "--login", login, "--readings", str(readings)])


def _idle_agent(root: Path, server: Prosody) -> dict[str, float]:
    root.mkdir()
    (root / "password").write_text(server.users["pi"])
    (root / "password").chmod(0o600)
    config = root / "jidget.toml"
    config.write_text(
        CONFIG.format(
            jid=server.jid("pi"), host=server.host, port=server.port, ca=server.ca_file, owner=server.jid("alice")
        )
    )
    with AgentProcess(root / "run", config) as agent:
        deadline = time.monotonic() + 30
        while "logged in" not in agent.output.read_text():
            if time.monotonic() > deadline:
                raise TimeoutError(agent.tail())
            time.sleep(0.05)
        time.sleep(SETTLE)
        return _footprint(agent.pid)


def _footprint(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return {"rss_mib": rss / 1024, "start_cpu_ms": ticks * 1000 / os.sysconf("SC_CLK_TCK")}


def _login(text: str) -> Login:
    jid, password, host, port, ca_file = json.loads(text)
    return Login(
        jid=jid, resource="bench", password=password, host=host, port=port, security="starttls", ca_file=Path(ca_file)
    )


def _readings(count: int) -> list[Reading]:
    start = int(time.time() * 1000)
    return [
        Reading("greenhouse", PROPERTIES[i % 3], 20.0 + (i % 1000) / 100, start + i // 3 * 1000) for i in range(count)
    ]


async def work_jidget(login: Login, count: int, *, batch: int) -> dict[str, float]:
    """Publish by our own path: outbox, publisher, PEP."""
    router = Router(lambda _: Admission.STRANGER)
    link = Link(login, router.receive)
    pep = Pep(link)
    outbox = MemoryOutbox()
    publisher = Publisher(outbox, pep, time.time)
    readings = _readings(count)
    async with asyncio.TaskGroup() as tasks, router.serving(link), link.session():
        await pep.provision()
        pep.open()
        publishing = tasks.create_task(publisher.run())
        begun, cpu = time.perf_counter(), time.process_time()
        for first in range(0, count, batch):
            outbox.append(readings[first : first + batch])
            publisher.notify()
            if batch < MOST_READINGS and not await publisher.drained(30.0):  # else the publisher would batch them
                raise TimeoutError("the server did not take everything")
        if not await publisher.drained(60.0):
            raise TimeoutError("the server did not take everything")
        result = _per_reading(count, begun, cpu)
        publishing.cancel()
    return result


def _per_reading(count: int, begun: float, cpu: float) -> dict[str, float]:
    return {
        "readings_per_s": count / (time.perf_counter() - begun),
        "cpu_us_per_reading": (time.process_time() - cpu) * 1e6 / count,
    }


WORKERS: dict[str, Any] = {
    "jidget batch 1": lambda login, count: work_jidget(login, count, batch=1),
    "jidget batch 50": lambda login, count: work_jidget(login, count, batch=50),
}


def _table(rows: dict[str, dict[str, float]]) -> None:
    for kind, baseline in (("idle", "slixmpp idle"), ("batch", "slixmpp batch 1")):
        keys = list(rows[baseline])
        print(f"{'':18}" + "".join(f"{key:>22}{'ratio':>8}" for key in keys))
        for name, row in rows.items():
            if kind in name:
                cells = "".join(f"{row[key]:22.1f}{row[key] / rows[baseline][key]:8.2f}" for key in keys)
                print(f"{name:18}{cells}")
        print()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
