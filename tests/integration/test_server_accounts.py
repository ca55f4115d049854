"""What the private servers offer, and that their accounts, certificates and options are what they say."""

import asyncio
import base64
import os
import socket
import ssl
import time
from pathlib import Path

import pytest
from slixmpp import JID, Presence
from tests.support.accounts import Account, Accounts
from tests.support.client import Client, LoginFailedError
from tests.support.servers import FreshServers
from tests.support.stream import plain_features, read_features, tls_features

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.pki import Authority
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

KINDS = [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)]
LIMIT = 10.0

Kind = type[Prosody] | type[Ejabberd]


def mechanisms(features: str) -> set[str]:
    """Return the SASL mechanisms that are offered."""
    return {part.partition("<")[0] for part in features.split("<mechanism>")[1:]}


def test_offers_starttls_and_nothing_to_log_in_with_before(server: XmppServer) -> None:
    features = plain_features(server)
    assert "urn:ietf:params:xml:ns:xmpp-tls" in features
    assert "<required/>" in features
    assert not mechanisms(features)


def test_offers_scram_within_tls(server: XmppServer) -> None:
    assert "SCRAM-SHA-1" in mechanisms(tls_features(server))


def test_proves_its_domain_and_no_other_name(server: XmppServer) -> None:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with (
        socket.create_connection((server.host, server.tls_port), LIMIT) as connection,
        context.wrap_socket(connection, server_hostname=server.domain) as encrypted,
    ):
        certificate = encrypted.getpeercert()
    assert certificate
    assert certificate["subjectAltName"] == (("DNS", server.domain),)


def test_is_not_trusted_without_its_authority(server: XmppServer) -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection((server.host, server.tls_port), LIMIT) as connection,
        pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed certificate|unable to get"),
    ):
        context.wrap_socket(connection, server_hostname=server.domain)


@pytest.mark.parametrize("kind", KINDS)
def test_another_domain_and_an_expired_certificate(kind: Kind, fresh_server: FreshServers, tmp_path: Path) -> None:
    domain = "home.example"
    expired = Authority(tmp_path / "pki").issue(domain, expired=True)
    server = fresh_server(kind, domain, certificate=expired)
    assert server.jid("pi") == "pi@home.example"
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        tls_features(server)


@pytest.mark.parametrize("direct_tls", [False, True], ids=["starttls", "direct"])
async def test_an_account_logs_in(server: XmppServer, account: Accounts, direct_tls: bool) -> None:
    user = account(server, "pi")
    async with Client(user, "agent", direct_tls=direct_tls) as client:
        assert client.xmpp.boundjid.full == f"{user.jid}/agent"


async def test_a_wrong_password_is_refused(server: XmppServer, account: Accounts) -> None:
    with pytest.raises(LoginFailedError, match="failed_all_auth"):
        async with Client(account(server), password="wrong"):
            pass


@pytest.mark.parametrize("password", ['quote" and \\backslash', "käse ßñ", "]] -- $(echo) %d 'x'"])
async def test_any_password_will_do(server: XmppServer, password: str) -> None:
    name = f"odd-{os.urandom(4).hex()}"
    server.add_user(name, password)
    async with Client(Account(server=server, name=name, password=password)):
        pass


async def test_a_password_can_be_changed(server: XmppServer, account: Accounts) -> None:
    user = account(server)
    async with Client(user):
        pass
    server.add_user(user.name, "another")
    async with Client(user, password="another"):
        pass
    with pytest.raises(LoginFailedError):
        async with Client(user):
            pass


@pytest.mark.parametrize("name", ["Pi", "a b", "a@b", "", "-x", "a/b"])
def test_user_names_that_servers_would_change_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="lower-case letters"):
        Prosody(tmp_path, users={name: "secret"})


