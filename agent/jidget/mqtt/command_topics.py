"""Topics of commands to us: apart from all else that is subscribed to, and with a proof of how old a command is."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from jidget.mqtt.connection import Connection
from jidget.mqtt.failures import MqttUnavailable
from jidget.mqtt.model import Message
from jidget.mqtt.subscriptions import requests
from jidget.mqtt.topics import has_wildcard, matches

PROVING = 10.0
"""Seconds between questions to the broker where the age of commands matters."""

OnOrder = Callable[[Message, float | None], None]
"""Gets a command, and when it was sent to us at the earliest: seconds of CLOCK_BOOTTIME, None if nobody knows."""


class CommandTopics:
    """What is to be obeyed on one broker, through all connections.

    Attributes:
        refused: topics of this connection that the broker does not let us read, and why.
    """

    def __init__(self, client_id: str) -> None:
        """Take what the broker calls us."""
        self.refused: dict[str, str] = {}
        self._nothing = f"jidget/{client_id}/nothing"
        self._topics: frozenset[str] = frozenset()
        self._on_order: OnOrder = lambda _m, _s: None

    def __bool__(self) -> bool:
        return bool(self._topics)

    def obey(self, topics: Iterable[str], on_order: OnOrder) -> None:
        """Listen to these topics, which have no wildcards, from the next connection on.

        `on_order` is called before anything else that waits is looked at; it must not raise.
        """
        self._topics, self._on_order = frozenset(topics), on_order

    def objection(self, wanted: str) -> str:
        """Return why nobody may subscribe to a filter besides; empty if one may.

        A broker may tell a message once for each filter that matches (MQTT 5 3.3.4), and a command is to come once.
        """
        if wanted in self._topics or (has_wildcard(wanted) and any(matches(wanted, topic) for topic in self._topics)):
            return "commands to this agent come on a topic that it matches"
        return ""

    def take(self, message: Message, connection: Connection | None) -> bool:
        """Take a message, if it is a command; return whether it is."""
        if message.topic not in self._topics:
            return False
        self._on_order(message, None if connection is None else connection.proved)
        return True

    async def listen(self, connection: Connection) -> None:
        """Subscribe, with QoS 0: with another one a command could come twice, or late.

        Raises:
            MqttUnavailable: the connection is over.
        """
        self.refused = {}
        for some in requests(sorted(self._topics)):
            self.refused |= await connection.subscribe(dict.fromkeys(some, 0), as_published=True)

    async def keep_proved(self, connection: Connection) -> None:
        """Ask the broker again and again for what changes nothing, so that the age of what it sends is known.

        What it answers and what it sends come in one order, also after they were held up on the way.
        """
        with suppress(MqttUnavailable):
            while True:
                await asyncio.sleep(PROVING)
                await connection.unsubscribe([self._nothing])
