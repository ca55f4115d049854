"""Environments of their own for what is measured: nothing of ours for the others, nothing of the others for us."""

import os
import subprocess
import sys
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
    marker = directory / "complete"
    if not marker.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(directory)])
    if again or not marker.exists():
        extra = ["--force-reinstall", "--no-deps"] if marker.exists() else []
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *extra, *requirements])
        marker.touch()
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
