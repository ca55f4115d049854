"""button: https://www.home-assistant.io/integrations/button.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import EntityAction
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates


class Button(MqttEntity):
    """Something to press. No parts; the action `press`."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self._payload = self.keys.text("payload_press", "PRESS")
        self.actions = (EntityAction(name="press", summary=f"Press {config.name or 'it'}.", plan=self._press),)

    def _press(self) -> Sequence[Publish]:
        return (self.publish("command_topic", self._payload),)
