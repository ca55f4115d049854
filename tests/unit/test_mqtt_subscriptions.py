"""What is subscribed to in one request."""

import asyncio
from typing import Any, cast

from jidget.mqtt.connection import Connection
from jidget.mqtt.subscriptions import Subscriptions, requests


class Slow:
    """A broker that takes its time; meanwhile something else is wanted, again and again."""

    def __init__(self, wanted: Subscriptions) -> None:
        self.heard: list[str] = []
        self._wanted = wanted

    async def subscribe(self, filters: dict[str, int]) -> dict[str, str]:
        await asyncio.sleep(0)
        self.heard += filters
        self._wanted.add({f"more/{len(self.heard)}": 0})
        return {}


async def test_what_is_wanted_now_is_heard_of_whatever_else_is_wanted_meanwhile() -> None:
    wanted = Subscriptions()
    wanted.add({"a": 0})
    wanted.begin()
    broker = Slow(wanted)

    async def serve() -> None:
        while True:
            await wanted.apply(cast("Connection", cast("Any", broker)))

    serving = asyncio.create_task(serve())
    async with asyncio.timeout(5.0):
        await wanted.settled()
        assert "a" in broker.heard
        wanted.add({"b": 0})
        await wanted.settled()
        assert "b" in broker.heard
    serving.cancel()
    await asyncio.wait((serving,))


def test_a_request_is_neither_long_nor_large_and_nothing_is_left_out() -> None:
    short = [f"a/{number}" for number in range(1_200)]
    long = [f"{number}/{'x' * 60_000}" for number in range(5)]
    asked = list(requests([*short, "b/+", *long]))
    assert sorted(each for some in asked for each in some) == sorted([*short, "b/+", *long])
    assert ["b/+"] in asked
    assert max(len(some) for some in asked) == 500
    assert max(len("".join(some)) for some in asked) <= 65_536
    assert list(requests([])) == []
