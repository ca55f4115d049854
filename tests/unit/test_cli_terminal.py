"""Colours, marks, lines that replace each other."""

import io
import os
import pty
import select
from collections.abc import Iterator

import pytest

from jidget.cli.terminal import Painter, Progress, width, wrap


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOWrapper, int]]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream, master
    os.close(master)


def test_colours_on_a_terminal_only(terminal: tuple[io.TextIOWrapper, int]) -> None:
    assert Painter(terminal[0]).ok("fine") == "\x1b[32mfine\x1b[0m"
    assert Painter(io.StringIO()).ok("fine") == "fine"


def test_colours_as_the_environment_wants(
    terminal: tuple[io.TextIOWrapper, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert Painter(io.StringIO()).fail("x") == "\x1b[1;31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Painter(terminal[0]).fail("x") == "x"


def test_nothing_is_painted_as_nothing(terminal: tuple[io.TextIOWrapper, int]) -> None:
    painter = Painter(terminal[0])
    for paint in (painter.ok, painter.warn, painter.fail, painter.dim, painter.bold, painter.value):
        assert paint("") == ""
        assert paint("x").startswith("\x1b[")


def test_verdicts_line_up() -> None:
    painter = Painter(io.StringIO())
    assert painter.verdict(True, "TLS", "1.3") == "OK   TLS: 1.3"
    assert painter.verdict(None, "limit", "3 kB/s\nmay be slow") == "WARN limit: 3 kB/s\n     may be slow"
    assert painter.verdict(False, "login") == "FAIL login"
    assert painter.verdict(False, "", "refused") == "FAIL refused"


def test_progress_replaces_itself_on_a_terminal(terminal: tuple[io.TextIOWrapper, int]) -> None:
    stream, other_end = terminal
    progress = Progress(stream)
    progress.show("connecting …\nsecond line")
    progress.show("")
    progress.clear()
    progress.clear()
    expected = "\r\x1b[K\x1b[2mconnecting …\x1b[0m\r\x1b[K\r\x1b[K"
    shown = b""
    while len(shown) < len(expected.encode()) and select.select((other_end,), (), (), 5)[0]:
        shown += os.read(other_end, 1000)  # the kernel may hand over what was written in parts
    assert shown.decode() == expected


def test_progress_is_silent_elsewhere() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.show("connecting …")
    progress.clear()
    assert stream.getvalue() == ""


def test_text_is_wrapped_to_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert width() == 50
    lines = wrap("word " * 30, "  ").splitlines()
    assert all(line.startswith("  word") and len(line) <= 50 for line in lines)
    assert len(lines) > 2
    monkeypatch.setenv("COLUMNS", "10")
    assert width() == 40
