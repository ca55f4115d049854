"""When a value is worth reporting, judged value by value, and over long random walks (DESIGN 4.1 [report])."""

import random

import pytest

from jidget.readings.policy import Decision, ReportPolicy
from jidget_drivers import Scalar

REPORT, HOLD, DROP = Decision.REPORT, Decision.HOLD, Decision.DROP


@pytest.mark.parametrize(
    ("value", "seconds", "wanted"),
    [
        (20.0, 1, DROP),  # unchanged
        (20.4, 1, DROP),
        (20.5, 1, DROP),  # as far as the deadband, not farther
        (20.6, 1, HOLD),
        (19.4, 1, HOLD),
        (20.6, 5, REPORT),
        (20.6, 4.999, HOLD),
        (20.0, 59.9, DROP),
        (20.0, 60, REPORT),  # unchanged, but silent for long
        (20.0, 3600, REPORT),
        (20.0, -10, REPORT),  # the clock was set back
        (20, 1, DROP),  # a whole number may be what a float was
    ],
)
def test_a_number(value: Scalar, seconds: float, wanted: Decision) -> None:
    policy = ReportPolicy(min_interval=5, max_interval=60, deadband=0.5)
    assert policy.decide("t", value, 1_000_000 + round(seconds * 1000), (20.0, 1_000_000)) is wanted


@pytest.mark.parametrize(
    ("last", "value", "wanted"),
    [
        (True, True, DROP),
        (True, False, REPORT),
        ("eco", "eco", DROP),
        ("eco", "boost", REPORT),
        (5, 5, DROP),
        (5, 6, DROP),  # a deadband of 2
        (5, 8, REPORT),
        (5, "5", REPORT),
    ],
)
def test_deadbands_are_for_numbers(last: Scalar, value: Scalar, wanted: Decision) -> None:
    assert ReportPolicy(deadband=2).decide("p", value, 2_000, (last, 1_000)) is wanted


def test_without_a_deadband_any_change_counts() -> None:
    policy = ReportPolicy()
    assert policy.decide("p", 20.000001, 2_000, (20.0, 1_000)) is REPORT
    assert policy.decide("p", 20.0, 2_000, (20.0, 1_000)) is DROP


def test_the_first_value_is_always_reported() -> None:
    assert ReportPolicy(min_interval=100, deadband=100).decide("p", 1.0, 0, None) is REPORT


def test_a_deadband_of_its_own_goes_before_the_common_one() -> None:
    policy = ReportPolicy(deadband=1.0, deadbands={"temperature": 0.2, "humidity": 0.0})
    assert policy.decide("temperature", 20.3, 2_000, (20.0, 1_000)) is REPORT
    assert policy.decide("temperature", 20.1, 2_000, (20.0, 1_000)) is DROP
    assert policy.decide("humidity", 50.1, 2_000, (50.0, 1_000)) is REPORT
    assert policy.decide("pressure", 1000.5, 2_000, (1000.0, 1_000)) is DROP


def test_a_polled_value_is_early_rather_than_late() -> None:
    policy = ReportPolicy(max_interval=2)
    assert policy.decide("p", 1.0, 1_999, (1.0, 0), slack=0.9) is REPORT, "the next one would come after 3 s"
    assert policy.decide("p", 1.0, 999, (1.0, 0), slack=0.9) is DROP


def test_early_is_not_sooner_than_the_least_interval() -> None:
    policy = ReportPolicy(min_interval=2, max_interval=2)
    assert policy.decide("p", 1.0, 1_999, (1.0, 0), slack=0.9) is HOLD
    assert policy.decide("p", 1.0, 2_000, (1.0, 0), slack=0.9) is REPORT


@pytest.mark.parametrize("seed", range(20))
def test_over_any_walk_no_report_is_too_soon_or_too_late_and_none_is_owed(seed: int) -> None:
    rng = random.Random(seed)
    least, most, band = rng.uniform(0, 5), rng.uniform(5, 60), rng.choice((0.0, 0.3, 2.0))
    policy = ReportPolicy(min_interval=least, max_interval=most, deadband=band)
    value, time, last = 20.0, 0, (20.0, 0)
    for _ in range(2000):
        step = rng.uniform(0.05, 3)
        time += round(step * 1000)
        value += rng.choice((0.0, rng.uniform(-1, 1)))
        elapsed = (time - last[1]) / 1000
        match policy.decide("p", value, time, last):
            case Decision.REPORT:
                assert elapsed >= least
                assert elapsed - step < most, "the one before should have been reported"
                last = (value, time)
            case Decision.HOLD:
                assert elapsed < least
                assert value != last[0]
            case Decision.DROP:
                assert elapsed < most
                assert abs(value - last[0]) <= band
