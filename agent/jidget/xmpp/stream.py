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

from jidget.errors import JidgetError, LinkError, LoginRefused, ReplacedError
from jidget.xmpp.certificate import CertificateUntrusted, explain
from jidget.xmpp.login import Login
from jidget.xmpp.scram import MECHANISMS
from jidget.xmpp.xml import CLIENT, serialise

log = logging.getLogger(__name__)

_STANZAS = frozenset(f"{{{CLIENT}}}{name}" for name in ("iq", "message", "presence"))
DIRECT_TLS_PORTS = (5223, 443)
OPEN_TIMEOUT = 30.0
"""Seconds from the first packet to a bound resource."""
CLOSE_TIMEOUT = 2.0


OnStanza = Callable[[ET.Element], None]


async def open_stream(login: Login, on_stanza: OnStanza, *, timeout: float = OPEN_TIMEOUT) -> "Stream":
    """Log in and return the bound stream; every stanza that comes in is given to `on_stanza`, in order.

    Raises:
        LoginRefused: the server refused the password, or offers only ways that would show it the password.
        CertificateUntrusted: the server's certificate does not verify.
        ReplacedError: the resource is taken and the server will not give it to us.
        LinkError: anything else; trying again may help.
    """
    error: JidgetError = LinkError("no way to connect")
    for security in _securities(login):
        stream = Stream(login, security, on_stanza)
        try:
            async with asyncio.timeout(timeout):
                await stream.open()
        except CertificateUntrusted:
            await stream.discard()
            raise
        except LinkError as failed:
            error = failed
            await stream.discard()
        except TimeoutError:
            error = LinkError(f"{login.address} did not finish the login within {timeout:g} s")
            await stream.discard()
        except BaseException:
            await stream.discard()
            raise
        else:
            return stream
    raise error


def _securities(login: Login) -> tuple[str, ...]:
    if login.security != "auto" or not login.host:
        return (login.security,)
    both = ("starttls", "direct-tls")
    return both[::-1] if login.port in DIRECT_TLS_PORTS else both


class Stream(ClientXMPP):
    """One connection. Use `open_stream` to get one that is logged in.

    Attributes:
        login: as whom.
        closed: done with the reason, an error, once the connection is gone.
    """

    def __init__(self, login: Login, security: str, on_stanza: OnStanza) -> None:
        context = ssl.create_default_context()
        if login.ca_file is not None:
            context.load_verify_locations(cafile=login.ca_file)
        super().__init__(
            JID(f"{login.jid}/{login.resource}"),
            login.password,
            ssl_context=context,
            plugin_config={"feature_mechanisms": {"use_mechs": set(MECHANISMS), "encrypted_plain": False}},
        )
        self.login = login
        self.enable_starttls = security in ("auto", "starttls")
        self.enable_direct_tls = security in ("auto", "direct-tls")
        self.closed: asyncio.Future[JidgetError] = self.loop.create_future()
        self._on_stanza = on_stanza
        self._bound: asyncio.Future[None] = self.loop.create_future()
        self._failure: JidgetError | None = None
        for name, handler in (
            ("connection_failed", self._on_connection_failed),
            ("ssl_invalid_chain", self._on_certificate),
            ("failed_auth", self._on_failed_auth),
            ("no_auth", self._on_no_auth),
            ("stream_error", self._on_stream_error),
            ("session_start", self._on_session_start),
            ("disconnected", self._on_disconnected),
        ):
            self.add_event_handler(name, handler)

    # ---- opening and closing ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and negotiate; see `open_stream`."""
        login = self.login
        attempt = self.connect(login.host, login.port or 5222) if login.host else self.connect()
        await asyncio.wait((attempt,))
        if self.transport is None:
            self._fail(self._failure or LinkError(f"{login.address} cannot be reached"))
        try:
            await self._bound
        except CertificateUntrusted as error:
            raise await explain(error, login, direct=not self.enable_starttls) from None

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
            self._on_stanza(xml)
        else:
            if xml.get("type") == "error" and xml.tag.endswith("}iq"):
                self._on_bind_error(xml)
            super()._spawn_event(xml)

    # ---- what slixmpp tells ------------------------------------------------------------------------------------

    def _on_session_start(self, _event: object) -> None:
        self.cancel_schedule("Whitespace Keepalive")  # liveness is the link's affair
        if self.boundjid.resource != self.login.resource:
            self._fail(
                ReplacedError(
                    f"the server gave us the resource {self.boundjid.resource!r}, not {self.login.resource!r}"
                )
            )
        elif not self._bound.done():
            self._bound.set_result(None)

    def _on_connection_failed(self, error: Any) -> None:
        if isinstance(error, ssl.SSLError):
            self._failure = self._tls_failure(error)
        elif not isinstance(self._failure, CertificateUntrusted):
            why = "no such host in the DNS" if isinstance(error, str) else error
            self._failure = LinkError(f"{self.login.address} cannot be reached: {why}")

    def _on_certificate(self, error: ssl.SSLError) -> None:
        self._fail(self._tls_failure(error))

    def _tls_failure(self, error: ssl.SSLError) -> LinkError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return CertificateUntrusted(error.verify_message)
        return LinkError(f"{self.login.address}: TLS failed: {error.reason or error}")

    def _on_failed_auth(self, failure: Any) -> None:
        condition = failure["condition"]
        if condition in ("temporary-auth-failure", "aborted"):
            self._fail(LinkError(f"{self.login.address} cannot check the login now ({condition})"))
        elif condition != "invalid-mechanism":
            self._refuse(f"{self.login.address} refused the password of {self.login.jid} ({condition})")

    def _on_no_auth(self, _event: object) -> None:
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
            self._fail(ReplacedError(f"{self.login.jid}/{self.login.resource} is in use and the server keeps it so"))
        else:
            self._fail(
                LinkError(f"{self.login.address} bound no resource: {', '.join(conditions) or 'no reason given'}")
            )

    def _on_stream_error(self, error: Any) -> None:
        condition, text = error["condition"], error["text"]
        if condition == "conflict":
            me = f"{self.login.jid}/{self.login.resource}"
            self._failure = ReplacedError(f"another client logged in as {me} and replaced us")
        else:
            self._failure = LinkError(f"the server ended the stream: {condition}{': ' + text if text else ''}")

    def _on_disconnected(self, reason: Any) -> None:
        if isinstance(reason, ssl.SSLError) and self._failure is None:
            self._failure = self._tls_failure(reason)
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
