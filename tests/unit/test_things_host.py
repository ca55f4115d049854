"""The host of a Thing: whatever a driver does stays inside, and what it says is what happened."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.support.fakes import (
    LEVEL,
    MODE,
    PATIENCE,
    STATE,
    TARGET,
    TEXT,
    Board,
    Clock,
    Gate,
    Line,
    relay,
    running,
    simulated,
    tank,
    thing,
    until,
    until_available,
)

from jidget.reading import Reading
from jidget.things import running as hosting
from jidget.things.calibration import Calibration
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable, WriteFailed
from jidget_drivers import DeviceUnavailable, InvalidReading, Kind, Property, WriteRefused


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open anew after a hundredth of the usual pause."""
    monkeypatch.setattr(hosting, "RETRY_LONGEST", 0.01)


async def soon(what: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await what


# ---- reading -------------------------------------------------------------------------------------------------------


async def test_readings_are_calibrated_stamped_and_passed_on() -> None:
    now = Clock()
    one = thing("t", tank(), now=now, calibrations={"level": Calibration(offset=-0.04, precision=1)})
    seen: list[Reading] = []
    one.on_readings = seen.extend
    async with running(one):
        pass
    assert [(r.thing, r.property.name, r.value, r.time) for r in seen] == [
        ("t", "level", 40.0, int(now.time * 1000)),
        ("t", "target", 20.0, int(now.time * 1000)),
        ("t", "mode", "eco", int(now.time * 1000)),
    ]
    assert one.values["level"].value == 40.0


async def test_timestamps_of_a_thing_always_rise_unless_the_clock_was_set_back_far() -> None:
    now, board = Clock(), tank()
    one = thing("t", board, now=now)
    async with running(one):
        first = one.values["level"].time
        await one.read_now()
        assert one.values["level"].time == first + 1
        now.advance(-30)
        await one.read_now()
        assert one.values["level"].time == first + 2
        now.advance(-3600)
        await one.read_now()
        assert one.values["level"].time == int(now.time * 1000)


async def test_limits_are_those_of_the_driver_not_of_what_rounding_makes_of_them() -> None:
    prop = Property(name="p", minimum=0.25, maximum=0.26)
    one = thing("t", Board((prop,), {"p": 0.25}), calibrations={"p": Calibration(precision=1)})
    async with running(one):
        assert one.values["p"].value == 0.2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "NoneType instead of values by name"),
        ([1], "list instead of values by name"),
        ({"nothing_such": 1}, "a property it has not: 'nothing_such'"),
        ({"level": 101}, "out of range"),
        ({"level": "full"}, "takes a number"),
        ({"level": float("nan")}, "finite"),
        ({"level": None}, "takes a number"),
        ({"mode": ["eco"]}, "takes one of"),
        ({"level": 10**400}, "out of range"),
    ],
)
async def test_nonsense_makes_the_thing_unavailable_with_the_reason(answer: Any, says: str) -> None:
    board = tank()
    one = thing("t", board)

    async def nonsense() -> Any:
        return answer

    async with running(one):
        board.read = nonsense  # type: ignore[method-assign]  # a driver gone wrong
        with pytest.raises(ThingUnavailable, match=r"t is unavailable since .*Z: ") as caught:
            await one.read_now()
        assert says in str(caught.value)
        assert one.values["level"].value == 40.0


async def test_an_invalid_reading_opens_nothing_anew_and_the_next_good_one_recovers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "jidget")
    board = relay()
    one = thing("t", board, interval=0.01)
    async with running(one):
        board.read_error = InvalidReading("bad checksum")
        await until_available(one, False)
        assert one.availability.reason == "bad checksum"
        reads = board.reads
        await until(one, lambda: board.reads > reads + 3) if False else None
        board.read_error = None
        await until_available(one)
    assert board.opened == 1
    assert [r.message for r in caplog.records if r.name == hosting.__name__] == [
        "t: unavailable: bad checksum",
        "t: available again",
    ]


