"""What came in and was not looked at yet: bounded, whatever is published how fast. No I/O."""

import asyncio
from collections import deque

from jidget.mqtt.model import Message

MOST_OF_A_TOPIC = 64
"""Messages of one topic that wait: of what is published faster than it is looked at the newest are kept."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes that wait altogether: beyond that the oldest messages go, of whatever topic."""
MOST = 20_000
"""Messages that wait altogether, all the retained ones of a large house at once among them."""


class Inbox:
    """Messages in the order in which they came. Where too many wait on one topic its oldest are skipped.

    Attributes:
        came: how many messages were put in.
        skipped: how many of them were given up.
    """

    def __init__(self, most_of_a_topic: int = MOST_OF_A_TOPIC, most_bytes: int = MOST_BYTES, most: int = MOST) -> None:
        self.came = 0
        self.skipped = 0
        self._most_of_a_topic = most_of_a_topic
        self._most_bytes = most_bytes
        self._most = most
        self._turns: deque[str] = deque()
        """Topics in the order in which a message of theirs is next: as often as messages of theirs wait."""
        self._waiting: dict[str, deque[Message]] = {}
        self._bytes = 0
        self._closed = False
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._turns)

    def put(self, message: Message) -> str:
        """Take a message in; return the topic of which one was given up for it, or an empty text."""
        self.came += 1
        waiting = self._waiting.setdefault(message.topic, deque())
        given_up = ""
        if len(waiting) >= self._most_of_a_topic:  # the newer ones move up, so that order and turns stay as they are
            self._bytes -= _size(waiting.popleft())
            self.skipped += 1
            given_up = message.topic
        else:
            self._turns.append(message.topic)
        waiting.append(message)
        self._bytes += _size(message)
        while len(self._turns) > 1 and (self._bytes > self._most_bytes or len(self._turns) > self._most):
            given_up = self._take().topic
            self.skipped += 1
        self._news.set()
        return given_up

    def close(self) -> None:
        """Let `wait` end as soon as nothing is left."""
        self._closed = True
        self._news.set()

    async def wait(self) -> bool:
        """Wait until there is a message; False once it is closed and empty."""
        if not self._turns and not self._closed:
            self._news.clear()
            await self._news.wait()
        return bool(self._turns)

    def take(self) -> Message | None:
        """Return the next message, None if there is none."""
        return self._take() if self._turns else None

    def _take(self) -> Message:
        topic = self._turns.popleft()
        waiting = self._waiting[topic]
        message = waiting.popleft()
        if not waiting:
            del self._waiting[topic]
        self._bytes -= _size(message)
        return message


def _size(message: Message) -> int:
    return len(message.topic) + len(message.payload)
