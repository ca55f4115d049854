"""What a crash interrupted is looked into, told once to who asked, and never run again."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.fakes import (
    ALICE,
    BOB,
    EVE,
    PATIENCE,
    STRANGER,
    VERA,
    Clock,
    Gate,
    House,
    Line,
    relay,
    request,
    running,
    tank,
    thing,
)
from tests.support.fakes import STATE as SWITCH
from tests.support.stores import killed, no_room

from jidget.commands.interrupted import Interrupted
from jidget.commands.keys import message_key
from jidget.commands.model import Outcome
from jidget.errors import LinkError
from jidget.store.journal import Entry, Progress
from jidget.store.safe_journal import SafeJournal
from jidget.store.store import Store
from jidget_drivers import DeviceUnavailable

KEY = message_key(ALICE, "m1", b"pump on")
THERE = "set pump state=on (2026-09-21 14:13:20Z): "
WHY = "interrupted by a restart of the agent"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


class Post:
    """Notes what is told to whom; while `down`, nobody can be told."""

    def __init__(self) -> None:
        self.down = False
        self.told: list[tuple[str, str, str]] = []
        self.more = asyncio.Event()

    async def tell(self, jid: str, text: str, message_id: str) -> None:
        if self.down:
            raise LinkError("not connected")
        self.told.append((jid, text, message_id))
        self.more.set()

    @property
    def texts(self) -> list[str]:
        return [text for _, text, _ in self.told]

    async def tells(self, count: int) -> list[str]:
        """Wait until so much was told, and return it."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count:
                self.more.clear()
                await self.more.wait()
        return self.texts


