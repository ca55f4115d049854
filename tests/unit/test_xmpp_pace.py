"""How much is under way to the server at one time."""

import asyncio

from jidget.xmpp.pace import Pace

LIMIT = 5.0
FOR_EVER = 3600.0


async def entered(pace: Pace, *sizes: int) -> list["asyncio.Task[int]"]:
    """Let stanzas of these sizes come, one after the other."""
    tasks = []
    for size in sizes:
        tasks.append(asyncio.create_task(pace.enter(size)))
        await asyncio.sleep(0)
    return tasks


async def passed(tasks: list["asyncio.Task[int]"]) -> list[bool]:
    """Let everything happen that can; return who got through."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [task.done() and not task.cancelled() for task in tasks]


async def end(tasks: list["asyncio.Task[int]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_as_many_go_as_the_server_reads_at_once() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 40, 40, 40)
    assert await passed(tasks) == [True, True, False]
    pace.leave(tasks[0].result())
    assert await passed(tasks) == [True, True, True]


async def test_one_that_is_longer_than_that_goes_alone() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 500, 10)
    assert await passed(tasks) == [True, False]
    pace.leave(tasks[0].result())
    assert await passed(tasks) == [True, True]


async def test_a_short_one_does_not_overtake_a_long_one() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 60, 80, 10)
    assert await passed(tasks) == [True, False, False]
    pace.leave(tasks[0].result())
    assert await passed(tasks) == [True, True, True]


async def test_to_leave_twice_frees_nothing_twice() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 60, 60, 60)
    pace.leave(tasks[0].result())
    pace.leave(tasks[0].result())
    assert await passed(tasks) == [True, True, False]
    await end(tasks)


async def test_who_gives_up_waiting_is_passed_over() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 100, 100, 100)
    tasks[1].cancel()
    pace.leave(tasks[0].result())
    assert await passed(tasks) == [True, False, True]


async def test_who_gives_up_when_the_turn_has_come_lets_the_next_one_go() -> None:
    pace = Pace(100, FOR_EVER)
    tasks = await entered(pace, 100, 100, 100)
    pace.leave(tasks[0].result())  # the second one's turn, but it does not know yet
    tasks[1].cancel()
    assert await passed(tasks) == [True, False, True]


async def test_on_a_long_way_more_are_under_way() -> None:
    pace = Pace(100, 0.01)
    tasks = await entered(pace, 100, 100, 100)
    async with asyncio.timeout(LIMIT):
        await asyncio.wait(tasks)  # although nothing is ever answered
    assert await passed(tasks) == [True, True, True]
