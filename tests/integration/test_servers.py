"""The private servers as processes: start, readiness, crash, freeze, stop; and nothing open to the world."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from tests.support.servers import FreshServers, require

import jidget
from jidget.demo.ejabberd import Ejabberd
from jidget.demo.loopback import LOOPBACK, listeners
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.process import ServerError, ServerProcess
from jidget.demo.prosody import Prosody

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd), Mosquitto]
LIMIT = 10.0

Kind = type[Prosody] | type[Ejabberd] | type[Mosquitto]


def session_members(session: int) -> list[psutil.Process]:
    """Return the processes of a session; each server has its own, with its own process id."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def gone(processes: list[psutil.Process]) -> bool:
    """Wait until the processes ended: children of a killed server notice only by and by."""
    return not psutil.wait_procs(processes, timeout=LIMIT)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_lives_in_a_session_of_its_own_and_stop_leaves_nothing(kind: Kind, fresh_server: FreshServers) -> None:
    server = fresh_server(kind)
    members = session_members(server.pid)
    assert server.pid in [member.pid for member in members]
    assert os.getsid(0) != server.pid
    server.stop()
    assert not server.running
    assert gone(members)
    assert not set(server.ports.values()) & set(listeners())
    server.stop()  # again: nothing happens
    with pytest.raises(ServerError, match="not running"):
        _ = server.pid


@pytest.mark.parametrize("kind", KINDS)
def test_listens_on_loopback_only(kind: Kind, fresh_server: FreshServers) -> None:
    server = fresh_server(kind)
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for member in session_members(server.pid)
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {(LOOPBACK, port) for port in server.ports.values()}


@pytest.mark.parametrize("kind", KINDS)
def test_two_at_once(kind: Kind, fresh_server: FreshServers) -> None:
    first, second = fresh_server(kind), fresh_server(kind)
    assert first.pid != second.pid
    assert not set(first.ports.values()) & set(second.ports.values())
    first.stop()
    assert second.answers()


@pytest.mark.parametrize("kind", KINDS)
def test_starts_again_on_the_same_ports_after_a_crash(kind: Kind, fresh_server: FreshServers) -> None:
    server = fresh_server(kind)
    pid, ports = server.pid, dict(server.ports)
    members = session_members(pid)
    server.kill()
    assert not server.running
    assert gone(members)
    server.start()
    assert server.pid != pid
    assert server.ports == ports
    assert server.answers()


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_it_says_nothing_and_goes_on_when_thawed(kind: Kind, fresh_server: FreshServers) -> None:
    server = fresh_server(kind)
    server.freeze()
    assert psutil.Process(server.pid).status() == psutil.STATUS_STOPPED
    assert server.running
    assert not server.answers()
    server.thaw()
    assert server.answers()
    server.freeze()
    started = time.monotonic()
    server.stop()  # obeys although frozen, without force
    assert time.monotonic() - started < server.stop_limit


@pytest.mark.parametrize("kind", KINDS)
def test_moves_away_from_a_port_that_was_taken_before_its_start(kind: Kind, tmp_path: Path) -> None:
    require(kind)
    server = kind(tmp_path)
    wanted = dict(server.ports)
    with socket.create_server((LOOPBACK, server.port)):
        try:
            server.start()
            assert server.port != wanted[next(iter(wanted))]
            assert server.answers()
        finally:
            server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_does_not_take_another_server_on_its_port_for_itself(kind: Kind, fresh_server: FreshServers) -> None:
    """Ports are final after the first start: clients know them."""
    server, other = fresh_server(kind), fresh_server(kind)
    server.stop()
    server.ports = dict(other.ports)
    with pytest.raises(ServerError, match=rf"another program listens .* {min(other.ports.values())}"):
        server.start()
    assert not server.running
    assert other.answers()


def test_says_why_it_ended_at_once(tmp_path: Path) -> None:
    require(Prosody)
    server = Prosody(tmp_path, extra="this is not Lua")
    with pytest.raises(ServerError) as raised:
        server.start()
    assert "prosody ended at once: exit status 1" in str(raised.value)
    assert "prosody.cfg.lua" in str(raised.value)  # the end of the log names the file
    assert not server.running


