"""What goes to safe because the server is out of reach, and when it does not."""

import asyncio

from tests.support.fakes import ALICE, relay
from tests.support.site import Site, ruled, writes

from jidget.safety.link_loss import LinkLoss
from jidget.things.rules import Rules

AWAY = Rules(safe=False, on_disconnect=0.3)
WHY = ("pump.state", "no link for 300ms (on_disconnect)")


async def test_no_link_from_the_start_makes_it_safe_once() -> None:
    board = relay()
    site = Site(ruled("pump", board, AWAY))
    async with site.open():
        pump = site.things[0]
        await site.guard.write(pump, {"state": True}, by="button lamp")
        await site.until(lambda: site.unexpected == [WHY])
        await site.guard.write(pump, {"state": True}, by="button lamp")  # somebody there wants it all the same
        await asyncio.sleep(0.5)
        assert board.held["state"] is True
        assert site.unexpected == [WHY]


async def test_a_link_that_comes_back_in_time_changes_nothing() -> None:
    board = relay()
    site = Site(ruled("pump", board, AWAY))
    async with site.open():
        site.keeper.link(up=True)
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        site.keeper.link(up=False)
        await asyncio.sleep(0.1)
        site.keeper.link(up=True)
        await asyncio.sleep(0.4)
        assert board.held["state"] is True


async def test_a_link_that_flaps_gives_no_more_time_and_restores_nothing() -> None:
    board = relay()
    site = Site(ruled("pump", board, AWAY))
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        for _ in range(6):
            await asyncio.sleep(0.08)
            site.keeper.link(up=True)
            site.keeper.link(up=False)
        await site.until(lambda: WHY in site.unexpected)
        site.keeper.link(up=True)
        await asyncio.sleep(0.1)
    assert writes(board) == [False, True, False]


async def test_what_was_off_in_time_is_no_news() -> None:
    board = relay()
    site = Site(ruled("pump", board, AWAY))
    async with site.open():
        await asyncio.sleep(0.5)
        assert not site.unexpected
    assert writes(board) == [False]


def test_the_moment_itself_counts() -> None:
    loss = LinkLoss(100)
    assert loss.due(0) == 100
    loss.changed(up=True, at=100)
    loss.changed(up=False, at=160)
    assert loss.due(10) == 170, "it held for the whole time"
