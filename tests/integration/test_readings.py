"""Readings from the hardware to a plain client's screen: none missing, none twice, whatever happens on the way."""

import asyncio
import logging
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import LIMIT, RunningApp, running_app, write_config
from tests.support.followers import Follower, assert_gapless, following, rows_once
from tests.support.logs import watching_log
from tests.support.proxy import ChaosProxy
from tests.support.sensor_data import NODE, NOW_NODE, Row
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer


def counter(thing: str = "meter", interval: str = "10ms", more: str = "") -> str:
    return f"""
[things.{thing}]
driver = "simulated"
interval = "{interval}"
timeout = "200ms"
[things.{thing}.options]
{more}
[things.{thing}.options.properties]
count = {{ type = "integer", waveform = "counter" }}
"""


def household(server: XmppServer, account: Accounts) -> tuple[Account, Account]:
    """Return a device's and its owner's account, who see each other."""
    alice = account(server, "alice")
    return account(server, "pi", contacts=(alice,)), alice


def owner(alice: Account) -> dict[str, str]:
    return {alice.jid: '"owner"'}


def counts(rows: Iterable[Row]) -> list[int]:
    return [int(row.value) for row in rows]


def assert_complete(rows: Iterable[Row], last: int | None = None) -> None:
    """Check that a counter's readings are all there, and each once by the rule for consumers."""
    seen = sorted(counts(rows))
    assert seen
    assert seen == list(range(seen[0], seen[-1] + 1))
    assert last in (None, seen[-1])


def last_count(agent: RunningApp, thing: str = "meter") -> int:
    found = agent.app.directory.get(thing)
    assert found is not None
    value = found.values["count"].value
    assert isinstance(value, int)
    return value


# ---- none missing, none twice --------------------------------------------------------------------------------------


async def test_hundreds_of_readings_arrive_each_once_and_the_last_ones_before_the_goodbye(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower):
        async with running_app(write_config(tmp_path, pi, owner(alice), things=counter())) as agent:
            await follower.hears("meter.count", 210)
        last = last_count(agent)
        await follower.sees("unavailable")
        assert_complete(follower.rows("meter.count"), last)
        assert_gapless(follower.batches())
        assert {len(batch.rows) <= 50 for batch in follower.batches()} == {True}


async def test_a_link_that_is_cut_again_and_again_loses_and_repeats_nothing(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with ChaosProxy(server.host, server.port) as proxy, following(follower):
        file = write_config(tmp_path, pi, owner(alice), things=counter(), port=proxy.port)
        with watching_log() as log:
            async with running_app(file) as agent:
                await follower.hears("meter.count", 30)
                for cut in range(1, 6):
                    # right after a publish has gone up and before its answer is down, sometimes
                    proxy.cut_after(100 * cut, "down" if cut % 2 else "up")
                    await log.says("no link", times=cut)
                    await log.says("logged in to|the link is back", times=cut + 1)
                    await follower.hears("meter.count", len(follower.rows("meter.count")) + 40)
        assert_complete(follower.rows("meter.count"), last_count(agent))
        assert len(follower.rows("meter.count")) > 200
        assert_gapless(follower.batches())
        assert not [message for message in log.messages if "Traceback" in message]


@pytest.mark.parametrize(
    ("kind", "crash"),
    [
        pytest.param(Prosody, False, id="prosody-restart"),
        pytest.param(Prosody, True, id="prosody-crash"),
        pytest.param(Ejabberd, True, id="ejabberd-crash", marks=pytest.mark.ejabberd),
    ],
)
async def test_a_server_that_goes_and_comes_back_loses_nothing(
    fresh_server: FreshServers, account: Accounts, tmp_path: Path, kind: type[Prosody] | type[Ejabberd], crash: bool
) -> None:
    server = fresh_server(kind, hibernation=1)
    pi, alice = household(server, account)
    before, after = Follower(alice, f"{pi.jid}/agent"), Follower(alice, f"{pi.jid}/agent")
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, owner(alice), things=counter(), port=proxy.port)
        async with running_app(file) as agent:
            async with following(before):
                await before.hears("meter.count", 100)
                proxy.refuse()
                proxy.cut()
                await before.sees("unavailable")  # what came in before that has gone out
                await (asyncio.to_thread(server.kill) if crash else server.astop())
            await server.astart()
            async with following(after):  # is there first, as nobody keeps readings for the absent
                proxy.accept()
                await after.hears("meter.count", 100)
                await agent.stop()
                await after.sees("unavailable")
    batches = {batch.id: batch for follower in (before, after) for batch in follower.batches()}
    assert_complete(rows_once(batches.values()), last_count(agent))
    assert_gapless(list(batches.values()))


