"""What people and programs see of the store's trouble, and that it costs durability, never a reading or a command."""

# ruff: noqa: ASYNC240  # files of some kilobytes

import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, PUMP, QUICK, RunningApp, running_app, until, write_config
from tests.support.command_line import Ended, jidget, started
from tests.support.followers import Follower, following
from tests.support.people import Person, friends
from tests.support.sensor_data import Row, batch_of
from tests.support.soak.disk import CannotMount, SmallDisk
from tests.support.stores import NOBODY, ask, no_room, without_privileges

from jidget.app import App
from jidget.demo.prosody import Prosody
from jidget.store.schema import APPLICATION_ID, MIGRATIONS

THINGS = PUMP + COUNTER
IN_MEMORY = "readings are kept in memory only"
SMALL = 2 * 1024 * 1024


def store_at(path: Path) -> str:
    """Return the table that names the store's file."""
    return f'[store]\npath = "{path}"\n'


@asynccontextmanager
async def running(file: Path) -> AsyncIterator[RunningApp]:
    """Run an agent that soon tries its store again."""
    async with running_app(file, QUICK) as agent:
        agent.app.store._try_again = 0.1
        yield agent


async def shown(person: Person, *, trouble: str = "", after: int = 0) -> None:
    """Wait until the agent's presence shows trouble, or none."""

    def match(_: object) -> bool:
        last = person.presences()[after:][-1:]
        status = last[0].findtext("{jabber:client}status") or "" if last else ""
        away = bool(last) and last[0].findtext("{jabber:client}show") == "away"
        return bool(last) and (trouble in status and away if trouble else not away)

    await person.until(match)


def assert_complete(rows: list[Row]) -> None:
    """Check that a counter was followed without a gap, and each of its values once."""
    counts = [int(row.value) for row in sorted(rows, key=lambda row: row.time)]
    assert counts == list(range(counts[0], counts[0] + len(counts)))


# ---- a disk that fails while it runs ---------------------------------------------------------------------------------


@contextmanager
def full_disk(disk: SmallDisk | None) -> Iterator[None]:
    """Leave no room on the store's disk, or let no file of this process grow where nothing may be mounted."""
    with ExitStack() as stack:
        if disk is None:
            stack.enter_context(no_room())
        else:
            disk.fill()
            stack.callback(disk.free)
        yield


