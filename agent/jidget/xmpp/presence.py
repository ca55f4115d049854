"""Our presence: available, with capabilities and a line that tells at a glance how things are, and changes rarely."""

import asyncio
from collections.abc import Callable

from jidget.errors import LinkError
from jidget.xmpp.disco import Disco
from jidget.xmpp.link import Link
from jidget.xmpp.xml import CLIENT, element

RARELY = 600.0
"""Seconds between changes of what is merely nice to know."""
SETTLE = 5.0
"""Seconds that trouble must last before contacts are told, so that a hiccup tells them nothing."""

Glance = Callable[[], tuple[str, str]]
"""Returns (what is wrong, how things are), each one short line, the first empty while all is well."""


class Presence:
    """Keeps our contacts' view of us up to date. On somebody's personal account the priority is negative."""

    def __init__(self, link: Link, disco: Disco, glance: Glance, *, priority: int) -> None:
        self._link = link
        self._disco = disco
        self._glance = glance
        self._priority = priority
        self._changed = asyncio.Event()

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

    async def keep(self) -> LinkError:
        """Send our presence, then again when it has changed, until the link is lost."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                shown, sent = self.send(), loop.time()
                while self._glance() == shown:
                    self._changed.clear()
                    await self._changed.wait()
                    await asyncio.sleep(SETTLE)
                    if self._glance()[0] == shown[0]:  # only what is nice to know: it can wait
                        await self._wait_for_trouble(shown[0], sent + RARELY - loop.time())
        except LinkError as error:
            return error

    async def _wait_for_trouble(self, trouble: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                while self._glance()[0] == trouble:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return
