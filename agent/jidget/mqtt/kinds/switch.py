"""switch: https://www.home-assistant.io/integrations/switch.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.kinds.common import NULL, MqttEntity, on_off
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar


class Switch(MqttEntity):
    """Something that is on or off and can be set. The parts: on."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        keys.command_topic(needed=True)
        self._on, self._off = keys.text("payload_on", "ON"), keys.text("payload_off", "OFF")
        self._meanings: dict[str, bool | None] = {
            keys.text("state_on") or self._on: True,
            keys.text("state_off") or self._off: False,
            NULL: None,
        }
        self._assumed = self.assumes()
        self.parts = (
            self.part("", Kind.BOOLEAN, writable=True, description=(keys.text("device_class") or "").lower()),
        )
        self.listen("state_topic", self._told)

    def _told(self, text: str) -> bool:
        if text not in self._meanings:
            return False
        on = self._meanings[text]
        return self.tell(on, on_off(on))

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for on or off."""
        return (self.publish("command_topic", self._on if value else self._off),)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            self.tell(bool(value), on_off(bool(value)))
