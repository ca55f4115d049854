"""Messages about outputs: each person is told each of them, once."""

import asyncio

import pytest
from tests.support.fakes import ALICE, BOB, GRANTS, relay
from tests.support.site import ruled

from jidget.commands import notices as telling
from jidget.commands.access import Access
from jidget.commands.notices import Notices
from jidget.config.model import Grant
from jidget.errors import LinkError
from jidget.safety.changes import Forced
from jidget.safety.output import Output


class Letters:
    """What people were told; `gate` holds it up, `broken` loses the link."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.telling = asyncio.Event()
        self.broken = False

    async def tell(self, jid: str, text: str, message_id: str) -> None:
        self.telling.set()
        await self.gate.wait()
        if self.broken:
            raise LinkError(f"the link was lost, {message_id} is in doubt")
        self.told.append((jid, text))


def notices(letters: Letters) -> Notices:
    access = Access({jid: Grant.model_validate(grant) for jid, grant in GRANTS.items()}, "pi@example.org")
    return Notices(access, letters)


def pump() -> Output:
    one = ruled("pump", relay())
    return Output(one, one.properties["state"])


def forced(why: str) -> Forced:
    return Forced(value=False, why=why, by=BOB)


async def until(letters: Letters, count: int) -> None:
    async with asyncio.timeout(5):
        while len(letters.told) < count:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)


async def test_whoever_had_it_on_and_the_owners_are_told() -> None:
    letters = Letters()
    told = notices(letters)
    told.forced(pump(), forced("max_on is 15m"))
    run = asyncio.create_task(told.run())
    await until(letters, 2)
    assert letters.told == [(jid, "pump.state was set to off: max_on is 15m") for jid in (BOB, ALICE)]
    run.cancel()


async def test_what_comes_while_one_is_told_and_no_more_fit_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_WAITING", 4)
    letters = Letters()
    told = notices(letters)
    letters.gate.clear()
    told.forced(pump(), forced("1"))
    told.forced(pump(), forced("2"))
    run = asyncio.create_task(told.run())
    await letters.telling.wait()  # the first one is on its way, and makes room meanwhile
    told.forced(pump(), forced("3"))
    letters.gate.set()
    await until(letters, 5)
    assert [text[-1] for _, text in letters.told] == ["1", "2", "2", "3", "3"]
    run.cancel()


async def test_what_a_lost_link_held_up_is_told_when_it_is_back() -> None:
    letters = Letters()
    told = notices(letters)
    letters.broken = True
    told.forced(pump(), forced("1"))
    run = asyncio.create_task(told.run())
    await letters.telling.wait()
    await asyncio.sleep(0)
    letters.broken = False
    told.notify()
    await until(letters, 2)
    run.cancel()


async def test_a_driver_that_has_much_to_say_does_not_keep_people_from_being_told() -> None:
    letters = Letters()
    told = notices(letters)
    told.stuck(pump(), "safety pending: " + "x" * 1_000_000)
    run = asyncio.create_task(told.run())
    await until(letters, 1)
    assert len(letters.told[0][1]) <= telling.LONGEST
    run.cancel()