@pytest.fixture(params=["disk", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk | None]:
    """A disk of two megabytes; None for a limit on files, also where this user may mount nothing."""
    try:
        with SmallDisk(tmp_path / "disk", SMALL) if request.param == "disk" else nullcontext() as small:
            yield small
    except CannotMount:
        yield None


async def test_a_full_disk_is_shown_and_costs_no_reading_and_no_command_and_is_over_by_itself(
    prosody: Prosody,
    account: Accounts,
    tmp_path: Path,
    disk: SmallDisk | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    path = (tmp_path if disk is None else disk.path) / "jidget.db"
    file = write_config(tmp_path / "etc", pi, {alice.jid: '"owner"'}, things=store_at(path) + THINGS)
    async with following(follower := Follower(alice, f"{pi.jid}/agent")):
        async with running(file) as agent, friends(person := Person(alice, agent.jid)):
            await follower.hears("meter.count", 5)
            assert IN_MEMORY not in await person.asks("status")
            with full_disk(disk):
                await until(lambda: bool(agent.app.store.trouble))
                await shown(person, trouble=IN_MEMORY)
                status = await person.asks("status")
                assert status.startswith(f"{IN_MEMORY}: the store {path}: ")
                assert "room" in status.splitlines()[0]  # what to do
                assert "meter: " in status
                await follower.hears("meter.count", len(follower.rows("meter.count")) + 5)
                assert await person.asks("pump on", id="while full") == "pump.state: on (confirmed)"
                again = await person.asks("pump on", id="while full")
                assert "nothing was moved again" in again
                assert disk is None or caplog.text.count("the disk is full") == 1  # said once while it lasts
            await until(lambda: not agent.app.store.trouble)
            await shown(person)
            assert IN_MEMORY not in await person.asks("status")
            await follower.hears("meter.count", len(follower.rows("meter.count")) + 5)
            assert "nothing was moved again" in await person.asks("pump on", id="while full")
            assert agent.writes == ["true"]
        await follower.follows(lambda it: len(it.rows("meter.count")) >= kept(path))
    assert_complete(follower.rows("meter.count"))
    assert len({batch_of(item.id)[0] for item in follower.batches()}) <= 3  # one, memory's, and one after the doubt


def kept(path: Path) -> int:
    """Return how many readings of the meter the file has."""
    sql = "SELECT count(*) FROM reading JOIN series ON series.id = series WHERE thing = 'meter'"
    return int(str(ask(path, sql)[0][0]))


async def test_a_disk_that_is_mounted_late_is_moved_into(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    path = tmp_path / "usb" / "jidget.db"
    file = write_config(tmp_path / "etc", pi, {alice.jid: '"owner"'}, things=store_at(path) + THINGS)
    async with following(follower := Follower(alice, f"{pi.jid}/agent")):
        async with running(file) as agent, friends(person := Person(alice, agent.jid)):
            await shown(person, trouble=IN_MEMORY)
            assert "its directory is not there: make it, or mount its disk" in await person.asks("status")
            await follower.hears("meter.count", 5)
            path.parent.mkdir()
            await until(lambda: not agent.app.store.trouble)
            await shown(person)
            await follower.hears("meter.count", len(follower.rows("meter.count")) + 5)
        await follower.follows(lambda it: len(it.rows("meter.count")) >= kept(path))
    assert_complete(follower.rows("meter.count"))


async def test_a_directory_that_we_may_not_write_is_moved_into_when_we_may(prosody: Prosody, account: Accounts) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        root = Path(name)
        root.chmod(0o755)
        closed = root / "closed"
        closed.mkdir(mode=0o555)
        path = closed / "jidget.db"
        file = write_config(root / "etc", pi, {alice.jid: '"owner"'}, things=store_at(path) + COUNTER)
        if os.geteuid() == 0:
            os.chown(closed, NOBODY, NOBODY)
        async with running(file) as agent:  # which begins with our first wait
            with without_privileges():  # as root nobody is kept from anything
                await until(lambda: bool(agent.app.store.trouble))
                assert "no permission: check who owns it and its directory" in agent.app.store.trouble
                await until(lambda: agent.app.store.waiting >= 5)
                assert not path.exists()
                closed.chmod(0o755)
                await until(lambda: not agent.app.store.trouble)
            async with friends(person := Person(alice, agent.jid)):
                assert (await person.asks("status")).startswith("meter: ")
        assert kept(path) >= 5


# ---- files that are not what they should be --------------------------------------------------------------------------


async def test_a_damaged_store_is_put_aside_and_what_it_still_tells_is_sent(
    prosody: Prosody, account: Accounts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER, host="127.0.0.1", port=9)
    path = tmp_path / "jidget.db"
    async with running(file) as agent:  # without any link
        await until(lambda: agent.app.store.waiting >= 80)
    waiting = kept(path)
    spoil(path)
    before = time.time() * 1000
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER)
    async with following(follower := Follower(alice, f"{pi.jid}/agent")), running(file) as agent:
        assert not agent.app.store.trouble
        await follower.follows(lambda it: len([r for r in it.rows("meter.count") if r.milliseconds > before]) >= 5)
    rows = follower.rows("meter.count")
    saved = [int(row.value) for row in rows if row.milliseconds <= before]
    assert 0 < len(set(saved)) == len(saved) < waiting  # those on the page that is no more are lost
    assert_complete([row for row in rows if row.milliseconds > before])
    assert any(".damaged-" in file.name for file in tmp_path.iterdir())
    assert "is damaged" in caplog.text
    assert "a new one begun" in caplog.text


def spoil(path: Path) -> None:
    """Let the page rot that has the last readings."""
    (size,) = ask(path, "PRAGMA page_size")[0]
    (page,) = ask(path, "SELECT max(pageno) FROM dbstat WHERE name = 'reading' AND pagetype = 'leaf'")[0]
    with path.open("r+b") as raw:
        raw.seek((int(str(page)) - 1) * int(str(size)))
        raw.write(b"\xa5" * int(str(size)))


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE songs (title TEXT)")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("CREATE TABLE reading (id INTEGER PRIMARY KEY)")
        store.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        store.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def no_store(path: Path) -> None:
    path.write_text("temperature;21.4\n" * 100)


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (foreign, "is a SQLite file of another program: name another file in store.path"),
        (newer, "is from a newer version of Jidget (format 3, this one knows 2): install that version again, or name"),
        (no_store, "or never was one: it is left as it is. Name another file in store.path"),
        (pipe, "is a device or pipe, not a file: name another place"),
    ],
)
async def test_what_is_not_ours_ends_the_agent_with_one_line_and_is_left_as_it_is(
    prosody: Prosody, account: Accounts, tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    file = write_config(tmp_path, account(prosody, "pi"), things=COUNTER)
    path = tmp_path / "jidget.db"
    make(path)
    content = path.read_bytes() if path.is_file() else b""
    ended = await jidget("run", "--config", file)
    assert ended.code == 78
    assert says in last_line(ended)
    assert "Traceback" not in ended.err
    checked = await jidget("check", "--offline", "--config", file)
    assert checked.code == 78
    assert any(says.split(":", maxsplit=1)[0] in line for line in checked.lines)
    assert (path.read_bytes() if path.is_file() else b"") == content
    assert not list(tmp_path.glob("jidget.db.*"))
    assert not list(tmp_path.glob("jidget.db-[ws]*"))


def last_line(ended: Ended) -> str:
    """Return the agent's last word, which is all that it says of its own accord besides its version."""
    lines = [line for line in ended.err.splitlines() if "WARNING" not in line]
    assert len(lines) == 2, ended.err
    return lines[1]


async def test_a_directory_as_the_store(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    file = write_config(tmp_path, account(prosody, "pi"), things=store_at(tmp_path) + COUNTER)
    for verb in ("run", "check"):
        ended = await jidget(verb, "--config", file)
        assert ended.code == 78
        assert f'a directory. Name a file in it: "{tmp_path}/jidget.db"' in ended.err + ended.out


async def test_a_second_agent_with_the_same_store_ends_and_the_first_goes_on(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=COUNTER)
    async with following(follower := Follower(alice, f"{pi.jid}/agent")), started("run", "--config", file) as first:
        await follower.hears("meter.count", 3)
        second = await jidget("run", "--config", file)
        assert second.code == 1
        assert last_line(second) == (
            f"jidget: the store {tmp_path}/jidget.db is in use by another process: give each agent its own"
        )
        checked = await jidget("check", "--offline", "--config", file)
        assert checked.code == 0
        assert any("in use by a running agent" in line for line in checked.lines)
        await follower.hears("meter.count", len(follower.rows()) + 3)
        first.interrupt()
        assert (await first.ended()).code == 0
    assert_complete(follower.rows("meter.count"))


async def test_check_looks_at_the_store_and_changes_nothing(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    file = write_config(tmp_path, account(prosody, "pi"), things=COUNTER)
    before = sorted(tmp_path.iterdir())
    checked = await jidget("check", "--offline", "--config", file)
    assert checked.code == 0
    assert any("store" in line and "is made at the first start" in line for line in checked.lines)
    assert sorted(tmp_path.iterdir()) == before
    async with started("run", "--config", file) as agent:
        await agent.prints(lambda out: "logged in" in out, err=True)
        agent.interrupt()
        await agent.ended()
    content = (tmp_path / "jidget.db").read_bytes()
    checked = await jidget("check", "--offline", "--config", file)
    assert any("jidget.db" in line and "kB" in line for line in checked.lines)
    assert (tmp_path / "jidget.db").read_bytes() == content


# ---- clocks ----------------------------------------------------------------------------------------------------------

YEAR_2020 = 1_577_836_800.0


class WallClock:
    """A clock that runs, and that a test sets."""

    def __init__(self, start: float) -> None:
        self._offset = start - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._offset

    def jump(self, seconds: float) -> None:
        self._offset += seconds


def wear(app: App, clock: WallClock) -> None:
    """Have an agent that has not begun look at this clock."""
    for thing in app.directory:
        thing._now = clock
    for reports in app.sampler._reports.values():
        reports._now = clock
    app.publisher._now = app.store._now = app.store._upkeep._now = clock


async def test_a_clock_that_is_unset_and_jumps_costs_no_reading_and_no_order(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(prosody, "pi"), account(prosody, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER)
    clock = WallClock(1000.0)  # some minutes after 1970: there is no battery, and no network yet
    async with following(follower := Follower(alice, f"{pi.jid}/agent")):
        async with running(file) as agent:
            wear(agent.app, clock)
            for jump in (1_790_000_000.0, -5400.0, 7200.0, -3.0, -40 * 86400.0):
                await follower.hears("meter.count", len(follower.rows("meter.count")) + 4)
                clock.jump(jump)
                agent.app.store._upkeep._next = 0.0  # it is time to look at what is too old
                agent.app.store._work.set()
            await follower.hears("meter.count", len(follower.rows("meter.count")) + 4)
        await follower.follows(lambda it: len(it.rows("meter.count")) >= kept(tmp_path / "jidget.db"))
        batches = sorted(follower.batches(), key=lambda item: batch_of(item.id)[1])
        rows = [row for batch in batches for row in batch.rows]
        assert [int(row.value) for row in sorted_by_count(rows)] == list(range(len(rows)))
        assert all(("of" in row.flags) == (row.milliseconds < YEAR_2020 * 1000) for row in rows)
        assert {"of" in row.flags for row in rows} == {True, False}
        for batch in batches:  # batches keep the order in which the readings came, whatever their times say
            counts = [int(row.value) for row in sorted_by_count(batch.rows)]
            assert counts == list(range(counts[0], counts[0] + len(counts)))
        firsts = [min(int(row.value) for row in batch.rows) for batch in batches]
        assert firsts == sorted(firsts)


def sorted_by_count(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row.value))
