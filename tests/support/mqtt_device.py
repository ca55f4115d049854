"""A device on a broker, as its firmware would be: it announces itself, tells its state, and obeys."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Self

import aiomqtt

from jidget.demo.mosquitto import Mosquitto

Obey = Callable[[str], Mapping[str, str]]
"""Given what was published on a command topic, returns what to publish by topic."""


class MqttDevice:
    """A client of the broker.

    Attributes:
        heard: what was published on its command topics, in order: topic and payload.
        obeys: what to do, by command topic.
    """

    def __init__(self, broker: Mosquitto, obeys: Mapping[str, Obey] | None = None) -> None:
        self.heard: list[tuple[str, str]] = []
        self.obeys = dict(obeys or {})
        self._client = aiomqtt.Client(broker.host, broker.port)
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        for topic in self.obeys:
            await self._client.subscribe(topic, qos=1)
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait((self._listening,))
        await self._client.__aexit__(None, None, None)

    async def announces(self, topic: str, config: Mapping[str, Any] | str, *, retain: bool = True) -> None:
        """Publish a discovery payload."""
        payload = config if isinstance(config, str) else json.dumps(config)
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def says(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish a state."""
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            topic, raw = str(message.topic), message.payload
            payload = raw.decode() if isinstance(raw, bytes | bytearray) else str(raw)
            self.heard.append((topic, payload))
            for to, answer in self.obeys[topic](payload).items():
                await self._client.publish(to, answer, qos=1)
