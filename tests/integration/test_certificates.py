"""Certificates that do not verify: which one and what to do is said, once, and nothing is told to the server."""

import hashlib
import re
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import QUICK, running_app, until, write_config
from tests.support.logs import watching_log
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.pki import Authority
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
Kind = type[Prosody] | type[Ejabberd]


@pytest.mark.parametrize("security", ["starttls", "direct-tls"])
async def test_an_untrusted_certificate_is_named_with_the_remedy_once(
    server: XmppServer, account: Accounts, tmp_path: Path, security: str
) -> None:
    pi = account(server, "pi")
    port = server.port if security == "starttls" else server.tls_port
    with watching_log() as log:
        async with ChaosProxy(server.host, port) as proxy:
            file = write_config(tmp_path, pi, ca_file=None, port=proxy.port, security=security)
            async with running_app(file, replace(QUICK, untrusted=0.5)) as agent:
                said = await log.says("no link")
                first, at = proxy.accepted, time.monotonic()
                await until(lambda: proxy.accepted >= 2 * first)
                assert time.monotonic() - at >= 0.4
                assert agent.running
    assert f"the certificate of 127.0.0.1:{proxy.port} for localhost " in said
    assert fingerprint(server.certificate.certificate) in said
    assert "self-signed certificate" in said or "unable to get local issuer" in said
    assert "xmpp.ca_file" in said
    assert len(log.troubles) == 2, log.troubles  # nobody is listed in [access], and this


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("why", ["expired", "mismatch"])
async def test_an_expired_or_foreign_certificate_is_not_trusted(
    kind: Kind, fresh_server: FreshServers, account: Accounts, tmp_path: Path, why: str
) -> None:
    authority = Authority(tmp_path / "pki")
    certificate = authority.issue("localhost", expired=True) if why == "expired" else authority.issue("other.example")
    server = fresh_server(kind, certificate=certificate)
    pi = account(server, "pi")
    for security, port in (("starttls", server.port), ("direct-tls", server.tls_port)):
        with watching_log() as log:
            async with running_app(write_config(tmp_path / security, pi, security=security, port=port)) as agent:
                said = await log.says("no link")
                assert agent.running
        assert why in said
        assert fingerprint(certificate.certificate) in said
        assert "must be renewed for localhost" in said


async def test_a_ca_file_that_vanishes_is_named_and_taken_up_when_it_is_back(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi = account(prosody, "pi")
    ours = tmp_path / "ca.pem"
    ours.write_bytes(prosody.ca_file.read_bytes())
    with watching_log() as log:
        async with ChaosProxy(prosody.host, prosody.port) as proxy:  # noqa: SIM117  # its port is needed
            async with running_app(write_config(tmp_path, pi, ca_file=ours, port=proxy.port)):
                await log.says("logged in to")
                ours.unlink()
                proxy.cut()
                await log.says(rf"no link: xmpp\.ca_file {ours} cannot be used: No such file")
                ours.write_bytes(prosody.ca_file.read_bytes())
                await log.says("logged in to", times=2)


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 fingerprint as openssl writes it."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest().upper()
    return ":".join(re.findall("..", digest))