async def test_what_was_read_before_there_was_a_network_comes_oldest_first_after_the_state_and_flagged(
    server: XmppServer, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jidget.readings.publisher.BACKLOG_AGE", 600)
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent", now=True)
    async with ChaosProxy(server.host, server.port) as proxy, following(follower):
        proxy.refuse()
        file = write_config(tmp_path, pi, owner(alice), things=counter(), port=proxy.port)
        async with running_app(file) as agent:
            async with asyncio.timeout(LIMIT):
                while agent.app.store.waiting < 120:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.02)
            proxy.accept()
            await follower.hears("meter.count", 250)
        rows = follower.rows("meter.count")
        assert [item.node for item in follower.items()[:2]] == [NOW_NODE, NODE]
        assert counts(rows) == list(range(len(rows)))
        assert [row.time for row in rows] == sorted(row.time for row in rows)
        flagged = ["h" in row.flags for row in rows]
        assert flagged[0]
        assert not flagged[-1]
        assert flagged == sorted(flagged, reverse=True)
        assert_gapless(follower.batches())


# ---- batches -------------------------------------------------------------------------------------------------------


def wide(thing: str) -> str:
    """Return a Thing with eight properties."""
    more = "".join(f'p{n} = {{ type = "number", writable = true }}\n' for n in range(7))
    return counter(thing, "1h").replace('timeout = "200ms"\n', "") + more


async def test_a_burst_goes_in_few_items_and_a_single_change_at_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    fleet = "".join(wide(f"meter{n}") for n in range(40))
    async with ChaosProxy(server.host, server.port) as proxy, following(follower):
        proxy.refuse()
        file = write_config(tmp_path, pi, owner(alice), things=fleet, port=proxy.port)
        async with running_app(file) as agent:
            async with asyncio.timeout(LIMIT):
                while agent.app.store.waiting < 320:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.02)
            proxy.accept()
            await follower.follows(lambda it: len(it.rows()) == 320)
            sizes = [len(batch.rows) for batch in follower.batches()]
            assert sizes == [56, 56, 56, 56, 56, 40], "about 50, no instant split"
            found = agent.app.directory.get("meter7")
            assert found is not None
            await found.read_now()  # its counter has gone on, the rest has not
            await follower.follows(lambda it: len(it.rows()) == 321, within=1.0)
            assert len(follower.batches()[-1].rows) == 1
        assert_gapless(follower.batches())


# ---- when to report ------------------------------------------------------------------------------------------------

REPORTS = """
[report]
min_interval = "100ms"
max_interval = "1s"
deadband = 5
[things.slow]
driver = "simulated"
interval = "20ms"
[things.slow.options.properties]
count = { type = "integer", waveform = "counter" }
still = { type = "number", writable = true, initial = 7.0 }
[things.fine]
driver = "simulated"
interval = "20ms"
[things.fine.report]
min_interval = "0s"
max_interval = "300ms"
deadband = { half = 10 }
[things.fine.options.properties]
count = { type = "integer", waveform = "counter" }
half = { type = "integer", waveform = "counter" }
still = { type = "number", writable = true, initial = 7.0 }
"""


