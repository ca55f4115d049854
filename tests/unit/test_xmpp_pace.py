"""How much is under way to the server at one time."""

import asyncio
from functools import partial

import pytest

from jidget.errors import LinkError
from jidget.xmpp.pace import Pace, Turn

LIMIT = 5.0
FOR_EVER = 3600.0


class Road:
    """A pace, and the numbers of the stanzas that were sent."""

    def __init__(self, most: int = 100, long_way: float = FOR_EVER, fewest: int = 1) -> None:
        self.sent: list[int] = []
        self.blocked = False
        self._pace = Pace(most, long_way, fewest)

    def enter(self, *sizes: int) -> list[Turn[int]]:
        """Let stanzas of these sizes come, one after the other."""
        return [self._pace.enter(size, partial(self._send, number)) for number, size in enumerate(sizes)]

    def _send(self, number: int, _turn: Turn[int]) -> int:
        if self.blocked:
            raise LinkError("not connected")
        self.sent.append(number)
        return number


async def test_as_many_go_as_the_server_reads_at_once() -> None:
    road = Road()
    turns = road.enter(40, 40, 40)
    assert road.sent == [0, 1]
    turns[0].leave()
    assert road.sent == [0, 1, 2]  # at once, without a turn of the event loop
    assert [await turn.sent() for turn in turns] == [0, 1, 2]


async def test_one_that_is_longer_than_that_goes_alone() -> None:
    road = Road()
    turns = road.enter(500, 10)
    assert road.sent == [0]
    turns[0].leave()
    assert road.sent == [0, 1]


async def test_two_go_however_long_they_are() -> None:
    road = Road(fewest=2)
    turns = road.enter(500, 500, 10)
    assert road.sent == [0, 1]
    turns[0].leave()
    assert road.sent == [0, 1, 2]


async def test_a_short_one_does_not_overtake_a_long_one() -> None:
    road = Road()
    turns = road.enter(60, 80, 10)
    assert road.sent == [0]
    turns[0].leave()
    assert road.sent == [0, 1, 2]


async def test_to_leave_twice_frees_nothing_twice() -> None:
    road = Road()
    turns = road.enter(60, 60, 60)
    turns[0].leave()
    turns[0].leave()
    assert road.sent == [0, 1]


async def test_who_gives_up_waiting_is_passed_over() -> None:
    road = Road()
    turns = road.enter(100, 100, 100)
    waiting = asyncio.create_task(turns[1].sent())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    turns[1].leave()
    assert road.sent == [0]
    turns[0].leave()
    assert road.sent == [0, 2]


async def test_who_gives_up_while_it_is_under_way_lets_the_next_one_go() -> None:
    road = Road()
    turns = road.enter(100, 100, 100)
    turns[0].leave()
    turns[1].leave()
    assert road.sent == [0, 1, 2]


async def test_what_cannot_be_sent_lets_the_others_go() -> None:
    road = Road()
    turns = road.enter(100, 100, 100)
    road.blocked = True
    turns[0].leave()
    for turn in turns[1:]:
        with pytest.raises(LinkError, match="not connected"):
            await turn.sent()
    road.blocked = False
    assert await road.enter(100)[0].sent() == 0


async def test_on_a_long_way_more_are_under_way() -> None:
    road = Road(long_way=0.01)
    turns = road.enter(100, 100, 100)
    async with asyncio.timeout(LIMIT):
        assert [await turn.sent() for turn in turns] == [0, 1, 2]  # although nothing is ever answered
