"""`jidget demo`: what it claims is asserted, what it cannot show it admits, and it leaves nothing behind."""

import asyncio
import os
import re
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from tests.support.command_line import jidget, started
from tests.support.servers import require

from jidget.cli import demo
from jidget.cli.main import main
from jidget.demo.stage import SERVERS, STRANGER, Stage
from jidget.demo.story import Story
from jidget.errors import Exit

SERVER = [pytest.param("prosody"), pytest.param("ejabberd", marks=pytest.mark.ejabberd)]
CLAIMS = [
    r"the owner sees this machine's real sensors arrive by \+notify: load \d+\.\d+, memory \d+(\.\d+)? %",
    r"the owner sees the greenhouse's temperature and humidity arrive: \d\d(\.\d)? °C, \d\d(\.0)? %",
    r"the current values wait for whoever joins late: \d+ values of [34] Things",
    r'the owner says "pump on" in chat and the pump reads back on: pump\.state: on \(confirmed\)',
    r"the pump's new state arrives as a reading: pump\.state true",
    r"the owner turns the pump off by form and it reads back off: pump\.state: off \(confirmed\)",
    r"a lamp on an MQTT broker is found without a line of configuration: desk_lamp\.on: off .*",
    r'the owner says "desk lamp on" in chat, the lamp obeys and says so itself: desk_lamp\.on: on \(confirmed\)',
    r"a stranger's chat gets no answer and a stranger's command is refused: service-unavailable, .*",
    r"a stranger sees no readings: the server says (forbidden|not-authorized)",
    r"the pump was driven twice, by its owner, and by nobody else: on, then off",
]


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have demos keep their things in a directory of the test's, and check that none of them leaves anything there."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = set(psutil.Process().children(recursive=True))
    yield
    assert list(place.iterdir()) == []
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left


def claims(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith(("OK", "FAIL"))]


@pytest.mark.parametrize("server", SERVER)
async def test_all_that_is_claimed_happens_and_that_is_0(server: str) -> None:
    require(SERVERS[server])
    ended = await jidget("demo", "--once", "--server", server)
    assert (ended.code, ended.err) == (0, "")
    said = claims(ended.out)
    assert len(said) == len(CLAIMS)
    for line, claim in zip(said, CLAIMS, strict=True):
        assert re.fullmatch(f"OK   {claim}", line), line
    shown = [line for line in ended.lines if line.startswith("  ")]
    assert any(re.fullmatch(r"  \d\d:\d\d:\d\d  greenhouse\.temperature +\d\d(\.\d)? °C", line) for line in shown)
    assert any(re.fullmatch(r"  \d\d:\d\d:\d\d  pump\.state +on", line) for line in shown)
    assert "\x1b" not in ended.out


# ---- what cannot be shown ------------------------------------------------------------------------------------------

EITHER_WAY = ""
BROKEN_PUMP = 'faults = [{ on = "write", do = "ignore" }]'
STRANGER_IN = f'"{STRANGER}@localhost" = "operator"'
BROKEN = [
    pytest.param(
        partial(Stage, more_pump=BROKEN_PUMP),
        {
            3: r"the answer was: pump\.state: on sent, unconfirmed.*",
            4: "not within 8 s",
            5: EITHER_WAY,  # it is off, and has been: only a reading that comes twice would show it
            10: r"the pump's own record says: \[\]",
        },
        id="a pump that does not move",
    ),
    pytest.param(
        partial(Stage, more_access=STRANGER_IN),
        {
            8: "the stranger's command was accepted",
            10: r"the pump's own record says: \['true', 'false', 'true', 'true'\]",
        },
        id="a stranger who is let in",
    ),
]


@pytest.mark.parametrize(("stage", "failures"), BROKEN)
def test_what_does_not_happen_is_not_claimed_and_that_is_1(
    stage: Callable[[str], Stage],
    failures: dict[int, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require(SERVERS["prosody"])
    monkeypatch.setattr(demo, "Stage", stage)
    monkeypatch.setattr(demo, "Story", partial(Story, patience=8.0))
    assert main(["demo", "--once"]) == Exit.FAILED
    said = capsys.readouterr()
    for number, line in enumerate(claims(said.out)):
        claim = CLAIMS[number].partition(":")[0] if number != 3 else CLAIMS[3].rpartition(": pump")[0]
        expected = failures.get(number)
        if expected == EITHER_WAY:
            continue
        mark, wanted = ("FAIL", f": {expected}") if expected else ("OK  ", ": .*")
        assert re.fullmatch(f"{mark} {claim}{wanted}", line), f"{number}: {line}"
    assert "--- end of" in said.err, "what the agent logged"
    assert "Traceback" not in said.err


@pytest.mark.usefixtures("nothing_left")
def test_without_the_server_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("jidget.demo.process.SYSTEM_PATH", "/nonexistent")
    assert main(["demo", "--once"]) == Exit.FAILED
    assert re.search(r"jidget: \S+ is not installed: sudo apt install \S+", capsys.readouterr().err)


# ---- staying up, and going -----------------------------------------------------------------------------------------


async def test_it_stays_up_what_it_prints_can_be_pasted_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    require(SERVERS["prosody"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with started("demo") as running:
        await running.prints(lambda out: "Ctrl-C ends it" in out)
        commands = re.findall(r"^  (\S+ (?:watch|call) .*(?:\\\n.*)+)$", running.out, re.MULTILINE)
        assert len(commands) == 2
        watch, call = commands
        called, watched = await asyncio.gather(_pasted(call, elsewhere), _pasted(f"{watch} --count 3", elsewhere))
        assert called == (0, "pump.state: on (confirmed)\n")
        assert watched[0] == 0
        assert "greenhouse.temperature" in watched[1]
        after = running.out.partition("Ctrl-C ends it")[2]
        await running.prints(lambda out: "pump.state" in out.partition("Ctrl-C ends it")[2])
        assert "Traceback" not in after
        running.interrupt(signal.SIGINT)
        ended = await running.ended()
    assert (ended.code, ended.err) == (0, "")


async def _pasted(command: str, directory: Path) -> tuple[int, str]:
    """Run a command as it was printed, from another terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JIDGET_")}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command),
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_terminated_demo_clears_away_too() -> None:
    require(SERVERS["prosody"])
    async with started("demo") as running:
        await running.prints(lambda out: "Ctrl-C ends it" in out)
        running.interrupt(signal.SIGTERM)
        ended = await running.ended()
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("A private prosody", signal.SIGINT),  # while the server is being started
        ("runs; everything is in", signal.SIGTERM),
        ("OK   ", signal.SIGINT),
    ],
)
async def test_a_demo_that_is_ended_before_all_was_shown_is_not_0(moment: str, number: signal.Signals) -> None:
    require(SERVERS["prosody"])
    async with started("demo", "--once") as running:
        await running.prints(lambda out: moment in out)
        running.interrupt(number)
        running.interrupt(number)  # impatience must not disturb the clearing away
        ended = await running.ended()
    assert ended.code == 128 + number
    assert "Traceback" not in ended.err
    assert len(claims(ended.out)) < len(CLAIMS)


async def test_nobody_reads_it() -> None:
    require(SERVERS["prosody"])
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{_demo()} --once | head -n 3; echo ${{PIPESTATUS[0]}}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert err == b""
    assert out.splitlines()[-1] == b"141"


def _demo() -> str:
    import sys  # noqa: PLC0415

    return shlex.join([sys.executable, "-m", "jidget", "demo"])
