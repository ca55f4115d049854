"""What systemd hears, on a real socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jidget.sdnotify import notify, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Return a socket as systemd listens on, and its address as NOTIFY_SOCKET has it."""
    if request.param == "path":
        address, bound = str(tmp_path / "notify"), str(tmp_path / "notify")
    else:
        address = f"@jidget-test-{os.getpid()}"
        bound = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(bound)
        listening.settimeout(5)
        yield listening, address


def test_the_manager_hears_it(manager: tuple[socket.socket, str]) -> None:
    listening, address = manager
    assert notify("READY=1\nSTATUS=3 Things, 21 °C", {"NOTIFY_SOCKET": address})
    assert listening.recv(1000).decode() == "READY=1\nSTATUS=3 Things, 21 °C"
    assert notify("WATCHDOG=1", {"NOTIFY_SOCKET": address})
    assert listening.recv(1000) == b"WATCHDOG=1"


def test_the_process_environment_is_the_default(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, address = manager
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert notify("STOPPING=1")
    assert listening.recv(1000) == b"STOPPING=1"


def test_without_a_manager_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": ""})
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/nowhere/notify", "systemd could not be told READY=1: [Errno 2] No such file or directory"),
        ("vsock:2:9999", "NOTIFY_SOCKET 'vsock:2:9999' is not a Unix socket: systemd is not told READY=1"),
        ("/" + "x" * 200, "systemd could not be told READY=1: AF_UNIX path too long"),
    ],
)
def test_what_goes_wrong_is_logged(address: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    assert not notify("READY=1", {"NOTIFY_SOCKET": address})
    assert caplog.messages == [said]


def stuff(address: str) -> int:
    """Send until it would block and return how often that went well: a sender has a limit of its own, too."""
    sent = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sender.sendto(b"x", address)
                sent += 1
    return sent


def test_a_manager_that_does_not_listen_does_not_hold_us_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        while stuff(address):
            pass
        assert not notify("WATCHDOG=1", {"NOTIFY_SOCKET": address})
    assert caplog.messages == ["systemd could not be told WATCHDOG=1: timed out"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_watchdog(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_interval(environ) == seconds


@pytest.mark.parametrize("text", ["soon", "-5", "0", "1.5", "²"])
def test_a_watchdog_that_makes_no_sense_is_logged(text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert watchdog_interval({"WATCHDOG_USEC": text}) is None
    assert caplog.messages == [f"WATCHDOG_USEC {text!r} is not a number of microseconds: the watchdog is not fed"]
