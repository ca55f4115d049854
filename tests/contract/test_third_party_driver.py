"""The example of somebody else's driver: built, installed, found by its entry point, and keeping the contract."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "third_party_driver"
LIMIT = 120
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def run(*command: str, site: Path) -> str:
    """Run Python in `site`, where packages are found first, and return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(site), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, *command], env=env, cwd=site, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install the example somewhere that goes away again; nothing is downloaded."""
    target = tmp_path_factory.mktemp("site")
    run(
        *("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
        *("--target", str(target), str(EXAMPLE)),
        site=target,
    )
    return target


def test_it_is_found_and_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    capacity = tmp_path / "capacity"
    capacity.write_text("87\n")
    script = """
import sys
from jidget_drivers.catalogue import installed
from jidget_drivers.testing import check_driver
entry = installed()["battery"]
cls = entry.load()
check_driver(cls, {"path": sys.argv[1]})
print(entry.dist.name, sys.modules[cls.__module__].__file__)
"""
    assert run("-W", "error", "-c", script, str(capacity), site=site).split() == [
        "jidget-battery",
        str(site / "jidget_battery.py"),
    ]


def test_its_own_tests_pass(site: Path) -> None:
    assert "3 passed" in run(*PYTEST, "-c", str(EXAMPLE / "pyproject.toml"), str(EXAMPLE), site=site)


def test_the_readme_shows_a_driver_that_works(tmp_path: Path) -> None:
    """The example in drivers/README.md is the text people copy: it must run as it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "drivers" / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    script = tmp_path / "test_readme.py"
    script.write_text("\n".join(blocks))
    assert "1 passed" in run(*PYTEST, "-c", os.devnull, str(script), site=tmp_path)


def test_the_readme_shows_the_entry_point_of_the_example() -> None:
    line = 'battery = "jidget_battery:Battery"'
    assert line in (ROOT / "drivers" / "README.md").read_text("utf-8")
    assert line in (EXAMPLE / "pyproject.toml").read_text("utf-8")
