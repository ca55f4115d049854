"""Wakes whoever waits for something to change; what it is, they look at themselves."""

import asyncio
from collections.abc import Callable


class Signal:
    """An event that is over as soon as everybody who waited knows."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def __call__(self) -> None:
        """Wake all who wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def next(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is looked at now and at each change."""
        while not condition():
            await self._changed.wait()
