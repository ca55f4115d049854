"""scene: https://www.home-assistant.io/integrations/scene.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import EntityAction
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates


class Scene(MqttEntity):
    """A scene. No parts; the action `activate`."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self._payload = self.keys.text("payload_on", "ON")
        self.actions = (EntityAction(name="activate", summary=f"Activate {config.name or 'it'}.", plan=self._activate),)

    def _activate(self) -> Sequence[Publish]:
        return (self.publish("command_topic", self._payload, template_key=""),)
