"""A store that was put back from a copy is found out by what the server knows of its numbers."""

import pytest

from jidget.readings.continuity import Continuity

EXTENTS: dict[str, tuple[int, str | None]] = {"0000aaaa": (7, "0000bbbb"), "0000bbbb": (42, None)}


class Numbers:
    def __init__(self) -> None:
        self.gen = "0000bbbb"
        self.known = dict(EXTENTS)
        self.renewed = 0

    def extent(self, gen: str) -> tuple[int, str | None] | None:
        return self.known.get(gen)

    def renew(self) -> None:
        self.renewed += 1


@pytest.mark.parametrize(
    ("told", "renewed", "said"),
    [
        (None, 0, ""),
        (("0000bbbb", 41), 0, ""),
        (("0000bbbb", 42), 0, ""),
        (("0000bbbb", 43), 1, "it was put back from a copy"),
        (("0000aaaa", 9), 0, ""),
        (("0000cccc", 9), 0, "a store that this one does not follow"),
    ],
)
async def test_numbers_are_begun_anew_only_where_some_were_forgotten(
    told: tuple[str, int] | None, renewed: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    asked = 0

    async def ask() -> tuple[str, int] | None:
        nonlocal asked
        asked += 1
        return told

    numbers = Numbers()
    continuity = Continuity(numbers)
    for _ in range(2):
        await continuity.compare(ask)
    assert (numbers.renewed, asked) == (renewed, 1)
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_what_is_told_with_the_current_values() -> None:
    numbers = Numbers()
    assert Continuity(numbers).extent() == ("0000bbbb", 42)
    numbers.known.clear()
    assert Continuity(numbers).extent() is None