async def test_a_device_gone_away_is_opened_anew_logged_once_and_others_do_not_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "jidget")
    board, other = relay(), relay(on=True)
    one, two = thing("one", board, interval=0.01), thing("two", other)
    async with running(one, two):
        board.read_error = DeviceUnavailable("cable pulled")
        await until_available(one, False)
        board.open_error = DeviceUnavailable("cable pulled")
        assert await soon(two.read_now())
        board.read_error = board.open_error = None
        await until_available(one)
        assert (await one.read_now())["state"].value is False
    assert board.opened >= 2
    assert [r.message for r in caplog.records if r.name == hosting.__name__] == [
        "one: unavailable: cable pulled",
        "one: available again",
    ]


async def test_a_driver_with_a_bug_is_unavailable_with_one_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board = relay()
    one = thing("t", board)
    async with running(one):
        board.read_error = KeyError("oops")
        for _ in range(3):
            with pytest.raises(ThingUnavailable, match="oops"):
                await one.read_now()
    assert len([r for r in caplog.records if r.exc_info]) == 1


async def test_a_hanging_read_is_given_up() -> None:
    board = relay()
    one = thing("t", board, timeout=0.05)
    async with running(one):
        board.gate.clear()
        with pytest.raises(ThingUnavailable, match=r"no answer within 0\.05 s"):
            await soon(one.read_now())


async def test_a_driver_that_cannot_be_opened_says_why_and_is_tried_again() -> None:
    board = relay()
    board.open_error = DeviceUnavailable("no such bus: /dev/i2c-9")
    one = thing("t", board)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(one.run())
        await until(one, lambda: one.availability.reason != hosting.NOT_YET)
        with pytest.raises(ThingUnavailable, match="no such bus"):
            await one.read_now()
        with pytest.raises(ThingUnavailable, match="no such bus"):
            await one.write({"state": True})
        board.open_error = None
        await until_available(one)
        run.cancel()
    assert board.written == []


async def test_opening_that_hangs_is_given_up() -> None:
    class Stuck(Board):
        async def open(self) -> None:
            await asyncio.Event().wait()

    one = thing("t", Stuck((STATE,), {}), timeout=0.05)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(one.run())
        await until(one, lambda: one.availability.reason != hosting.NOT_YET)
        assert "longer than 0.05 s" in one.availability.reason
        run.cancel()


async def test_many_who_ask_at_once_are_answered_by_one_more_read() -> None:
    board = relay()
    one = thing("t", board)
    async with running(one):
        assert board.reads == 1
        board.gate.clear()
        first = asyncio.create_task(one.read_now())
        await asyncio.sleep(0)
        others = [asyncio.create_task(one.read_now()) for _ in range(50)]
        await asyncio.sleep(0)
        board.gate.set()
        await soon(asyncio.gather(first, *others))
        assert board.reads == 3  # the first one's, and one that began after all the others had asked


async def test_a_driver_that_is_closed_is_not_read() -> None:
    board = relay()
    one = thing("t", board)
    async with running(one):
        pass
    reads = board.reads
    with pytest.raises(ThingUnavailable):
        await one.read_now()
    assert board.reads == reads


# ---- stopping ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("bug in close"), DeviceUnavailable("gone"), TimeoutError()])
async def test_a_driver_that_fails_while_it_is_closed_does_not_keep_the_thing_running(error: Exception) -> None:
    board = relay()
    board.close_error = error
    one = thing("t", board)
    async with asyncio.timeout(PATIENCE):
        async with running(one):
            pass


async def test_why_a_device_went_away_is_not_hidden_by_a_failure_to_close_it() -> None:
    board = relay()
    one = thing("t", board, interval=0.01)
    async with running(one):
        board.read_error = DeviceUnavailable("cable pulled")
        board.open_error = DeviceUnavailable("cable pulled")
        board.close_error = RuntimeError("bug in close")
        await until_available(one, False)
        assert one.availability.reason == "cable pulled"
        board.close_error = None


