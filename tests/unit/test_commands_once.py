"""No command runs twice, late, or together with another one on the same Thing."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.fakes import (
    ALICE,
    BOB,
    PATIENCE,
    VERA,
    Board,
    Clock,
    Gate,
    House,
    relay,
    request,
    running,
    tank,
    thing,
)

from jidget.commands import execution
from jidget.commands.access import Access
from jidget.commands.execution import FRESH
from jidget.commands.keys import iq_key, message_key
from jidget.commands.model import Face, Outcome, Reason, Result
from jidget.safety.memory import boottime
from jidget.store.journal import IQ_LIFETIME, Begun, Ending, Entry, MemoryJournal, Progress, Row
from jidget.things.rules import Rules
from jidget_drivers import DeviceUnavailable

ON = {"target": "pump", "value": "on"}
OFF = {"target": "pump", "value": "off"}
KEY = message_key(ALICE, "m1", b"pump on")


async def soon(what: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await what


async def set_pump(house: House, key: str | None = KEY, jid: str = ALICE, **more: Any) -> Result:
    return await house.commands.run(request(jid, key=key, **more), "set", ON)


def rows(house: House) -> list[Row]:
    assert isinstance(house.journal, MemoryJournal)
    return list(house.journal._rows.values())


# ---- twice ---------------------------------------------------------------------------------------------------------


async def test_a_repetition_moves_nothing_and_tells_the_first_outcome_when_it_was_and_the_value_now() -> None:
    now = Clock()
    board = relay()
    house = House(thing("pump", board, now=now))
    house.now.time = now.time
    async with running(*house.directory):
        first = await set_pump(house)
        house.now.advance(5)
        now.advance(3)
        await house.commands.run(request(), "set", OFF)
        again = await set_pump(house)
    assert first.note == "pump.state: on (confirmed)"
    assert again.outcome is Outcome.DONE
    assert again.note == "\n".join(
        (
            "pump.state: on (confirmed)",
            "Asked before (2026-09-21 14:13:20Z, 5 s ago): nothing was moved again.",
            "Now pump.state: off (2 s ago)",
        )
    )
    assert [(field.name, field.value) for field in again.fields] == [("pump.state", "off")]
    assert board.written == [("state", True), ("state", False)]


async def test_a_repetition_of_an_action_moves_nothing() -> None:
    gate = Gate()
    house = House(thing("gate", gate))
    async with running(*house.directory):
        results = [await house.commands.run(request(key=KEY), "do", {"target": "gate.ring"}) for _ in range(3)]
    assert gate.invoked == [("ring", {})]
    assert [result.outcome for result in results] == [Outcome.DONE] * 3
    assert "nothing was moved again" in results[2].note


async def test_a_repetition_while_the_first_is_running_waits_for_it_and_moves_nothing() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(set_pump(house))
        await soon(board.moving.wait())
        others = [asyncio.create_task(set_pump(house)) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in (first, *others))
        board.gate.set()
        results = await soon(asyncio.gather(first, *others))
    assert board.written == [("state", True)]
    assert [result.outcome for result in results] == [Outcome.DONE] * 6
    assert all("nothing was moved again" in result.note for result in results[1:])


async def test_a_repetition_of_one_that_does_not_end_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "PATIENCE", 0.01)
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(set_pump(house))
        await soon(board.moving.wait())
        again = await soon(set_pump(house))
        assert (again.outcome, again.reason) == (Outcome.UNCONFIRMED, Reason.BUSY)
        assert again.note == "pump: the same command is still under way; nothing was moved again"
        board.gate.set()
        assert (await soon(first)).outcome is Outcome.DONE
    assert board.written == [("state", True)]


async def test_two_at_the_very_same_time_are_one() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        await soon(asyncio.gather(*(set_pump(house) for _ in range(20))))
    assert board.written == [("state", True)]


async def test_what_was_refused_stays_refused_when_it_is_repeated() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        old = await set_pump(house, age=31.0)
        again = await set_pump(house, age=0.0)
        assert (old.outcome, old.reason) == (Outcome.REFUSED, Reason.STALE)
        assert (again.outcome, again.reason) == (Outcome.REFUSED, Reason.STALE)
        assert again.note.startswith(old.note + "\nAsked before")
        board.read_error = DeviceUnavailable("gone")
        await house.say("read pump")
        away = await set_pump(house, "message:2")
        board.read_error = None
        await house.say("read pump")
        assert away.reason is Reason.UNAVAILABLE
        assert (await set_pump(house, "message:2")).reason is Reason.UNAVAILABLE
    assert board.written == []


async def test_without_a_key_or_with_another_one_it_is_a_new_command() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        for key in (None, None, KEY, message_key(ALICE, "m2", b"pump on"), message_key(BOB, "m1", b"pump on")):
            assert "before" not in (await set_pump(house, key)).note
    assert len(board.written) == 5


@pytest.mark.parametrize(("seconds", "again"), [(599, True), (601, False)])
async def test_iqs_are_remembered_for_ten_minutes(seconds: float, again: bool) -> None:
    board = relay()
    house = House(thing("pump", board))
    key = iq_key(f"{ALICE}/phone", "1", b"")
    async with running(*house.directory):
        await set_pump(house, key)
        house.clock.advance(seconds)
        assert ("nothing was moved again" in (await set_pump(house, key)).note) is again


@pytest.mark.parametrize(("days", "again"), [(6.9, True), (7.1, False)])
async def test_messages_are_remembered_for_seven_days_whatever_the_wall_clock_does(days: float, again: bool) -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        await set_pump(house)
        house.clock.advance(days * 86400)
        house.now.advance(-(10**8))
        assert ("nothing was moved again" in (await set_pump(house)).note) is again


async def test_asking_again_is_asking_again() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        for _ in range(2):
            assert await house.say("read pump", key=KEY) == "pump.state: off (0 s ago)"
    assert rows(house) == []


# ---- late ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "says"),
    [
        (None, "Refused: age unknown: this may be an old command, so nothing was moved. Send it again"),
        (30.1, "Refused: this was sent 30 s ago, so nothing was moved. Send it again if you still want it"),
        (7200.0, "Refused: this was sent 2 h ago, so nothing was moved"),
        (float("nan"), "Refused: this was sent"),
        (float("inf"), "Refused: this was sent"),
    ],
)
async def test_what_is_old_or_of_unknown_age_is_refused(age: float | None, says: str) -> None:
    board, gate = relay(), Gate()
    house = House(thing("pump", board), thing("gate", gate))
    async with running(*house.directory):
        for line in ("pump on", "do gate ring"):
            assert (await house.say(line, age=age)).startswith(says)
    assert (board.written, gate.invoked) == ([], [])
    assert all(row.progress is Progress.ENDED and row.ending is not None for row in rows(house))


@pytest.mark.parametrize("age", [0.0, 29.9, 30.0, -5.0])
async def test_what_is_fresh_is_done(age: float) -> None:
    house = House(thing("pump", relay()))
    async with running(*house.directory):
        assert await house.say("pump on", age=age) == "pump.state: on (confirmed)"


@pytest.mark.parametrize("line", ["status", "read pump", "things", "help"])
async def test_asking_needs_no_age(line: str) -> None:
    house = House(thing("pump", relay()))
    async with running(*house.directory):
        assert not (await house.say(line, age=None)).startswith("Refused")


async def test_what_becomes_old_while_it_waits_for_its_turn_is_refused() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(set_pump(house, None))
        await soon(board.moving.wait())
        second = asyncio.create_task(house.commands.run(request(), "set", OFF))
        await asyncio.sleep(0)
        house.clock.advance(FRESH + 1)
        board.gate.set()
        assert (await soon(first)).outcome is Outcome.DONE
        late = await soon(second)
    assert (late.outcome, late.reason) == (Outcome.REFUSED, Reason.STALE)
    assert board.written == [("state", True)]


async def test_waiting_for_a_turn_ends_when_the_command_would_be_old() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(set_pump(house, None))
        await soon(board.moving.wait())
        impatient = await soon(house.commands.run(request(age=FRESH - 0.05), "set", OFF))
        assert (impatient.outcome, impatient.reason) == (Outcome.REFUSED, Reason.BUSY)
        assert impatient.note == "Refused: pump is busy with other commands, so nothing was moved"
        board.gate.set()
        await soon(first)
        assert (await soon(house.commands.run(request(), "set", OFF))).outcome is Outcome.DONE
    assert board.written == [("state", True), ("state", False)]


class Slow(MemoryJournal):
    """A journal whose disk takes its time before anything may move."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def begin(self, entry: Entry, *, driving: bool = False, wait: bool = True) -> Begun:
        begun = await super().begin(entry, driving=driving)
        if driving and wait:
            await self._wait_for_the_disk()
        return begun

    async def driving(self, row: Row) -> None:
        await super().driving(row)
        await self._wait_for_the_disk()

    async def _wait_for_the_disk(self) -> None:
        self.asked.set()
        await self.gate.wait()


