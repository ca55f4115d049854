"""tests/run.sh, .ci/run and examples/demo.sh, with stand-ins for what they start."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTE = '#!/usr/bin/env bash\nprintf "%s\\n" "${0##*/} $*" >>"$JIDGET_CALLS"\n'


class Checkout:
    """The scripts in a path with blanks, and stand-ins that write down how they were started."""

    def __init__(self, path: Path) -> None:
        self.root = path / "my checkout"
        self.calls = path / "calls"
        for script in ("tests/run.sh", ".ci/run", "examples/demo.sh"):
            (self.root / script).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / script, self.root / script)
        (self.root / "systemd").mkdir()
        self.program("examples/setup.sh")
        self.program(".venv/bin/python")
        self.program(".venv/bin/lint-imports")
        self.program(".venv/bin/jidget")
        self.program("bin/shellcheck")

    def program(self, name: str, body: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOTE + body)
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        inherited = {key: value for key, value in os.environ.items() if key != "CI"}
        path = f"{self.root}/bin:{os.environ['PATH']}"
        return subprocess.run(
            [self.root / script, *arguments],
            env=inherited | {"JIDGET_CALLS": str(self.calls), "PATH": path} | environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def started(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def pytest_words(self) -> list[str]:
        """Return the words after `python -m pytest`; none if it was not started."""
        found = [line for line in self.started() if line.startswith("python -m pytest")]
        return found[0].split()[3:] if found else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_everything_is_lint_then_all_tests_with_coverage(checkout: Checkout) -> None:
    result = checkout.run("tests/run.sh")
    assert result.returncode == 0, result.stderr
    programs = [" ".join(line.split()[:3]) for line in checkout.started()]
    assert programs == [
        "setup.sh tests",
        "python -m ruff",
        "python -m ruff",
        "python -m mypy",
        "lint-imports --no-logo",
        "shellcheck -- .ci/run",
        "python -m pytest",
    ]
    words = checkout.pytest_words()
    assert [word for word in words if word.startswith("tests/")] == [
        "tests/unit",
        "tests/contract",
        "tests/integration",
        "tests/system",
    ]
    assert any(word.startswith("--cov-fail-under=") for word in words)


def test_a_part_runs_alone_and_passes_options_on(checkout: Checkout) -> None:
    result = checkout.run("tests/run.sh", "contract", "unit", "-x", "-k", "words")
    assert result.returncode == 0, result.stderr
    words = checkout.pytest_words()
    assert words[-5:] == ["tests/contract", "tests/unit", "-x", "-k", "words"]
    assert not any(word.startswith("--cov") for word in words)
    assert not any("mypy" in line for line in checkout.started())


def test_lint_alone_starts_no_tests(checkout: Checkout) -> None:
    assert checkout.run("tests/run.sh", "lint").returncode == 0
    assert checkout.pytest_words() == []


def test_a_lint_fault_ends_the_run_after_all_of_lint(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", '[[ $2 != mypy ]] || { echo "a type error"; exit 1; }\n')
    result = checkout.run("tests/run.sh")
    assert result.returncode == 1
    assert "a type error" in result.stdout
    assert result.stdout.rstrip().endswith("failed: mypy")
    assert any(line.startswith("shellcheck") for line in checkout.started())
    assert checkout.pytest_words() == []


def test_every_script_is_linted(checkout: Checkout) -> None:
    checkout.run("tests/run.sh", "lint")
    (line,) = (line for line in checkout.started() if line.startswith("shellcheck"))
    assert {".ci/run", "examples/demo.sh", "examples/setup.sh", "tests/run.sh"} == set(line.split()[2:])


def test_failing_tests_fail_the_run(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", "[[ $2 != pytest ]] || exit 1\n")
    assert checkout.run("tests/run.sh", "unit").returncode == 1


def test_tests_that_hang_are_interrupted(checkout: Checkout) -> None:
    """SIGINT, so that pytest stops the servers it started and says where it was."""
    hang = '[[ $2 != pytest ]] || { trap "echo interrupted; exit 2" INT; while :; do read -rt 0.05 <> <(:); done; }\n'
    checkout.program(".venv/bin/python", hang)
    result = checkout.run("tests/run.sh", "unit", JIDGET_TEST_LIMIT="0.3s")
    assert result.returncode == 124
    assert "interrupted" in result.stdout
    assert "did not end within 0.3s" in result.stdout


def test_an_unknown_part_is_refused_before_anything_is_installed(checkout: Checkout) -> None:
    result = checkout.run("tests/run.sh", "units")
    assert result.returncode == 2
    assert "units" in result.stderr
    assert "lint unit contract integration system" in result.stderr
    assert checkout.started() == []


def test_ci_runs_everything_and_skips_nothing(checkout: Checkout) -> None:
    result = checkout.run(".ci/run")
    assert result.returncode == 0, result.stderr
    assert "tests.support.strict_skips" in checkout.pytest_words()


def test_at_home_a_skip_is_a_skip(checkout: Checkout) -> None:
    checkout.run("tests/run.sh", "unit")
    assert "tests.support.strict_skips" not in checkout.pytest_words()


def test_the_demo_is_set_up_and_gets_the_options(checkout: Checkout) -> None:
    elsewhere = checkout.root.parent / "demo"
    elsewhere.symlink_to(checkout.root / "examples/demo.sh")
    checkout.program(".venv/bin/jidget", "exit 7\n")
    result = checkout.run(str(elsewhere), "--once")
    assert result.returncode == 7
    assert checkout.started() == ["setup.sh demo", "jidget demo --once"]


def test_a_failed_setup_starts_nothing(checkout: Checkout) -> None:
    checkout.program("examples/setup.sh", "exit 1\n")
    assert checkout.run("examples/demo.sh").returncode == 1
    assert checkout.started() == ["setup.sh demo"]
    assert checkout.run("tests/run.sh").returncode == 1
    assert checkout.started() == ["setup.sh tests"]


FAILED_ONCE = """
cache="$(dirname -- "$0")/../../.pytest_cache/v/cache"
[[ "$*" == *"-m pytest"* ]] || exit 0
mkdir -p "$cache"
if [[ "$*" == *--last-failed* ]]; then exit ${SECOND_TRY:-0}; fi
printf '{\\n  "tests/unit/test_a.py::test_one": true%s\\n}' "$MORE" >"$cache/lastfailed"
exit 1
"""


def test_what_fails_beside_others_gets_a_second_try_alone_and_is_told(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", FAILED_ONCE)
    result = checkout.run("tests/run.sh", MORE="")
    assert result.returncode == 0, result.stdout
    assert result.stdout.endswith("failed beside others, passed alone:\n    tests/unit/test_a.py::test_one\n")
    again = [line for line in checkout.started() if "--last-failed" in line]
    assert len(again) == 1
    assert "--numprocesses 0" in again[0]


def test_what_fails_twice_has_failed(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", FAILED_ONCE)
    result = checkout.run("tests/run.sh", MORE="", SECOND_TRY="1")
    assert result.returncode == 1
    assert "passed alone" not in result.stdout


def test_many_failures_get_no_second_try(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", FAILED_ONCE)
    more = "".join(f',\n  "tests/unit/test_a.py::test_{number}": true' for number in range(5))
    result = checkout.run("tests/run.sh", MORE=more)
    assert result.returncode == 1
    assert not any("--last-failed" in line for line in checkout.started())


def test_a_selection_gets_no_second_try(checkout: Checkout) -> None:
    checkout.program(".venv/bin/python", FAILED_ONCE)
    assert checkout.run("tests/run.sh", "unit", MORE="").returncode == 1
    assert not any("--last-failed" in line for line in checkout.started())
