"""examples/setup.sh, with stand-ins for apt-get, systemctl, sudo and Python that write down what they are told."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "examples" / "setup.sh"
TOOLS = ("bash", "cat", "chmod", "dirname", "env", "flock", "grep", "readlink", "rm", "sed", "sha256sum", "touch")
NOTE = f'#!{shutil.which("bash")}\nprintf "%s\\n" "${{0##*/}} $*" >>"$JIDGET_CALLS"\n'

PYTHON = (
    NOTE
    + """
case "$1 $2" in
"-c import ensurepip"*) [[ -e $JIDGET_BIN/venv-module ]] ;;
"-m venv") mkdir -p "${@: -1}/bin" && cp -- "$0" "${@: -1}/bin/python" ;;
"-m pip") [[ ! -e $JIDGET_BIN/no-network ]] ;;
esac
"""
)
"""A Python 3.11; it has the modules venv and ensurepip once the file venv-module is there."""

APT = (
    NOTE
    + """
[[ $* == *install* ]] || exit 0
[[ ! -e $JIDGET_BIN/no-network ]] || exit 100
cat -- "$JIDGET_POLICY_FILE" >"$JIDGET_BIN/policy-seen"
[[ $* != *python3-venv* ]] || touch "$JIDGET_BIN/venv-module"
[[ $* != *prosody* ]] || touch "$JIDGET_BIN/prosody"
[[ $* != *prosody* ]] || chmod +x "$JIDGET_BIN/prosody"
"""
)


class Checkout:
    """A checkout in a path with blanks and brackets, and a machine around it that has only what a test gives it."""

    def __init__(self, path: Path) -> None:
        self.root = path / "my check[out]"
        self.bin = path / "bin"
        self.policy = path / "policy-rc.d"
        self._calls = path / "calls"
        (self.root / "examples").mkdir(parents=True)
        self.bin.mkdir()
        self.setup = Path(shutil.copy(SETUP, self.root / "examples"))
        (self.root / "pyproject.toml").write_text("[project]\n")
        for name in (*TOOLS, "mkdir", "cp"):
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.program("id", "echo 0")
        self.program("systemctl")
        self.program("openssl")
        self.program("python3", script=PYTHON)

    def program(self, name: str, body: str = "", *, script: str = NOTE) -> None:
        """Put a program on the machine that writes down its arguments."""
        (self.bin / name).write_text(script + body)
        (self.bin / name).chmod(0o755)

    def with_apt(self) -> None:
        self.program("apt-get", script=APT)

    def with_everything(self) -> None:
        self.program("prosody")
        (self.bin / "venv-module").touch()

    def command(self, purpose: str) -> tuple[list[str], dict[str, str]]:
        environment = {
            "PATH": str(self.bin),
            "JIDGET_CALLS": str(self._calls),
            "JIDGET_BIN": str(self.bin),
            "JIDGET_POLICY_FILE": str(self.policy),
        }
        return [str(self.bin / "bash"), str(self.setup), purpose], environment

    def run(self, purpose: str = "demo", **environment: str) -> subprocess.CompletedProcess[str]:
        command, variables = self.command(purpose)
        return subprocess.run(
            command,
            env=variables | environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def calls(self, program: str) -> list[str]:
        """Return the arguments of each call of `program`, and forget them."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.write_text("".join(f"{line}\n" for line in lines if line.split()[0] != program))
        return [line.partition(" ")[2] for line in lines if line.split()[0] == program]

    def pip_calls(self) -> list[str]:
        return [call.split()[-1] for call in self.calls("python") if call.startswith("-m pip")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_installs_once_and_then_is_silent(checkout: Checkout) -> None:
    checkout.with_everything()
    first = checkout.run()
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert checkout.pip_calls() == ["."]

    second = checkout.run()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert checkout.pip_calls() == []


def test_a_changed_project_is_installed_again(checkout: Checkout) -> None:
    checkout.with_everything()
    checkout.run()
    checkout.pip_calls()
    (checkout.root / "pyproject.toml").write_text('[project]\ndependencies = ["new"]\n')
    checkout.run()
    assert checkout.pip_calls() == ["."]


def test_an_installation_that_failed_is_tried_again(checkout: Checkout) -> None:
    checkout.with_everything()
    (checkout.bin / "no-network").touch()
    broken = checkout.run()
    assert broken.returncode != 0
    assert "pip did not install" in broken.stderr
    (checkout.bin / "no-network").unlink()
    checkout.pip_calls()
    assert checkout.run().returncode == 0
    assert checkout.pip_calls() == ["."]


def test_what_the_tests_installed_is_enough_for_the_demo(checkout: Checkout) -> None:
    checkout.with_everything()
    for name in ("ejabberdctl", "mosquitto", "node", "npm", "shellcheck", "strace", "systemd-analyze"):
        checkout.program(name)
    assert checkout.run("demo").returncode == 0
    assert checkout.run("tests").returncode == 0
    assert checkout.pip_calls() == [".", ".[dev]"]
    assert checkout.run("demo").returncode == 0
    assert checkout.pip_calls() == []


def test_the_javascript_client_is_installed_when_its_lock_file_changes(checkout: Checkout) -> None:
    checkout.with_everything()
    for name in ("ejabberdctl", "mosquitto", "node", "shellcheck", "strace", "systemd-analyze"):
        checkout.program(name)
    checkout.program("npm", 'mkdir -p "$3/node_modules"\n')
    client = checkout.root / "tests/support/xmppjs"
    client.mkdir(parents=True)
    for content, installations in (("{}", 1), ("{}", 0), ('{"version": 2}', 1)):
        (client / "package-lock.json").write_text(content)
        result = checkout.run("tests")
        assert result.returncode == 0, result.stderr
        assert len(checkout.calls("npm")) == installations


def test_a_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    """Scripts in .venv name their interpreter by its absolute path."""
    checkout.with_everything()
    checkout.run()
    checkout.calls("python3")
    checkout.root = checkout.root.rename(checkout.root.with_name("elsewhere"))
    checkout.setup = checkout.root / "examples/setup.sh"
    assert checkout.run().returncode == 0
    assert f"-m venv --clear {checkout.root}/.venv" in checkout.calls("python3")


def test_missing_packages_come_by_apt(checkout: Checkout) -> None:
    checkout.with_apt()
    result = checkout.run()
    assert result.returncode == 0, result.stderr
    update, install = checkout.calls("apt-get")
    assert update.split()[-1] == "update"
    assert install.split()[-4:] == ["install", "prosody", "python3", "python3-venv"]
    assert "--no-install-recommends" in install
    assert "-y" in install.split()


def test_nothing_missing_asks_apt_nothing(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.with_everything()
    checkout.run()
    assert checkout.calls("apt-get") == []


def test_installed_servers_neither_start_nor_stay_enabled(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.run()
    seen = (checkout.bin / "policy-seen").read_text()
    assert seen.startswith("#!/bin/sh\n")
    assert seen.endswith("\nexit 101\n")
    assert not checkout.policy.exists()
    (call,) = checkout.calls("systemctl")
    assert call.split()[-1] == "prosody.service"
    assert "disable" in call


def test_a_server_that_was_there_is_left_alone(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.program("prosody")
    checkout.run()
    assert "prosody" not in checkout.calls("apt-get")[-1]
    assert checkout.calls("systemctl") == []


def test_somebody_elses_policy_stays(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.policy.write_text("#!/bin/sh\nexit 104\n")
    assert checkout.run().returncode == 0
    assert checkout.policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_our_own_policy_left_by_a_power_cut_goes(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.run()
    shutil.copy(checkout.bin / "policy-seen", checkout.policy)
    (checkout.bin / "prosody").unlink()
    assert checkout.run().returncode == 0
    assert not checkout.policy.exists()


def test_a_failing_apt_leaves_no_policy_and_says_what_to_do(checkout: Checkout) -> None:
    checkout.with_apt()
    (checkout.bin / "no-network").touch()
    result = checkout.run()
    assert result.returncode != 0
    assert "apt-get install --no-install-recommends prosody python3 python3-venv" in result.stderr
    assert not checkout.policy.exists()


def test_without_apt_says_what_to_install(checkout: Checkout) -> None:
    result = checkout.run()
    assert result.returncode != 0
    assert "no apt-get" in result.stderr
    for package in ("prosody", "python3", "python3-venv"):
        assert f"\n    {package}\n" in result.stderr


@pytest.mark.parametrize(("variables", "options"), [({}, ""), ({"CI": "true"}, "--non-interactive ")])
def test_sudo_is_used_by_those_who_are_not_root(checkout: Checkout, variables: dict[str, str], options: str) -> None:
    checkout.with_apt()
    checkout.program("id", "echo 1000")
    checkout.program("sudo", '[[ $1 != -* ]] || shift\nexec "$@"\n')
    result = checkout.run("demo", **variables)
    assert result.returncode == 0, result.stderr
    assert checkout.calls("sudo") == [f"{options}bash -- {checkout.setup} as-root-install prosody python3 python3-venv"]


def test_without_sudo_says_what_root_must_do(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.program("id", "echo 1000")
    result = checkout.run()
    assert result.returncode != 0
    assert "apt-get install --no-install-recommends prosody python3 python3-venv" in result.stderr
    assert checkout.calls("apt-get") == []


def test_a_python_that_is_too_old_is_named(checkout: Checkout) -> None:
    checkout.with_apt()
    checkout.program("python3", 'case "$1" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac\n')
    result = checkout.run()
    assert result.returncode != 0
    assert "3.11 or newer" in result.stderr
    assert "Python 3.9.2" in result.stderr


def test_two_at_once_take_turns(checkout: Checkout) -> None:
    checkout.with_everything()
    command, environment = checkout.command("demo")
    with checkout.setup.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert "Waiting" in second.stderr.readline()
        assert checkout.pip_calls() == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert second.wait(timeout=20) == 0
        second.stderr.close()
    assert checkout.pip_calls() == ["."]


@pytest.mark.parametrize("arguments", [[], ["everything"]])
def test_wrong_use_says_how(arguments: list[str]) -> None:
    result = subprocess.run([SETUP, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 2
    assert "examples/setup.sh demo" in result.stderr


def test_scripts_can_be_started() -> None:
    root = SETUP.parents[1]
    for script in ("examples/setup.sh", "examples/demo.sh", "tests/run.sh", ".ci/run"):
        assert os.access(root / script, os.X_OK), f"{script} has no run bit"
