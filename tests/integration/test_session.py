"""The session on real servers: it logs in by every way there is, comes when it may, and goes in order."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import QUICK, running_app, until, write_config
from tests.support.client import Client
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.errors import Exit, ReplacedError

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]


@pytest.mark.parametrize("security", ["starttls", "direct-tls", "auto"])
async def test_logs_in_encrypted_and_by_scram(
    server: XmppServer, account: Accounts, tmp_path: Path, security: str
) -> None:
    pi = account(server, "pi")
    port = server.tls_port if security == "direct-tls" else server.port
    file = write_config(tmp_path, pi, {"alice@localhost": '"owner"'}, port=port, security=security)
    with watching_log() as log:
        async with running_app(file) as agent:
            said = await log.says("logged in to")
            assert re.search(rf" 127\.0\.0\.1:{port} as {pi.jid}/agent \(TLSv1\.\d, SCRAM-SHA-\d+(-PLUS)?\)$", said)
            assert agent.running
            assert not log.troubles
    assert pi.password not in "\n".join(log.messages)


async def test_auto_finds_direct_tls_behind_a_given_host(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    file = write_config(tmp_path, account(server, "pi"), port=server.tls_port, security="auto")
    with watching_log() as log:
        async with running_app(file):
            await log.says(rf"logged in to 127\.0\.0\.1:{server.tls_port}")


async def test_stays_logged_in(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, liveness="250ms")
    with watching_log() as log:
        async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
            await asyncio.sleep(2)  # many liveness intervals: it is the time itself that is tested
            assert "pump" in await person.asks("status")
        assert len(log.matching("logged in to")) == 1
        assert not log.matching("no link")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_resource_that_the_server_keeps_for_another_is_tried_again(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    options = {Prosody: {"conflict_resolve": "kick_new"}, Ejabberd: {"resource_conflict": "closenew"}}
    server = fresh_server(kind, options=options[kind])
    pi = account(server, "pi")
    with watching_log() as log:
        async with Client(pi, "agent") as earlier:
            earlier.xmpp.send_presence()
            async with running_app(write_config(tmp_path, pi)) as agent:
                await log.says(f"no link: {pi.jid}/agent is in use and the server keeps it so.*another one in xmpp.jid")
                earlier.xmpp.abort()
                await log.says("logged in to")
                assert agent.running


async def test_comes_back_after_another_client_took_its_resource_but_does_not_fight(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi = account(server, "pi")
    timing = replace(QUICK, replaced=1.0)
    with watching_log() as log:
        async with running_app(write_config(tmp_path, pi), timing) as agent:
            await log.says("logged in to")
            async with Client(pi, "agent"):
                await log.says("another client logged in as .*/agent and replaced us")
                await log.says("logged in to", times=2)
            lost, back = log.when("replaced us")[0], log.when("logged in to")[1]
            assert back - lost >= timing.replaced
            async with Client(pi, "agent"):
                with pytest.raises(ReplacedError) as ended:
                    await agent.ended()
    assert ended.value.exit_code == Exit.CONFIG
    assert f"{pi.jid}/agent" in str(ended.value)
    assert "twice within 10 min" in str(ended.value)
    assert "another resource in xmpp.jid" in str(ended.value)


async def test_long_after_the_first_time_a_second_replacement_is_a_first_one(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi = account(server, "pi")
    with watching_log() as log:
        async with running_app(write_config(tmp_path, pi), replace(QUICK, replaced_twice=0.01)) as agent:
            for time in (1, 2):
                await log.says("logged in to", times=time)
                async with Client(pi, "agent"):
                    await log.says("replaced us", times=time)
                    await log.says("logged in to", times=time + 1)
            assert agent.running


async def test_says_goodbye_when_it_is_stopped(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        await agent.stop()
        await person.sees("unavailable")


async def test_starts_and_samples_without_any_network(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi = account(server, "pi")
    with watching_log() as log:
        async with running_app(write_config(tmp_path, pi, port=1)) as agent:
            await log.says(r"no link: 127\.0\.0\.1:1 cannot be reached: .*refused")
            await until(lambda: agent.app.store.waiting > 0)
            assert agent.running