@pytest.mark.parametrize(("age", "late"), [(20.0, True), (10.0, False)])
async def test_what_becomes_old_while_the_disk_is_waited_for_is_refused(age: float, late: bool) -> None:
    board = relay()
    house = House(thing("pump", board), journal=(journal := Slow()))
    async with running(*house.directory):
        task = asyncio.create_task(set_pump(house, age=age))
        await soon(journal.asked.wait())
        house.clock.advance(14)
        journal.gate.set()
        result = await soon(task)
        (row,) = rows(house)
    assert (result.reason is Reason.STALE) is late
    assert bool(board.written) is not late
    assert row.progress is Progress.ENDED
    assert row.ending is not None
    assert row.ending.outcome == ("refused" if late else "done")


async def test_a_stop_waits_for_no_disk() -> None:
    board = relay(on=True)
    pump = thing("pump", board, rules={"state": Rules(safe=False)})
    house = House(pump, journal=Slow())
    async with running(pump):
        await soon(house.say("stop"))
        (row,) = rows(house)
    assert board.written == [("state", False)]
    assert (row.entry.command, row.progress) == ("stop", Progress.ENDED)


async def test_whoever_loses_the_right_while_the_disk_is_waited_for_is_refused() -> None:
    board = relay()
    house = House(thing("pump", board), journal=(journal := Slow()))
    async with running(*house.directory):
        task = asyncio.create_task(set_pump(house, jid=BOB))
        await soon(journal.asked.wait())
        house.commands._access = Access({}, "pi@example.org")
        journal.gate.set()
        result = await soon(task)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, Reason.FORBIDDEN)
    assert board.written == []


