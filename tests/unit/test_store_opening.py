"""What may lie where the store should be: each case ends in a store, or in a sentence that helps."""

# ruff: noqa: ASYNC220, ASYNC240  # nothing else runs in these loops

import asyncio
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.stores import ask, cut_all, facts, killed, readings, without_privileges

from jidget.errors import Exit
from jidget.store import opening
from jidget.store.faults import StoreBroken, StoreError, StoreInUse, StoreUnusable
from jidget.store.lock import StoreLock
from jidget.store.opening import MOST_ASIDE, open_store
from jidget.store.schema import APPLICATION_ID, MIGRATIONS
from jidget.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def complaint(path: Path, kind: type[StoreError]) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(path)
    assert type(caught.value) is kind
    return str(caught.value)


async def fill(path: Path, count: int = 500) -> None:
    """Make a store in which the last readings have not been sent."""
    async with Store(path) as store:
        store.append(readings(count))
        for _ in range(3):
            batch = store.cut(50, backlog=False)
            assert batch is not None
            store.acknowledge(batch)
        assert store.cut(50, backlog=False)


def beside(path: Path) -> set[str]:
    return {other.name for other in path.parent.iterdir()}


def damage(path: Path, *, begin: int) -> None:
    """Overwrite the file from some place on."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(begin)
        file.write(b"\xa5" * (size - begin))


# ---- a good store --------------------------------------------------------------------------------------------------


async def test_a_new_store_is_private_in_wal_mode_and_ours(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(1))
        store.flush()
        assert beside(path) == {"jidget.db", "jidget.db-wal", "jidget.db-shm", "jidget.db-lock"}
        for name in beside(path):
            assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
        assert not store.trouble
    assert beside(path) == {"jidget.db", "jidget.db-lock"}
    assert ask(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert ask(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_path_through_links_is_one_store(path: Path) -> None:
    link = path.parent / "link.db"
    link.symlink_to(path)
    async with Store(link) as store:
        store.append(readings(3))
        with pytest.raises(StoreInUse):
            open_store(path)
    async with Store(path) as store:
        assert store.waiting == 3
    assert beside(path) == {"jidget.db", "jidget.db-lock", "link.db"}
    assert link.is_symlink()


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    async with Store(path) as store:
        assert not store.trouble


async def test_an_older_store_is_migrated_and_keeps_what_it_has(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    more = "CREATE TABLE later (id INTEGER PRIMARY KEY); ALTER TABLE batch ADD COLUMN note TEXT;"
    monkeypatch.setattr(opening, "MIGRATIONS", (*MIGRATIONS, more))
    async with Store(path) as store:
        assert store.waiting == 300
        assert len(cut_all(store)) == 6
    assert ask(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
    assert ask(path, "SELECT count(*), count(note) FROM batch") == [(10, 0)]


async def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (id); CREATE TABLE batch (id);"))
        assert "table batch already exists" in complaint(path, StoreBroken)
    assert ask(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert ask(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'later'") == [(0,)]
    async with Store(path) as store:
        assert store.waiting == 300


# ---- not ours to use -----------------------------------------------------------------------------------------------


def test_a_directory(path: Path) -> None:
    path.mkdir()
    assert complaint(path, StoreUnusable) == (
        f"store.path {path} is a directory: name a file in it, such as {path / 'jidget.db'}"
    )
    assert beside(path) == {"jidget.db"}


def test_a_pipe(path: Path) -> None:
    os.mkfifo(path)
    assert complaint(path, StoreUnusable) == f"store.path {path} is a device or pipe, not a file: name another place"


def test_what_needs_a_person_is_not_tried_again_by_systemd_but_a_lock_is() -> None:
    assert StoreUnusable("").exit_code == Exit.CONFIG
    assert StoreInUse("").exit_code == Exit.FAILED


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_store_of_another_program_is_left_as_it_is(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE bookmarks (url)")
        connection.commit()
    before = path.read_bytes()
    assert complaint(path, StoreUnusable) == (
        f"{path} is a SQLite file of another program: name another file in store.path"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"x", b"dear diary, today\n" * 100, bytes(4096)])
def test_a_file_that_is_no_store_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert complaint(path, StoreUnusable) == (
        f"the store {path} is damaged (it is no SQLite file), or never was one: it is left as it is. "
        "Name another file in store.path"
    )
    assert path.read_bytes() == content


async def test_a_store_from_a_newer_version_is_left_as_it_is(path: Path) -> None:
    await fill(path)
    ask(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    assert complaint(path, StoreUnusable) == (
        f"the store {path} is from a newer version of Jidget (format 99, this one knows {len(MIGRATIONS)}): "
        "install that version again, or name another file in store.path"
    )
    assert path.read_bytes() == before


async def test_a_unit_that_this_version_does_not_know(path: Path) -> None:
    await fill(path)
    ask(path, "UPDATE series SET unit = 'furlong'")
    with pytest.raises(StoreUnusable, match=r"holds readings that this version does not know \(greenhouse.temperature"):
        await Store(path).open()
    open_store(path)._release()  # and the lock was let go


async def test_another_process_has_it(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from jidget.store.lock import StoreLock; from pathlib import Path\n"
         "lock = StoreLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert complaint(path, StoreInUse) == (
            f"the store {path} is in use by another process: give each agent its own"
        )
        with pytest.raises(StoreInUse):
            await Store(path).open()
        holder.kill()
    async with Store(path) as store:
        assert not store.trouble


async def test_two_stores_of_one_process_do_not_share_a_file(path: Path) -> None:
    async with Store(path) as store:
        with pytest.raises(StoreInUse):
            await Store(path).open()
        store.append(readings(1))
        store.flush()
        assert not store.trouble


# ---- not usable now: the agent goes on in memory -------------------------------------------------------------------


def test_a_directory_that_is_not_there_is_not_made(path: Path) -> None:
    inside = path.parent / "usb" / "jidget.db"
    assert complaint(inside, StoreBroken) == (
        f"the store {inside}: its directory is not there: make it, or mount its disk (No such file or directory)"
    )
    assert not inside.parent.exists()


def test_a_directory_that_is_a_file(path: Path) -> None:
    path.touch()
    assert "its directory is a file" in complaint(path / "jidget.db", StoreBroken)


def test_links_in_a_circle(path: Path) -> None:
    path.symlink_to(path.parent / "other.db")
    (path.parent / "other.db").symlink_to(path)
    assert "its symbolic links lead in a circle" in complaint(path, StoreBroken)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    assert "its name is too long" in complaint(tmp_path / ("x" * 300), StoreBroken)


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A directory that everybody may use, on the way to it too."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("closed", ["store", "store/jidget.db", "store/jidget.db-lock"])
@pytest.mark.parametrize("mode", [0o000, 0o444])
async def test_no_permission(anybodys: Path, closed: str, mode: int) -> None:
    path = anybodys / "store" / "jidget.db"
    path.parent.mkdir()
    await fill(path)
    before = path.read_bytes()
    path.parent.chmod(0o777)
    for file in path.parent.iterdir():
        file.chmod(0o666)
    (anybodys / closed).chmod(mode)
    with without_privileges():
        said = complaint(path, StoreBroken)
    (anybodys / closed).chmod(0o777)
    assert said.startswith(f"the store {path}: ")
    assert "check who owns it" in said
    assert path.read_bytes() == before
    with without_privileges():
        async with Store(path) as store:
            assert store.waiting == 300


async def test_somebody_else_writes_to_it(path: Path) -> None:
    await fill(path)
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    with closing(connection):
        assert "another program is writing to it" in complaint(path, StoreBroken)
    async with Store(path) as store:
        assert store.waiting == 300


# ---- damaged -------------------------------------------------------------------------------------------------------


async def damaged_then_opened(path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    """Open a damaged store; return where it was put."""
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        async with Store(path) as store:
            assert not store.trouble
            store.append(readings(1, first=9999))
            assert store.cut(1, backlog=False) is not None
    (aside,) = [other for other in path.parent.iterdir() if ".damaged-" in other.name and other.suffix != ".db-wal"]
    assert aside.read_bytes() == before
    assert f"put aside as {aside}, and a new one begun" in caplog.text
    return aside


async def test_a_store_with_damaged_pages_is_put_aside_and_what_can_be_read_is_taken_over(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(path, 5000)
    with path.open("r+b") as file:  # in the middle: pages of readings that the server has
        file.seek(len(path.read_bytes()) // 1024 // 2 * 1024)
        file.write(b"\xa5" * 1024)
    await damaged_then_opened(path, caplog)
    async with Store(path) as store:
        kept = facts(store.history(0, 1 << 60, 100_000))
    assert kept[0] == facts(readings(1, first=150))[0]  # those in the unacknowledged batch, then those that waited
    assert 1000 < len(kept) < 4851
    assert kept == facts([*readings(len(kept) - 1, first=150), *readings(1, first=9999)])
    assert f"{len(kept) - 1} readings that had not been sent were taken over" in caplog.text


@pytest.mark.parametrize("begin", [0, 100, 1024])
async def test_a_store_that_is_garbage_from_some_place_on_is_put_aside(
    path: Path, caplog: pytest.LogCaptureFixture, begin: int
) -> None:
    await fill(path)
    damage(path, begin=begin)
    await damaged_then_opened(path, caplog)


@pytest.mark.parametrize("size", [1, 100, 1000, 5000, 9216])
async def test_a_truncated_store_is_put_aside(path: Path, caplog: pytest.LogCaptureFixture, size: int) -> None:
    await fill(path)
    os.truncate(path, size)
    await damaged_then_opened(path, caplog)


async def test_an_emptied_file_does_not_cost_its_log(path: Path, tmp_path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(10))
        store.flush()
        log = Path(f"{path}-wal").read_bytes()
    os.truncate(path, 0)
    Path(f"{path}-wal").write_bytes(log)
    async with Store(path) as store:
        assert not store.trouble
    (aside,) = tmp_path.glob("*.damaged-*-wal")
    assert aside.read_bytes() == log


async def test_a_store_emptied_in_order_begins_anew(path: Path) -> None:
    await fill(path)
    os.truncate(path, 0)
    async with Store(path) as store:
        assert (store.waiting, store.trouble) == (0, "")


async def test_damaged_stores_do_not_overwrite_each_other_nor_fill_the_disk(path: Path, tmp_path: Path) -> None:
    for number in range(MOST_ASIDE):
        await fill(path)
        damage(path, begin=1024)
        async with Store(path):
            pass
        assert len(list(tmp_path.glob("jidget.db.damaged-*"))) == number + 1
    await fill(path)
    damage(path, begin=1024)
    store = Store(path)
    async with store:
        assert "its disk seems to be failing. Replace it, or remove jidget.db.damaged-*" in store.trouble
        store.append(readings(1))
        assert len(cut_all(store)) == 1
    assert len(list(tmp_path.glob("jidget.db.damaged-*"))) == MOST_ASIDE


async def test_a_damaged_store_that_cannot_be_put_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    damage(path, begin=1024)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "rename", refuse)
    assert complaint(path, StoreBroken).endswith(", and it cannot be put aside: Operation not permitted")


async def test_a_large_store_is_checked_for_a_limited_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(path, 20_000)
    monkeypatch.setattr(opening, "CHECK_AT_MOST", -1.0)
    with caplog.at_level(logging.WARNING):
        async with Store(path) as store:
            assert not store.trouble
    assert "is large: it was not checked to its end" in caplog.text


async def test_a_store_closed_in_order_is_checked_only_if_it_is_small(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(path)
    monkeypatch.setattr(opening, "CHECK_AT_MOST", -1.0)
    monkeypatch.setattr(opening, "ALWAYS_CHECKED", 1)
    with caplog.at_level(logging.WARNING):
        async with Store(path) as store:
            assert not store.trouble
    assert not caplog.text


# ---- the opening itself --------------------------------------------------------------------------------------------


async def test_who_is_cancelled_while_opening_leaves_the_store_free(path: Path) -> None:
    for _ in range(20):
        opening_it = asyncio.create_task(Store(path).open())
        await asyncio.sleep(0)
        opening_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening_it
        StoreLock(path).release()


async def test_closing_twice_is_closing_once(path: Path) -> None:
    store = Store(path)
    async with store:
        store.append(readings(1))
    await store.close()
    StoreLock(path).release()
