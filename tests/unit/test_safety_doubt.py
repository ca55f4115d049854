"""Where it is not sure what a device does: late and old values, writes that failed half-way, readings of nonsense."""

import asyncio

import pytest
from tests.support.fakes import ALICE, STATE, TARGET, Board, Line, relay, running, thing, until_available
from tests.support.site import Site, ruled, writes

from jidget.safety.output import Output
from jidget.things.calibration import Calibration
from jidget.things.rules import Rules
from jidget.things.state import Availability, Observed, ThingUnavailable, WriteFailed
from jidget_drivers import DeviceUnavailable, DriverError, InvalidReading, Scalar


class Slow(Board):
    """A relay that shows its old state for one more read after each write."""

    def __init__(self) -> None:
        super().__init__((STATE,), {"state": False})
        self._next: dict[str, Scalar] = {}

    async def read(self) -> dict[str, Scalar]:
        shown = dict(await super().read())
        self.held |= self._next
        self._next = {}
        return shown

    async def write(self, name: str, value: Scalar) -> None:
        before = self.held[name]
        await super().write(name, value)
        self.held[name], self._next = before, {name: value}


async def test_a_for_ends_also_where_the_device_showed_its_old_state_first() -> None:
    board = Slow()
    site = Site(ruled("pump", board))
    async with site.open():
        pump = site.things[0]
        await pump.read_now()
        result = await site.guard.write(pump, {"state": True}, by=ALICE, span=0.3)
        assert not result.confirmed
        assert (await pump.read_now())["state"].value is True
        await site.until(lambda: any(forced.why == "the time it was set for is over" for _, forced in site.forced))
        await pump.read_now()
        await pump.read_now()
        assert board.held["state"] is False


def test_an_old_value_does_not_end_a_for_but_switching_off_does() -> None:
    one = ruled("pump", relay())
    pump = Output(one, one.properties["state"])
    one.availability = Availability(True, 0)

    def show(value: bool, at: float) -> None:
        one.values["state"] = Observed(value, 0)
        pump.observed(at)

    pump.begin(True, 100, ALICE, 30)
    show(False, 101)  # told before it was switched on
    assert pump.deadline == 130
    show(True, 102)
    assert pump.deadline == 130
    show(False, 103)  # by hand
    assert pump.deadline is None


async def test_a_for_ends_although_switching_off_before_failed() -> None:
    board = relay()
    site = Site(ruled("pump", board))
    async with site.open():
        pump = site.things[0]
        await site.guard.write(pump, {"state": True}, by=ALICE, span=0.4)
        board.write_error = DriverError("no acknowledgement")
        with pytest.raises(WriteFailed):
            await site.guard.write(pump, {"state": False}, by=ALICE)
        board.write_error = None
        await site.until(lambda: len(site.forced) == 2)
        assert board.held["state"] is False


async def test_what_was_told_while_a_write_failed_is_not_forgotten() -> None:
    class Torn(Line):
        async def write(self, name: str, value: Scalar) -> None:
            await super().write(name, value)
            if value:
                while not one.values["state"].value:  # noqa: ASYNC110  # what it did is told first
                    await asyncio.sleep(0)
                raise DeviceUnavailable("the line went dead")

    line = Torn((STATE,))
    one = ruled("plug", line, Rules(safe=False, max_on=0.2))
    site = Site(one)
    async with site.open():
        line.tell({"state": False})
        await site.until(lambda: site.forced)
        with pytest.raises(ThingUnavailable):
            await site.guard.write(one, {"state": True}, by=ALICE)
        assert site.guard.outputs["plug", "state"].deadline is not None
        await site.until(lambda: ("plug.state", "max_on is 200ms") in site.unexpected)
        assert writes(line)[-1] is False


async def test_what_tells_is_opened_anew_when_a_write_finds_it_gone() -> None:
    class Once(Line):
        failures = 1
        opened = 0

        async def open(self) -> None:
            self.opened += 1

        async def write(self, name: str, value: Scalar) -> None:
            if value and self.failures:
                self.failures -= 1
                raise DeviceUnavailable("the line went dead")
            await super().write(name, value)

    line = Once((STATE,))
    one = ruled("plug", line)
    site = Site(one)
    async with site.open():
        with pytest.raises(ThingUnavailable):
            await site.guard.write(one, {"state": True}, by=ALICE)
        await until_available(one)
        assert line.opened == 2
        assert (await site.guard.write(one, {"state": True}, by=ALICE)).confirmed


