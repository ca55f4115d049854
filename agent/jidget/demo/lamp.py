"""A lamp on an MQTT broker, as one from a shop would be: it announces itself, tells its state, and obeys."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Self

import aiomqtt

NAME = "Desk lamp"
THING = "desk_lamp"
_BASE = "shop/lamp-0042"
_CONFIG = f"homeassistant/light/{_BASE.replace('/', '_')}/config"


class Lamp:
    """The lamp. It knows of its broker and of nothing else.

    Attributes:
        heard: what it was told to do, as JSON objects.
    """

    def __init__(self, host: str, port: int) -> None:
        self.heard: list[dict[str, object]] = []
        self._client = aiomqtt.Client(host, port)
        self._state: dict[str, object] = {"state": "OFF", "brightness": 0}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._client)
        await self._client.subscribe(f"{_BASE}/set", qos=1)
        await self._tell(_CONFIG, _announcement(), retain=True)
        await self._tell(f"{_BASE}/online", "yes", retain=True)
        await self._tell(_BASE, json.dumps(self._state), retain=True)
        listening = asyncio.create_task(self._listen(), name="lamp")
        self._stack.push_async_callback(_ended, listening)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _tell(self, topic: str, payload: str, *, retain: bool = False) -> None:
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            wanted = json.loads(bytes(message.payload)) if isinstance(message.payload, bytes | bytearray) else {}
            self.heard.append(wanted)
            self._state |= wanted
            await self._tell(_BASE, json.dumps(self._state), retain=True)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _announcement() -> str:
    """Return what it says of itself (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery)."""
    return json.dumps(
        {
            "schema": "json",
            "name": None,
            "unique_id": "lamp-0042",
            "state_topic": _BASE,
            "command_topic": f"{_BASE}/set",
            "brightness": True,
            "brightness_scale": 100,
            "supported_color_modes": ["brightness"],
            "availability_topic": f"{_BASE}/online",
            "payload_available": "yes",
            "payload_not_available": "no",
            "device": {"identifiers": ["lamp-0042"], "name": NAME, "manufacturer": "A shop"},
            "origin": {"name": "the lamp's firmware"},
        }
    )
