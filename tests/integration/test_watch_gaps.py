"""`jidget watch` misses nothing: it asks for what did not arrive, whoever was away, and goes on where it left off."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from tests.support.accounts import Account, Accounts
from tests.support.agents import LIMIT, RunningApp, WatchedAgent, running_app, until, write_config
from tests.support.command_line import Running, jidget, login, started
from tests.support.followers import Keeper
from tests.support.proxy import ChaosProxy
from tests.support.sensor_data import NODE, batch_of
from tests.support.servers import FreshServers

from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

METER = """
[things.meter]
driver = "simulated"
interval = "20ms"
[things.meter.options.properties]
count = { type = "integer", waveform = "counter" }
"""


class House:
    """A device's account and its owner's, who see each other, and how the owner watches."""

    def __init__(self, server: XmppServer, account: Accounts, directory: Path) -> None:
        self.alice = account(server, "alice")
        self.pi = account(server, "pi", contacts=(self.alice,))
        self.directory = directory
        self.file = write_config(directory, self.pi, {self.alice.jid: '"owner"'}, things=METER)
        self.state = directory / "watch.state"

    def arguments(self, *more: object, port: int | None = None) -> list[object]:
        return ["watch", self.pi.jid, *login(self.alice, self.directory, port=port), "--json", *more]

    def resuming(self, *more: object) -> list[object]:
        return self.arguments("--state", self.state, *more)


@pytest.fixture
def house(server: XmppServer, account: Accounts, tmp_path: Path) -> House:
    return House(server, account, tmp_path)


@pytest.fixture
def cottage(prosody: Prosody, account: Accounts, tmp_path: Path) -> House:
    """One server is enough where it takes no part."""
    return House(prosody, account, tmp_path)


def records(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def counts(shown: Iterable[dict[str, Any]]) -> list[int]:
    return [record["value"] for record in shown if "value" in record]


def gaps(shown: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(record["from"], record["to"]) for record in shown if "event" in record]


def batches(shown: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return the batches in the order in which they were shown, each once."""
    return list(dict.fromkeys(batch_of(record["seq"]) for record in shown if "value" in record))


def assert_complete(shown: Iterable[dict[str, Any]]) -> None:
    """Check that a counter's readings are all there, each once, in order."""
    seen = counts(shown)
    assert seen
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def last_batch(agent: RunningApp) -> int:
    """Return how many batches the present generation has."""
    extent = agent.app.store.extent(agent.app.store.gen)
    assert extent is not None
    return extent[0]


async def publishes_more(agent: RunningApp, batches: int = 10) -> None:
    """Wait until so many batches were published and taken by the server."""
    await agent.publishes()
    enough = last_batch(agent) + batches
    await until(lambda: last_batch(agent) >= enough and not agent.app.store.unacknowledged())


def remove_store(directory: Path) -> None:
    for file in directory.glob("jidget.db*"):
        file.unlink()


async def brings_nothing(keeper: Keeper) -> None:
    """Have the server take what is published, and tell nobody."""
    await keeper.configure(NODE, deliver_notifications="0")


async def brings_all(keeper: Keeper) -> None:
    await keeper.configure(NODE, deliver_notifications="1")


def shows(count: int) -> Callable[[str], bool]:
    return lambda out: out.count("\n") >= count


async def shows_more(watcher: Running, readings: int = 20) -> None:
    await watcher.prints(shows(watcher.out.count("\n") + readings))


# ---- while it watches ----------------------------------------------------------------------------------------------


async def test_batches_that_the_server_did_not_bring_are_asked_for_and_shown_in_their_order(house: House) -> None:
    async with running_app(house.file) as agent, started(*house.arguments()) as watcher:
        await shows_more(watcher)
        async with Keeper(house.pi) as keeper:
            for _ in range(2):
                await brings_nothing(keeper)
                before = watcher.out.count("\n")
                await publishes_more(agent)
                assert watcher.out.count("\n") - before < 10
                await brings_all(keeper)
                await shows_more(watcher)
    shown = records(watcher.out)
    assert_complete(shown)
    assert len(batches(shown)) > 20
    assert watcher.err == ""


