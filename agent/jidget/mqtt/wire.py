"""A client of MQTT on the wire. The only module that knows aiomqtt, and paho-mqtt inside it.

aiomqtt drives paho from the event loop, connects and subscribes. It does not tell why a broker refuses or ends a
connection, nor what became of a publish, and it keeps messages in a queue of its own: those come from paho's public
callbacks, which are put before aiomqtt's.
"""

import asyncio
import contextlib
import logging
import math
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from jidget.config.mqtt import MqttConfig
from jidget.errors import ConfigError
from jidget.mqtt.model import Message

try:
    import aiomqtt
    from aiomqtt import ProtocolVersion
    from paho.mqtt.enums import MQTTErrorCode
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError as error:
    raise ConfigError(f"[mqtt] needs the package aiomqtt ({error}). Run: pip install aiomqtt") from None

log = logging.getLogger(__name__)
_paho_log = logging.getLogger(f"{__name__}.paho")

WireError = aiomqtt.MqttError
Version = ProtocolVersion
MQTT_5 = ProtocolVersion.V5
MQTT_3_1_1 = ProtocolVersion.V311

LARGEST_PACKET = 8 * 1024 * 1024
"""Bytes: larger ones a broker of MQTT 5 does not send us at all (MQTT 5 3.1.2.11.4)."""

_CLEAN: Mapping[ProtocolVersion, Mapping[str, Any]] = {
    MQTT_5: {"clean_start": True},
    MQTT_3_1_1: {"clean_session": True},
}
_T = TypeVar("_T")
_LINGER_NOT = struct.pack("ii", 1, 0)  # SO_LINGER without time: what was not sent yet never is (socket(7))


class Listener(Protocol):
    """Who is told what happens on the wire, in the thread of the event loop."""

    def accepted(self, unconfirmed: int | None) -> None:
        """Hear that the broker let us in, and how many unconfirmed publishes it bears, if it says so."""

    def refused(self, code: int, reason: str) -> None:
        """Hear that the broker did not let us in (MQTT 5 3.2.2.2)."""

    def ended(self, code: int, reason: str, *, said: bool) -> None:
        """Hear that the connection is over; `said` is whether the broker gave the reason itself."""

    def broke(self, error: Exception) -> None:
        """Hear that the connection cannot be used any more."""

    def confirmed(self, publish: int, code: int, reason: str) -> None:
        """Hear that a publish has arrived or was refused; with QoS 0 that it is on its way."""

    def received(self, message: Message) -> None:
        """Hear of a message."""