async def test_reports_follow_the_policy_of_the_configuration_and_of_the_thing(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    file = write_config(tmp_path, pi, owner(alice), things=REPORTS)
    async with following(follower), running_app(file):
        await follower.hears("slow.still", 4)
    slow, still = follower.rows("slow.count"), follower.rows("slow.still")
    assert min(gaps(slow)) >= 100, "min_interval"
    assert min(steps(slow, unless=900)) > 5, "deadband"
    assert all(900 <= gap <= 1500 for gap in gaps(still)), "max_interval, unchanged"
    assert set(steps(follower.rows("fine.count"), unless=280)) == {6}, "the common deadband: more than 5"
    assert set(steps(follower.rows("fine.half"), unless=280)) == {11}, "its own: more than 10"
    assert all(280 <= gap <= 700 for gap in gaps(follower.rows("fine.still"))), "its own max_interval"


def steps(rows: list[Row], *, unless: int) -> list[int]:
    """Return how far a counter has come between readings, but for those after so many milliseconds of silence."""
    return [
        int(after.value) - int(before.value)
        for before, after in pairwise(rows)
        if after.milliseconds - before.milliseconds < unless
    ]


def gaps(rows: list[Row]) -> list[int]:
    return [after.milliseconds - before.milliseconds for before, after in pairwise(rows)]


CALIBRATED = """
[things.tank]
driver = "simulated"
interval = "50ms"
[things.tank.options.properties]
raw = { type = "number", unit = "Cel", writable = true, initial = 21.37512 }
shifted = { type = "number", unit = "Cel", writable = true, initial = 21.37512, precision = 3 }
scaled = { type = "integer", writable = true, initial = 7 }
[things.tank.properties.shifted]
offset = -0.4
[things.tank.properties.scaled]
scale = 0.1
precision = 2
"""


async def test_values_are_calibrated_and_rounded(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    follower = Follower(alice, f"{pi.jid}/agent", now=True)
    async with following(follower), running_app(write_config(tmp_path, pi, owner(alice), things=CALIBRATED)) as agent:
        await follower.follows(lambda it: it.items(NODE) and it.items(NOW_NODE))
        for item in follower.items():
            told = {row.prop: (row.type, row.value) for row in item.rows}
            assert told == {"raw": ("q", "21.37512"), "shifted": ("q", "20.975"), "scaled": ("q", "0.7")}
        tank = agent.app.directory.get("tank")
        assert tank is not None
        assert (await tank.write({"shifted": 19.0})).confirmed
        await follower.hears("tank.shifted", 2)
        assert follower.rows("tank.shifted")[-1].value == "19.0"


# ---- drivers that fail ---------------------------------------------------------------------------------------------

FAULTS = ("fail", "crash", "hang", "block", "invalid", "nan", "wrong_type", "out_of_range", "unknown_property")


def sick(fault: str) -> str:
    broken = f'faults = [{{ on = "read", do = "{fault}", while_file = "broken" }}]'
    level = 'level = { type = "number", unit = "%", writable = true, min = 0, max = 100, initial = 5.0 }'
    return f"{counter(fault, '50ms', broken)}{level}\n"


async def test_a_driver_that_fails_in_whatever_way_takes_nobody_with_it_and_recovers(
    server: XmppServer, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jidget.things.running.RETRY_LONGEST", 0.5)
    monkeypatch.setattr("jidget.readings.now.LEAST_INTERVAL", 0.2)
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent", now=True)
    things = counter("well") + "".join(map(sick, FAULTS))
    broken = tmp_path / "broken"
    async with following(follower):
        with watching_log() as log:
            async with running_app(write_config(tmp_path, pi, owner(alice), things=things)) as agent:
                await follower.follows(lambda it: all(len(it.rows(f"{name}.count")) > 3 for name in FAULTS))
                broken.touch()
                for name in FAULTS:
                    await log.says(f"{name}: unavailable")
                away = await _sees_status(follower, "unavailable: fail, crash, hang, block …")
                assert away == "away"
                await follower.follows(lambda it: {row.thing for row in it.items(NOW_NODE)[-1].rows} == {"well"})
                status = await follower.asks("status")
                for name in FAULTS:
                    assert f"{name} is unavailable since" in status or f"{name}: unavailable" in status, status
                seen = {name: len(follower.rows(f"{name}.count")) for name in ("well", *FAULTS)}
                await follower.hears("well.count", seen["well"] + 50)
                assert {name: len(follower.rows(f"{name}.count")) for name in FAULTS} == {n: seen[n] for n in FAULTS}
                broken.unlink()
                for name in FAULTS:
                    await log.says(f"{name}: available again")
                assert await _sees_status(follower, "") == ""
                await follower.follows(
                    lambda it: all(len(it.rows(f"{name}.count")) > seen[name] + 3 for name in FAULTS)
                )
            for name in FAULTS:
                assert len(log.matching(f"{name}: unavailable")) == 1
                assert len(log.matching(f"{name}: available again")) == 1
            tracebacks = [m for m in log.messages if "Traceback" in m]
            assert len(tracebacks) == 1, "the driver with a bug"
            assert tracebacks[0].startswith("crash: its driver failed in a way it should not")
            assert {r.levelno for r in log.records if "Traceback" in log.format(r)} == {logging.ERROR}
        assert agent.app.store.dropped == 0
        assert_complete(follower.rows("well.count"), last_count(agent, "well"))
        for name in FAULTS:
            assert_complete(follower.rows(f"{name}.count"))


async def _sees_status(follower: Follower, trouble: str) -> str:
    """Wait until the agent's presence says this trouble, or none; return its <show/>."""
    client = "{jabber:client}"

    def told() -> tuple[str, str]:
        last = follower.presences()[-1]
        return last.findtext(f"{client}status", ""), last.findtext(f"{client}show", "")

    def as_wanted() -> bool:
        status = told()[0]
        return status.startswith(trouble) if trouble else "unavailable" not in status

    try:
        await follower.follows(lambda _: as_wanted(), within=LIMIT)
    except AssertionError:
        raise AssertionError(f"the presence says {told()}") from None
    return told()[1]
