"""Home Assistant's MQTT discovery (`jidget.mqtt.discovery`) as one of several sources."""

from dataclasses import fields

from jidget.mqtt.discovery import Changes, Discoveries
from jidget.mqtt.kinds import KINDS
from jidget.mqtt.model import Message
from jidget.mqtt.sources.source import News, Source


class HomeAssistant(Source):
    """What devices announce under the discovery prefix."""

    def __init__(self, prefix: str) -> None:
        """Take the first levels of the discovery topics."""
        # A filter for each kind: a broker sends what it keeps for one filter in one go, and drops what is too much.
        kinds = sorted({*KINDS, "device"})
        self.filters = tuple(f"{prefix}/{kind}/{rest}" for kind in kinds for rest in ("+/config", "+/+/config"))
        self._discoveries = Discoveries(prefix)

    def take(self, message: Message) -> News:
        """Take an announcement."""
        changes = self._discoveries.take(message.topic, message.payload)
        return News(**{each.name: getattr(changes, each.name) for each in fields(Changes)})
