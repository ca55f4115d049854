"""binary_sensor: https://www.home-assistant.io/integrations/binary_sensor.mqtt/."""

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import NULL, MqttEntity, on_off
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind


class BinarySensor(MqttEntity):
    """A reading of two values. The parts: the reading.

    With `off_delay` it goes off by itself: the bridge calls `revert` when `reverts_after` is over.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        self._meanings: dict[str, bool | None] = {
            NULL: None,
            keys.text("payload_off", "OFF"): False,
            keys.text("payload_on", "ON"): True,
        }
        self._expire_after = keys.integer("expire_after", 0, least=0)
        self._off_delay = keys.integer("off_delay", least=0)
        device_class = (keys.text("device_class") or "").lower()
        self.parts = (self.part("", Kind.BOOLEAN, description=device_class.replace("_", " ")),)
        self._read = self.reader()
        if not self.listen_raw("state_topic", self._heard):
            raise BadConfig("state_topic is missing")

    @property
    def expires_after(self) -> float | None:
        """Return `expire_after`. Any message on the state topic renews the value, even one that does not tell it."""
        return self._expire_after or None

    @property
    def reverts_after(self) -> float | None:
        """Return `off_delay` while it is on."""
        return self._off_delay if self.values.get("") is True else None

    def revert(self) -> None:
        """Go off: `off_delay` is over."""
        self.tell(False, "off")

    def _heard(self, message: Message) -> bool:
        text = self._read(message)
        if text is not None and text in self._meanings:
            on = self._meanings[text]
            return self.tell(on, on_off(on))
        if self._expire_after:
            self.values.setdefault("", None)  # it lives, though it does not tell
        return self._expire_after > 0
