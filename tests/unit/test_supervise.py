"""The pauses between attempts: they grow, have a bound, differ, and begin anew."""

import pytest

from jidget.supervise import Backoff

TIMES = 200


@pytest.mark.parametrize("number", range(12))
def test_a_pause_lies_between_a_quarter_of_its_bound_and_its_bound(number: int) -> None:
    bound = min(30.0, 2.0**number)
    pauses = set()
    for _ in range(TIMES):
        backoff = Backoff(first=1.0, cap=30.0)
        for _ in range(number):
            backoff.next()
        pauses.add(backoff.next())
    assert bound / 4 <= min(pauses) < bound / 2
    assert bound * 3 / 4 < max(pauses) <= bound
    assert len(pauses) > TIMES / 2


def test_after_a_reset_it_begins_anew() -> None:
    backoff = Backoff(first=1.0, cap=1000.0)
    for _ in range(20):
        backoff.next()
    assert backoff.next() >= 250
    backoff.reset()
    assert backoff.next() <= 1.0


def test_it_goes_on_for_ever() -> None:
    backoff = Backoff()
    assert all(backoff.next() <= 60.0 for _ in range(10_000))
