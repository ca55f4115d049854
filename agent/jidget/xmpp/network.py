"""News of the network from the kernel (rtnetlink(7)): an address or a link came, so that waiting longer is idle."""

import asyncio
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

log = logging.getLogger(__name__)

_IPV4_ADDRESSES, _IPV6_ADDRESSES = 0x10, 0x100
"""Groups of news (linux/rtnetlink.h)."""
_NEW_ADDRESS = 20
_LONGEST = 65536
SETTLE = 0.3
"""Seconds from an address to the routes and name servers that come with it."""


class Network:
    """Waits that end early when the machine got an address. Where the kernel tells nothing, they just last."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the kernel for the time of the context."""
        try:
            news = _subscribe()
        except OSError as error:
            log.debug("no news of the network from the kernel: %s", error)
            yield
            return
        loop = asyncio.get_running_loop()
        with news:
            loop.add_reader(news, self._read, news)
            try:
                yield
            finally:
                loop.remove_reader(news)

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until a moment after the machine got an address."""
        self._changed.clear()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._changed.wait()
                await asyncio.sleep(SETTLE)

    def _read(self, news: socket.socket) -> None:
        """Look at each message's header: length (4 bytes), type (2), in the machine's byte order."""
        try:
            data = news.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError as error:  # ENOBUFS: more news than we could read, so there was some
            log.debug("news of the network were lost: %s", error)
            self._changed.set()
            return
        while len(data) >= 16:
            length = int.from_bytes(data[:4], sys.byteorder)
            if int.from_bytes(data[4:6], sys.byteorder) == _NEW_ADDRESS:
                self._changed.set()
            data = data[max(16, (length + 3) & ~3) :]


def _subscribe() -> socket.socket:
    """Return a socket on which the kernel tells of addresses.

    Raises:
        OSError: it does not, as in some containers.
    """
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        news.setblocking(False)
        news.bind((0, _IPV4_ADDRESSES | _IPV6_ADDRESSES))
    except BaseException:
        news.close()
        raise
    return news
