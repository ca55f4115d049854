"""text: https://www.home-assistant.io/integrations/text.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import LONGEST_STATE, MqttEntity
from jidget.mqtt.kinds.patterns import fits
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, WriteRefused


class Text(MqttEntity):
    """A text that can be set. The parts: the text; never known where it is a password (`mode`)."""

    blocked_attributes = frozenset({"max", "min", "mode", "pattern"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        keys.command_topic(needed=True)
        self._least = keys.integer("min", 0, least=0)
        self._most = keys.integer("max", LONGEST_STATE, least=0)
        if not self._least <= self._most <= LONGEST_STATE:
            raise BadConfig(f"min {self._least} to max {self._most} is no range of lengths up to {LONGEST_STATE}")
        self._pattern = keys.text("pattern")
        self._secret = keys.text("mode", "text") == "password"
        self._assumed = self.assumes()
        told = [f"{self._least} to {self._most} characters"] if {"min", "max"} & set(config.keys) else []
        if self._pattern is not None:
            told.append(f"like {self._pattern[:80]}")
        self.parts = (self.part("", Kind.STRING, description=", ".join(told), writable=True),)
        self.listen("state_topic", self._told)

    def _told(self, text: str) -> bool:
        return not self._fault(text) and self._known(text)

    def _known(self, text: str) -> bool:
        return self.tell(None if self._secret else text, text)

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for a text of the length and pattern that the device takes."""
        fault = self._fault(str(value))
        if fault:
            raise WriteRefused(fault)
        return (self.publish("command_topic", value),)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            self._known(str(value))

    def _fault(self, text: str) -> str:
        if not self._least <= len(text) <= self._most:
            return f"it takes {self._least} to {self._most} characters, this has {len(text)}"
        if not fits(self._pattern, text):
            return f"it takes what is like {self._pattern}"
        return ""
