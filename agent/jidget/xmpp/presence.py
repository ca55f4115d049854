"""Our presence: available, with capabilities and a line that tells at a glance how things are, and changes rarely."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from jidget.xmpp.disco import Disco
from jidget.xmpp.link import Link
from jidget.xmpp.timing import Timing
from jidget.xmpp.xml import CLIENT, element

Glance = Callable[[], tuple[str, str]]
"""Returns (what is wrong, how things are), each one short line, the first empty while all is well."""


class Presence:
    """Keeps our contacts' view of us up to date. On somebody's personal account the priority is negative.

    Attributes:
        shown: whether we are available, so that what is answered to our bare JID reaches us.
        on_shown: called when we have become available.
    """

    def __init__(
        self, link: Link, disco: Disco, glance: Glance, *, priority: int, timing: Timing | None = None
    ) -> None:
        self._link = link
        self._disco = disco
        self._glance = glance
        self._priority = priority
        self._timing = timing or Timing()
        self._changed = asyncio.Event()
        self.shown = False
        self.on_shown: Callable[[], None] = lambda: None

    def notify(self) -> None:
        """Say that the glance may have changed."""
        self._changed.set()

    def send(self) -> tuple[str, str]:
        """Send our presence now and return the glance it shows.

        Raises:
            LinkError: not connected.
        """
        trouble, line = self._glance()
        status = " · ".join(part for part in (trouble, line) if part)
        presence = element(
            f"{{{CLIENT}}}presence",
            None,
            element(f"{{{CLIENT}}}priority", None, str(self._priority)),
            self._disco.caps(),
        )
        if trouble:
            presence.insert(0, element(f"{{{CLIENT}}}show", None, "away"))
        if status:
            presence.insert(0, element(f"{{{CLIENT}}}status", None, status))
        self._link.send(presence)
        return trouble, line

    def leave(self) -> None:
        """Say goodbye.

        Raises:
            LinkError: not connected.
        """
        self._link.send(element(f"{{{CLIENT}}}presence", {"type": "unavailable"}))

    async def keep(self) -> NoReturn:
        """Send our presence, then again when it has changed.

        Raises:
            LinkError: the link was lost.
        """
        loop = asyncio.get_running_loop()
        try:
            while True:
                shown = self.send()
                if not self.shown:
                    self.shown = True
                    self.on_shown()
                await self._worth_telling(shown, loop.time() + self._timing.rarely)
        finally:
            self.shown = False

    async def _worth_telling(self, shown: tuple[str, str], again: float) -> None:
        """Wait until trouble came or went and lasts, or until `again` (loop time) and how things are has changed."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            trouble, line = self._glance()
            if trouble != shown[0]:
                await asyncio.sleep(self._timing.settle)
                if self._glance()[0] != shown[0]:
                    return
                continue
            if line != shown[1] and loop.time() >= again:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(None if line == shown[1] else again):
                    await self._changed.wait()
