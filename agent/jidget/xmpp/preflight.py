"""Looking at the live side before relying on it: DNS, TLS, login, what the server does, and what is missing.

Logs in beside a running agent with a resource of its own, sends no presence and changes nothing.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from xml.etree import ElementTree as ET

from jidget.commands.access import Access
from jidget.config.model import Config
from jidget.errors import LinkError, StanzaError
from jidget.xmpp.certificate import trust
from jidget.xmpp.client import random_resource
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login, login_of
from jidget.xmpp.nodes import configuration
from jidget.xmpp.router import Admission, Router
from jidget.xmpp.stream import Stream
from jidget.xmpp.xml import DISCO_INFO, PING, ROSTER, SENSOR_DATA, SENSOR_DATA_NOW, element

Verdict = tuple[bool | None, str, str]
"""Good (True), worth knowing (None) or wrong (False); what was looked at; what was found and what it costs."""

# What we use of a server's features, and what is lost without.
_USEFUL = (
    ("urn:xmpp:ping", "ping", "liveness is then judged by errors to our pings, which works as well"),
    ("http://jabber.org/protocol/disco#info", "disco", "clients cannot find the commands"),
)


async def check(config: Config) -> AsyncIterator[Verdict]:
    """Yield what is found, one verdict at a time.

    Raises:
        JidgetError: the login failed; the text says why and what to do.
    """
    login = replace(login_of(config.xmpp), resource=random_resource())
    yield await _addresses(login)
    router = Router(lambda _: Admission.STRANGER)
    link = Link(login, router.receive)
    async with router.serving(link), link.session() as stream:
        for verdict in _login(stream):
            yield verdict
        async for verdict in _server(link):
            yield verdict
        async for verdict in _account(link, config):
            yield verdict


async def _addresses(login: Login) -> Verdict:
    if login.host:
        return True, "server", f"{login.host}:{login.port}, as configured"
    stream = Stream(login, login.security, lambda _: None, trust(login))
    try:
        records = await stream.get_dns_records(login.domain)
    except OSError as error:
        raise LinkError(f"DNS cannot be asked: {error}. Name the server in xmpp.host and xmpp.port") from error
    finally:
        await stream.discard()
    if not any(service for service, *_ in records):
        return None, "DNS", f"{login.domain} has no SRV records (RFC 6120 3.2.1): its own address is tried, port 5222"
    found = ", ".join(sorted({f"{host}:{port} ({service})" for service, host, _, port in records if service}))
    return True, "DNS", found


def _login(stream: Stream) -> list[Verdict]:
    return [
        (True, "TLS", f"{stream.tls}, certificate verified for {stream.login.domain}"),
        (True, "login", f"{stream.login.jid} by {stream.mechanism}"),
    ]


async def _server(link: Link) -> AsyncIterator[Verdict]:
    try:
        info = await link.request("get", element(f"{{{DISCO_INFO}}}query"), to=link.login.domain)
    except StanzaError as error:
        yield None, "server features", f"the server does not tell ({error})"
        return
    names = [i.get("name") or "" for i in info.iter(f"{{{DISCO_INFO}}}identity") if i.get("category") == "server"]
    features = {feature.get("var") for feature in info.iter(f"{{{DISCO_INFO}}}feature")}
    yield True, "server", next(filter(None, names), "unnamed")
    for feature, title, loss in _USEFUL:
        if feature not in features:
            yield None, title, f"not announced: {loss}"
    try:
        await link.request("get", element(f"{{{PING}}}ping"), to=link.login.domain)
    except StanzaError as error:
        yield None, "ping", f"answered with {error}: good enough for liveness"


async def _account(link: Link, config: Config) -> AsyncIterator[Verdict]:
    info = await link.request("get", element(f"{{{DISCO_INFO}}}query"), to=link.login.jid)
    identities = {(i.get("category"), i.get("type")) for i in info.iter(f"{{{DISCO_INFO}}}identity")}
    if ("pubsub", "pep") not in identities:
        yield (
            False,
            "PEP",
            "missing (XEP-0163): readings would stay here; commands work. "
            "Enable mod_pep (Prosody) or mod_pubsub with the pep plugin (ejabberd)",
        )
    else:
        yield True, "PEP", "there"
        wanted = "whitelist" if config.xmpp.account == "person" else "presence"
        for node in (SENSOR_DATA, SENSOR_DATA_NOW):
            yield await _node(link, node, wanted)
    if config.xmpp.account != "person":
        reply = await link.request("get", element(f"{{{ROSTER}}}query"))
        access = Access(config.access, config.xmpp.jid)
        people = [jid for jid in access.listed if "@" in jid and jid != config.xmpp.jid]
        yield _people(reply, [jid for jid in people if (person := access.person(jid)) and person.sees_feed])


async def _node(link: Link, node: str, wanted: str) -> Verdict:
    try:
        found = await configuration(link, node)
    except StanzaError as error:
        if error.condition == "item-not-found":
            return True, node, "not there yet: the agent will make it"
        return False, node, f"the server refuses to show its configuration ({error})"
    access = found.get("access_model", "unknown")
    if access != wanted:
        return None, node, f"access model {access}: the agent will make it {wanted}"
    return True, node, f"there, access {access}"


def _people(reply: ET.Element, listed: list[str]) -> Verdict:
    subscriptions = {item.get("jid"): item.get("subscription") for item in reply.iter(f"{{{ROSTER}}}item")}
    missing = [jid for jid in listed if subscriptions.get(jid) != "both"]
    if missing:
        return (
            None,
            "people",
            f"not subscribed both ways yet: {', '.join(missing)}. The agent asks them; "
            "they accept in their client and then see readings",
        )
    return True, "people", f"{len(listed)} subscribed both ways"