async def test_what_is_sent_off_and_shows_off_is_off_although_it_told_nothing_new() -> None:
    line, board = Line((STATE,)), relay()
    site = Site(
        ruled("pump", line, Rules(safe=False, interlock=(("heater", "state"),))),
        ruled("heater", board, Rules(safe=False, interlock=(("pump", "state"),))),
    )
    async with site.open():
        pump, heater = site.things
        line.tell({"state": False})
        await site.until(lambda: len(site.forced) == 2)
        line.echo = False
        async with asyncio.timeout(5):
            while line.waiting:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        await site.guard.write(pump, {"state": True}, by=ALICE)  # it sleeps, and misses both
        await site.guard.write(pump, {"state": False}, by=ALICE)
        await site.guard.require(heater, {"state": True})
        await site.guard.write(heater, {"state": True}, by=ALICE)
    assert writes(board)[-1] is True


async def test_a_relay_that_sticks_does_not_stay_on_beside_the_one_that_took_its_place() -> None:
    class Sticking(Board):
        async def write(self, name: str, value: Scalar) -> None:
            await super().write(name, value)
            if name == "a":
                self.held["a"] = True

    ab = tuple(STATE.__class__(name=name, kind=STATE.kind, writable=True) for name in ("a", "b"))
    board = Sticking(ab, {"a": False, "b": False})
    one = thing("board", board)
    one.rules["a"] = Rules(safe=False, interlock=(("board", "b"),))
    one.rules["b"] = Rules(safe=False, interlock=(("board", "a"),))
    site = Site(one)
    async with site.open():
        board.held["b"] = False
        await site.until(lambda: site.stuck)  # it is on from the beginning
        site.guard.outputs["board", "a"].pending = None
        await site.guard.write(one, {"b": True, "a": False}, by=ALICE)
        await site.until(lambda: ("board.b", "board.a is on (interlock)") in site.unexpected)
        assert board.held["b"] is False


async def test_nonsense_read_from_a_board_does_not_keep_its_outputs_on() -> None:
    board = relay()
    site = Site(ruled("pump", board, Rules(safe=False, max_on=0.2)))
    async with site.open():
        pump = site.things[0]
        await site.guard.write(pump, {"state": True}, by=ALICE)
        board.read_error = InvalidReading("wrong checksum")
        with pytest.raises(ThingUnavailable):
            await pump.read_now()
        async with asyncio.timeout(5):
            while board.held["state"]:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.01)
        board.read_error = None


async def test_an_old_value_of_an_output_is_no_proof_that_it_is_safe() -> None:
    line = Line((STATE,))
    one = ruled("plug", line)
    site = Site(one)
    site.keeper.wake()
    one.recall({"state": False})
    async with running(one):
        pass
    assert writes(line) == [False]


async def test_an_old_value_that_is_on_counts() -> None:
    line = Line((STATE,))
    one = ruled("plug", line, Rules(safe=False, max_on=60))
    site = Site(one)
    site.keeper.wake()
    one.recall({"state": True})
    assert site.guard.outputs["plug", "state"].past.on_since is not None


@pytest.mark.parametrize("calibration", [Calibration(precision=0), Calibration(precision=0, scale=2.0, offset=1.0)])
async def test_what_is_shown_as_safe_is_set_to_safe(calibration: Calibration) -> None:
    board = Board((TARGET,), {"target": 20.0})
    safe = 20.0 * calibration.scale + calibration.offset
    one = thing("tank", board, calibrations={"target": calibration}, rules={"target": Rules(safe=safe, max_on=60)})
    site = Site(one)
    async with site.open():
        await site.guard.write(one, {"target": safe + 0.4}, by=ALICE)
        assert board.held["target"] == 20.0, "shown as safe, it would be on without any limit"
        await site.guard.write(one, {"target": safe + 0.6}, by=ALICE)
        assert board.held["target"] > 20.2
        assert site.guard.outputs["tank", "target"].deadline is not None
