"""tag: https://www.home-assistant.io/integrations/tag.mqtt/.

A scan is an event: a property whose value is the last tag, a reading each time; what the broker had kept is no scan.
"""

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import LONGEST_STATE, MqttEntity
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind


class Tag(MqttEntity):
    """A reader of tags. The parts: the last tag."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.parts = (self.part("", Kind.STRING, description="last tag", event=True),)
        self._read = self.reader(keep=True)
        if not self.listen_raw("topic", self._scanned):
            raise BadConfig("topic is missing")

    def _scanned(self, message: Message) -> bool:
        tag = None if message.retained else self._read(message)
        if tag is None or not tag.strip() or len(tag) > LONGEST_STATE:
            return False
        return self.tell(tag.strip(), tag.strip())
