"""Sets of numbers held as stretches, against plain sets."""

import random

import pytest

from jidget.xmpp.ranges import Ranges


@pytest.mark.parametrize(
    ("added", "stretches"),
    [
        ([(1, 3), (4, 6)], [(1, 6)]),
        ([(4, 6), (1, 3)], [(1, 6)]),
        ([(1, 1), (3, 3)], [(1, 1), (3, 3)]),
        ([(1, 1), (3, 3), (2, 2)], [(1, 3)]),
        ([(1, 9), (3, 4)], [(1, 9)]),
        ([(3, 4), (7, 8), (1, 20)], [(1, 20)]),
        ([(5, 4)], []),
    ],
)
def test_stretches_are_joined(added: list[tuple[int, int]], stretches: list[tuple[int, int]]) -> None:
    assert list(Ranges(added)) == stretches


def test_the_lowest_can_be_forgotten() -> None:
    ranges = Ranges([(1, 2), (5, 6)])
    ranges.forget_lowest()
    assert list(ranges) == [(5, 6)]
    assert (len(ranges), ranges.highest) == (1, 6)
    ranges.forget_lowest()
    assert (len(ranges), ranges.highest) == (0, None)


def test_does_what_a_set_does() -> None:
    chance = random.Random(20261121)
    for _ in range(2000):
        ranges, numbers = Ranges(), set[int]()
        for _ in range(chance.randint(0, 8)):
            first = chance.randint(0, 20)
            last = first + chance.randint(-1, 5)
            ranges.add(first, last)
            numbers |= set(range(first, last + 1))
        assert [n for n in range(-2, 30) if n in ranges] == sorted(numbers)
        assert ranges.highest == max(numbers, default=None)
        first, last = chance.randint(-2, 25), chance.randint(-2, 28)
        missing = [n for begin, end in ranges.missing(first, last) for n in range(begin, end + 1)]
        assert missing == [n for n in range(first, last + 1) if n not in numbers]
