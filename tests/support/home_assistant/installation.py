"""Which Home Assistant the tests run: one that is there already, or one that pip installs at first use and we keep.

`JIDGET_TEST_HOME_ASSISTANT` asks for the tests. It names a virtual environment that has Home Assistant, or the Python
from which to make one; with `1` that is `python3.13`.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

WANTED = "JIDGET_TEST_HOME_ASSISTANT"
"""The variable of the environment that asks for these tests."""
VERSION = "2025.4.4"
_NEEDS = (f"homeassistant=={VERSION}", "home-assistant-frontend==20250411.0", "paho-mqtt==2.1.0", "aiohttp_cors")
_PYTHON = "python3.13"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jidget-peers" / f"home-assistant-{VERSION}"
_LIMIT = 900.0
_WHICH = "import homeassistant.const as it; print(it.__version__)"
_CONSTRAINTS = "import homeassistant, pathlib; print(pathlib.Path(homeassistant.__file__).parent)"


def interpreter() -> Path:
    """Return a Python that has Home Assistant."""
    wanted = os.environ[WANTED]
    given = Path(wanted) / "bin" / "python"
    if given.exists():
        if (found := _run(str(given), "-c", _WHICH)) != VERSION:
            pytest.fail(f"{WANTED}: {wanted} has Home Assistant {found}; the tests are for {VERSION}", pytrace=False)
        return given
    return _installed(_PYTHON if wanted == "1" else wanted)


def _installed(source: str) -> Path:
    python = _CACHE / "bin" / "python"
    marker = _CACHE / "complete"
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with _CACHE.with_name(f"{_CACHE.name}.lock").open("w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one process installs it, the others wait
        if not marker.exists() or marker.read_text(encoding="ascii") != "\n".join(_NEEDS):
            if shutil.which(source) is None:
                pytest.fail(f"{WANTED}: there is no {source}. Name a Python 3.13", pytrace=False)
            _install(source, python)
            marker.write_text("\n".join(_NEEDS), encoding="ascii")
    return python


def _install(source: str, python: Path) -> None:
    """Make the environment; which versions of everything else it takes, Home Assistant itself says."""
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(source, "-m", "venv", "--clear", str(_CACHE))
    _run(*pip, "--no-deps", _NEEDS[0])
    constraints = Path(_run(str(python), "-c", _CONSTRAINTS)) / "package_constraints.txt"
    _run(*pip, "--constraint", str(constraints), *_NEEDS)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        why = done.stderr.strip() or done.stdout.strip()
        pytest.fail(f"no Home Assistant: {' '.join(command)}: {why[-1000:]}", pytrace=False)
    return done.stdout.strip()
