"""One output under its rules, on a clock of the test's own."""

import pytest
from tests.support.fakes import Clock, relay, tank, thing

from jidget.safety.link_loss import STEADY, LinkLoss
from jidget.safety.memory import Remembered
from jidget.safety.output import Output
from jidget.things.rules import Rules
from jidget.things.state import Availability, Observed
from jidget_drivers import Scalar


def output(rules: Rules, value: Scalar | None = False, prop: str = "state") -> Output:
    """Return an output of a Thing that shows a value; None for one that was not heard of yet."""
    one = thing("pump" if prop == "state" else "tank", relay() if prop == "state" else tank())
    one.rules[prop] = rules
    found = Output(one, one.properties[prop], now=Clock(1_790_000_000.0))
    if value is not None:
        show(found, value)
    return found


def show(found: Output, value: Scalar, at: float = 0.0) -> bool:
    found.thing.availability = Availability(True, 0)
    found.thing.values[found.prop.name] = Observed(value, 0)
    return found.observed(at)


def deadline(found: Output) -> float | None:
    return found.deadline


OFF = Rules(safe=False)


def test_on_counts_from_when_it_is_seen_whoever_switched_it() -> None:
    pump = output(Rules(safe=False, max_on=60))
    assert deadline(pump) is None
    assert show(pump, True, at=100)
    assert not show(pump, True, at=130), "nothing new"
    assert deadline(pump) == 160
    assert pump.expire(159.9) is None
    forced = pump.expire(160)
    assert forced is not None
    assert (forced.value, forced.why, forced.expected) == (False, "max_on is 1m", False)
    assert show(pump, False, at=161)
    assert deadline(pump) is None


def test_being_told_again_to_be_on_makes_it_no_longer() -> None:
    pump = output(Rules(safe=False, max_on=60))
    pump.begin(True, 100, "alice", None)
    show(pump, True, at=101)
    pump.begin(True, 150, "alice", None)
    assert deadline(pump) == 160


def test_a_command_is_counted_from_before_anything_moves_and_undone_if_nothing_did() -> None:
    pump = output(Rules(safe=False, max_on=60, rate=(1, 60)))
    earlier = pump.begin(True, 100, "alice", None)
    assert deadline(pump) == 160
    pump.undo(earlier, 110)
    assert deadline(pump) is None
    assert pump.past.commanded is None
    assert pump.objection(True, 101) is None, "what did not happen counts for no limit"


def test_a_for_ends_and_a_later_set_cancels_it() -> None:
    pump = output(OFF)
    pump.begin(True, 100, "alice", 30)
    show(pump, True, at=100)
    assert deadline(pump) == 130
    assert pump.say_until(100) == "off again at 14:13:50Z, in 30 s"
    forced = pump.expire(130)
    assert forced is not None
    assert (forced.why, forced.expected) == ("the time it was set for is over", True)
    pump.pending = None
    pump.begin(True, 120, "alice", None)
    assert deadline(pump) is None


def test_what_has_no_safe_value_goes_back_to_what_it_was() -> None:
    target = output(Rules(), 20.0, "target")
    target.begin(25.0, 100, "alice", 30)
    show(target, 25.0, at=100)
    target.begin(26.0, 110, "alice", 30)  # longer, and what it goes back to is what was there before both
    assert deadline(target) == 140
    forced = target.expire(140)
    assert forced is not None
    assert forced.value == 20.0


@pytest.mark.parametrize(
    ("rules", "since", "asked", "says"),
    [
        (Rules(safe=False, max_on=60), (None, None), (True, 61.0), "pump.state may be on for 1m at most (max_on)"),
        (
            Rules(safe=False, max_on=60),
            (70.0, None),
            (True, 40.0),
            "pump.state may stay on only until 14:13:50Z, in 30 s (max_on)",
        ),
        (Rules(safe=False, max_on=60), (70.0, None), (True, 30.0), None),
        (
            Rules(safe=False, min_off=60),
            (None, 70.0),
            (True, None),
            "pump.state must stay off until 14:13:50Z, in 30 s (min_off)",
        ),
        (Rules(safe=False, min_off=60), (None, 40.0), (True, None), None),
        (Rules(safe=False, min_off=60), (70.0, 60.0), (True, None), None),
        (
            Rules(safe=False, min_on=60),
            (70.0, None),
            (False, None),
            "pump.state must stay on until 14:13:50Z, in 30 s (min_on). In an emergency: stop",
        ),
        (Rules(safe=False, min_on=60), (40.0, None), (False, None), None),
        (Rules(safe=False), (None, None), (True, 1e6), None),
    ],
)
def test_a_refusal_says_which_rule_and_until_when(
    rules: Rules, since: tuple[float | None, float | None], asked: tuple[bool, float | None], says: str | None
) -> None:
    pump = output(rules)
    pump.past = Remembered(on_since=since[0], off_since=since[1])
    assert pump.objection(asked[0], 100, asked[1]) == says


