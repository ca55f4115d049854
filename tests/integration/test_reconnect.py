"""Links that break: noticed in time, mended without help; nothing is lost, and no old command passes for a new one."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, PUMP, QUICK, running_app, until, write_config
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers
from tests.support.strangers import answering

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.xmpp.timing import Timing

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]


@pytest.mark.parametrize("how", ["rst", "fin", "stall"])
async def test_comes_back_and_nothing_that_was_read_meanwhile_is_missing(
    server: XmppServer, account: Accounts, tmp_path: Path, how: Literal["rst", "fin", "stall"]
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    with watching_log() as log:
        async with ChaosProxy(server.host, server.port) as proxy:
            file = write_config(
                tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER, port=proxy.port, liveness="500ms"
            )
            async with running_app(file) as agent, friends(person := Person(alice, agent.jid, follows=True)):
                first = await person.reads("meter.count")
                proxy.refuse()
                if how == "stall":
                    stalled = time.monotonic()
                    proxy.stall()
                    await log.says(r"no link: the server has been silent for \d s")
                    assert 0.35 <= time.monotonic() - stalled <= 2 * (0.35 + 0.5)
                    proxy.resume()
                else:
                    proxy.cut(how)
                    await log.says("no link: the connection was lost")
                await log.says("no link: .*refused")
                proxy.accept()
                await log.says("the link is back, and the session goes on")
                (meter,) = agent.app.directory
                now = int(meter.values["count"].value)
                assert now > int(first.value)
                await person.reads("meter.count", lambda value: int(value) > now)
                counts = [int(reading.value) for reading in person.readings()]
                assert counts == list(range(counts[0], counts[0] + len(counts)))
                times = [reading.time for reading in person.readings()]
                assert times == sorted(times)
    assert not [trouble for trouble in log.troubles if "no link" not in trouble]


@pytest.mark.parametrize("kind", KINDS)
async def test_comes_back_after_the_server_was_restarted(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind)
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=PUMP + COUNTER)
    with watching_log() as log:
        async with running_app(file) as agent:
            async with friends(person := Person(alice, agent.jid, follows=True)):
                await person.reads("meter.count")
                await server.astop()
            await log.says("no link: .*refused")
            await server.astart()
            await log.says("logged in to", times=2)
            async with friends(person := Person(alice, agent.jid, follows=True)):
                await person.reads("meter.count")
                assert await person.asks("pump on") == "pump.state: on (confirmed)"


async def test_pauses_between_attempts_grow_to_a_bound_and_are_jittered(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    timing = replace(QUICK, first_pause=0.02, longest_pause=0.5)
    attempts: list[float] = []
    async with (
        answering(b"", attempts) as port,
        running_app(write_config(tmp_path, account(prosody), port=port), timing),
    ):
        await until(lambda: len(attempts) >= 14)  # which without a bound would take more than 40 s
    pauses = [later - earlier for earlier, later in pairwise(attempts)]  # each with the attempt that followed
    bounds = [min(timing.longest_pause, timing.first_pause * 2**number) for number in range(len(pauses))]
    assert all(pause >= bound / 4 for pause, bound in zip(pauses, bounds, strict=True)), pauses
    assert len({round(pause, 2) for pause in pauses[5:]}) > 2


async def test_after_a_time_of_good_link_pauses_are_short_again(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    timing = Timing(first_pause=0.05, longest_pause=60, stable=0.3)
    with watching_log() as log:
        async with ChaosProxy(prosody.host, prosody.port) as proxy:
            proxy.refuse()
            async with running_app(write_config(tmp_path, account(prosody), port=proxy.port), timing) as agent:
                await log.says("no link")
                await asyncio.sleep(1.6)  # six attempts fail at least: the next pause would be 0.8 s or longer
                proxy.accept()
                await log.says("logged in to")
                await asyncio.sleep(timing.stable)
                proxy.cut()
                await log.says("the link is back")
                assert log.when("the link is back")[0] - log.when("connection was lost")[0] < 0.7
                assert agent.running


async def test_a_command_that_was_held_up_on_the_way_is_refused(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    timing = replace(QUICK, fresh=0.6)
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, port=proxy.port, liveness="5s")
        async with running_app(file, timing) as agent, friends(person := Person(alice, agent.jid)):
            assert await person.asks("pump off") == "pump.state: off (confirmed)"
            proxy.stall("down")
            person.says("pump on")
            await asyncio.sleep(2 * timing.fresh)  # it is the time itself that makes the command old
            proxy.resume()
            refusal = await person.answer(after=1)
            assert refusal.startswith("Refused: age unknown")
            await until(agent.app.link.fresh)
            assert agent.writes == ["false"]
            assert await person.asks("pump on") == "pump.state: on (confirmed)"
            assert agent.writes == ["false", "true"]


async def test_commands_count_as_fresh_however_rarely_signs_of_life_are_wanted(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, liveness="1h")
    async with running_app(file, replace(QUICK, fresh=0.4)) as agent, friends(person := Person(alice, agent.jid)):
        await asyncio.sleep(1)  # longer than a proof of a live link is good for
        assert await person.asks("pump on") == "pump.state: on (confirmed)"
