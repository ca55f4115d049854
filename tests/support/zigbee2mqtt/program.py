"""Zigbee2MQTT as a process of the test's own; installed by npm at first use and kept for the next time."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support.zigbee2mqtt.files import attributes_of, write_data
from tests.support.zigbee2mqtt.house import HOUSE, Simulated

from jidget.demo.loopback import LOOPBACK
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.process import ServerProcess

WANTED = "JIDGET_TEST_ZIGBEE2MQTT"
"""The variable of the environment that asks for these tests."""
_HERE = Path(__file__).parent
_VERSION = json.loads((_HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]["zigbee2mqtt"]
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jidget-peers" / f"zigbee2mqtt-{_VERSION}"
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
_NPM_LIMIT = 600.0
_ANSWER_LIMIT = 5.0


def installed() -> Path:
    """Return the directory with `node_modules`; npm fills it where it is not there or has other versions."""
    wanted = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()
    marker = _CACHE / "complete"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with _CACHE.with_name(f"{_CACHE.name}.lock").open("w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one process installs it, the others wait
        if not marker.exists() or marker.read_text(encoding="ascii") != wanted:
            marker.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / name, _CACHE)
            _run_npm()
            marker.write_text(wanted, encoding="ascii")
    return _CACHE


def _run_npm() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(f"{WANTED} is set, and npm is not installed: sudo apt install npm", pytrace=False)
    command = [npm, "ci", "--prefix", str(_CACHE), "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_NPM_LIMIT, check=False)
    if done.returncode:
        pytest.fail(f"npm did not install Zigbee2MQTT: {done.stderr.strip() or done.stdout.strip()}", pytrace=False)


class RadioError(Exception):
    """The simulated radio did not do what it was asked for."""


class Zigbee2Mqtt(ServerProcess):
    """One Zigbee2MQTT on a private broker, and its radio.

    Args:
        root: its directory; what it keeps is in `data`.
        broker: the broker.
        announces: whether Home Assistant's discovery is on, at the first start.
        house: its devices.
    """

    name: ClassVar[str] = "zigbee2mqtt"
    programs: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, root: Path, broker: Mosquitto, *, announces: bool = False, house: Sequence[Simulated] = HOUSE
    ) -> None:
        super().__init__(root, "radio")
        self._broker = broker
        self._announces = announces
        self._house = house
        self._modules = Path()
        self._printed = 0

    def prepare(self) -> None:
        """Install it, and write its data at the first start."""
        self._modules = installed() / "node_modules"
        self._printed = len(self.said)
        broker = f"mqtt://{self._broker.host}:{self._broker.port}"
        write_data(self.root / "data", broker, self._house, announces=self._announces)

    def environment(self) -> dict[str, str]:
        """Say where its data is, and what its radio is to be."""
        radio = {"port": self.ports["radio"], "attributes": attributes_of(self._house)}
        return {
            **super().environment(),
            "ZIGBEE2MQTT_DATA": str(self.root / "data"),
            "JIDGET_RADIO": json.dumps(radio),
            "GIT_DIR": os.devnull,  # it asks git which commit it is, and builds itself anew if that is another one
        }

    def command(self) -> list[str]:
        """Return the command line."""
        node = self._modules / f"node-linux-{_MACHINES.get(platform.machine(), 'x64')}" / "bin" / "node"
        program = self._modules / "zigbee2mqtt" / "cli.js"
        return [str(node), "--require", str(_HERE / "radio.cjs"), str(program)]

    def answers(self) -> bool:
        """Say whether it has started, as it prints."""
        return "Zigbee2MQTT started!" in self.said[self._printed :]

    @property
    def said(self) -> str:
        """Return what it printed."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""

    # ---- its radio ------------------------------------------------------------------------------------------------

    def reports(self, device: Simulated, cluster: str, endpoint: int = 0, **attributes: float) -> None:
        """Have a device report attributes."""
        self._ask("report", device.address, endpoint or min(device.endpoints), cluster, attributes)

    def commands(self, device: Simulated, cluster: str, command: str, **payload: float) -> None:
        """Have a device send a command, as a remote or an alarm does."""
        self._ask("command", device.address, min(device.endpoints), cluster, command, payload)

    def silences(self, device: Simulated, whether: bool = True) -> None:
        """Have a device not answer any more, or again."""
        self._ask("silence", device.address, whether)

    def sent(self, device: Simulated, cluster: str) -> list[tuple[str, Any]]:
        """Return the commands that were sent to a cluster of a device over the air, and their payloads."""
        frames = self._ask("sent")
        return [
            (each["command"], each["payload"])
            for each in frames
            if (each["address"], each["cluster"]) == (device.address, cluster)
        ]

    def _ask(self, *request: Any) -> Any:
        with socket.create_connection((LOOPBACK, self.ports["radio"]), _ANSWER_LIMIT) as link:
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile(encoding="utf-8") as answers:
                answer = json.loads(answers.readline() or '{"failed": "it is gone"}')
        if "failed" in answer:
            raise RadioError(f"{request}: {answer['failed']}")
        return answer["done"]
