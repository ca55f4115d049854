"""What the agent tells its operator, as it tells it."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 20.0


class LogWatch(logging.Handler):
    """Collects log messages: ours from INFO on, of libraries from WARNING on, as `jidget run` shows them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._loop.call_soon_threadsafe(self._more.set)

    @property
    def messages(self) -> list[str]:
        """Return all messages, tracebacks included."""
        return [self.format(record) for record in self.records]

    @property
    def troubles(self) -> list[str]:
        """Return the messages from WARNING on."""
        return [self.format(record) for record in self.records if record.levelno >= logging.WARNING]

    def when(self, pattern: str) -> list[float]:
        """Return when the matching messages were written, in seconds."""
        return [record.created for record in self.records if re.search(pattern, self.format(record))]

    def matching(self, pattern: str) -> list[str]:
        """Return the messages in which a regular expression is found."""
        return [message for message in self.messages if re.search(pattern, message)]

    async def says(self, pattern: str, *, times: int = 1) -> str:
        """Wait until so many messages match, and return the last of them."""
        try:
            async with asyncio.timeout(LIMIT):
                while len(found := self.matching(pattern)) < times:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"not {times} times in the log: {pattern}\n" + "\n".join(self.messages)) from None
        return found[times - 1]


@contextmanager
def watching_log() -> Iterator[LogWatch]:
    """Collect what is logged during the context."""
    root, ours = logging.getLogger(), logging.getLogger("jidget")
    levels = root.level, ours.level
    watch = LogWatch()
    root.addHandler(watch)
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        yield watch
    finally:
        root.removeHandler(watch)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