def test_contacts_have_to_be_users(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'bob' is not on this server"):
        Prosody(tmp_path, users={"pi": "secret"}).add_roster("pi", "bob")


async def test_contacts_see_each_other(server: XmppServer, account: Accounts) -> None:
    alice, bob = account(server, "alice"), account(server, "bob")
    pi = account(server, "pi", contacts=(alice, bob))
    async with Client(alice, "phone") as watcher, Client(bob) as other, Client(pi, "agent") as device:
        for client in (watcher, other, device):
            await client.xmpp.get_roster()
        assert device.xmpp.client_roster[alice.jid]["subscription"] == "both"
        assert device.xmpp.client_roster[bob.jid]["subscription"] == "both"
        assert set(watcher.xmpp.client_roster.keys()) - {alice.jid} == {pi.jid}
        seen: asyncio.Queue[Presence] = asyncio.Queue()
        watcher.xmpp.add_event_handler("presence_available", seen.put_nowait)
        watcher.xmpp.send_presence()
        device.xmpp.send_presence(pstatus="here")
        async with asyncio.timeout(LIMIT):
            while (presence := await seen.get())["from"].bare != pi.jid:
                pass
        assert presence["status"] == "here"


async def test_a_roster_given_before_the_start(fresh_server: FreshServers) -> None:
    users = {"pi": "secret", "alice": "secret"}
    for kind in (Prosody, Ejabberd):
        server = kind(fresh_server.next_root(), users=users)
        server.add_roster("pi", "alice")
        async with server, Client(Account(server=server, name="alice", password="secret")) as alice:
            await alice.xmpp.get_roster()
            assert alice.xmpp.client_roster["pi@localhost"]["subscription"] == "both"


@pytest.mark.parametrize("kind", KINDS)
async def test_accounts_survive_a_crash_at_once(kind: Kind, fresh_server: FreshServers) -> None:
    server = fresh_server(kind)
    server.add_user("pi", "secret")
    server.kill()
    await server.astart()
    async with Client(Account(server=server, name="pi", password="secret")):
        pass


@pytest.mark.parametrize("kind", KINDS)
async def test_options(kind: Kind, fresh_server: FreshServers) -> None:
    """Without PEP and SCRAM, with https, and at 2 kB/s: on one server, as starting one takes a while."""
    server = fresh_server(kind, users={"pi": "secret"}, pep=False, scram=False, web=True, rate=2, burst=1)
    assert mechanisms(tls_features(server)) == {"PLAIN"}
    assert b" 101 " in websocket_answer(server)
    async with Client(Account(server=server, name="pi", password="secret"), plugins=("xep_0030",)) as client:
        disco = client.xmpp.plugin["xep_0030"]
        info = await disco.get_info(jid=JID(client.xmpp.boundjid.bare), timeout=LIMIT)
        assert ("pubsub", "pep") not in {identity[:2] for identity in info["disco_info"]["identities"]}
        started = time.monotonic()
        client.xmpp.send_message(client.xmpp.boundjid, "x" * 6_000, mtype="chat")
        for _ in range(2):  # ejabberd pauses after what it has read, and may have read the first one with the message
            await disco.get_info(jid=JID(server.domain), timeout=30)
        assert time.monotonic() - started > 1  # at least 2 s, of which half may be slack; the first second is free


async def test_pep_and_speed_by_default(server: XmppServer, account: Accounts) -> None:
    async with Client(account(server), plugins=("xep_0030",)) as client:
        disco = client.xmpp.plugin["xep_0030"]
        info = await disco.get_info(jid=JID(client.xmpp.boundjid.bare), timeout=LIMIT)
        assert ("pubsub", "pep") in {identity[:2] for identity in info["disco_info"]["identities"]}
        started = time.monotonic()
        client.xmpp.send_message(client.xmpp.boundjid, "x" * 100_000, mtype="chat")
        await disco.get_info(jid=JID(server.domain), timeout=LIMIT)
        assert time.monotonic() - started < 2


def test_prosody_can_hash_with_sha_256(fresh_server: FreshServers) -> None:
    assert "SCRAM-SHA-256" in mechanisms(tls_features(fresh_server(Prosody, password_hash="SHA-256")))


def test_prosody_without_tls(fresh_server: FreshServers) -> None:
    """For clients that must refuse to talk in the clear."""
    features = plain_features(fresh_server(Prosody, without=("tls",), options={"c2s_require_encryption": False}))
    assert "xmpp-tls" not in features
    assert "SCRAM-SHA-1" in mechanisms(features)


def websocket_answer(server: XmppServer) -> bytes:
    """Ask for a WebSocket with the XMPP subprotocol (RFC 7395 3.1) and return the first line of the answer."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /xmpp-websocket HTTP/1.1\r\nHost: {server.domain}:{server.https_port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: xmpp\r\n"
        f"Sec-WebSocket-Version: 13\r\nOrigin: https://{server.domain}\r\n\r\n"
    )
    with (
        socket.create_connection((server.host, server.https_port), LIMIT) as connection,
        context.wrap_socket(connection, server_hostname=server.domain) as encrypted,
    ):
        encrypted.sendall(request.encode())
        return encrypted.recv(4096).partition(b"\r\n")[0]


def connack(server: Mosquitto, user: str, password: str) -> bytes:
    """Log in over TLS with MQTT 3.1.1 and return the answer: a packet of four bytes (3.2)."""
    texts = [text.encode() for text in ("test", user, password)]
    fields = b"".join(len(text).to_bytes(2, "big") + text for text in texts)
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + fields
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with (
        socket.create_connection((server.host, server.tls_port), LIMIT) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as encrypted,
    ):
        encrypted.sendall(bytes([0x10, len(body)]) + body)
        return encrypted.recv(4)


def test_mosquitto_checks_passwords(fresh_server: FreshServers) -> None:
    server = fresh_server(Mosquitto, {"pi": "käse: secret"})
    assert connack(server, "pi", "käse: secret") == b"\x20\x02\x00\x00"
    assert connack(server, "pi", "wrong") == b"\x20\x02\x00\x05"


def test_mosquitto_lets_anybody_in_without_users(mosquitto: Mosquitto) -> None:
    assert connack(mosquitto, "whoever", "whatever") == b"\x20\x02\x00\x00"


def test_streams_on_both_ports_are_the_same_server(server: XmppServer) -> None:
    with socket.create_connection((server.host, server.port), LIMIT) as connection:
        read_features(connection, server.domain)
        connection.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        assert b"<proceed" in connection.recv(4096)
        context = ssl.create_default_context(cafile=str(server.ca_file))
        with context.wrap_socket(connection, server_hostname=server.domain) as encrypted:
            assert mechanisms(read_features(encrypted, server.domain)) >= mechanisms(tls_features(server))