async def test_what_is_old_is_called_old_also_where_it_would_have_to_wait() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(set_pump(house, None))
        await soon(board.moving.wait())
        assert (await soon(house.commands.run(request(age=31.0), "set", OFF))).reason is Reason.STALE
        board.gate.set()
        await soon(first)


def test_the_clock_for_ages_counts_from_the_start_of_the_machine() -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert boottime() == pytest.approx(uptime, abs=5)


# ---- together ------------------------------------------------------------------------------------------------------


async def test_two_people_who_set_the_same_thing_take_turns_and_each_is_told_what_they_did() -> None:
    board = relay()
    house = House(thing("pump", board), thing("tank", tank()))
    async with running(*house.directory):
        board.gate.clear()
        on = asyncio.create_task(house.commands.run(request(ALICE), "set", ON))
        await soon(board.moving.wait())
        off = asyncio.create_task(house.commands.run(request(BOB), "set", OFF))
        other = await soon(house.commands.run(request(ALICE), "set", {"target": "tank.target", "value": "21"}))
        assert other.outcome is Outcome.DONE  # nobody waits for another Thing
        board.gate.set()
        results = await soon(asyncio.gather(on, off))
    assert board.written == [("state", True), ("state", False)]
    assert [result.note for result in results] == ["pump.state: on (confirmed)", "pump.state: off (confirmed)"]


async def test_whoever_loses_the_right_while_waiting_is_refused() -> None:
    board = relay()
    house = House(thing("pump", board))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(house.commands.run(request(ALICE), "set", ON))
        await soon(board.moving.wait())
        second = asyncio.create_task(house.commands.run(request(BOB), "set", OFF))
        await asyncio.sleep(0)
        house.commands._access = Access({}, "pi@example.org")
        board.gate.set()
        assert (await soon(first)).outcome is Outcome.DONE
        late = await soon(second)
    assert (late.outcome, late.reason) == (Outcome.REFUSED, Reason.FORBIDDEN)
    assert board.written == [("state", True)]


async def test_a_turn_is_given_back_whatever_happened() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=0.05))
    async with running(*house.directory):
        for error in (KeyError("bug"), DeviceUnavailable("gone")):
            board.write_error = error
            assert (await set_pump(house, None)).outcome is not Outcome.DONE
            await house.say("read pump")
        board.write_error = None
        board.gate.clear()
        assert (await soon(set_pump(house, None))).reason is Reason.TIMEOUT
        board.gate.set()
        assert (await soon(set_pump(house, None))).outcome is Outcome.DONE