class After:
    """An agent's rooms after a restart, over a store that an earlier process left."""

    def __init__(self, store: Store, house: House, *, patience: float = PATIENCE) -> None:
        self.journal = SafeJournal(store, now=house.now)
        house.journal = house.commands._execution._journal = self.journal
        self.post = Post()
        self.interrupted = Interrupted(self.journal, house.directory, house.access, self.post, patience=patience)
        for one in house.directory:
            one.on_availability = lambda _: self.interrupted.notify()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look, then go on in the background, as the agent does."""
        await self.interrupted.look()
        task = asyncio.create_task(self.interrupted.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled():
                task.result()


@asynccontextmanager
async def after_a_crash(path: Path, house: House, **more: float) -> AsyncIterator[After]:
    """Begin again over the store at `path`; it ends as by a crash, too."""
    async with killed(path, house.now) as store:
        yield After(store, house, **more)


def entry(asker: str = ALICE, *, target: str = "pump", key: str | None = KEY, **arguments: str) -> Entry:
    command = "do" if "." in target else "set"
    given = arguments or ({} if command == "do" else {"state": "on"})
    return Entry(key=key, asker=f"{asker}/phone", face="chat", command=command, target=target, arguments=given)


async def interrupt(path: Path, *entries: Entry, driving: bool = True) -> None:
    """Let a process be killed in the middle of commands."""
    async with killed(path, Clock()) as store:
        journal = SafeJournal(store)
        for what in entries:
            begun = await journal.begin(what)
            if driving:
                await journal.driving(begun.row)


# ---- what became of it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "outcome", "note"),
    [
        (True, Outcome.UNCONFIRMED, f"pump: {WHY}; pump.state is on now (read back)"),
        (False, Outcome.FAILED, f"FAILED: pump: {WHY}; pump.state is off now (read back)"),
    ],
)
async def test_the_hardware_is_read_back_and_who_asked_is_told(
    path: Path, caplog: pytest.LogCaptureFixture, on: bool, outcome: Outcome, note: str
) -> None:
    caplog.set_level(logging.INFO)
    await interrupt(path, entry())
    board = relay(on=on)
    house = House(thing("pump", board))
    async with after_a_crash(path, house) as after, running(*house.directory):
        async with after.at_work():
            assert await after.post.tells(1) == [THERE + note]
        assert after.post.told[0][0] == ALICE  # the bare JID: another client may be there now
        again = await house.commands.run(request(key=KEY), "set", {"target": "pump", "value": "on"})
        assert again.outcome is outcome
        assert again.note.startswith(f"{note}\nAsked before (2026-09-21 14:13:20Z, 0 s ago): nothing was moved again.")
    assert board.written == []
    (audited,) = [record.message for record in caplog.records if record.name == "jidget.audit"][:1]
    assert audited == f"{ALICE}/phone by chat: set pump state=on -> {outcome}: {note}"


async def test_one_that_was_only_asked_for_moved_nothing_and_needs_no_hardware(path: Path) -> None:
    await interrupt(path, entry(), driving=False)
    house = House(thing("pump", relay()))  # which does not run
    async with after_a_crash(path, house) as after, after.at_work():
        (text,) = await after.post.tells(1)
    assert text == f"{THERE}FAILED: pump: {WHY} before anything moved. Send it again if you still want it"


async def test_an_action_is_told_with_what_the_thing_shows_now_and_its_secrets_stay_masked(path: Path) -> None:
    unlock = entry(target="gate.unlock", key=None, code="***")
    await interrupt(path, entry(target="gate.open_to", position="40"), unlock)
    gate = Gate()
    house = House(thing("gate", gate))
    async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
        first, second = await after.post.tells(2)
    assert first == (
        f"do gate.open_to position=40 (2026-09-21 14:13:20Z): gate.open_to: {WHY}; gate.position is 0 % now (read back)"
    )
    assert second.startswith("do gate.unlock code=*** (")
    assert gate.invoked == []


async def test_several_values_are_each_read_back(path: Path) -> None:
    await interrupt(path, tank_entry())
    house = House(thing("tank", tank()))
    async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
        (text,) = await after.post.tells(1)
    assert text.endswith(f"FAILED: tank: {WHY}; tank.target is 20.0 °C, tank.mode is eco now (read back)")


def tank_entry() -> Entry:
    return Entry(
        key=None,
        asker=f"{ALICE}/phone",
        face="iq",
        command="set",
        target="tank",
        arguments={"target": "21.5 °C", "mode": "eco"},
    )


async def test_a_thing_that_tells_by_itself_is_read_back_too(path: Path) -> None:
    await interrupt(path, entry())
    line = Line((SWITCH,))
    house = House(thing("pump", line))
    line.tell({"state": True})
    async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
        assert (await after.post.tells(1))[0].endswith("pump.state is on now (read back)")


# ---- things that cannot be read yet ----------------------------------------------------------------------------------


async def test_a_thing_that_comes_up_late_is_waited_for_and_others_are_not_kept_waiting(path: Path) -> None:
    await interrupt(path, entry(), entry(BOB, target="gate.ring", key=None))
    board = relay(on=True)
    board.open_error = DeviceUnavailable("no power")
    house = House(thing("pump", board), thing("gate", Gate()))
    pump, gate = house.directory
    async with after_a_crash(path, house) as after, after.at_work(), running(gate):
        assert "gate.ring" in (await after.post.tells(1))[0]
        again = await house.commands.run(request(key=KEY), "set", {"target": "pump", "value": "on"})
        assert "its end is unknown: it may have moved" in again.note
        board.open_error = None
        async with running(pump):
            assert (await after.post.tells(2))[1].endswith("pump.state is on now (read back)")
    assert board.written == []


async def test_a_thing_that_stays_away_is_not_waited_for_for_ever(path: Path) -> None:
    await interrupt(path, entry())
    house = House(thing("pump", relay()))
    async with after_a_crash(path, house, patience=0.05) as after, after.at_work():
        (text,) = await after.post.tells(1)
    assert text.startswith(f"{THERE}pump: {WHY}; it may have moved, and could not be read back: pump is unavailable")


async def test_a_thing_that_hangs_is_given_up_too(path: Path) -> None:
    await interrupt(path, entry())
    board = relay()
    house = House(thing("pump", board, timeout=0.05))
    async with after_a_crash(path, house, patience=0.2) as after, running(*house.directory):
        board.gate.clear()
        async with after.at_work():
            assert "it may have moved, and could not be read back" in (await after.post.tells(1))[0]
        board.gate.set()


async def test_a_thing_that_is_no_longer_configured_is_told_of(path: Path) -> None:
    await interrupt(path, entry(), entry(target="tank", key=None, volume="3"))
    house = House(thing("tank", tank()))
    async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
        gone, changed = await after.post.tells(2)
    assert gone == f"{THERE}pump: {WHY}; it may have moved, and is no longer in the configuration"
    assert changed.endswith(f"tank: {WHY}; it may have moved, and tells nothing")


# ---- telling -------------------------------------------------------------------------------------------------------


async def test_it_is_told_once_whatever_is_restarted(path: Path) -> None:
    await interrupt(path, entry())
    for expected in ([f"{THERE}FAILED: pump: {WHY}; pump.state is off now (read back)"], [], []):
        house = House(thing("pump", relay()))
        async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
            await after.post.tells(len(expected))
            await settled(after)
            assert after.post.texts == expected


async def settled(after: After) -> None:
    """Wait until nothing is left to be done."""
    async with asyncio.timeout(PATIENCE):
        while await after.journal.to_tell() or await after.journal.interrupted():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.005)


async def test_a_link_that_comes_late_loses_nothing_nor_does_a_restart_before_it(path: Path) -> None:
    await interrupt(path, entry())
    ids = []
    for _ in range(2):
        house = House(thing("pump", relay()))
        async with after_a_crash(path, house) as after, running(*house.directory):
            after.post.down = True
            async with after.at_work():
                async with asyncio.timeout(PATIENCE):
                    while await after.journal.interrupted():  # noqa: ASYNC110  # as above
                        await asyncio.sleep(0.005)
                assert after.post.told == []
    house = House(thing("pump", relay(on=True)))  # it has moved since: told is what was read back then
    async with after_a_crash(path, house) as after, running(*house.directory):
        after.post.down = True
        async with after.at_work():
            after.post.down = False
            after.interrupted.notify()
            assert await after.post.tells(1) == [f"{THERE}FAILED: pump: {WHY}; pump.state is off now (read back)"]
            ids.append(after.post.told[0][2])
    assert ids == ["interrupted-1-1790000000000"]


@pytest.mark.parametrize("asker", [STRANGER, EVE])
async def test_who_may_not_know_any_more_is_not_told_and_not_later_either(path: Path, asker: str) -> None:
    await interrupt(path, entry(asker), entry(VERA, key=None))
    for expected in (1, 0):
        house = House(thing("pump", relay()))
        async with after_a_crash(path, house) as after, running(*house.directory), after.at_work():
            await after.post.tells(expected)
            await settled(after)
            assert [jid for jid, *_ in after.post.told] == [VERA] * expected


async def test_people_are_told_only_when_their_answer_would_reach_us(path: Path) -> None:
    await interrupt(path, entry())
    house = House(thing("pump", relay()))
    async with after_a_crash(path, house) as after, running(*house.directory):
        available = False
        after.interrupted._reachable = lambda: available
        async with after.at_work():
            async with asyncio.timeout(PATIENCE):
                while await after.journal.interrupted():  # noqa: ASYNC110  # as above
                    await asyncio.sleep(0.005)
            after.interrupted.notify()
            await asyncio.sleep(0)
            assert after.post.told == []
            available = True
            after.interrupted.notify()
            assert len(await after.post.tells(1)) == 1


# ---- a store that is away at the start -------------------------------------------------------------------------------


async def test_a_store_that_comes_back_later_brings_its_interrupted_commands_and_no_others(path: Path) -> None:
    await interrupt(path, entry())
    board = relay()
    house = House(thing("pump", board))
    away = path.rename(path.with_name("unplugged"))
    usb = path.parent / "usb"
    async with Store(usb / "jidget.db", now=house.now, try_again=0) as store:
        assert store.trouble
        after = After(store, house)
        async with running(*house.directory), after.at_work():
            board.gate.clear()
            under_way = asyncio.create_task(house.say("pump on", key="message:2"))
            await asyncio.wait_for(board.moving.wait(), PATIENCE)
            usb.mkdir()
            away.rename(usb / "jidget.db")
            await store._come_back()
            assert not store.trouble
            after.interrupted.look_again()
            board.gate.set()
            assert await under_way == "pump.state: on (confirmed)"
            assert len(await after.post.tells(1)) == 1
            await settled(after)
    assert after.post.texts[0].startswith(THERE)
    assert len(board.written) == 1


async def test_what_is_under_way_in_this_process_is_not_taken_for_interrupted(path: Path) -> None:
    house = House(thing("pump", relay()))
    async with after_a_crash(path, house) as after:
        begun = await after.journal.begin(entry())
        await after.journal.driving(begun.row)
        await after.interrupted.look()
        assert await after.journal.interrupted() == []
        assert (await after.journal.begin(entry())).row.progress is Progress.DRIVING


async def test_a_store_that_fails_meanwhile_costs_no_message_and_tells_none_twice(path: Path) -> None:
    await interrupt(path, entry())
    house = House(thing("pump", relay()))
    async with Store(path, now=house.now, try_again=0) as store:
        after = After(store, house)
        await after.interrupted.look()
        with no_room():
            async with running(*house.directory), after.at_work():
                await after.post.tells(1)
            assert store.trouble
        await store._come_back()
        assert not store.trouble
        async with running(*house.directory), after.at_work():
            await settled(after)
        assert len(after.post.told) == 1
