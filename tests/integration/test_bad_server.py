"""Servers that refuse, lie, keep silent or lack something: what the operator reads, and that nothing worse happens."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import COUNTER, QUICK, running_app, until, write_config
from tests.support.client import Client
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers
from tests.support.strangers import answering, swallowing

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.errors import Exit, LoginRefused
from jidget.xmpp.timing import Timing

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]


# ---- passwords ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "auto"])
async def test_a_wrong_password_ends_it_after_one_connection(
    server: XmppServer, account: Accounts, tmp_path: Path, security: str
) -> None:
    pi = account(server, "pi")
    wrong = f"not-{pi.password}"
    with watching_log() as log:
        async with ChaosProxy(server.host, server.port) as proxy:
            file = write_config(tmp_path, pi, password=wrong, port=proxy.port, security=security)
            async with running_app(file) as agent:
                with pytest.raises(LoginRefused) as ended:
                    await agent.ended()
            assert proxy.accepted == 1
    assert ended.value.exit_code == Exit.LOGIN_REFUSED
    assert f"127.0.0.1:{proxy.port} refused the password of {pi.jid} (not-authorized)" in str(ended.value)
    assert pi.password not in str(ended.value) + "\n".join(log.messages)


async def test_an_account_that_is_not_there_is_refused_the_same(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    nobody = Account(server=server, name="nobody-at-all", password="whatever")
    async with running_app(write_config(tmp_path, nobody)) as agent:
        with pytest.raises(LoginRefused, match="refused the password of nobody-at-all@localhost"):
            await agent.ended()


async def test_a_password_that_once_worked_is_tried_again_slowly(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi = account(server, "pi")
    timing = replace(QUICK, refused=0.6)
    with watching_log() as log:
        async with ChaosProxy(server.host, server.port) as proxy:  # noqa: SIM117  # its port is needed
            async with running_app(write_config(tmp_path, pi, things=COUNTER, port=proxy.port), timing) as agent:
                await log.says("logged in to")
                server.add_user(pi.name, "another one")
                cut = time.monotonic()
                proxy.cut()  # while a ping is under way: its answer is not waited for in vain
                await log.says(f"no link: .* refused the password of {pi.jid}")
                refused, tried = time.monotonic(), proxy.accepted
                assert refused - cut < 3
                kept = agent.app.store.waiting
                await until(lambda: proxy.accepted > tried)
                assert time.monotonic() - refused >= timing.refused * 0.9
                await until(lambda: agent.app.store.waiting > kept)
                assert agent.running
                server.add_user(pi.name, pi.password)
                await log.says("logged in to", times=2)
                assert len(log.matching("refused the password")) == 1


async def test_a_password_is_never_shown_to_a_server_that_takes_only_plain(
    fresh_prosody: Callable[..., Prosody], account: Accounts, tmp_path: Path
) -> None:
    server = fresh_prosody(scram=False, log_level="debug")
    pi = account(server, "pi")
    async with running_app(write_config(tmp_path, pi)) as agent:
        with pytest.raises(LoginRefused, match=f"offers no SCRAM login for {pi.jid}; .*Enable SCRAM") as ended:
            await agent.ended()
    assert ended.value.exit_code == Exit.LOGIN_REFUSED
    assert not mechanisms_tried(server)
    async with Client(pi):  # which is content with PLAIN
        assert mechanisms_tried(server) == ["PLAIN"]


async def test_plain_is_not_tried_after_scram_was_refused(
    fresh_prosody: Callable[..., Prosody], account: Accounts, tmp_path: Path
) -> None:
    server = fresh_prosody(log_level="debug")
    pi = account(server, "pi")
    async with running_app(write_config(tmp_path, pi, password="wrong")) as agent:
        with pytest.raises(LoginRefused):
            await agent.ended()
    assert mechanisms_tried(server) == ["SCRAM-SHA-1"]


def mechanisms_tried(server: Prosody) -> list[str]:
    """Return what clients asked to log in with, as the server's own log has it."""
    return re.findall(r"Received\[c2s_unauthed\]: <auth [^>]*mechanism='([^']*)'", server.log.read_text())


# ---- no XMPP at all -----------------------------------------------------------------------------------------------


IMPATIENT = replace(QUICK, login=0.5)
"""For servers of whom nothing can be expected."""


async def complaint(file: Path, timing: Timing = QUICK) -> str:
    """Run an agent until it says why there is no link, and return that; it must go on running."""
    with watching_log() as log:
        async with running_app(file, timing) as agent:
            said = await log.says("no link")
            await asyncio.sleep(0)
            assert agent.running
        assert len(log.troubles) == 2, log.troubles  # nobody is listed in [access], and this
    return said


