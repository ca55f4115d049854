"""One run of one case of the throughput benchmark: a publisher and a subscriber, each a process, at a server."""

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.bench.peers.usage import cpu_of
from tests.bench.peers.workload import total_of, whole_instants
from tests.bench.workers import Worker

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

AGENT, RAW, SUBSCRIBER = "pi", "raw", "alice"
USERS = {AGENT: "secret", RAW: "secret", SUBSCRIBER: "secret"}
WARM_UP = 600
LIMIT = 300.0
# Mosquitto drops what a slow subscriber lags behind by more than a thousand messages, and logs every message, unless:
MOSQUITTO = "max_queued_messages 0\nlog_type none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is published, and by whom.

    Attributes:
        name: of its row.
        kind: mqtt (paho), raw (the floor), agent (Jidget as readings come), queued (Jidget, after an outage).
        readings: how many are measured; made a whole number of batches.
        batch: readings in an item, at least; an instant is not split.
        queued: how many wait when sending begins.
        stored: how many rows the store has from before.
    """

    name: str
    kind: Literal["mqtt", "raw", "agent", "queued"]
    readings: int
    batch: int = 50
    queued: int = 0
    stored: int = 0


class WrongReadings(Exception):
    """The subscriber did not get what was published."""


class Bench:
    """The servers, and the runs on them.

    Args:
        directory: on a real disk, for the stores.
        xmpp: a running Prosody with `USERS`, the subscriber in the roster of the others.
        mqtt: a running Mosquitto with the configuration `MOSQUITTO`.
        mqtt_python: an interpreter with paho-mqtt.
        stores: directories with a filled store, by how many rows are in it.
    """

    def __init__(
        self, directory: Path, xmpp: Prosody, mqtt: Mosquitto, mqtt_python: Path, stores: Mapping[int, Path]
    ) -> None:
        self._directory = directory
        self._xmpp = xmpp
        self._mqtt = mqtt
        self._mqtt_python = mqtt_python
        self._stores = stores

    def run(self, case: Case) -> dict[str, float]:
        """Run a case and return its figures for each reading: rate, CPU in µs, bytes.

        Raises:
            WorkerFailed: a process failed.
            WrongReadings: not everything arrived as it was sent.
        """
        batch = whole_instants(case.batch)
        readings, warm_up = case.readings // batch * batch, WARM_UP // batch * batch
        job: dict[str, object] = {
            "batch": case.batch,
            "readings": readings,
            "warm_up": warm_up,
            "expect": readings + warm_up,
            "start": int(time.time() * 1000),
            "queued": case.queued,
            "case": "queued" if case.kind == "queued" else "live",
            "limit": LIMIT,
        }
        if case.kind == "mqtt":
            published, got, server = self._mqtt_run(job)
        elif case.kind == "raw":
            published, got, server = self._xmpp_run("tests.bench.peers.raw_publisher", RAW, job)
        else:
            with tempfile.TemporaryDirectory(dir=self._directory, prefix="agent-") as place:
                if case.stored:
                    shutil.copytree(self._stores[case.stored], place, dirs_exist_ok=True)
                job |= {"directory": place, "store": f"{place}/jidget.db", "subscriber": self._xmpp.jid(SUBSCRIBER)}
                published, got, server = self._xmpp_run("tests.bench.agent_publisher", AGENT, job)
        expected = total_of(readings + warm_up)
        if got["repeated"] or abs(got["total"] - expected) > 1e-6 * expected:
            raise WrongReadings(f"{case.name}: the values add up to {got['total']:.2f}, not to {expected:.2f}")
        seconds = published["seconds"] if case.queued else (got["ended"] - published["begun"]) / 1e9
        figures = {
            "rate": readings / seconds,
            "cpu": published["cpu"] * 1e6 / readings,
            "subscriber_cpu": got["cpu"] * 1e6 / readings,
            "server_cpu": server * 1e6 / (readings + warm_up),
            "up": published["up"] / readings,
        }
        if case.kind in ("agent", "queued"):
            figures["written"] = published["written"] / (readings + warm_up)
        return figures

    def syncs(self, case: Case, strace: str) -> float:
        """Run a case of the agent under strace and return how often it waited for the disk, for each reading.

        That counts fsync(2) and fdatasync(2) of the whole process from start to end, by SQLite or by us.
        """
        batch = whole_instants(case.batch)
        readings = case.readings // batch * batch
        with tempfile.TemporaryDirectory(dir=self._directory, prefix="agent-") as place:
            trace = Path(place) / "syncs"
            job: dict[str, object] = {
                "batch": case.batch,
                "readings": readings,
                "warm_up": 0,
                "expect": readings,
                "start": int(time.time() * 1000),
                "case": "live",
                "limit": LIMIT,
                "directory": place,
                "store": f"{place}/jidget.db",
                "subscriber": self._xmpp.jid(SUBSCRIBER),
            }
            around = (strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(trace))
            self._xmpp_run("tests.bench.agent_publisher", AGENT, job, around)
            lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
            return sum("sync(" in line for line in lines) / readings

    def _xmpp_run(
        self, module: str, user: str, job: dict[str, object], around: tuple[str, ...] = ()
    ) -> tuple[dict[str, float], dict[str, float], float]:
        listening = self._account(SUBSCRIBER) | job | {"publisher": self._xmpp.jid(user)}
        with Worker(module, self._account(user) | job, around=around) as publisher:
            publisher.hear(LIMIT)
            with Worker("tests.bench.peers.xmpp_subscriber", listening) as subscriber:
                subscriber.hear(LIMIT)
                return _measure(publisher, subscriber, self._xmpp.pid)

    def _mqtt_run(self, job: dict[str, object]) -> tuple[dict[str, float], dict[str, float], float]:
        broker = {"host": "localhost", "port": self._mqtt.tls_port, "ca_file": str(self._mqtt.ca_file)}
        module, python = "tests.bench.peers.mqtt_stream", self._mqtt_python
        with Worker(module, broker | job | {"role": "publisher"}, python=python) as publisher:
            publisher.hear(LIMIT)
            with Worker(module, broker | job | {"role": "subscriber"}, python=python) as subscriber:
                subscriber.hear(LIMIT)
                return _measure(publisher, subscriber, self._mqtt.pid)

    def _account(self, user: str) -> dict[str, object]:
        server = self._xmpp
        return {
            "jid": server.jid(user),
            "password": USERS[user],
            "host": server.host,
            "port": server.port,
            "tls_port": server.tls_port,
            "ca_file": str(server.ca_file),
        }


def _measure(publisher: Worker, subscriber: Worker, server: int) -> tuple[dict[str, float], dict[str, float], float]:
    """Let them go; return what both report and the server's CPU seconds."""
    cpu = cpu_of(server)
    publisher.go()
    published = publisher.hear(LIMIT)
    got = subscriber.hear(LIMIT)
    return published, got, cpu_of(server) - cpu