def test_it_is_not_switched_more_often_than_it_may_be() -> None:
    pump = output(Rules(safe=False, rate=(2, 60)))
    for at in (100, 110):
        assert pump.objection(True, at) is None
        pump.begin(True, at, "alice", None)
        show(pump, True, at=at)
        pump.begin(False, at + 1, "alice", None)
        show(pump, False, at=at + 1)
    says = "pump.state was switched 2 times in 1m (rate_limit): wait until 14:14:00Z, in 40 s"
    assert pump.objection(True, 120) == says
    assert pump.objection(False, 120) is None, "off is always allowed"
    assert pump.objection(True, 160.1) is None


def test_nothing_goes_on_that_is_about_to_be_made_safe() -> None:
    pump = output(Rules(safe=False, max_on=60))
    show(pump, True, at=100)
    pump.expire(200)
    assert pump.objection(True, 200) == "pump.state is to go to off: max_on is 1m"
    assert pump.objection(False, 200) is None


# ---- after a start -------------------------------------------------------------------------------------------------


def woken(rules: Rules, past: Remembered | None, *, same_boot: bool = True, at: float = 100) -> Output:
    pump = output(rules, None)
    pump.wake(None if past is None else (past, same_boot), at)
    return pump


RESTORE = Rules(safe=False, restore=True, max_on=60)


@pytest.mark.parametrize(
    ("rules", "past", "same_boot", "value", "expected"),
    [
        (OFF, None, True, False, True),
        (OFF, Remembered(commanded=True, on_since=90), True, False, True),
        (RESTORE, None, True, False, True),
        (RESTORE, Remembered(commanded=False, off_since=90), True, False, True),
        (RESTORE, Remembered(commanded=True, on_since=90), True, True, True),
        (RESTORE, Remembered(commanded=True, on_since=40), True, False, False),
        (RESTORE, Remembered(commanded=True, on_since=90), False, False, False),
        (RESTORE, Remembered(commanded=True, on_since=90, until=99), True, False, False),
        (Rules(safe=False, restore=True), Remembered(commanded=True, on_since=5), False, True, True),
        (Rules(safe=False, restore=True), Remembered(commanded=True, on_since=5, until=120), False, False, False),
        (Rules(safe=False, restore=True), Remembered(commanded="what"), True, False, True),
    ],
)
def test_what_it_is_set_to_before_anything_else(
    rules: Rules, past: Remembered | None, same_boot: bool, value: bool, expected: bool
) -> None:
    pending = woken(rules, past, same_boot=same_boot).pending
    assert pending is not None
    assert (pending.value, pending.expected) == (value, expected)


def test_a_deadline_goes_on_where_it_was() -> None:
    pump = woken(RESTORE, Remembered(commanded=True, on_since=90))
    assert deadline(pump) == 150
    assert woken(Rules(safe=False, restore=True), Remembered(commanded=True, on_since=90, until=130)).deadline == 130


def test_what_has_no_safe_value_is_left_alone_at_the_start() -> None:
    assert woken(Rules(), None).pending is None
    assert woken(Rules(), Remembered(commanded=True)).pending is None
    late = woken(Rules(), Remembered(commanded=True, until=90, before=False)).pending
    assert late is not None
    assert late.value is False


def test_nobody_knows_since_when_it_has_been_off_after_a_reboot() -> None:
    pump = woken(Rules(safe=False, min_off=60), Remembered(off_since=10), same_boot=False)
    assert pump.past.off_since == 100
    assert woken(Rules(safe=False, min_off=60), Remembered(off_since=10)).past.off_since == 10


def test_what_a_rule_did_is_what_a_restart_goes_back_to() -> None:
    pump = output(RESTORE)
    pump.begin(True, 100, "alice", None)
    show(pump, True, at=100)
    forced = pump.expire(160)
    assert forced is not None
    pump.made(forced, 160)
    assert pump.past.commanded is False


# ---- the link ------------------------------------------------------------------------------------------------------


def test_the_link_is_out_of_reach_from_the_start() -> None:
    loss = LinkLoss(100)
    assert loss.due(600) == 700
    assert loss.changed(up=True, at=200)
    assert not loss.changed(up=True, at=201)
    assert loss.due(600) is None


def test_only_a_link_that_holds_begins_the_count_anew() -> None:
    loss = LinkLoss(0)
    loss.changed(up=True, at=100)
    loss.changed(up=False, at=100 + STEADY - 1)
    assert loss.due(600) == 600, "it flapped"
    loss.changed(up=True, at=700)
    loss.changed(up=False, at=710)
    assert loss.due(600) == 710, "the time is over, and it went away again"
    loss.changed(up=True, at=800)
    loss.changed(up=False, at=800 + STEADY)
    assert loss.due(600) == 800 + STEADY + 600