# ---- the journal ---------------------------------------------------------------------------------------------------


class Watched(MemoryJournal):
    """A journal that notes what had moved at each of its rows' stages, and fails where it is told to."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.stages: list[tuple[str, int]] = []
        self.fails: set[str] = set()
        self._board = board

    def _note(self, stage: str) -> None:
        if stage in self.fails:
            raise OSError("disk full")
        self.stages.append((stage, len(self._board.written)))

    async def begin(self, entry: Entry, *, driving: bool = False, wait: bool = True) -> Begun:
        self._note("begin, driving" if driving else "begin")
        return await super().begin(entry, driving=driving, wait=wait)

    async def driving(self, row: Row) -> None:
        self._note("driving")
        await super().driving(row)

    async def finish(self, row: Row, ending: Ending) -> None:
        self._note("finish")
        await super().finish(row, ending)


async def test_the_journal_is_written_before_anything_moves_and_after() -> None:
    board = relay()
    house = House(thing("pump", board), journal=(journal := Watched(board)))
    async with running(*house.directory):
        await set_pump(house, face=Face.IQ)
        (row,) = rows(house)
    assert journal.stages == [("begin, driving", 0), ("finish", 1)]
    assert row.progress is Progress.ENDED
    assert row.entry == Entry(
        key=KEY, asker=f"{ALICE}/phone", face="iq", command="set", target="pump", arguments={"state": "on"}
    )
    assert row.ending == Ending(
        outcome="done", note="pump.state: on (confirmed)", fields=(("pump.state", "pump state", "on"),)
    )


async def test_what_waits_for_its_turn_is_in_the_journal_while_it_waits_and_again_before_it_moves() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE), journal=(journal := Watched(board)))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(house.commands.run(request(), "set", OFF))
        await soon(board.moving.wait())
        second = asyncio.create_task(set_pump(house))
        await asyncio.sleep(0)
        assert [row.progress for row in rows(house)] == [Progress.DRIVING, Progress.ASKED]
        board.gate.set()
        await soon(asyncio.gather(first, second))
    assert [stage for stage in journal.stages if stage[0] != "finish"] == [
        ("begin, driving", 0),
        ("begin", 0),
        ("driving", 1),
    ]
    assert board.written == [("state", False), ("state", True)]


@pytest.mark.parametrize("stage", ["begin", "driving", "begin, driving"])
async def test_nothing_moves_without_the_journal(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE), journal=(journal := Watched(board)))
    async with running(*house.directory):
        first = None
        if stage != "begin, driving":  # it has to wait for its turn
            board.gate.clear()
            first = asyncio.create_task(house.commands.run(request(), "set", OFF))
            await soon(board.moving.wait())
        journal.fails = {stage}
        second = asyncio.create_task(set_pump(house))
        await asyncio.sleep(0)
        board.gate.set()
        result = await soon(second)
        if first is not None:
            await soon(first)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.BROKEN)
    assert ("state", True) not in board.written
    assert "disk full" not in result.note
    assert "disk full" in caplog.text


async def test_what_happened_is_told_even_if_the_journal_cannot_keep_it(caplog: pytest.LogCaptureFixture) -> None:
    board = relay()
    house = House(thing("pump", board), journal=(journal := Watched(board)))
    journal.fails = {"finish"}
    async with running(*house.directory):
        assert (await set_pump(house)).note == "pump.state: on (confirmed)"
        assert "could not be written to the journal" in caplog.text
        again = await set_pump(house)
    assert again.outcome is Outcome.FAILED
    assert "its end is unknown: it may have moved" in again.note
    assert board.written == [("state", True)]


async def test_one_that_is_cancelled_while_driving_stays_so_in_the_journal_and_is_never_run_again() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        task = asyncio.create_task(set_pump(house))
        await soon(board.moving.wait())
        waiter = asyncio.create_task(set_pump(house))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (row,) = rows(house)
        assert (row.progress, row.ending) == (Progress.DRIVING, None)
        board.gate.set()
        told = await soon(waiter)
    assert told.outcome is Outcome.FAILED
    assert told.note.startswith("FAILED: pump: it was interrupted, its end is unknown: it may have moved\nAsked before")
    assert board.written == []


async def test_one_that_is_cancelled_before_driving_is_said_to_have_moved_nothing() -> None:
    board = relay()
    house = House(thing("pump", board, timeout=PATIENCE))
    async with running(*house.directory):
        board.gate.clear()
        first = asyncio.create_task(house.commands.run(request(), "set", OFF))
        await soon(board.moving.wait())
        task = asyncio.create_task(set_pump(house))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        board.gate.set()
        await soon(first)
        assert "interrupted before anything moved" in (await set_pump(house)).note
    assert board.written == [("state", False)]


async def test_refusals_before_the_journal_leave_no_row() -> None:
    house = House(thing("pump", relay()))
    async with running(*house.directory):
        for jid, arguments in ((VERA, ON), (ALICE, {"target": "nothing", "value": "on"}), (ALICE, {"target": "pump"})):
            assert (await house.commands.run(request(jid, key=KEY), "set", arguments)).outcome is Outcome.REFUSED
    assert rows(house) == []


# ---- the memory journal itself -------------------------------------------------------------------------------------


def entry(key: str | None) -> Entry:
    return Entry(key=key, asker="a@example.org/x", face="chat", command="set", target="pump", arguments={})


async def test_the_journal_is_bounded_and_forgets_the_oldest_ended_first(caplog: pytest.LogCaptureFixture) -> None:
    journal = MemoryJournal(most=3)
    kept = (await journal.begin(entry("message:running"))).row
    for number in range(10):
        await journal.finish((await journal.begin(entry(f"message:{number}"))).row, Ending(outcome="done", note=""))
    assert len(journal) == 3
    assert (await journal.begin(entry("message:running"))).row.id == kept.id
    assert (await journal.begin(entry("message:9"))).repeated
    assert not (await journal.begin(entry("message:0"))).repeated
    assert caplog.text.count("forgotten early") == 1


async def test_the_journal_forgets_none_that_is_under_way_for_lack_of_room() -> None:
    journal = MemoryJournal(most=2)
    for number in range(5):
        await journal.begin(entry(f"message:{number}"))
    assert all([(await journal.begin(entry(f"message:{number}"))).repeated for number in range(5)])


async def test_each_kind_of_key_is_forgotten_in_its_own_time_whatever_came_first() -> None:
    clock = Clock()
    journal = MemoryJournal(clock=clock)
    await journal.begin(entry("message:1"))
    await journal.begin(entry("iq:1"))
    clock.advance(IQ_LIFETIME - 1)
    await journal.begin(entry("iq:2"))
    assert (await journal.begin(entry("iq:1"))).repeated
    clock.advance(1)
    assert not (await journal.begin(entry("iq:1"))).repeated
    assert (await journal.begin(entry("iq:2"))).repeated
    assert (await journal.begin(entry("message:1"))).repeated


async def test_what_is_forgotten_early_leaves_nothing_behind() -> None:
    journal = MemoryJournal(most=3)
    for number in range(1000):
        await journal.finish((await journal.begin(entry(f"message:{number}"))).row, Ending(outcome="done", note=""))
    assert len(journal) == 3
    assert len(journal._expiry) < 200


async def test_ending_what_was_forgotten_is_no_error() -> None:
    clock = Clock()
    journal = MemoryJournal(clock=clock)
    row = (await journal.begin(entry("iq:1"))).row
    clock.advance(10_000)
    await journal.begin(entry("iq:2"))
    await journal.driving(row)
    await journal.finish(row, Ending(outcome="done", note=""))
    assert len(journal) == 1


# ---- keys ----------------------------------------------------------------------------------------------------------


def test_keys_differ_where_anything_does_and_carry_their_kind() -> None:
    keys = {
        message_key("a@x", "1", b"pump on"),
        message_key("b@x", "1", b"pump on"),
        message_key("a@x", "2", b"pump on"),
        message_key("a@x", "1", b"pump off"),
        message_key("a@x1", "", b"pump on"),
        message_key("a@x", "1p", b"ump on"),
        iq_key("a@x", "1", b"pump on"),
    }
    assert len(keys) == 7
    assert sorted(key.partition(":")[0] for key in keys) == ["iq"] + ["message"] * 6
    assert message_key("a@x", "1", b"pump on") in keys


def test_keys_are_of_one_size_whatever_was_sent() -> None:
    assert len(iq_key("x" * 3000, "y" * 100_000, b"z" * 1_000_000)) == len(iq_key("", "\ud800", b""))
