"""Every installed driver keeps the contract, on the options of its example configuration."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from tests.support import (
    hardware_circuitpython,
    hardware_gpio,
    hardware_i2c_known,
    hardware_network,
    hardware_serial,
    hardware_sysfs,
)

from jidget_drivers import Driver
from jidget_drivers.catalogue import describe, installed
from jidget_drivers.testing import check_driver

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "drivers"
DRIVERS = installed()
FRAME = """
[xmpp]
jid = "pi@example.org"
password_file = "password"

[access]
"alice@example.org" = "owner"
"""
HOST_KEYS = {"driver", "label", "aliases", "interval", "timeout", "report", "safety", "properties", "options"}


@pytest.fixture(autouse=True)
def mock_pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the GPIO drivers find pins on any machine."""
    factory = hardware_gpio.mock_pins(monkeypatch)
    yield
    factory.reset()


@pytest.fixture(autouse=True)
def i2c_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the drivers of I²C chips find them on any machine, CircuitPython's too."""
    bus = hardware_i2c_known.example_bus().install(monkeypatch)
    hardware_circuitpython.install(monkeypatch, bus)


@pytest.fixture(autouse=True)
def serial_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the drivers of serial devices find a port on any machine, with something on it that talks."""
    with hardware_serial.every_port_is_a_talking_device(tmp_path, monkeypatch):
        yield


def example_of(name: str) -> dict[str, Any]:
    """Return the one Thing in a driver's example."""
    config = tomllib.loads((EXAMPLES / f"{name}.toml").read_text("utf-8"))
    assert set(config) == {"things"}
    (thing,) = config["things"].values()
    assert isinstance(thing, dict)
    return thing


@pytest.mark.parametrize("entry", [pytest.param(entry, id=name) for name, entry in DRIVERS.items()])
def test_a_driver_keeps_the_contract(entry: EntryPoint, tmp_path: Path) -> None:
    cls: type[Driver[Any]] = entry.load()
    thing = example_of(entry.name)
    assert thing["driver"] == entry.name
    assert set(thing) <= HOST_KEYS
    # as the agent does: relative files are beside the configuration
    given = thing.get("options", {}) | hardware_sysfs.stand_in(entry.name, tmp_path / "sys")
    with hardware_network.stand_in(entry.name) as there:
        options = cls.options_type.model_validate(given | there, context={"base": tmp_path})
        check_driver(cls, options)


@pytest.mark.parametrize("entry", [pytest.param(entry, id=name) for name, entry in DRIVERS.items()])
def test_a_driver_can_be_described(entry: EntryPoint) -> None:
    info = describe(entry.name, entry.load())
    assert re.fullmatch(r"[a-z][a-z0-9-]*", info.name)
    assert info.summary.endswith((".", ":")) or info.details
    assert all(prop.description for prop in info.properties), "a built-in driver says what each property means"


@pytest.mark.parametrize("name", DRIVERS)
def test_an_example_is_a_configuration_that_the_agent_takes(name: str, tmp_path: Path) -> None:
    config = tmp_path / "jidget.toml"
    config.write_text(f"{FRAME}\n{(EXAMPLES / f'{name}.toml').read_text('utf-8')}", "utf-8")
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    command = [sys.executable, "-m", "jidget", "check", "--offline", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "WARN" in done.stdout) == (0, False), done.stdout + done.stderr


def test_every_example_is_of_a_driver_that_is_installed() -> None:
    assert {file.stem for file in EXAMPLES.iterdir()} == set(DRIVERS)
