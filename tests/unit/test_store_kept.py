"""What drivers keep for their next life, in a real store."""

import asyncio
from pathlib import Path

from tests.support.fakes import Facts

from jidget.store.kept import Kept, kept_in
from jidget.store.store import Store


async def test_what_is_assigned_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "jidget.db"
    async with Store(path) as store:
        meter = Kept(store, "meter")
        meter.wake()
        meter["total"] = 12.5
        meter["counting"] = True
        await asyncio.sleep(0)
        other = Kept(store, "other")
        other.wake()
        assert dict(other) == {}
        assert kept_in(path, "meter") == {"total": 12.5, "counting": True}, "in the file as soon as the loop turns"
    async with Store(path) as store:
        meter = Kept(store, "meter")
        meter.wake()
        assert dict(meter) == {"total": 12.5, "counting": True}
        del meter["counting"]
        await asyncio.sleep(0)
    assert kept_in(path, "meter") == {"total": 12.5}
    assert kept_in(path, "nobody") == {}


async def test_what_is_assigned_together_is_written_together() -> None:
    class Counted(Facts):
        writes = 0

        def keep_fact(self, name: str, text: str) -> bool:
            self.writes += 1
            return super().keep_fact(name, text)

    facts = Counted()
    meter = Kept(facts, "meter")
    for value in range(5):
        meter["total"] = value
    await asyncio.sleep(0)
    assert facts.writes == 1
    assert facts.kept == {"kept meter": '{"total": 4}'}


async def test_without_a_file_it_is_kept_until_there_is_one() -> None:
    facts = Facts()
    facts.usable = False
    meter = Kept(facts, "meter")
    meter["total"] = 1
    await asyncio.sleep(0)
    assert facts.kept == {}
    facts.usable = True
    meter.flush()
    assert facts.kept == {"kept meter": '{"total": 1}'}


async def test_a_file_that_is_begun_anew_learns_what_the_old_one_knew() -> None:
    facts = Facts()
    kept = Kept(facts, "meter")
    kept["total"] = 5
    kept.flush()
    facts.kept.clear()  # as where the old one was damaged and put aside
    kept.catch_up()
    again = Kept(facts, "meter")
    again.wake()
    assert dict(again) == {"total": 5}


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    assert kept_in(tmp_path / "none.db", "meter") == {}
    (tmp_path / "garbage.db").write_bytes(b"garbage" * 1000)
    assert kept_in(tmp_path / "garbage.db", "meter") == {}
    facts = Facts()
    facts.kept["kept meter"] = "[1, 2]"
    meter = Kept(facts, "meter")
    meter.wake()
    assert dict(meter) == {}
