"""A connection under stream management (XEP-0198): it begins a session of its own, or takes over one cut off."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from xml.etree import ElementTree as ET

from jidget.errors import JidgetError, LinkError
from jidget.xmpp.login import Login
from jidget.xmpp.stream import OnStanza, Stream
from jidget.xmpp.stream_management import (
    ANSWER,
    ASK,
    ENABLED,
    FAILED,
    FEATURE,
    REQUEST,
    RESUMED,
    BadAcknowledgement,
    StreamManagement,
)
from jidget.xmpp.xml import serialise

log = logging.getLogger(__name__)

ANSWER_WITHIN = 0.01
"""Seconds in which the server's question how much we have is answered: mostly with what is written next anyway."""
_FEATURES = "{http://etherx.jabber.org/streams}features"


class ManagedStream(Stream):
    """A stream whose stanzas are counted. Only `Link` writes to it: it queues before it writes.

    Attributes:
        management: the session's counters and queue.
        resumed: whether this connection took over an earlier session.
    """

    def __init__(
        self,
        login: Login,
        security: str,
        on_stanza: OnStanza,
        context: ssl.SSLContext,
        *,
        patience: float = 10.0,
        earlier: StreamManagement | None = None,
        on_bound: Callable[["ManagedStream"], None] = lambda _: None,
    ) -> None:
        """Take what a `Stream` does.

        Args:
            login: as whom.
            security: how to encrypt.
            on_stanza: given every stanza.
            context: whom to trust.
            patience: for how many seconds each address is tried.
            earlier: the session to take over, if the server still has it.
            on_bound: called once stanzas can be sent, before the first one is received.
        """
        super().__init__(login, security, on_stanza, context, patience=patience)
        self.management = StreamManagement()
        self.resumed = False
        self._earlier = earlier
        self._on_bound = on_bound
        self._offered = False
        self._owes: asyncio.TimerHandle | None = None
        self._held: ET.Element | None = None

    def ask(self) -> None:
        """Ask the server how much it has, so that the queue gets shorter."""
        if self.management.active:
            self._write_raw(ASK)

    def write_stanza(self, text: str, *, ask: bool) -> None:
        """Send a stanza, and with it what is to be said of the counts: a packet of its own costs more than a stanza."""
        if self._owes is not None:
            self._owes.cancel()
            self._owes = None
            text = self.management.answer() + text
        self.write(text + ASK if ask else text)

    def _owe(self) -> None:
        if self._owes is None:
            self._owes = self.loop.call_later(ANSWER_WITHIN, self._pay)

    def _pay(self) -> None:
        self._owes = None
        self._write_raw(self.management.answer())

    @property
    def unsent(self) -> int:
        """Return how many bytes wait for the network."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def fail(self, error: JidgetError) -> None:
        """Drop the connection, for this reason."""
        self._fail(error)

    def _spawn_event(self, xml: ET.Element) -> None:
        match xml.tag:
            case tag if tag == _FEATURES and self.authenticated:
                self._on_features(xml)
            case tag if tag == REQUEST:
                self._owe()
            case tag if tag == ANSWER:
                self._acknowledge(xml)
            case tag if tag == ENABLED:
                self.management.enabled(xml)
            case tag if tag == RESUMED and self._earlier is not None:
                self._on_resumed(xml, self._earlier)
            case tag if tag == FAILED:
                self._on_failed(xml)
            case _:
                super()._spawn_event(xml)

    def _take(self, stanza: ET.Element) -> None:
        self.management.received()
        super()._take(stanza)

    def _on_features(self, features: ET.Element) -> None:
        """Take over the earlier session before a resource is bound, where the server offers that (XEP-0198 5)."""
        self._offered = features.find(FEATURE) is not None
        if self._offered and self._earlier is not None and self._earlier.resumable:
            self._held = features
            self._write_raw(serialise(self._earlier.resume()))
        else:
            super()._spawn_event(features)

    def _on_resumed(self, xml: ET.Element, earlier: StreamManagement) -> None:
        self.management, self.resumed, self._held = earlier, True, None
        self.cancel_schedule("Whitespace Keepalive")
        self._acknowledge(xml)
        if self.transport is None or self._bound.done():
            return
        for stanza in earlier.unacknowledged:  # in their order, before anything new
            self._write_raw(stanza)
        self.ask()
        self._on_bound(self)
        self._bound.set_result(None)

    def _on_failed(self, xml: ET.Element) -> None:
        """Go on with a new session: the server has none of ours, or wants no management at all."""
        held, self._held = self._held, None
        if held is None:
            self.management = StreamManagement()
            return
        if self._earlier is not None and xml.get("h") is not None:
            try:
                self._earlier.acknowledge(xml)  # it tells at least how far the lost session got
            except BadAcknowledgement as error:
                log.debug("the server's count makes no sense: %s", error)
        super()._spawn_event(held)

    def _acknowledge(self, xml: ET.Element) -> None:
        try:
            self.management.acknowledge(xml)
        except BadAcknowledgement as error:
            self.management.give_up()  # it would be the same with the next connection
            self._fail(LinkError(f"the server acknowledges what we never sent ({error})"))

    def _on_session_start(self, event: object) -> None:
        if self._offered:
            self._write_raw(serialise(self.management.enable()))
        super()._on_session_start(event)
        if self._bound.done() and not self._bound.cancelled() and self._bound.exception() is None:
            self._on_bound(self)

    def _write_raw(self, text: str) -> None:
        if self.transport is not None:
            self.transport.write(text.encode())
