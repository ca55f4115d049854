"""No library of a driver is loaded until somebody configures that driver: what an import costs, others do not pay."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from jidget_drivers.catalogue import installed

ROOT = Path(__file__).parents[2]
OWN = sorted(name for name, entry in installed().items() if entry.module.startswith("jidget_drivers."))

LOAD_ALL = """
import json, sys
from jidget_drivers.catalogue import installed
loaded = {}
for name in sys.argv[1:]:
    before = set(sys.modules)
    installed()[name].load()
    loaded[name] = sorted(set(sys.modules) - before)
print(json.dumps(loaded))
"""
"""Imports drivers, one after the other, and tells what each brought."""

READ_ALL = """
import asyncio, json, sys
from pathlib import Path
from jidget.app import App
from jidget.config.loader import load

async def read(app):
    for thing in app.directory:
        async with thing.driver:
            await thing.driver.read()

asyncio.run(read(App(load(Path(sys.argv[1]), {}))))
print(json.dumps(sorted(sys.modules)))
"""
"""Builds an agent, opens and reads all its Things, and tells what is loaded then."""


def libraries() -> frozenset[str]:
    """Return the top-level modules of what the extras for drivers bring, as far as it is installed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = {_normal(need) for extra, needs in extras.items() if extra != "dev" for need in needs}
    return frozenset(m for m, brought_by in packages_distributions().items() if wanted & set(map(_normal, brought_by)))


def _normal(requirement: str) -> str:
    """Return the name of what is required, as names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()  # type: ignore[index]  # it has a name


LIBRARIES = libraries()


def answer_of(script: str, *arguments: str, **variables: str) -> Any:
    """Run a script in an interpreter of its own and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def brought() -> dict[str, list[str]]:
    """Return by driver the modules that came with its import."""
    loaded: dict[str, list[str]] = answer_of(LOAD_ALL, *OWN)
    return loaded


def loaded_by_an_agent(directory: Path, things: str, **variables: str) -> set[str]:
    """Return the names of all modules of an agent with such Things."""
    (directory / "password").touch(mode=0o600)
    (directory / "password").write_text("secret")
    file = directory / "jidget.toml"
    frame = '[xmpp]\njid = "pi@example.org"\npassword_file = "password"\n[access]\n"alice@example.org" = "owner"\n'
    file.write_text(f'{frame}[store]\npath = "jidget.db"\n{things}')
    return set(answer_of(READ_ALL, str(file), **variables))


def test_the_libraries_that_are_looked_for_are_installed() -> None:
    assert {"aiohttp", "gpiozero", "lgpio", "pymodbus", "serial", "smbus2"} <= LIBRARIES


@pytest.mark.parametrize("name", OWN)
def test_importing_a_driver_loads_no_library_of_an_extra(name: str, brought: dict[str, list[str]]) -> None:
    assert not {module.partition(".")[0] for module in brought[name]} & LIBRARIES


def test_an_agent_that_only_knows_its_machine_loads_no_library_of_other_drivers(tmp_path: Path) -> None:
    loaded = loaded_by_an_agent(tmp_path, '[things.machine]\ndriver = "system"\n')
    assert not loaded & LIBRARIES
    others = {entry.module for name, entry in installed().items() if name != "system"}
    assert not loaded & others
    assert "jidget_drivers.system" in loaded


def test_what_the_system_driver_needs_is_not_loaded_without_it(tmp_path: Path) -> None:
    assert "psutil" not in loaded_by_an_agent(tmp_path, '[things.tank]\ndriver = "simulated"\n')


def test_an_agent_with_a_pin_loads_what_pins_need_and_nothing_else(tmp_path: Path) -> None:
    things = '[things.lamp]\ndriver = "gpio-output"\n[things.lamp.options]\npin = 17\n'
    loaded = loaded_by_an_agent(tmp_path, things, GPIOZERO_PIN_FACTORY="mock")
    assert {module for module in loaded if module in LIBRARIES} == {"gpiozero"}


def test_an_agent_without_a_broker_loads_nothing_of_the_bridge(tmp_path: Path) -> None:
    loaded = loaded_by_an_agent(tmp_path, '[things.tank]\ndriver = "simulated"\n')
    tops = {module.partition(".")[0] for module in loaded}
    assert not tops & {"aiomqtt", "paho", "jinja2", "markupsafe"}
    assert not [module for module in loaded if module == "jidget.mqtt" or module.startswith("jidget.mqtt.")]


def test_an_agent_with_a_broker_loads_the_bridge_and_templates_only_when_one_needs_them(tmp_path: Path) -> None:
    loaded = loaded_by_an_agent(tmp_path, '[mqtt]\nhost = "broker.example.org"\n')
    assert {"aiomqtt", "paho", "jidget.mqtt.bridge"} <= loaded
    assert "jinja2" not in loaded