async def test_a_link_that_is_down_for_longer_than_the_server_waits_costs_nothing(
    fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    house = House(fresh_server(Prosody, hibernation=1), account, tmp_path)
    async with (
        ChaosProxy(house.pi.server.host, house.pi.server.port) as proxy,
        running_app(house.file) as agent,
        started(*house.arguments(port=proxy.port)) as watcher,
    ):
        await shows_more(watcher)
        proxy.refuse()
        proxy.cut()
        await watcher.prints(lambda err: "Trying again" in err, err=True)
        await publishes_more(agent, 100)  # for more than two seconds
        proxy.accept()
        await watcher.prints(lambda err: "connected again" in err, err=True)
        await shows_more(watcher, 100)
    shown = records(watcher.out)
    assert_complete(shown)
    assert watcher.err.count("Trying again") == 1, "said once"


async def test_an_agent_that_is_killed_and_comes_back_with_its_store_loses_nothing(
    cottage: House, tmp_path: Path
) -> None:
    async with started(*cottage.arguments()) as watcher:
        for _ in range(3):
            async with WatchedAgent(tmp_path / "agent", cottage.file) as agent:
                await shows_more(watcher)
                await agent.ends(signal.SIGKILL)
        async with WatchedAgent(tmp_path / "agent", cottage.file) as agent:
            await shows_more(watcher)
            await agent.ends(signal.SIGTERM)
        await watcher.prints(lambda err: "is offline" in err.splitlines()[-1], err=True)
    shown = records(watcher.out)
    assert not gaps(shown)
    numbers = [seq for _, seq in batches(shown)]
    assert len({gen for gen, _ in batches(shown)}) == 1, "the machine was not started anew"
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    lives = [n for n, count in enumerate(counts(shown)) if count == 0]
    for begin, end in zip(lives, [*lives[1:], None], strict=True):
        assert_complete(shown[begin:end])


async def test_an_agent_that_comes_back_with_a_new_store_is_followed_from_its_first_reading(
    cottage: House, tmp_path: Path
) -> None:
    async with started(*cottage.arguments()) as watcher:
        async with running_app(cottage.file):
            await shows_more(watcher)
        remove_store(tmp_path)
        async with running_app(cottage.file) as agent, Keeper(cottage.pi) as keeper:
            await agent.publishes()
            await brings_nothing(keeper)
            await publishes_more(agent)
            await brings_all(keeper)
            before = watcher.out.count("\n")
            await watcher.prints(lambda out: counts(records(out))[-1] > before)
    shown = counts(records(watcher.out))
    anew = shown.index(0, 1)
    assert shown[anew:] == list(range(len(shown) - anew))
    assert not gaps(records(watcher.out))


async def test_what_retention_took_is_told_as_a_gap(cottage: House) -> None:
    async with running_app(cottage.file) as agent, started(*cottage.arguments()) as watcher:
        await shows_more(watcher)
        async with Keeper(cottage.pi) as keeper:
            await brings_nothing(keeper)
            await publishes_more(agent, 5)
            file = agent.app.store._file
            assert file is not None
            file.readings.forget(10_000)
            await publishes_more(agent, 5)
            await brings_all(keeper)
            await shows_more(watcher)
    shown = records(watcher.out)
    ((first, last),) = gaps(shown)
    order = [record.get("seq", "gap") for record in shown]
    gap = order.index("gap")
    assert batch_of(order[gap - 1])[1] == batch_of(first)[1] - 1
    assert batch_of(order[gap + 1])[1] == batch_of(last)[1] + 1
    assert batch_of(last)[1] - batch_of(first)[1] >= 3
    assert_complete(shown[:gap])
    assert_complete(shown[gap + 1 :])


class Hesitant(Keeper):
    """A client in the agent's place that answers questions about the past, but not all of them at once."""

    def __init__(self, account: Account) -> None:
        super().__init__(account, "agent")
        self.last = 0
        self.held: asyncio.Queue[StanzaBase] = asyncio.Queue()
        matcher = MatchXPath(f"{{jabber:client}}iq/{{{NODE}}}req")
        self.xmpp.register_handler(Callback("questions", matcher, self._asked))

    async def tells(self, number: int) -> None:
        self.last = number
        await self.publish(NODE, f"a-{number}", batch(number))

    def _asked(self, question: StanzaBase) -> None:
        (wanted,) = question.xml.iter("{urn:jidget:1}batch")
        if wanted.get("from") == "2":
            self.held.put_nowait(question)
        else:
            self.answer(question)

    def answer(self, question: StanzaBase, *numbers: int) -> None:
        marked = (f"<batch xmlns='urn:jidget:1' gen='a' from='{n}' to='{n}'/>{nodes(n)}" for n in numbers)
        extent = f"<generation xmlns='urn:jidget:1' gen='a' last='{self.last}'/>"
        resp = f"<resp xmlns='{NODE}' id='past'>{''.join(marked)}{extent}</resp>"
        self._send("result", question, resp)

    def refuse(self, question: StanzaBase, condition: str, kind: str) -> None:
        error = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        self._send("error", question, f"<error type='{kind}'>{error}</error>")

    def _send(self, kind: str, question: StanzaBase, inner: str) -> None:
        to, id = question.xml.get("from"), question.xml.get("id")
        self.xmpp.send_raw(f"<iq type='{kind}' to='{to}' id='{id}'>{inner}</iq>")


async def test_who_does_not_answer_keeps_the_present_waiting_for_seconds_only(cottage: House) -> None:
    async with Hesitant(cottage.pi) as device, started(*cottage.arguments()) as watcher:
        device.xmpp.send_presence()
        async with asyncio.timeout(LIMIT):
            while not watcher.out:
                await device.tells(1)
                await asyncio.sleep(0.05)
            await device.tells(4)
            await device.tells(5)
            question = await device.held.get()
            await watcher.prints(shows(3))
            device.answer(question, 2, 3)
            await watcher.prints(shows(5))
    assert counts(records(watcher.out)) == [1, 4, 5, 2, 3]


async def test_who_cannot_answer_now_is_asked_again(cottage: House) -> None:
    async with Hesitant(cottage.pi) as device, started(*cottage.arguments()) as watcher:
        device.xmpp.send_presence()
        async with asyncio.timeout(LIMIT):
            while not watcher.out:
                await device.tells(1)
                await asyncio.sleep(0.05)
            await device.tells(4)
            device.refuse(await device.held.get(), "resource-constraint", "wait")
            await watcher.prints(shows(2))
            device.answer(await device.held.get(), 2)
            await watcher.prints(shows(4))
    shown = records(watcher.out)
    assert counts(shown) == [1, 4, 2]
    assert gaps(shown) == [("a-3", "a-3")], "what is not in the answer is lost"


def nodes(number: int) -> str:
    instant = f"<ts v='2026-11-21T12:00:{number:02}.000Z'><l n='count' v='{number}'/></ts>"
    return f"<nd xmlns='{NODE}' id='meter' src='agent'>{instant}</nd>"


def batch(number: int) -> str:
    return f"<resp xmlns='{NODE}' id='a-{number}'>{nodes(number)}</resp>"


# ---- from one run to the next --------------------------------------------------------------------------------------


async def test_it_goes_on_where_it_left_off_in_the_middle_of_a_batch_and_through_what_it_missed(house: House) -> None:
    more = 'more = { type = "integer", waveform = "counter" }\nrest = { type = "integer", waveform = "counter" }\n'
    write_config(house.directory, house.pi, {house.alice.jid: '"owner"'}, things=METER + more)
    shown: list[dict[str, Any]] = []
    async with running_app(house.file) as agent:
        for count in (7, 25, 1, 61):
            ended = await jidget(*house.resuming("--count", count))
            assert (ended.code, ended.err) == (0, "")
            assert len(ended.records) == count
            shown += ended.records
            await publishes_more(agent)
    for name in ("count", "more", "rest"):
        assert_complete([record for record in shown if record["property"] == name])
    assert len(shown) == 94


async def test_the_first_run_begins_with_what_comes_after_its_start_even_if_it_sees_nothing(cottage: House) -> None:
    quiet = METER.replace("20ms", "1h")
    file = write_config(cottage.directory, cottage.pi, {cottage.alice.jid: '"owner"'}, things=quiet)
    async with running_app(file) as agent:
        await publishes_more(agent, 0)
        await until(lambda: last_batch(agent) == 1)
        async with started(*cottage.resuming()) as watcher:
            await until(lambda: cottage.state.exists() and agent.app.store.gen in cottage.state.read_text())
            watcher.interrupt(signal.SIGTERM)
            ended = await watcher.ended()
        assert (ended.code, ended.out, ended.err) == (143, "", "")
        meter = agent.app.directory.get("meter")
        assert meter is not None
        for _ in range(3):
            await meter.read_now()
        await until(lambda: not agent.app.store.waiting)
        ended = await jidget(*cottage.resuming("--count", 3))
    assert counts(ended.records) == [1, 2, 3]


async def test_killed_at_any_moment_it_loses_nothing_and_repeats_little(cottage: House) -> None:
    shown: list[dict[str, Any]] = []
    repeated = 0
    async with running_app(cottage.file) as agent:
        for readings in (5, 60, 33):
            async with started(*cottage.resuming()) as watcher:
                await shows_more(watcher, readings)
                watcher.process.kill()
                await watcher.ended()
            again = [record for record in records(watcher.out) if record in shown]
            repeated += len(again)
            shown += [record for record in records(watcher.out) if record not in again]
            await publishes_more(agent)
    assert_complete(shown)
    assert repeated < 200, "what was shown in the last seconds before it was killed"


async def test_ctrl_c_is_an_orderly_end(cottage: House) -> None:
    shown: list[dict[str, Any]] = []
    async with running_app(cottage.file):
        for _ in range(2):
            async with started(*cottage.resuming()) as watcher:
                await shows_more(watcher)
                watcher.interrupt()
                ended = await watcher.ended()
            assert (ended.code, ended.err) == (130, "")
            shown += ended.records
    assert_complete(shown)


async def test_nothing_is_missing_over_a_change_of_generation_that_the_store_knows_of(cottage: House) -> None:
    shown: list[dict[str, Any]] = []
    async with running_app(cottage.file) as agent:
        shown += (await jidget(*cottage.resuming("--count", 20))).records
        for _ in range(2):
            await publishes_more(agent)
            agent.app.store.renew()  # as after a machine that went down
        await publishes_more(agent)
        shown += (await jidget(*cottage.resuming("--count", 60))).records
        last = await jidget(*cottage.resuming("--for", "1s"))
        shown += last.records
    assert_complete(shown)
    assert len({gen for gen, _ in batches(shown)}) == 3


async def test_an_agent_that_is_not_there_yet_is_asked_as_soon_as_it_is(cottage: House) -> None:
    async with running_app(cottage.file) as agent:
        shown = (await jidget(*cottage.resuming("--count", 20))).records
        await publishes_more(agent)
        last = last_batch(agent)
    async with started(*cottage.resuming()) as watcher:
        await watcher.prints(lambda err: "is offline" in err, err=True)
        assert watcher.out == ""
        async with running_app(cottage.file) as agent:
            await shows_more(watcher, 100)
            gen = agent.app.store.gen
    shown += records(watcher.out)
    begins_anew = counts(shown).index(0, 1) if 0 in counts(shown)[1:] else None
    assert_complete(shown[:begins_anew])
    numbers = [seq for of, seq in batches(shown) if of == gen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] <= last < numbers[-1]


async def test_a_change_of_generation_while_it_watches(cottage: House) -> None:
    async with running_app(cottage.file) as agent, started(*cottage.arguments()) as watcher:
        await shows_more(watcher)
        async with Keeper(cottage.pi) as keeper:
            await brings_nothing(keeper)
            await publishes_more(agent)
            agent.app.store.renew()
            await publishes_more(agent)
            await brings_all(keeper)
            await shows_more(watcher, 60)
    assert_complete(records(watcher.out))
    assert len({gen for gen, _ in batches(records(watcher.out))}) == 2


async def test_a_new_store_is_shown_from_its_first_reading(cottage: House, tmp_path: Path) -> None:
    async with running_app(cottage.file):
        before = await jidget(*cottage.resuming("--count", 20))
    remove_store(tmp_path)
    async with running_app(cottage.file) as agent:
        await publishes_more(agent, 20)
        after = await jidget(*cottage.resuming("--count", 80))
    assert counts(after.records) == list(range(80))
    assert not {gen for gen, _ in batches(before.records)} & {gen for gen, _ in batches(after.records)}
    assert after.err == ""


async def test_readings_of_a_generation_between_are_shown_by_their_time(cottage: House) -> None:
    """The last one seen is forgotten, and two came since."""
    async with running_app(cottage.file) as agent:
        before = await jidget(*cottage.resuming("--count", 20))
        await publishes_more(agent)
        agent.app.store.renew()
        await publishes_more(agent)
        state = json.loads(cottage.state.read_text())
        (known,) = state["generations"]
        known["gen"] = state["newest"] = "ffffffff"
        cottage.state.write_text(json.dumps(state))
        agent.app.store.renew()
        await publishes_more(agent)
        after = await jidget(*cottage.resuming("--count", 100))
    assert_complete(before.records + after.records)
    by_time = [record for record in after.records if record["seq"] is None]
    assert len(by_time) > 10
    assert after.records[: len(by_time)] == by_time
    assert {tuple(record["flags"]) for record in by_time} == {("h",)}
