"""The small services that every good client answers: ping, version, time, last activity."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from jidget import __version__
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import PING, element

VERSION = "jabber:iq:version"
TIME = "urn:xmpp:time"
LAST = "jabber:iq:last"
FEATURES = (PING, VERSION, TIME, LAST)


class Services:
    """Answers XEP-0199, XEP-0092, XEP-0202 and XEP-0012 to whom the gate lets in."""

    def __init__(self, last_active: Callable[[], float] = time.monotonic) -> None:
        """`last_active` returns the monotonic time at which we last did something for somebody."""
        self._last_active = last_active

    def attach(self, router: Router) -> None:
        """Answer what comes by `router`."""
        router.on_iq("get", f"{{{PING}}}ping", self._ping, public=True)
        router.on_iq("get", f"{{{VERSION}}}query", self._version)
        router.on_iq("get", f"{{{TIME}}}time", self._time)
        router.on_iq("get", f"{{{LAST}}}query", self._last)

    async def _ping(self, _incoming: Incoming) -> tuple[ET.Element, ...]:
        return ()

    async def _version(self, _incoming: Incoming) -> tuple[ET.Element, ...]:
        """Name and version, not the operating system: nobody needs it to use us (XEP-0092 6)."""
        name, version = (
            element(f"{{{VERSION}}}name", None, "Jidget"),
            element(f"{{{VERSION}}}version", None, __version__),
        )
        return (element(f"{{{VERSION}}}query", None, name, version),)

    async def _time(self, _incoming: Incoming) -> tuple[ET.Element, ...]:
        now = datetime.now(UTC)
        offset = now.astimezone().strftime("%z")
        return (
            element(
                f"{{{TIME}}}time",
                None,
                element(f"{{{TIME}}}tzo", None, f"{offset[:3]}:{offset[3:5]}"),
                element(f"{{{TIME}}}utc", None, now.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ),
        )

    async def _last(self, _incoming: Incoming) -> tuple[ET.Element, ...]:
        seconds = max(0, int(time.monotonic() - self._last_active()))
        return (element(f"{{{LAST}}}query", {"seconds": str(seconds)}),)
