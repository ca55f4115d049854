"""notify: https://www.home-assistant.io/integrations/notify.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import EntityAction
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates


class Notify(MqttEntity):
    """Something that shows messages. No parts; the action `send`."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self.actions = (EntityAction(name="send", summary="Show a message.", plan=self._send),)

    def _send(self, message: str) -> Sequence[Publish]:
        return (self.publish("command_topic", message),)
