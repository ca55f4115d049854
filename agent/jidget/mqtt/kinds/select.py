"""select: https://www.home-assistant.io/integrations/select.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar


class Select(MqttEntity):
    """One of several options, which can be set. The parts: the option."""

    blocked_attributes = frozenset({"options"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self._options = tuple(dict.fromkeys(self.keys.texts("options")))
        if not self._options:
            raise BadConfig("options are missing")
        self._assumed = self.assumes()
        self.parts = (self.part("", Kind.ENUM, options=self._options, writable=True),)
        self.show(options=list(self._options))
        self.listen("state_topic", self._told)

    def _told(self, text: str) -> bool:
        if text.lower() == "none":
            return self.tell(None, UNKNOWN)
        return text in self._options and self.tell(text, text)

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for an option."""
        return (self.publish("command_topic", value),)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            self.tell(str(value), str(value))
