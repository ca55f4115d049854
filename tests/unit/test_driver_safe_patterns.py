"""Regular expressions of a configuration: those that explode are refused, and those that take too long interrupted."""

import asyncio
import re
import signal
import time

import pytest

from jidget_drivers import safe_patterns
from jidget_drivers.safe_patterns import TooSlow, check_pattern, time_limit


@pytest.mark.parametrize(
    "pattern",
    [
        r"T=(?P<t>-?\d+(?:\.\d+)?) H=(?P<h>\d+)",
        r"(?:[^,]*,){7}(?P<t>\d+)",
        r"(?:\d+,)*+(?P<t>\d+)",
        r"(?:(?>a+)b)*",
        r"[(a+)+*]+\(+x",
        r"(?i)(?P<q>\d)(?P=q)+(?#(a*)x",
        r".*T=(\d+).*H=(\d+).*",
        r'\{"a":\d+}',
    ],
)
def test_patterns_as_people_write_them_are_taken(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(a+)+$", r"repeats a group that itself varies, \+ at position 5"),
        (r"(?P<x>a|a)*b", "repeats a group"),
        (r"(?:a?){30}a", "repeats a group"),
        (r"((a*)b?)*?", "repeats a group"),
        (r"(?:x(?:y(\d+)))*", "repeats a group"),
        (r"(?i:[a-z]+){2,}", "repeats a group"),
        (r"(", "not a regular expression"),
        (r"a{99999999999}", "not a regular expression"),
    ],
)
def test_patterns_that_could_keep_us_busy_for_ever_are_refused(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"(?:\d*,?){16}x", r".*\d.*\d.*\d.*\d.*\dx", r"(?:\d|\d\d){16}.*.*.*x"])
def test_a_search_that_never_ends_is_interrupted_and_the_next_one_is_not(pattern: str) -> None:
    searched = re.compile(check_pattern(pattern))
    for _ in range(2):
        with pytest.raises(TooSlow), time_limit():
            searched.search("1" * 256)
        with time_limit():
            assert re.search(r"T=(\d+)", "T=21")


async def test_in_another_thread_a_search_is_left_alone() -> None:
    def search() -> bool:
        with time_limit():
            return bool(re.search("1", "21"))

    assert await asyncio.to_thread(search)


def test_what_is_done_in_time_is_not_interrupted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_patterns, "SLOWEST", 0.05)
    with time_limit():
        pass
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    signal.raise_signal(signal.SIGVTALRM)