class Wire:
    """One client, for one connection.

    Attributes:
        sent: done as soon as there is a socket and a CONNECT for it.
    """

    def __init__(
        self,
        config: MqttConfig,
        version: Version,
        listener: Listener,
        *,
        tls: ssl.SSLContext | None,
        will: tuple[str, str] | None,
        keepalive: int,
        patience: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.sent: asyncio.Future[None] = self._loop.create_future()
        self._version = version
        self._listener = listener
        self._patience = patience
        _paho_log.setLevel(logging.DEBUG if log.isEnabledFor(logging.DEBUG) else logging.CRITICAL)
        self._client = aiomqtt.Client(
            config.host,
            config.port,
            username=config.username,
            password=config.password.get_secret_value() or None,
            logger=_paho_log,
            identifier=config.client_id,
            protocol=version,
            will=aiomqtt.Will(*will, qos=1, retain=True) if will else None,
            **_CLEAN[version],
            timeout=patience,
            keepalive=keepalive,
            properties=self._properties(PacketTypes.CONNECT, MaximumPacketSize=LARGEST_PACKET),
            tls_context=tls,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        self._paho: Any = self._client._client
        self._paho.connect_timeout = patience
        self._listen()

    async def enter(self) -> None:
        """Connect and log in. Until `sent` a thread does it: cancelling this would leave its socket behind.

        Raises:
            WireError: it did not work; its context is what the operating system said.
        """
        await self._client.__aenter__()

    async def leave(self) -> None:
        """Say goodbye; raises `WireError` if that does not work."""
        await self._client.__aexit__(None, None, None)

    async def failure(self) -> Exception:
        """Return what aiomqtt stumbles over while it reads; for ever under way if it does not."""
        try:
            await anext(self._client.messages)
        except WireError as error:
            return error
        raise AssertionError("the listener gets all messages")

    async def subscribe(self, filters: Mapping[str, int], *, as_published: bool) -> dict[str, str]:
        """Subscribe to filters with their QoS; return those that are refused, and why. Raises `WireError`.

        `as_published`: what is published to be retained is told as that, also at once (MQTT 5 3.8.3.1).
        """
        asked: Any = list(filters.items())
        if self._version == MQTT_5:
            asked = [
                (each, SubscribeOptions(qos=qos, noLocal=True, retainAsPublished=as_published))
                for each, qos in filters.items()
            ]
        codes: Sequence[Any] = await self._answer(self._client.subscribe(asked, timeout=math.inf))
        return {each: str(code) for each, code in zip(filters, codes, strict=False) if code.is_failure}

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe from filters. Raises `WireError`."""
        await self._answer(self._client.unsubscribe(list(filters), timeout=math.inf))

    async def _answer(self, asked: Awaitable[_T]) -> _T:
        """Wait for what the broker answers.

        Not as aiomqtt limits it: asyncio.wait_for of Python 3.11 forgets that it was cancelled if the answer is there.
        """
        try:
            async with asyncio.timeout(self._patience):
                return await asked
        except TimeoutError:
            raise WireError(f"no answer within {self._patience:g} s") from None

    def publish(self, topic: str, payload: str | bytes, qos: int, retain: bool, expiry: int | None) -> int | None:
        """Hand a message to the socket; return what its confirmation will be known by, None if it cannot be sent.

        Raises:
            ValueError: nobody can publish that.
        """
        properties = self._properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry) if expiry else None
        done = self._paho.publish(topic, payload, qos, retain, properties)
        return int(done.mid) if done.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def abort(self) -> None:
        """Close the socket without a word: what was not sent yet never is."""
        opened = self._paho.socket()
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self._paho._sock_close()

    def _properties(self, packet: int, **values: int) -> Properties | None:
        """Return properties of a packet; none before MQTT 5, which has no such thing."""
        if self._version != MQTT_5:
            return None
        properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho's own
        for name, value in values.items():
            setattr(properties, name, value)
        return properties

    def _listen(self) -> None:
        """Put our callbacks before aiomqtt's."""
        paho, listener = self._paho, self._listener
        connected, disconnected, writes = paho.on_connect, paho.on_disconnect, paho.on_socket_register_write

        def on_connect(client: Any, data: Any, flags: Any, code: ReasonCode, properties: Properties | None) -> None:
            if code.is_failure:
                listener.refused(code.value, str(code))
            else:
                listener.accepted(getattr(properties, "ReceiveMaximum", None))
            connected(client, data, flags, code, properties)

        def on_disconnect(client: Any, data: Any, flags: Any, code: ReasonCode, properties: Properties | None) -> None:
            if not code.is_failure:  # else aiomqtt keeps an error that nobody asks it for
                disconnected(client, data, flags, code, properties)
            listener.ended(code.value, str(code), said=flags.is_disconnect_packet_from_server)

        def on_publish(client: Any, data: Any, mid: int, code: ReasonCode, properties: Properties) -> None:  # noqa: ARG001
            listener.confirmed(mid, code.value, str(code))

        def on_message(client: Any, data: Any, message: Any) -> None:  # noqa: ARG001
            try:
                topic = message.topic
            except UnicodeDecodeError:  # no broker may send that (MQTT 5 1.5.4)
                return
            listener.received(Message(topic=topic, payload=bytes(message.payload), retained=bool(message.retain)))

        def on_write(client: Any, data: Any, opened: Any) -> None:
            if threading.get_ident() == self._thread:  # at once: the socket may be closed when aiomqtt gets round to it
                self._loop.add_writer(opened.fileno(), self._write)
                return
            writes(client, data, opened)
            if not self.sent.done():  # in the thread that connects: its last act
                self._loop.call_soon_threadsafe(_settle, self.sent)

        paho.on_connect, paho.on_disconnect, paho.on_publish = on_connect, on_disconnect, on_publish
        paho.on_message, paho.on_socket_register_write = on_message, on_write

    def _write(self) -> None:
        try:
            self._paho.loop_write()
        except (OSError, ValueError) as error:
            self._listener.broke(error)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
