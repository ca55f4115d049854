"""What tests need to watch an MQTT session at work."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.support.signals import Signal

from jidget.config.mqtt import MqttConfig
from jidget.demo.mosquitto import Mosquitto
from jidget.mqtt.model import Message
from jidget.mqtt.session import MqttSession

LIMIT = 15.0


class Watched:
    """A session, and what it told.

    Attributes:
        session: it.
        messages: that came.
        links: what was told of the connection: None for connected, else why not.
    """

    def __init__(self, config: MqttConfig, keepalive: int = 30) -> None:
        self.messages: list[Message] = []
        self.links: list[str | None] = []
        self.changed = Signal()
        self._status = f"jidget/{config.client_id}/status"
        self._echoes = 0
        self._ready = False
        self.session = MqttSession(config, self._take, self._link, keepalive=keepalive)
        self.session.on_ready = self._be_ready

    def _take(self, message: Message) -> None:
        if message.topic == self._status and message.retained:
            self._echoes += 1
        else:
            self.messages.append(message)
        self.changed()

    def _link(self, trouble: str | None) -> None:
        self.links.append(trouble)
        self._ready = False
        self.changed()

    def _be_ready(self) -> None:
        self._ready = True
        self.changed()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT):
            await self.changed.until(lambda: bool(condition()))

    async def connects(self) -> None:
        """Wait until it is connected."""
        await self.until(lambda: self.links and self.links[-1] is None)

    async def subscribed(self) -> None:
        """Wait until the broker has heard of all filters: what is kept on one that was asked for last comes last."""
        await self.until(lambda: self._ready)  # before that nothing is kept there
        before = self._echoes
        self.session.subscribe({self._status: 0})
        await self.until(lambda: self._echoes > before)

    async def fails(self) -> str:
        """Wait until it is not connected; return why."""
        await self.until(lambda: self.links and self.links[-1] is not None)
        assert self.links[-1] is not None
        return self.links[-1]

    async def gets(self, topic: str, count: int = 1) -> list[Message]:
        """Wait until so many messages of a topic came; return all of them."""
        await self.until(lambda: len(self.of(topic)) >= count)
        return self.of(topic)

    def of(self, topic: str) -> list[Message]:
        """Return the messages of a topic that came."""
        return [message for message in self.messages if message.topic == topic]

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.of(topic)]


@asynccontextmanager
async def running(config: MqttConfig, *filters: str, keepalive: int = 30) -> AsyncIterator[Watched]:
    """Run a session for as long as the context lasts, subscribed to these filters."""
    watched = Watched(config, keepalive)
    watched.session.subscribe(dict.fromkeys(filters, 1))
    task = asyncio.ensure_future(watched.session.run())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


def at(broker: Mosquitto, name: str = "jidget-test", **settings: Any) -> MqttConfig:
    """Return the configuration for a broker, without TLS."""
    return MqttConfig(**{"host": broker.host, "port": broker.port, "client_id": name, "birth": False, **settings})


def with_tls(broker: Mosquitto, name: str = "jidget-test", **settings: Any) -> MqttConfig:
    """Return the configuration for a broker, with TLS."""
    return at(broker, name, **{"port": broker.tls_port, "tls": True, "ca_file": broker.ca_file, **settings})


def flood(broker: Mosquitto, topics: int, count: int, rate: int) -> None:
    """Publish numbers to `flood/0`, `flood/1` … as fast as asked: `rate` a second on all of them together. Blocks."""
    with socket.create_connection((broker.host, broker.port)) as connection:
        connection.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05flood")
        for number in range(count):
            begun = time.monotonic()
            connection.sendall(b"".join(_publish(f"flood/{topic}", str(number)) for topic in range(topics)))
            time.sleep(max(0.0, begun + topics / rate - time.monotonic()))
        connection.sendall(b"\xe0\x00")


def _publish(topic: str, payload: str) -> bytes:
    """Return a short PUBLISH of QoS 0 (MQTT 3.1.1 3.3)."""
    rest = len(topic).to_bytes(2, "big") + topic.encode() + payload.encode()
    return bytes([0x30, len(rest)]) + rest
