"""Environments of their own for what is measured: nothing of ours for the others, nothing of the others for us."""

import fcntl
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.bench.workers import ROOT

MQTT = ("paho-mqtt>=2.1,<3", "mqtt-io==2.7.0")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jidget-bench"
"""Where environments are kept for the next time."""
_LIMIT = 600.0


def mqtt_python(directory: Path) -> Path:
    """Return the interpreter of an environment with paho-mqtt and mqtt-io; it is made where there is none."""
    return _python(directory, MQTT)


def plain_python(directory: Path) -> Path:
    """Return the interpreter of an environment with nothing but this project as a user would install it, made anew.

    Development tools would be measured too otherwise: slixmpp imports pygments where it finds it.
    """
    return _python(directory, (str(ROOT),), again=True)


def gpio_python(directory: Path) -> Path:
    """Return the same as `plain_python`, with what the extra `gpio` brings."""
    return _python(directory, (f"{ROOT}[gpio]",), again=True)


def _python(directory: Path, requirements: tuple[str, ...], *, again: bool = False) -> Path:
    python = directory / "bin" / "python"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one process makes it, the others wait
        _make(directory, python, requirements, again=again)
    return python


def _make(directory: Path, python: Path, requirements: tuple[str, ...], *, again: bool) -> None:
    marker = directory / "complete"
    needs = json.dumps([*requirements, *_dependencies()]) if again else json.dumps(requirements)
    there = marker.exists() and marker.read_text(encoding="utf-8") == needs
    if not there:
        _run([sys.executable, "-m", "venv", "--clear", str(directory)])
    if again or not there:
        extra = ["--force-reinstall", "--no-deps"] if there else []
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *extra, *requirements])
        marker.write_text(needs, encoding="utf-8")


def _dependencies() -> list[str]:
    """Return what this project itself needs: with other dependencies an environment is made from the beginning."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
