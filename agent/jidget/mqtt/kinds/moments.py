"""What `date`, `time` and `datetime` have in common: one moment that can be set, as an ISO 8601 text.

They are recent: https://www.home-assistant.io/integrations/mqtt/ has the list of integrations.
"""

from abc import abstractmethod
from collections.abc import Sequence

from jidget.mqtt.entity import UNKNOWN
from jidget.mqtt.kinds.common import NULL, MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, WriteRefused


class Moment(MqttEntity):
    """Base of the kinds that are a moment. The parts: the moment.

    Class attributes:
        example: a moment as people write it.
    """

    example = ""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self._reset = self.keys.text("payload_reset", NULL)
        self._assumed = self.assumes()
        self.parts = (self.part("", Kind.STRING, description=f"as {self.example}", writable=True),)
        self.listen("state_topic", self._told)

    @abstractmethod
    def parse(self, text: str) -> str | None:
        """Return the moment that a text tells, in the one way that it is written here; None if it tells none."""

    def _told(self, text: str) -> bool:
        if text == self._reset:
            return self.tell(None, UNKNOWN)
        moment = self.parse(text.strip())
        return moment is not None and self.tell(moment, moment)

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for a moment."""
        return (self.publish("command_topic", self._wanted(value)),)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            moment = self._wanted(value)
            self.tell(moment, moment)

    def _wanted(self, value: Scalar) -> str:
        moment = self.parse(str(value).strip())
        if moment is None:
            raise WriteRefused(f"{str(value)[:40]!r} is not like {self.example}")
        return moment