@pytest.mark.ejabberd
def test_says_why_ejabberd_ended_at_once(tmp_path: Path) -> None:
    require(Ejabberd)
    server = Ejabberd(tmp_path, options={"no_such_option": True})
    with pytest.raises(ServerError, match=r"(?s)ejabberd ended at once.*no_such_option"):
        server.start()


class Mute(ServerProcess):
    """A program that runs and never serves."""

    name: ClassVar[str] = "mute"
    programs: ClassVar[dict[str, str]] = {"sleep": "coreutils"}
    start_limit: ClassVar[float] = 0.3

    def prepare(self) -> None:
        """Nothing to write."""

    def command(self) -> list[str]:
        return ["sleep", "1000"]

    def answers(self) -> bool:
        return False


class Patient(Mute):
    """One that is given all the time in the world."""

    start_limit: ClassVar[float] = 600.0


class Stubborn(Mute):
    """One that ignores SIGTERM."""

    name: ClassVar[str] = "stubborn"
    stop_limit: ClassVar[float] = 0.3

    def command(self) -> list[str]:
        return ["bash", "-c", "trap '' TERM; touch ready; while :; do read -r -t 1000 <> <(:); done"]

    def answers(self) -> bool:
        return (self.root / "ready").exists()


def test_gives_up_on_one_that_never_serves(tmp_path: Path) -> None:
    server = Mute(tmp_path)
    with pytest.raises(ServerError, match="mute does not answer after 0 s"):
        server.start()
    assert not server.running


def test_stops_a_stubborn_one_by_force(fresh_server: FreshServers) -> None:
    server = fresh_server(Stubborn)
    process = psutil.Process(server.pid)
    server.stop()
    assert gone([process])


def test_starts_only_once(fresh_prosody: Callable[..., Prosody]) -> None:
    server = fresh_prosody()
    with pytest.raises(ServerError, match=f"runs already, as process {server.pid}"):
        server.start()
    assert server.answers()


@pytest.mark.parametrize("kind", KINDS)
async def test_in_an_event_loop(kind: Kind, tmp_path: Path) -> None:
    require(kind)
    async with kind(tmp_path) as server:
        process = psutil.Process(server.pid)
        assert await asyncio.to_thread(server.answers)
    assert gone([process])


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    server = Patient(tmp_path)
    async with asyncio.TaskGroup() as group:
        start = group.create_task(server.astart())
        await asyncio.sleep(0)  # until it waits
        process = psutil.Process(server.pid)
        start.cancel()
    assert start.cancelled()
    assert gone([process])


PARENT = """\
import sys
from pathlib import Path
from jidget.demo.prosody import Prosody
server = Prosody(Path(sys.argv[1]))
server.start()
print(server.pid, server.port, flush=True)
sys.stdin.read()
server.stop()
print("stopped", flush=True)
"""


def test_dies_with_its_parent(tmp_path: Path) -> None:
    require(Prosody)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline().split()[0]))
        assert server.is_running()
        parent.send_signal(signal.SIGKILL)
    assert gone([server])


ORDINARY = """\
import os, sys
from pathlib import Path
from jidget.demo import ejabberd, mosquitto, prosody
kinds = {kind.name: kind for kind in (prosody.Prosody, ejabberd.Ejabberd, mosquitto.Mosquitto)}
with kinds[sys.argv[1]](Path(sys.argv[2]), users={"pi": "secret"}) as server:
    print(os.geteuid(), server.answers(), os.stat(f"/proc/{server.pid}").st_uid, flush=True)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_works_for_an_ordinary_user(kind: Kind) -> None:
    """Root becomes nobody for it, with the system's Python and a copy of the code: both have to be within reach."""
    require(kind)
    user = pwd.getpwnam("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    assert python, "this test needs the system's own Python: sudo apt install python3"
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        package = Path(jidget.__file__).parent
        for part in ("__init__.py", "lazily.py", "errors.py", "demo"):
            source, target = package / part, root / "code/jidget" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        (root / "server").mkdir()
        os.chown(root / "server", user.pw_uid, user.pw_gid)
        root.chmod(0o755)
        become = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if os.geteuid() == 0 else []
        run = subprocess.run(
            ["setpriv", *become, python, "-c", ORDINARY, kind.name, str(root / "server")],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root / "code"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.split() == [str(user.pw_uid), "True", str(user.pw_uid)]
