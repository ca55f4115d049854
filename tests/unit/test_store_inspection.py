"""What `jidget check` says of the store, and that looking changes nothing."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stores import killed, readings, without_privileges

from jidget.store.inspection import borrowed, inspect, is_in_use
from jidget.store.schema import MIGRATIONS
from jidget.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def seen(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


async def fill(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(100))


def test_where_there_is_none_one_will_be_made(path: Path) -> None:
    assert inspect(path) == (True, f"{path} is made at the first start")
    assert list(path.parent.iterdir()) == []


def test_where_there_is_no_directory_memory_will_be_used(path: Path) -> None:
    good, found = inspect(path / "x.db")
    assert good is None
    assert found.startswith(f"{path} is not there: make it, or mount its disk")
    path.write_text("")
    assert inspect(path / "x.db")[0] is None


async def test_a_store_is_told_by_its_size_and_whether_it_is_in_use(path: Path) -> None:
    await fill(path)
    before = seen(path)
    good, found = inspect(path)
    assert good is True
    assert found.startswith(f"{path}, ")
    assert found.endswith(" kB, not in use")
    assert seen(path) == before
    async with Store(path):
        assert is_in_use(path)
        assert inspect(path)[1].endswith("in use by a running agent")
    assert not is_in_use(path)


async def test_who_borrows_it_keeps_agents_away_and_is_kept_away_by_them(path: Path) -> None:
    with borrowed(path) as free:
        assert free  # nothing is there, and nothing is made
    assert list(path.parent.iterdir()) == []
    async with Store(path):
        with borrowed(path) as free:
            assert not free
    with borrowed(path) as free:
        assert free
        with pytest.raises(Exception, match="in use by another process"):
            await Store(path).open()
    await fill(path)


async def test_a_damaged_store_of_ours_is_worth_knowing(path: Path) -> None:
    await fill(path)
    path.write_bytes(b"garbage" * 1000)
    good, found = inspect(path)
    assert (good, found) == (None, f"{path} is damaged: the next start puts it aside and begins a new one")


async def test_a_newer_one_is_wrong_and_so_is_a_store_in_use_by_nobody_we_know(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(10))
    with path.open("r+b") as raw:
        raw.seek(60)
        raw.write((len(MIGRATIONS) + 1).to_bytes(4, "big"))
    good, found = inspect(path)
    assert good is False
    assert "from a newer version of Jidget" in found


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A directory that everybody may look into, and nobody but its owner may change."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_what_this_user_may_not_write_is_worth_knowing(anybodys: Path) -> None:
    path = anybodys / "jidget.db"
    anybodys.chmod(0o555)
    with without_privileges():
        assert inspect(path)[0] is None
        assert "cannot be written by this user" in inspect(path)[1]
    anybodys.chmod(0o755)
    await fill(path)
    path.chmod(0o444)
    with without_privileges():
        assert inspect(path) == (None, f"{path} cannot be written by this user: readings would be kept in memory only")
    path.chmod(0o000)
    with without_privileges():
        assert inspect(path)[0] is None
        assert "Permission denied" in inspect(path)[1]
