"""The exec driver with real commands."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import DeviceUnavailable, DriverError, InvalidReading, Scalar, WriteRefused
from jidget_drivers.exec_command import MOST_OUTPUT, Exec, ExecOptions
from jidget_drivers.testing import check_driver


def running(*command: str, **more: Any) -> Exec:
    return Exec(ExecOptions.model_validate({"command": command, "properties": {"x": {}}, **more}))


def shell(script: str, **more: Any) -> Exec:
    """Run a script: here the shell is the program, named as such."""
    return running("sh", "-c", script, **more)


async def read(driver: Exec) -> dict[str, Scalar]:
    async with driver:
        return dict(await driver.read())


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended; one that nobody has taken note of yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def ends(pid: int) -> None:
    async with asyncio.timeout(10):
        while is_running(pid):  # noqa: ASYNC110  # another's process: nothing tells of its end
            await asyncio.sleep(0.01)


# ---- reading ------------------------------------------------------------------------------------------------------


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("0")
    write = ["sh", "-c", f'printf %s "$1" > {state}', "set", "{value}"]
    properties = {"x": {"type": "boolean", "write": write}}
    check_driver(Exec, {"command": ["cat", str(state)], "properties": properties}, writes={"x": True})
    assert state.read_text() == "1"


async def test_values_are_taken_from_what_it_prints() -> None:
    properties = {
        "temperature": {"key": "cpu.temp", "unit": "°C"},
        "fan": {"key": "/cpu/fan", "type": "boolean"},
    }
    printed = '{"cpu": {"temp": 48.5, "fan": true}}'
    assert await read(running("printf", "%s", printed, properties=properties)) == {"temperature": 48.5, "fan": True}


async def test_arguments_are_taken_as_they_are_and_not_by_a_shell() -> None:
    properties = {"x": {"type": "string"}}
    assert await read(running("echo", "$HOME; *", properties=properties)) == {"x": "$HOME; *"}


async def test_it_runs_beside_the_configuration_with_little_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIDGET_CLIENT_PASSWORD", "secret")
    script = tmp_path / "tell.sh"
    script.write_text(
        '#!/bin/sh\necho "$(pwd) $(env | grep -vE "^(PWD|_|SHLVL|OLDPWD)=" | cut -d= -f1 | sort | xargs)"\n'
    )
    script.chmod(0o700)
    options = ExecOptions.model_validate(
        {"command": ["./tell.sh"], "properties": {"x": {"type": "string"}}, "environment": {"ROOM": "attic"}},
        context={"base": tmp_path},
    )
    assert await read(Exec(options)) == {"x": f"{tmp_path} LANG PATH ROOM"}


@pytest.mark.parametrize(
    ("driver", "error", "says"),
    [
        (
            shell("echo; echo oops >&2; echo more >&2; exit 3"),
            DeviceUnavailable,
            "^sh failed with exit status 3: oops$",
        ),
        (shell("echo 5; exit 1"), DeviceUnavailable, "^sh failed with exit status 1$"),
        (shell("kill -TERM $$"), DeviceUnavailable, "^sh was ended by SIGTERM$"),
        (running("no-such-thing"), DeviceUnavailable, "no-such-thing: no such program. Is it installed"),
        (running("/etc/passwd"), DeviceUnavailable, "/etc/passwd: it may not be run. Is it executable"),
        (running("true", directory="/no/where"), DeviceUnavailable, "there is no directory /no/where"),
        (running("true"), InvalidReading, "true: x: '' is not a number"),
        (running("echo", "nan"), InvalidReading, "echo: x: 'nan' is not a number"),
        (running("printf", r"\377"), InvalidReading, "is not a number"),
        (running("yes"), InvalidReading, f"yes printed more than {MOST_OUTPUT} bytes and was ended"),
    ],
)
async def test_what_is_wrong_is_said(driver: Exec, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        await read(driver)


async def test_many_error_messages_neither_block_it_nor_fill_the_memory() -> None:
    noise = f"{sys.executable} -c 'import sys; sys.stderr.write(\"x\" * 1_000_000)'; echo 5"
    assert await read(shell(noise)) == {"x": 5}


async def test_a_script_that_does_not_say_what_runs_it(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo 1\n")
    script.chmod(0o700)
    with pytest.raises(
        DeviceUnavailable, match="script: it cannot be run: does it begin with a line such as #!/bin/sh"
    ):
        await read(running(str(script)))


# ---- time ---------------------------------------------------------------------------------------------------------


async def test_one_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; wait"
    with pytest.raises(DeviceUnavailable, match=r"sh has not ended within 1 s, and was killed"):
        await read(shell(script, timeout="1s"))
    for pid in pids.read_text().split():
        await ends(int(pid))


async def test_what_it_leaves_behind_may_not_hold_its_output(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(DeviceUnavailable, match="sh ended, but what it started held its output for 1 s"):
        await read(shell(f"sleep 600 & echo $! > {pids}; echo 5", timeout="1s"))
    await ends(int(pids.read_text()))


async def test_one_that_nobody_waits_for_any_more_is_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    async with shell(f"echo $$ > {fifo}; sleep 600", timeout="60s") as driver:
        reading = asyncio.create_task(driver.read())
        pid = int(await asyncio.to_thread(fifo.read_text))
        reading.cancel()
        await asyncio.wait({reading})
        await ends(pid)


# ---- setting ------------------------------------------------------------------------------------------------------


async def test_a_value_is_one_argument_whatever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "said"
    properties = {
        "say": {"type": "string", "write": ["tee", "--", str(file), "{value}"]},
        "level": {"precision": 1, "write": ["sh", "-c", f'echo "$@" > {file}', "-", "--to={value}"]},
    }
    async with running("echo", "1", properties=properties, directory=str(tmp_path)) as driver:
        await driver.write("say", "a b; touch $(x)")
        assert (tmp_path / "a b; touch $(x)").exists()
        await driver.write("level", -2.25)
        assert file.read_text() == "--to=-2.2\n"
        with pytest.raises(WriteRefused, match="tee would take '-a' for an option"):
            await driver.write("say", "-a")
        with pytest.raises(WriteRefused, match="no control characters"):
            await driver.write("say", "a\0b")


async def test_a_failed_setting_is_told_from_one_that_was_never_begun() -> None:
    properties = {
        "fails": {"write": ["sh", "-c", "echo stuck >&2; exit 2", "{value}"]},
        "hangs": {"write": ["sleep", "600{value}"]},
        "absent": {"write": ["no-such-thing", "{value}"]},
        "fixed": {},
    }
    async with running("echo", "1", properties=properties, timeout="300ms") as driver:
        with pytest.raises(DriverError, match="sh failed with exit status 2: stuck") as failed:
            await driver.write("fails", 1)
        assert type(failed.value) is DriverError, "it may have been set"
        with pytest.raises(TimeoutError, match=r"sleep has not ended within 0.3 s"):
            await driver.write("hangs", 1)
        with pytest.raises(DeviceUnavailable, match="no such program"):
            await driver.write("absent", 1)
        with pytest.raises(WriteRefused, match="fixed cannot be set"):
            await driver.write("fixed", 1)
    assert [prop.writable for prop in driver.properties] == [True, True, True, False]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"command": []}, "at least 1 item"),
        ({"command": "echo 1"}, "valid tuple"),
        ({"command": ["echo", "a\0"]}, "an argument has no NUL"),
        ({"properties": {}}, "at least 1 item"),
        ({"properties": {"X": {}}}, "property name 'X'"),
        ({"properties": {"x": {"write": ["set"]}}}, "write has no argument with {value}"),
        ({"properties": {"x": {"write": ["{value}", "{value}"]}}}, "write begins with the program"),
        ({"environment": {"A=B": "1"}}, "is no name of a variable"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"shell": True}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ExecOptions.model_validate({"command": ["echo"], "properties": {"x": {}}, **settings})
