"""Something that is no broker, or a broken one: whatever it sends, the session only says so, and tries again."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest
from tests.support.mqtt import LIMIT, running

from jidget.config.mqtt import MqttConfig
from jidget.supervise import Backoff

CONNECTIONS = 150
CONNACK = b"\x20\x03\x00\x00\x00"


class Garbage:
    """Lets everybody in, mostly, and then sends packets whose insides are noise."""

    def __init__(self, seed: int) -> None:
        self.count = 0
        self.enough = asyncio.Event()
        self._dice = random.Random(seed)

    def packet(self) -> bytes:
        dice = self._dice
        kind = dice.choice([0x10, 0x20, 0x30, 0x32, 0x34, 0x3D, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xB0, 0xD0, 0xE0])
        body = dice.randbytes(dice.choice([0, 1, 2, 3, 5, 8, 20, 100]))
        if dice.random() < 0.3:
            body = b"\x00\x01a" + body
        return bytes([kind, len(body) if dice.random() < 0.8 else dice.randrange(127)]) + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        if self.count >= CONNECTIONS:
            self.enough.set()
        try:
            await reader.read(1000)
            if self._dice.random() < 0.9:
                writer.write(CONNACK)
            for _ in range(self._dice.randrange(1, 6)):
                writer.write(self.packet())
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_garbage(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jidget.mqtt.session.Backoff", partial(Backoff, first=0.01, cap=0.02))
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: unhandled.append(what))
    garbage = Garbage(seed)
    server = await asyncio.start_server(garbage.serve, "127.0.0.1", 0)
    config = MqttConfig(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    async with asyncio.timeout(4 * LIMIT), running(config, "a/#") as one:
        await garbage.enough.wait()
    server.close()
    await server.wait_closed()
    assert unhandled == []
    assert None in one.links
    assert all("\n" not in (link or "") for link in one.links)
