"""`jidget check` against real servers: what it says of each, and that it disturbs no agent that runs."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import COUNTER, running_app, write_config
from tests.support.contacts import roster_of
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

LIMIT = 20.0
KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]


class Checked(NamedTuple):
    """What `jidget check` said."""

    code: int
    lines: list[str]

    def one(self, pattern: str) -> str:
        """Return the only line in which a regular expression is found."""
        (found,) = [line for line in self.lines if re.search(pattern, line)]
        return found

    @property
    def marks(self) -> set[str]:
        """Return the verdicts that were given."""
        return {line.split()[0] for line in self.lines}


async def check(file: Path) -> Checked:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "jidget", "check", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT):
        out, err = await process.communicate()
    assert err == b""
    assert process.returncode is not None
    return Checked(process.returncode, out.decode().splitlines())


async def test_a_good_server_before_the_first_start(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    checked = await check(write_config(tmp_path, pi, {alice.jid: '"owner"'}))
    assert checked.code == 0
    assert checked.one(f"server: 127.0.0.1:{server.port}, as configured").startswith("OK")
    assert checked.one(r"TLS: TLSv1\.\d, certificate verified for localhost").startswith("OK")
    assert checked.one(rf"login: {pi.jid} by SCRAM-SHA-").startswith("OK")
    assert checked.one(f"(?i)server: {type(server).__name__}$").startswith("OK")
    assert checked.one("PEP: there").startswith("OK")
    assert checked.one("urn:nf:iot:sd:1.0: not there yet").startswith("OK")
    assert checked.one("urn:nf:iot:sd:1.0#now: not there yet").startswith("OK")
    assert checked.one(f"people: not subscribed both ways yet: {alice.jid}").startswith("WARN")
    assert "FAIL" not in checked.marks


async def test_beside_a_running_agent_it_disturbs_nothing(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, eve = account(server, "pi"), account(server, "alice"), account(server, "eve")
    access = {alice.jid: '"owner"', eve.jid: '{ role = "viewer", read = ["meter"] }', pi.jid: '"owner"'}
    file = write_config(tmp_path, pi, access, things=COUNTER)
    with watching_log() as log:
        async with running_app(file) as agent, friends(person := Person(alice, agent.jid, follows=True)):
            async with roster_of(pi) as roster:
                await roster.until_both(alice)
            await agent.publishes()
            first = await person.reads("meter.count")
            checked = await check(file)
            assert checked.code == 0
            assert checked.one("urn:nf:iot:sd:1.0: there, access presence").startswith("OK")
            assert checked.one("urn:nf:iot:sd:1.0#now: there, access presence").startswith("OK")
            assert checked.one("people: 1 subscribed both ways").startswith("OK")
            assert checked.marks == {"OK"}
            await person.reads("meter.count", lambda value: int(value) > int(first.value) + 20)
            counts = [int(reading.value) for reading in person.readings()]
            assert counts == list(range(counts[0], counts[0] + len(counts)))
            assert len(log.matching("logged in to")) == 1


async def test_on_a_persons_account_it_looks_for_a_whitelist(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    alice, bob = account(server, "alice"), account(server, "bob")
    own = write_config(tmp_path, alice, {bob.jid: '"viewer"'})
    async with running_app(own) as agent:
        await agent.publishes()
    checked = await check(write_config(tmp_path, alice, {bob.jid: '"viewer"'}, kind="person"))
    assert checked.code == 0
    assert checked.one("sd:1.0: access model presence: the agent will make it whitelist").startswith("WARN")
    assert not [line for line in checked.lines if "people" in line]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_without_pep_fails(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind, pep=False)
    checked = await check(write_config(tmp_path, account(server)))
    assert checked.code == 1
    line = checked.one("PEP")
    assert line.startswith("FAIL PEP: missing (XEP-0163): readings would stay here; commands work.")
    assert "mod_pep" in line


async def test_a_wrong_password_fails_with_its_own_code(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi = account(server, "pi")
    async with ChaosProxy(server.host, server.port) as proxy:
        checked = await check(write_config(tmp_path, pi, password="wrong-secret", port=proxy.port))
        assert proxy.accepted == 1
    assert checked.code == 77
    assert checked.lines[-1].startswith(f"FAIL 127.0.0.1:{proxy.port} refused the password of {pi.jid}")
    assert "wrong-secret" not in "\n".join(checked.lines)


UNREACHABLE: dict[str, tuple[Callable[[Path, Account], Path], str]] = {
    "untrusted": (
        lambda directory, pi: write_config(directory, pi, ca_file=None),
        r"the certificate of 127\.0\.0\.1:\d+ for localhost \(SHA-256 [0-9A-F:]{95}\) is not trusted",
    ),
    "refused": (
        lambda directory, pi: write_config(directory, pi, port=1),
        r"127\.0\.0\.1:1 cannot be reached: Connection refused",
    ),
    "unknown host": (
        lambda directory, pi: write_config(directory, pi, host="no-such-host.invalid"),
        r"no-such-host\.invalid:\d+ cannot be reached: the DNS knows no such host",
    ),
    "unknown domain": (
        lambda directory, pi: write_config(directory, pi, jid="pi@no-such-domain.invalid", host=None, port=None),
        r"no-such-domain\.invalid cannot be reached: the DNS knows no such host",
    ),
    "other domain": (
        lambda directory, pi: write_config(directory, pi, jid="pi@elsewhere.example"),
        r"127\.0\.0\.1:\d+ does not serve elsewhere\.example",
    ),
}


@pytest.mark.parametrize("case", UNREACHABLE)
async def test_what_keeps_it_out_is_told(prosody: Prosody, account: Accounts, tmp_path: Path, case: str) -> None:
    configure, says = UNREACHABLE[case]
    checked = await check(configure(tmp_path, account(prosody)))
    assert checked.code == 1
    assert re.match(f"FAIL {says}", checked.lines[-1])
