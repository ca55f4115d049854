"""Where log lines go, what they look like there, and what they never contain."""

import io
import logging
import os
import pty
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jidget import log


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave logging as it was found."""
    names = (None, "jidget", "jidget_drivers")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(logging.getLogger().handlers)
    monkeypatch.setattr(log, "_secrets", set())
    for variable in ("NO_COLOR", "FORCE_COLOR", "JOURNAL_STREAM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers[:] = handlers


def fail(text: str) -> None:
    raise ValueError(text)


ours = logging.getLogger("jidget.things.host")
theirs = logging.getLogger("slixmpp.xmlstream")


def test_file_lines_have_date_zone_and_level() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    ours.info("pump: %s", "available again")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO pump: available again\n", stream.getvalue())


def test_libraries_are_quiet_below_warning() -> None:
    stream = io.StringIO()
    log.configure(logging.DEBUG, stream)
    theirs.info("noise")
    theirs.warning("news")
    ours.debug("detail")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("WARNING slixmpp.xmlstream: news")
    assert lines[1].endswith("DEBUG jidget.things.host: detail")


def test_libraries_talk_when_asked() -> None:
    stream = io.StringIO()
    log.configure(logging.DEBUG, stream, libraries=logging.DEBUG)
    theirs.debug("every stanza")
    assert "every stanza" in stream.getvalue()


def test_configuring_again_replaces_our_handler_and_no_other() -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first, second = io.StringIO(), io.StringIO()
    log.configure(stream=first)
    log.configure(stream=second)
    ours.warning("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
    assert other in logging.getLogger().handlers


# ---- journald ------------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    """Return a file that JOURNAL_STREAM names, as systemd does for stderr."""
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        yield stream


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
        (logging.DEBUG, 7),
        (logging.INFO + 5, 6),
    ],
)
def test_journal_lines_have_a_priority_and_no_time(journal: io.TextIOWrapper, level: int, priority: int) -> None:
    log.configure(logging.DEBUG, journal)
    ours.log(level, "pump is away")
    journal.seek(0)
    assert journal.read() == f"<{priority}>jidget.things.host: pump is away\n"


def test_every_line_of_a_traceback_has_its_priority(journal: io.TextIOWrapper) -> None:
    log.configure(stream=journal)
    try:
        fail("two\nlines")
    except ValueError:
        ours.exception("it broke")
    journal.seek(0)
    lines = journal.read().splitlines()
    assert lines[0] == "<3>it broke"
    assert lines[-1] == "<3>lines"
    assert len(lines) > 4
    assert all(line.startswith("<3>") for line in lines)


def test_a_peer_cannot_forge_a_priority(journal: io.TextIOWrapper) -> None:
    log.configure(stream=journal)
    ours.info("%s", "hello\n<0>the house is on fire\r<0>really")
    journal.seek(0)
    assert [line[:3] for line in journal.read().splitlines()] == ["<6>", "<6>"]


def test_another_stream_than_the_journal(journal: io.TextIOWrapper) -> None:
    stream = io.StringIO()
    assert log.under_journald(journal)
    assert not log.under_journald(stream)
    log.configure(stream=stream)
    ours.info("x")
    assert not stream.getvalue().startswith("<")


@pytest.mark.parametrize("text", ["", ":", "nonsense", "1:2:3", "0:0"])
def test_odd_journal_streams(tmp_path: Path, text: str) -> None:
    with (tmp_path / "x").open("w") as stream:
        assert not log.under_journald(stream, {"JOURNAL_STREAM": text})


# ---- terminals -----------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOWrapper, int]]:
    """Return a stream to a real pseudo-terminal and the descriptor of its other end."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream, master
    os.close(master)


def test_terminal_lines_are_coloured(terminal: tuple[io.TextIOWrapper, int]) -> None:
    stream, other_end = terminal
    log.configure(stream=stream)
    ours.error("pump is away")
    said = os.read(other_end, 1000).decode()
    assert re.fullmatch(r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m \x1b\[31mERROR  \x1b\[0m pump is away\r\n", said)


def test_no_color_on_a_terminal(terminal: tuple[io.TextIOWrapper, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream, other_end = terminal
    log.configure(stream=stream)
    ours.warning("pump is away")
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING pump is away\r\n", os.read(other_end, 1000).decode())


def test_escape_sequences_of_a_peer_do_not_reach_the_terminal(terminal: tuple[io.TextIOWrapper, int]) -> None:
    stream, other_end = terminal
    log.configure(stream=stream)
    ours.warning("%s", "\x1b]0;owned\x07\x9b31m\ttab")
    said = os.read(other_end, 1000).decode()
    assert said.endswith("\ufffd]0;owned\ufffd\ufffd31m\ttab\r\n")


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_where_colours_are_wanted(
    terminal: tuple[io.TextIOWrapper, int], environ: dict[str, str], on_terminal: bool, elsewhere: bool
) -> None:
    assert log.use_colour(terminal[0], environ) is on_terminal
    assert log.use_colour(io.StringIO(), environ) is elsewhere


# ---- secrets -------------------------------------------------------------------------------------------------------

SECRET = "hunter2<&>'ü"


@pytest.mark.parametrize(
    "text",
    [
        f"the password is {SECRET}!",
        f"args: {[SECRET]!r}",
        "<password>hunter2&lt;&amp;&gt;'ü</password>",
    ],
)
def test_a_concealed_secret_never_appears(text: str) -> None:
    log.conceal(SECRET)
    assert "hunter2" not in log.redact(text)
    assert "***" in log.redact(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "SEND: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHBpAGh1bnRlcjI=</auth>",
            "SEND: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>***</auth>",
        ),
        ("<response xmlns='x'>Yz1iaXdz</response><success/>", "<response xmlns='x'>***</response><success/>"),
        ("<challenge>cj1m</challenge>", "<challenge>***</challenge>"),
        ("<query><username>pi</username><password>hunter2</password></query>", None),
        ("password = hunter2", "password = ***"),
        ('"password": "hunter2 and more", "x": 1', '"password": ***, "x": 1'),
        ("XMPP_PASSWORD='hunter2'", "XMPP_PASSWORD=***"),
        ("api_token: hunter2", "api_token: ***"),
        ("<authorised>yes</authorised>", "<authorised>yes</authorised>"),
        ("password_file = /etc/jidget/password", "password_file = /etc/jidget/password"),
        (
            "xmpp.password = ***: a password does not belong here",
            "xmpp.password = ***: a password does not belong here",
        ),
        ("the token bucket is empty", "the token bucket is empty"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, shown: str | None) -> None:
    assert "hunter2" not in log.redact(text)
    assert log.redact(text) == (shown or "<query><username>pi</username><password>***</password></query>")


def test_secrets_are_redacted_in_arguments_and_tracebacks() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.conceal("correct-horse")
    try:
        fail("correct-horse")  # this line is shown, too
    except ValueError:
        ours.exception("login with %s", "correct-horse")
    assert "horse" not in stream.getvalue()
    assert stream.getvalue().count("***") == 3  # the message, the line of code, the error


def test_very_short_secrets_would_only_blind_us() -> None:
    log.conceal("a")
    log.conceal("")
    assert log.redact("a cat") == "a cat"