@pytest.mark.parametrize("error", [RuntimeError("bug in finally"), OSError("port is gone")])
async def test_a_driver_that_turns_being_cancelled_into_an_error_does_not_keep_the_thing_running(
    error: Exception,
) -> None:
    class Stubborn(Line):
        async def watch(self) -> Any:
            try:
                yield {"state": False}
                await asyncio.Event().wait()
            finally:
                raise error

    one = thing("t", Stubborn((STATE,)))
    async with asyncio.timeout(PATIENCE):
        async with running(one):
            pass


# ---- things that tell ----------------------------------------------------------------------------------------------


async def test_an_event_source_tells_by_itself_and_is_available_when_it_does() -> None:
    line = Line((STATE,))
    one = thing("t", line)
    line.tell({"state": True})
    async with running(one):
        assert (await one.read_now())["state"].value is True


async def test_an_event_source_with_nothing_to_tell_is_available_after_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "SILENT_START", 0.01)
    one = thing("button", Line((STATE,)))
    async with running(one):
        assert one.values == {}


async def test_an_event_source_that_fails_at_once_never_counts_as_available(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jidget")
    line = Line((STATE,))
    one = thing("t", line)
    news: list[bool] = []
    async with asyncio.TaskGroup() as tasks:
        one.on_availability = lambda which: news.append(which.availability.available)
        for _ in range(5):
            line.tell(DeviceUnavailable("no such port"))
        line.tell({"state": True})
        run = tasks.create_task(one.run())
        await until_available(one)
        run.cancel()
    assert news == [False, True]
    assert [r.message for r in caplog.records] == ["t: unavailable: no such port", "t: available again"]


@pytest.mark.parametrize(
    ("end", "reason"), [(None, "it stopped telling"), (InvalidReading("noise"), "noise"), (KeyError("x"), "'x'")]
)
async def test_an_event_source_that_ends_is_opened_anew(end: Exception | None, reason: str) -> None:
    line = Line((STATE,))
    one = thing("t", line)
    line.tell({"state": True})
    async with running(one):
        line.tell(end)
        await until_available(one, False)
        assert one.availability.reason == reason
        line.tell({"state": False})
        await until_available(one)
        assert one.values["state"].value is False


async def test_the_pause_grows_while_a_driver_keeps_failing_and_only_a_steady_one_starts_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[int] = []

    def note(number: int) -> float:
        failures.append(number)
        return 0.0

    monkeypatch.setattr(hosting, "retry_pause", note)
    line = Line((STATE,))
    one = thing("t", line)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(one.run())
        for _ in range(8):
            line.tell({"state": True})  # up for a moment each time
            line.tell(DeviceUnavailable("loose contact"))
        line.tell({"state": True})
        await until(one, lambda: len(failures) == 8 and one.availability.available)
        assert failures == [1, 2, 3, 4, 5, 6, 7, 8]
        monkeypatch.setattr(hosting, "STEADY", 0.0)
        line.tell(DeviceUnavailable("after a long time"))
        line.tell({"state": True})
        await until(one, lambda: len(failures) == 9 and one.availability.available)
        assert failures[-1] == 1
        run.cancel()


def test_pauses_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [hosting.retry_pause(n) for n in (1, 2, 3, 6, 7, 8, 10_000)] == [1, 2, 4, 32, 60, 60, 60]


# ---- writing -------------------------------------------------------------------------------------------------------


async def test_a_write_is_confirmed_by_reading_back() -> None:
    board = tank()
    one = thing("t", board)
    async with running(one):
        result = await one.write({"target": 21.5, "mode": "boost"})
        assert (result.values, result.confirmed) == ({"target": 21.5, "mode": "boost"}, True)
    assert board.written == [("target", 21.5), ("mode", "boost")]


async def test_the_driver_is_given_raw_values_of_its_own_kind() -> None:
    steps = Property(name="steps", kind=Kind.INTEGER, minimum=0, maximum=10, writable=True)
    board = Board((steps,), {"steps": 0})
    one = thing("t", board, calibrations={"steps": Calibration(scale=10)})
    async with running(one):
        result = await one.write({"steps": 70.0})
        assert result.confirmed
        assert (await one.write({"steps": 66.0})).values == {"steps": 70.0}
    assert board.written == [("steps", 7), ("steps", 7)]
    assert all(type(value) is int for _, value in board.written)


async def test_a_write_that_is_ignored_is_not_confirmed() -> None:
    board = relay()
    board.deaf = True
    one = thing("t", board)
    async with running(one):
        result = await one.write({"state": True})
        assert (result.values, result.confirmed) == ({"state": False}, False)


@pytest.mark.parametrize("error", [DeviceUnavailable("gone"), InvalidReading("noise"), KeyError("bug")])
async def test_a_write_that_cannot_be_read_back_is_not_confirmed_even_if_the_old_value_was_the_same(
    error: Exception,
) -> None:
    board = relay(on=True)
    one = thing("t", board)
    async with running(one):
        board.read_error = error
        result = await one.write({"state": True})
        assert (result.values, result.confirmed) == ({"state": None}, False)
    assert board.written == [("state", True)]


async def test_a_property_that_the_device_no_longer_tells_is_not_confirmed_by_its_old_value() -> None:
    board = tank()
    one = thing("t", board)
    async with running(one):
        del board.held["target"]
        board.deaf = True
        result = await one.write({"target": 20.0})
        assert (result.values, result.confirmed) == ({"target": None}, False)


async def test_a_write_is_confirmed_also_while_the_clock_is_set_back_far() -> None:
    now, board = Clock(), relay()
    one = thing("t", board, now=now)
    async with running(one):
        now.advance(-86_400)
        assert (await one.write({"state": True})).confirmed


async def test_a_write_to_what_tells_is_confirmed_when_it_tells() -> None:
    line = Line((STATE, TEXT))
    one = thing("t", line)
    line.tell({"state": False, "text": ""})
    async with running(one):
        result = await soon(one.write({"state": True, "text": "hello"}))
        assert (result.values, result.confirmed) == ({"state": True, "text": "hello"}, True)


@pytest.mark.parametrize("known", [True, False])
async def test_a_write_to_what_does_not_tell_is_not_confirmed(known: bool) -> None:
    line = Line((STATE, TEXT))
    line.echo = False
    one = thing("t", line, timeout=0.05)
    line.tell({"state": False} if known else {"text": "other"})
    async with running(one):
        result = await soon(one.write({"state": True}))
        assert (result.values, result.confirmed) == ({"state": False if known else None}, False)


async def test_a_refused_write_is_passed_on_and_nothing_moved() -> None:
    board = tank()
    board.write_error = WriteRefused("the valve is locked")
    one = thing("t", board)
    async with running(one):
        with pytest.raises(WriteRefused, match="the valve is locked"):
            await one.write({"target": 21.0})
        assert one.availability.available


async def test_a_device_found_gone_by_a_write_is_unavailable_and_nothing_moved() -> None:
    board = relay()
    board.write_error = DeviceUnavailable("no answer on the bus")
    one = thing("t", board)
    async with running(one):
        with pytest.raises(ThingUnavailable, match="no answer on the bus"):
            await one.write({"state": True})
        assert not one.availability.available


@pytest.mark.parametrize("error", [WriteRefused("locked"), DeviceUnavailable("gone")])
async def test_a_failure_after_the_first_value_says_that_something_moved(error: Exception) -> None:
    class Half(Board):
        async def write(self, name: str, value: Any) -> None:
            if name == "mode":
                raise error
            await super().write(name, value)

    board = Half((TARGET, MODE), {"target": 20.0, "mode": "eco"})
    one = thing("t", board)
    async with running(one):
        with pytest.raises(WriteFailed, match=r"t\.mode: .*; what came before it was set"):
            await one.write({"target": 21.0, "mode": "boost"})
    assert board.written == [("target", 21.0)]


async def test_a_hanging_write_is_given_up_and_said_to_be_unknown() -> None:
    board = relay()
    one = thing("t", board, timeout=0.05)
    async with running(one):
        board.gate.clear()
        with pytest.raises(WriteFailed, match=r"t\.state: no answer within 0\.05 s; it may have moved") as caught:
            await soon(one.write({"state": True}))
        assert caught.value.timed_out
        board.gate.set()
        assert (await soon(one.write({"state": True}))).confirmed


async def test_a_bug_in_a_write_is_said_to_be_unknown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    board = relay()
    board.write_error = KeyError("oops")
    one = thing("t", board)
    async with running(one):
        with pytest.raises(WriteFailed, match="may have moved") as caught:
            await one.write({"state": True})
        assert not caught.value.timed_out
    assert any(r.exc_info for r in caplog.records)


async def test_calls_of_a_driver_never_overlap() -> None:
    board, gate = relay(), Gate()  # which assert it
    one, two = thing("t", board, interval=0.001), thing("gate", gate, interval=0.001)
    async with running(one, two):
        board.gate.clear()
        gate.gate.clear()
        calls: list[Coroutine[Any, Any, Any]] = [one.write({"state": bool(n % 2)}) for n in range(10)]
        calls += [which.read_now() for which in (one, two) for _ in range(10)]
        calls += [two.invoke("open_to", {"position": float(n)}) for n in range(10)]
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        board.gate.set()
        gate.gate.set()
        await soon(asyncio.gather(*tasks))
    assert (len(board.written), len(gate.invoked)) == (10, 10)


async def test_a_blocked_thread_keeps_neither_the_thing_nor_the_others_waiting() -> None:
    stuck = thing(
        "stuck",
        simulated({"state": {"type": "boolean", "writable": True}}, faults=[{"on": "write", "do": "block"}]),
        timeout=0.1,
    )
    other = thing("other", relay())
    async with running(stuck, other):
        with pytest.raises(WriteFailed, match="no answer within"):
            await soon(stuck.write({"state": True}))
        assert (await soon(other.write({"state": True}))).confirmed
        with pytest.raises((ThingUnavailable, WriteFailed)):
            await soon(stuck.write({"state": True}))


# ---- actions -------------------------------------------------------------------------------------------------------


async def test_an_action_is_invoked_and_its_effect_read() -> None:
    gate = Gate()
    one = thing("gate", gate)
    async with running(one):
        assert await one.invoke("open_to", {"position": 40.0}) == "at 40 %"
        assert one.values["position"].value == 40.0


@pytest.mark.parametrize("error", [DeviceUnavailable("gone"), KeyError("bug")])
async def test_an_action_that_ended_well_has_done_so_whatever_the_next_reading_says(error: Exception) -> None:
    gate = Gate()
    one = thing("gate", gate)
    async with running(one):
        gate.read_error = error
        assert await one.invoke("ring", {}) is None
        assert not one.availability.available


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (WriteRefused("somebody stands in it"), WriteRefused, "somebody stands in it"),
        (DeviceUnavailable("motor gone"), WriteFailed, "gate open_to: motor gone"),
        (KeyError("bug"), WriteFailed, "gate open_to: 'bug'"),
    ],
)
async def test_actions_that_fail_say_so(error: Exception, raised: type[Exception], says: str) -> None:
    gate = Gate()
    gate.write_error = error
    one = thing("gate", gate)
    async with running(one):
        with pytest.raises(raised, match=says):
            await one.invoke("open_to", {"position": 40.0})
    assert gate.invoked == []


async def test_a_hanging_action_is_given_up() -> None:
    gate = Gate()
    one = thing("gate", gate, timeout=0.05)
    async with running(one):
        gate.gate.clear()
        with pytest.raises(WriteFailed, match="may have begun") as caught:
            await soon(one.invoke("open_to", {"position": 40.0}))
        assert caught.value.timed_out


def test_a_thing_shows_what_its_settings_say() -> None:
    one = thing("t", tank(), calibrations={"level": Calibration(label="Water", precision=0)})
    assert (one.properties["level"].label, one.properties["level"].precision) == ("Water", 0)
    assert one.properties["level"].unit is LEVEL.unit
    assert [p.name for p in one.writable] == ["target", "mode"]
    assert isinstance(one, Thing)
    assert one.say_away().endswith("not read yet")
