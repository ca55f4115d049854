"""How the agent begins and ends: signals, systemd's watchdog, and which error of many it ends with."""

import asyncio
import signal
from typing import Protocol

from jidget.errors import JidgetError
from jidget.sdnotify import notify, watchdog_interval


class Runnable(Protocol):
    """What runs until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""


def first_error(group: BaseExceptionGroup[JidgetError]) -> JidgetError:
    """Return the first error of a group, however deep it lies."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_error(error)
        return error
    raise ValueError("an empty group")


async def run_until_signalled(app: Runnable) -> None:
    """Run the agent until SIGTERM or SIGINT.

    Raises:
        JidgetError: what cannot be mended by trying again.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.run(stop)


async def feed_watchdog() -> None:
    """Tell systemd that the event loop turns, twice as often as it wants to hear it (sd_notify(3))."""
    interval = watchdog_interval()
    if interval is None:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval / 2)
