"""What is said where a program of a private server is not installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from tests.support.servers import require

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.process import ProgramMissing, ServerProcess, find_program
from jidget.demo.prosody import Prosody


class Imaginary(ServerProcess):
    """A server that nobody has."""

    name: ClassVar[str] = "imaginary"
    programs: ClassVar[Mapping[str, str]] = {"ls": "coreutils", "imaginaryd": "imaginary-server"}

    def prepare(self) -> None:
        raise AssertionError("prepared although its program is missing")

    def command(self) -> list[str]:
        return []

    def answers(self) -> bool:
        return False


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("jidget.demo.process.SYSTEM_PATH", str(tmp_path))


def test_names_program_and_package() -> None:
    with pytest.raises(ProgramMissing, match="imaginaryd is not installed: sudo apt install imag") as raised:
        find_program("imaginaryd", "imaginary-server")
    assert raised.value.program == "imaginaryd"
    assert raised.value.package == "imaginary-server"


def test_finds_what_is_not_on_the_path_of_ordinary_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "sbin" / "brokerd"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("jidget.demo.process.SYSTEM_PATH", f"/nowhere:{program.parent}")
    assert find_program("brokerd", "broker") == str(program)


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize(("kind", "package"), [(Prosody, "prosody"), (Ejabberd, "ejabberd"), (Mosquitto, "mosquitto")])
def test_each_server_says_what_to_install(kind: type[ServerProcess], package: str) -> None:
    missing = kind.missing()
    assert missing is not None
    assert missing.package == package
    assert str(missing).endswith(f"sudo apt install {package}")


def test_start_says_so_before_it_does_anything(tmp_path: Path) -> None:
    server = Imaginary(tmp_path)
    with pytest.raises(ProgramMissing, match="imaginaryd"):
        server.start()
    assert not server.running


def test_a_missing_server_fails_in_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="sudo apt install imaginary-server"):
        require(Imaginary)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="sudo apt install imaginary-server"):
        require(Imaginary)
