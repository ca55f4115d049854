"""One connection to the server, from TCP to a bound resource, on slixmpp; then stanzas as plain elements.

slixmpp gives us DNS, TLS, SASL, binding and parsing. Its reconnecting, its plugins and its stanza objects we leave
alone: a `Stream` is opened once, lives until `closed` is done, and is thrown away.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp import JID, ClientXMPP

from jidget.errors import JidgetError, LinkError, LoginRefused
from jidget.xmpp.certificate import Address, CertificateUntrusted, explain
from jidget.xmpp.login import Login
from jidget.xmpp.scram import MECHANISMS
from jidget.xmpp.troubles import in_use, other_way, stream_ended, unreachable
from jidget.xmpp.xml import CLIENT, serialise

log = logging.getLogger(__name__)

_STREAM = "{http://etherx.jabber.org/streams}stream"
_STANZAS = frozenset(f"{{{CLIENT}}}{name}" for name in ("iq", "message", "presence"))
CLOSE_TIMEOUT = 2.0
_HEAD_START = 0.25
"""Seconds that one family of addresses is ahead of the other (RFC 8305 8)."""


OnStanza = Callable[[ET.Element], None]


class Stream(ClientXMPP):
    """One connection. Use `jidget.xmpp.opening.open_stream` to get one that is logged in.

    Attributes:
        login: as whom.
        greeted: whether the server ever opened an XMPP stream.
        brought: how many bytes came in.
        stanzas: how many came since a resource is bound.
        closed: done with the reason, an error, once the connection is gone.
    """

    def __init__(
        self, login: Login, security: str, on_stanza: OnStanza, trust: ssl.SSLContext, *, patience: float = 10.0
    ) -> None:
        """`patience` is for how many seconds each address is tried."""
        super().__init__(
            JID(f"{login.jid}/{login.resource}"),
            login.password,
            ssl_context=trust,
            plugin_config={"feature_mechanisms": {"use_mechs": set(MECHANISMS), "encrypted_plain": False}},
        )
        self.login = login
        self.greeted = False
        self.brought = self.stanzas = 0
        self._patience = patience
        self._tried: Address | None = None
        self._answered = False
        # Where no SRV record is wanted the system knows more names than the DNS: /etc/hosts, mDNS.
        self.use_aiodns = not login.host
        self.enable_starttls = security in ("auto", "starttls")
        self.enable_direct_tls = security in ("auto", "direct-tls")
        self.closed: asyncio.Future[JidgetError] = self.loop.create_future()
        self._on_stanza = on_stanza
        self._bound: asyncio.Future[None] = self.loop.create_future()
        self._servers = frozenset((None, login.jid, login.domain, f"{login.jid}/{login.resource}"))
        self._early: list[ET.Element] = []
        self._failure: JidgetError | None = None
        for name, handler in (
            ("ssl_invalid_chain", self._on_certificate),
            ("failed_auth", self._on_failed_auth),
            ("no_auth", self._on_no_auth),
            ("stream_error", self._on_stream_error),
            ("auth_success", self._on_auth_success),
            ("session_start", self._on_session_start),
            ("disconnected", self._on_disconnected),
        ):
            self.add_event_handler(name, handler)

    @property
    def tls(self) -> str:
        """Return the version of TLS in use."""
        return (self.socket.version() if self.socket is not None else None) or "no TLS"

    @property
    def mechanism(self) -> str:
        """Return the SASL mechanism by which we logged in."""
        chosen = self.plugin["feature_mechanisms"].mech
        return "" if chosen is None else str(chosen.name)

    # ---- opening and closing ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and negotiate; what goes wrong is raised as `open_stream` says."""
        login = self.login
        attempt = self.connect(login.host, login.port or 5222) if login.host else self.connect()
        await asyncio.wait((attempt,))
        if self.transport is None:
            self._fail(self._failure or LinkError(f"{login.address} cannot be reached"))
        try:
            await self._bound
        except CertificateUntrusted as error:
            raise await explain(error, login) from None

    async def close(self) -> None:
        """End the stream in order: what was sent before arrives before the end."""
        if self.transport is not None:
            self._failure = self._failure or LinkError("we closed the stream")
            await self.disconnect(wait=CLOSE_TIMEOUT)
        await self.discard()

    async def discard(self) -> None:
        """Drop the connection without a word (a stream end would end a session that could be resumed)."""
        self.cancel_connection_attempt()
        self.abort()
        sender = self._run_out_filters
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait((sender,))
        self._settle(LinkError("we dropped the connection"))
        if not self._bound.done():
            self._bound.cancel()
        elif not self._bound.cancelled():
            self._bound.exception()  # seen, so that it is not reported as forgotten

    def reschedule_connection_attempt(self) -> None:
        """Give up after one round of addresses: when to try again is the session's decision, not slixmpp's."""
        self._current_connection_attempt = None

    def reconnect(self, *_: object, **__: object) -> None:
        """Follow nobody elsewhere: slixmpp would trust the certificate of whichever host a server names."""
        self.abort()

    async def _attempt_connection(self, host: str, port: int, tls: bool, server_hostname: str | None) -> bool:
        """Connect as slixmpp does, but to IPv6 and IPv4 at once (RFC 8305), and not for as long as the kernel would.

        A host that swallows packets would otherwise keep us from trying the next one.
        """
        self._tried = Address(host, port, direct=tls)
        if self._current_connection_attempt is None:  # given up meanwhile
            return False
        self.event_when_connected = "connected"
        try:
            async with asyncio.timeout(self._patience):
                await self.loop.create_connection(
                    lambda: self,
                    host,
                    port,
                    ssl=self.ssl_context if tls else None,
                    server_hostname=server_hostname,
                    happy_eyeballs_delay=_HEAD_START,
                )
        except OSError as error:
            self._on_connection_failed(error)
            return False
        return True

    def data_received(self, data: bytes | str) -> None:
        """Note that there is somebody at all, and how much they say."""
        self._answered = True
        self.brought += len(data)
        super().data_received(data)

    def start_stream_handler(self, xml: ET.Element) -> None:
        """Note that it is XMPP what they speak (RFC 6120 4.7)."""
        if xml.tag == _STREAM:
            self.greeted = True
            super().start_stream_handler(xml)  # type: ignore[no-untyped-call]  # slixmpp's own
        else:
            self._fail(self._no_xmpp())

    # ---- stanzas ----------------------------------------------------------------------------------------------

    def write(self, stanza: ET.Element | str) -> None:
        """Send a stanza now. A `str` must be well-formed and free of illegal characters already.

        Raises:
            LinkError: there is no connection.
        """
        if self.transport is None:
            raise LinkError("not connected")
        text = stanza if isinstance(stanza, str) else serialise(stanza)
        self.transport.write(text.encode())

    def _spawn_event(self, xml: ET.Element) -> None:
        """Take stanzas ourselves once a resource is bound; leave the negotiation to slixmpp."""
        if xml.tag not in _STANZAS:
            super()._spawn_event(xml)
        elif self._bound.done():
            self._take(xml)
        elif xml.get("from") not in self._servers:  # bound at the server already: slixmpp would answer in our name
            self._early.append(xml)
        else:
            if xml.get("type") == "error" and xml.tag.endswith("}iq"):
                self._on_bind_error(xml)
            super()._spawn_event(xml)

    def _take(self, stanza: ET.Element) -> None:
        """Take a stanza that came since a resource is bound."""
        self.stanzas += 1
        self._on_stanza(stanza)

    def _deliver_early(self) -> None:
        """Take what others sent before we knew that we are bound."""
        early, self._early = self._early, []
        for stanza in early:
            self._on_stanza(stanza)

    # ---- what slixmpp tells ------------------------------------------------------------------------------------

    def _on_auth_success(self, _event: object) -> None:
        self._failure = None  # of another way to connect, tried before

    def _on_session_start(self, _event: object) -> None:
        self.cancel_schedule("Whitespace Keepalive")  # liveness is the link's affair
        if self.boundjid.resource != self.login.resource:
            self._fail(in_use(self.login, f"the server gave us {self.boundjid.resource!r} instead"))
        elif not self._bound.done():
            self._bound.set_result(None)
            self.loop.call_soon(self._deliver_early)  # when it is known that stanzas can be sent

    def _on_connection_failed(self, error: OSError) -> None:
        if isinstance(error, ssl.SSLError):
            self._failure = self._tls_failure(error)
        elif not isinstance(self._failure, CertificateUntrusted):
            self._failure = unreachable(self.login, error, self._patience)

    def _on_certificate(self, error: ssl.SSLError) -> None:
        self._fail(self._tls_failure(error))

    def _tls_failure(self, error: ssl.SSLError) -> LinkError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return CertificateUntrusted(error.verify_message, self._tried)
        return self._other_way(f"{self.login.address}: TLS failed: {error.reason or error}")

    def _no_xmpp(self) -> LinkError:
        if not self._answered:
            return self._other_way(f"{self.login.address} ended the connection without a word")
        return self._other_way(f"what answers at {self.login.address} does not speak XMPP")

    def _other_way(self, problem: str) -> LinkError:
        return other_way(problem, direct=not self.enable_starttls)

    def _on_failed_auth(self, failure: Any) -> None:
        condition = failure["condition"]
        if condition in ("temporary-auth-failure", "aborted"):
            self._fail(LinkError(f"{self.login.address} cannot check the login now ({condition})"))
        elif condition != "invalid-mechanism":
            self._refuse(f"{self.login.address} refused the password of {self.login.jid} ({condition})")

    def _on_no_auth(self, _event: object) -> None:
        if self.transport is not None and self.transport.get_extra_info("ssl_object") is None:
            # perhaps somebody between us took the offer of encryption out: that is no verdict on our password
            self._fail(
                LinkError(f"{self.login.address} offers no encryption. Jidget never logs in without: enable TLS")
            )
            return
        self._refuse(
            f"{self.login.address} offers no SCRAM login for {self.login.jid}; "
            "Jidget never sends a password in the clear. Enable SCRAM on the server"
        )

    def _refuse(self, text: str) -> None:
        """Note that the login is refused; one refusal is enough, and slixmpp then ends the stream itself."""
        self._failure = LoginRefused(text)
        mechanisms = self.plugin["feature_mechanisms"]
        mechanisms.attempted_mechs = set(mechanisms.mech_list)

    def _on_bind_error(self, xml: ET.Element) -> None:
        conditions = [child.tag.rpartition("}")[2] for error in xml for child in error if error.tag.endswith("error")]
        if "conflict" in conditions:
            self._fail(in_use(self.login, "the server keeps it so"))
        else:
            self._fail(
                LinkError(f"{self.login.address} bound no resource: {', '.join(conditions) or 'no reason given'}")
            )

    def _on_stream_error(self, error: Any) -> None:
        self._failure = stream_ended(self.login, error["condition"], error["text"])

    def _on_disconnected(self, reason: Any) -> None:
        if isinstance(reason, ssl.SSLError) and self._failure is None:
            self._failure = self._tls_failure(reason)
        if self._failure is None and not self.greeted:
            self._failure = self._no_xmpp()
        why = self._failure or LinkError(f"the connection was lost{f': {reason}' if reason else ''}")
        if not self._bound.done():
            self._bound.set_exception(why)
        self._settle(why)

    def _fail(self, error: JidgetError) -> None:
        """End the negotiation with `error`, whatever slixmpp would still try."""
        self._failure = error
        if not self._bound.done():
            self._bound.set_exception(error)
        self.abort()

    def _settle(self, reason: JidgetError) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
