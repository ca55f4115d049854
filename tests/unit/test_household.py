"""Things that come and go while the agent runs."""

import asyncio

from tests.support.fakes import ALICE, Facts, relay, thing, until_available

from jidget.reading import Reading
from jidget.readings.household import Household
from jidget.readings.policy import ReportPolicy
from jidget.readings.sampler import Sampler
from jidget.safety.guard import Guard
from jidget.safety.keeper import Keeper
from jidget.safety.memory import OutputMemory
from jidget.things.directory import Directory
from jidget.things.rules import Rules


async def test_a_thing_that_comes_later_is_found_run_reported_and_kept_safe() -> None:
    directory = Directory(())
    keeper = Keeper(Guard(directory, OutputMemory(Facts(), boot=lambda: "boot")), ())
    taken: list[Reading] = []
    sampler = Sampler((), {}, taken.extend)
    house = Household(directory, keeper, sampler, lambda _: ReportPolicy())
    jobs = [asyncio.create_task(keeper.run()), asyncio.create_task(sampler.run())]
    await asyncio.sleep(0)
    board = relay(on=True)
    pump = thing("pump", board)
    pump.rules["state"] = Rules(safe=False, max_on=0.2)
    await house.admit(pump)
    await until_available(pump)
    assert directory.get("pump") is pump
    assert [reading.value for reading in taken] == [False], "it was made safe before it was read"
    await keeper.guard.write(pump, {"state": True}, by=ALICE)
    async with asyncio.timeout(5):
        while board.held["state"]:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)

    another = relay()
    again = thing("pump", another)
    again.rules["state"] = Rules(safe=False)
    await house.admit(again)
    await until_available(again)
    opened = board.reads
    assert directory.get("pump") is again
    await keeper.guard.write(again, {"state": True}, by=ALICE)
    assert (another.held["state"], board.held["state"], board.reads) == (True, False, opened)

    await house.dismiss("pump")
    assert directory.get("pump") is None
    assert not keeper.guard.outputs
    for job in jobs:
        job.cancel()
    await asyncio.wait(jobs)


async def test_an_output_without_a_safe_value_is_kept_only_while_a_for_lasts() -> None:
    board = relay()
    pump = thing("pump", board)
    keeper = Keeper(Guard(Directory((pump,)), OutputMemory(Facts(), boot=lambda: "boot")), (pump,))
    jobs = [asyncio.create_task(keeper.run()), asyncio.create_task(pump.run())]
    await until_available(pump)
    tasks = asyncio.all_tasks()
    await keeper.guard.write(pump, {"state": True}, by=ALICE, span=0.2)
    assert len(asyncio.all_tasks() - tasks) == 1
    async with asyncio.timeout(5):
        while board.held["state"] or asyncio.all_tasks() - tasks:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
    assert board.written == [("state", True), ("state", False)], "back to what it was"
    for job in jobs:
        job.cancel()
    await asyncio.wait(jobs)