async def test_an_unknown_host_is_named(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    said = await complaint(write_config(tmp_path, account(prosody), host="no-such-host.invalid"))
    assert "no-such-host.invalid:" in said
    assert "DNS" in said


async def test_an_unknown_domain_is_named(prosody: Prosody, tmp_path: Path) -> None:
    nobody = Account(server=prosody, name="nobody", password="whatever")
    file = write_config(tmp_path, nobody, jid="nobody@no-such-domain.invalid", host=None, port=None)
    with watching_log() as log:
        async with running_app(file) as agent:
            await log.says("no link: no-such-domain.invalid cannot be reached: .*DNS")
            assert agent.running


@pytest.mark.parametrize("kind", ["prosody", pytest.param("ejabberd", marks=pytest.mark.ejabberd)])
async def test_a_server_of_another_domain_is_told(
    kind: str, request: pytest.FixtureRequest, account: Accounts, tmp_path: Path
) -> None:
    server = request.getfixturevalue(kind)
    said = await complaint(write_config(tmp_path, account(server), jid="pi@elsewhere.example", security="auto"))
    assert f"127.0.0.1:{server.port} does not serve elsewhere.example" in said


@pytest.mark.parametrize("security", ["starttls", "direct-tls", "auto"])
async def test_a_server_that_says_nothing_is_given_up(
    prosody: Prosody, account: Accounts, tmp_path: Path, security: str
) -> None:
    async with ChaosProxy(prosody.host, prosody.port) as proxy:
        proxy.accept_hang = True
        said = await complaint(write_config(tmp_path, account(prosody), port=proxy.port, security=security), IMPATIENT)
    if security == "direct-tls":
        assert f"127.0.0.1:{proxy.port} cannot be reached: no answer within" in said
    else:
        assert f"127.0.0.1:{proxy.port} did not finish the login within 0.5 s" in said


async def test_packets_that_are_swallowed_are_told(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    with swallowing() as port:
        said = await complaint(write_config(tmp_path, account(prosody), port=port), IMPATIENT)
    assert f"127.0.0.1:{port} cannot be reached: no answer within" in said


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"220 mail.example ESMTP\r\n",
        b"<html><body>hello</body></html>",
        b"\x00" * 1000,
    ],
    ids=["http", "tls-alert", "smtp", "html", "zeros"],
)
async def test_what_does_not_speak_xmpp_is_told(
    prosody: Prosody, account: Accounts, tmp_path: Path, answer: bytes
) -> None:
    async with answering(answer) as port:
        said = await complaint(write_config(tmp_path, account(prosody), port=port))
    assert f"what answers at 127.0.0.1:{port} does not speak XMPP" in said
    assert 'It may want xmpp.security = "direct-tls"' in said


async def test_a_port_without_direct_tls_is_told(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    said = await complaint(write_config(tmp_path, account(prosody), port=prosody.port, security="direct-tls"))
    assert f"127.0.0.1:{prosody.port}: TLS failed" in said
    assert 'It may want xmpp.security = "starttls"' in said


async def test_starttls_where_direct_tls_is_spoken_is_told(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    said = await complaint(write_config(tmp_path, account(server), port=server.tls_port, security="starttls"))
    assert 'It may want xmpp.security = "direct-tls"' in said


async def test_a_server_that_hangs_up_is_told(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    async with answering(b"") as port:
        said = await complaint(write_config(tmp_path, account(prosody), port=port))
    assert f"127.0.0.1:{port} ended the connection without a word" in said


async def test_a_server_without_tls_gets_no_login(
    fresh_prosody: Callable[..., Prosody], account: Accounts, tmp_path: Path
) -> None:
    server = fresh_prosody(without=["tls"], options={"c2s_require_encryption": False}, log_level="debug")
    said = await complaint(write_config(tmp_path, account(server)))
    assert "offers no encryption" in said
    assert not mechanisms_tried(server)


# ---- no PEP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_without_pep_commands_work_and_contacts_are_told(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind, pep=False)
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    with watching_log() as log:
        async with (
            running_app(file, replace(QUICK, provision=0.05)) as agent,
            friends(person := Person(alice, agent.jid)),
        ):
            said = await log.says("not published")
            status = "{jabber:client}status"
            await person.until(lambda s: "readings are not published" in (s.findtext(status) or ""))
            assert await person.asks("pump on") == "pump.state: on (confirmed)"
            assert log.troubles == [said]  # once, however often it was tried
        assert "no PEP (XEP-0163)" in said
        assert "mod_pep" in said
