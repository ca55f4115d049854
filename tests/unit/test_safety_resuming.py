"""Going back to what was commanded: after `min_off`, and when a Thing is built anew."""

import asyncio

from tests.support.fakes import ALICE, Facts, relay
from tests.support.site import Site, ruled, writes

from jidget.things.rules import Rules

RESTORE = Rules(safe=False, restore=True, min_off=0.5)


async def left_on(facts: Facts) -> None:
    """Have an agent that is stopped while its pump is on."""
    site = Site(ruled("pump", relay(), RESTORE), facts=facts)
    async with site.open():
        site.guard.outputs["pump", "state"].past.off_since = None
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        await site.keeper.leave(1)


async def test_a_restart_does_not_cut_short_the_time_off() -> None:
    facts, board = Facts(), relay()
    await left_on(facts)
    site = Site(ruled("pump", board, RESTORE), facts=facts)
    started = asyncio.get_running_loop().time()
    async with site.open():
        assert writes(board) == [False]
        async with asyncio.timeout(5):
            while writes(board)[-1] is False:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - started >= 0.5
        assert board.held["state"] is True
    assert site.unexpected == []


async def test_what_is_said_meanwhile_counts_more() -> None:
    facts, board = Facts(), relay()
    await left_on(facts)
    site = Site(ruled("pump", board, RESTORE), facts=facts)
    async with site.open():
        await site.guard.write(site.things[0], {"state": False}, by=ALICE)
        output = site.guard.outputs["pump", "state"]
        assert output.resumes_at is None
        await asyncio.sleep(0.7)  # it is the time itself that is tested
    assert True not in writes(board)


async def test_a_thing_that_is_built_anew_goes_on_as_it_was() -> None:
    board = relay()
    rules = Rules(safe=False, max_on=60)
    site = Site(ruled("lamp", board, rules))
    async with site.open():
        await site.guard.write(site.things[0], {"state": True}, by=ALICE)
        deadline = site.guard.outputs["lamp", "state"].deadline
        again = ruled("lamp", board, rules)
        site.keeper.add(again)
        output = site.guard.outputs["lamp", "state"]
        assert output.thing is again
        assert (output.deadline, output.pending) == (deadline, None)
    assert writes(board) == [False, True]
