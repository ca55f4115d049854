"""Whether a device can be reached, as its publisher tells on topics of its own.

Rules: https://www.home-assistant.io/integrations/mqtt/#using-availability-topics.
"""

from dataclasses import dataclass
from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.keys import Keys
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import TemplateFailed, Templates
from jidget.mqtt.topics import matches

ONLINE, OFFLINE = "online", "offline"
_MODES = ("latest", "all", "any")


@dataclass(slots=True)
class _Source:
    """One topic, and what was told there."""

    topic: str
    online: str
    offline: str
    template: str | None
    available: bool = False


class Availability:
    """Availability of one entity: away until told otherwise; where its config names no topic, always there.

    Attributes:
        topics: filters of the topics that tell.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        """Read the config.

        Raises:
            BadConfig: an entry of `availability` is of the wrong type, its topic or template is none, or there is no
                such mode.
        """
        keys = Keys(config.keys)
        self._templates = templates
        self._variables = {"entity_id": f"{config.kind}.{config.object_id}", "name": config.name}
        self._latest = False
        mode = keys.text("availability_mode", "latest")
        if mode not in _MODES:
            raise BadConfig(f"availability_mode is {mode[:40]!r}, it should be one of {', '.join(_MODES)}")
        self._mode = mode
        sources = {}
        if (topic := keys.state_topic("availability_topic")) is not None:
            sources[topic] = _source(topic, keys, keys.text("availability_template"))
        for entry in _entries(keys.raw("availability")):
            topic = entry.state_topic("topic")
            if topic is None:
                raise BadConfig("an entry of availability has no topic")
            sources[topic] = _source(topic, entry, entry.text("value_template"))
        self._sources = tuple(sources.values())
        self._check_templates()
        self.topics = frozenset(sources)

    @property
    def available(self) -> bool:
        """Whether the entity can be reached, as far as its publisher told."""
        if not self._sources:
            return True
        if self._mode == "latest":
            return self._latest
        told = (source.available for source in self._sources)
        return all(told) if self._mode == "all" else any(told)

    def receive(self, message: Message) -> bool:
        """Take a message; return whether `available` has changed. Never raises for what a payload holds."""
        before = self.available
        for source in self._sources:
            if matches(source.topic, message.topic):
                self._take(source, message)
        return self.available != before

    def _take(self, source: _Source, message: Message) -> None:
        text = self._text(source, message)
        if text in {source.online, source.offline}:
            source.available = self._latest = text == source.online

    def _text(self, source: _Source, message: Message) -> str | None:
        try:
            if source.template is None:
                return message.text
            return self._templates.render(source.template, message, **self._variables)
        except UnicodeDecodeError:
            return None
        except TemplateFailed as failed:
            return message.text if failed.payload_counts else None

    def _check_templates(self) -> None:
        for source in self._sources:
            if source.template is None:
                continue
            try:
                self._templates.check(source.template)
            except TemplateFailed as failed:
                raise BadConfig(f"the template of availability topic {source.topic[:80]!r}: {failed}") from None


def _entries(listed: Any) -> list[Keys]:
    entries = [] if listed is None else listed if isinstance(listed, list) else [listed]
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadConfig("an entry of availability should be an object")
    return [Keys(entry) for entry in entries]


def _source(topic: str, keys: Keys, template: str | None) -> _Source:
    return _Source(topic, keys.text("payload_available", ONLINE), keys.text("payload_not_available", OFFLINE), template)
