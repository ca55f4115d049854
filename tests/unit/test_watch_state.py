"""Where `jidget watch` left off: what is in the file, and what is never overwritten."""

import asyncio
import json
from pathlib import Path

import pytest

from jidget.cli import watch_state
from jidget.cli.main import main
from jidget.cli.watch_state import State, StateFile, StateLost, known_generations
from jidget.errors import ConfigError, Exit
from jidget.xmpp.progress import Progress, Want

AGENT = "pi@example.org/agent"


def state(*numbers: int) -> State:
    progress = Progress()
    for seq in numbers:
        progress.note("0a1b2c3d", seq)
    return State(
        agent=AGENT,
        generations=known_generations(progress),
        newest=progress.newest,
        unfinished=[("meter", "count", 17)],
        reached=17,
        readings={"meter": {"count": 17}},
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state", AGENT)
    assert file.read() is None
    written = state(3, 4, 8)
    file.write(written)
    read = file.read()
    assert read == written
    assert read is not None
    progress = read.progress
    assert progress.wanted() == Want("0a1b2c3d", 5, 7)
    assert (progress.newest, progress.has("0a1b2c3d", 8)) == ("0a1b2c3d", True)
    assert json.loads((tmp_path / "state").read_text())["version"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_nobody_else_goes_on_with_it_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "state")
    one = StateFile(tmp_path / "state", AGENT)
    one.write(state(1))
    assert one.read() is not None
    assert one.read() is not None
    for name in ("state", "link"):
        with pytest.raises(ConfigError, match="another `jidget watch` goes on with it"):
            StateFile(tmp_path / name, AGENT).read()
    assert StateFile(tmp_path / "other", AGENT).read() is None
    del one
    assert StateFile(tmp_path / "state", AGENT).read() is not None


def test_an_empty_file_is_a_beginning(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch()
    assert StateFile(path, AGENT).read() is None


def test_it_is_replaced_as_a_whole_where_a_link_leads_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    file = StateFile(link, AGENT)
    file.write(state(1))
    before = real.stat().st_ino
    with real.open() as reader:
        file.write(state(1, 2))
        assert json.loads(reader.read()) == json.loads(state(1).model_dump_json()), "whoever reads it has all of it"
    assert link.is_symlink()
    assert real.stat().st_ino != before
    assert file.read() == state(1, 2)


async def test_it_is_written_soon_but_not_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_state, "INTERVAL", 3600.0)
    path = tmp_path / "state"
    file = StateFile(path, AGENT)
    asked: list[int] = []

    def now() -> State:
        asked.append(len(asked))
        return state(*range(1, len(asked) + 1))

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(file.run(now))
        for _ in range(20):
            file.changed()
            await asyncio.sleep(0)
        running.cancel()
    assert asked == [0]
    assert file.read() == state(1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"reading,value\n", "not a state file of jidget watch (it is no JSON)"),
        (b"\xff\xfe\x00", "it is no text"),
        (b'{"a": 1}', 'without "format": "jidget watch"'),
        (b"[]", 'without "format": "jidget watch"'),
        (b'{"format": "jidget watch", "version": 2, "new": {}}', "written by a newer version of Jidget (format 2"),
        (b'{"format": "jidget watch", "version": 1}', "agent: Field required"),
        (
            b'{"format": "jidget watch", "version": 1, "agent": "pi@localhost/agent", "generations": [{"gen": 7}]}',
            "generations.0.gen: Input should be a valid string",
        ),
        (b'{"format": "jidget watch", "version": 1, "agent": "barn@localhost/agent"}', "it is about barn@localhost"),
    ],
)
def test_what_is_no_state_of_this_agent_is_left_as_it_is(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, password = tmp_path / "state", tmp_path / "password"
    state.write_bytes(content)
    password.write_text("a password\n")
    arguments = ["pi@localhost", "--as", "alice@localhost", "--password-file", str(password), "--state", str(state)]
    assert main(["watch", *arguments]) == Exit.CONFIG
    assert says in capsys.readouterr().err
    assert state.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == [password, state]


@pytest.mark.parametrize("where", [".", "no/such/state"])
def test_a_state_that_cannot_be_written_is_said_before_anything_else(
    where: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "password"
    password.write_text("a password\n")
    arguments = ["--as", "alice@localhost", "--password-file", str(password), "--state", str(tmp_path / where)]
    assert main(["watch", "pi@localhost", *arguments]) in (Exit.CONFIG, Exit.FAILED)
    assert f"--state {tmp_path / where}" in capfd.readouterr().err


def test_a_disk_that_fails_later_is_said(tmp_path: Path) -> None:
    path = tmp_path / "there" / "state"
    path.parent.mkdir()
    file = StateFile(path, AGENT)
    file.write(state(1))
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(StateLost, match=f"--state {path} cannot be written: No such file or directory"):
        file.write(state(2))


def test_one_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match=f"--state {loop}: "):
        StateFile(loop, AGENT).read()
