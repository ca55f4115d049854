"""device_automation: https://www.home-assistant.io/integrations/device_trigger.mqtt/.

A trigger is an event with one type. It is modelled as `event` is: a property whose value is what has happened, a
reading each time; what the broker had kept (retained) is no event.
"""

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import LONGEST_STATE, MqttEntity
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind


class DeviceAutomation(MqttEntity):
    """A trigger: a button pressed. The parts: what has happened, SUBTYPE TYPE, such as `button_1 double_press`."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        if keys.text("automation_type") != "trigger":
            raise BadConfig(f"automation_type should be trigger, it is {str(keys.raw('automation_type'))[:40]!r}")
        self._event = f"{keys.needed('subtype')} {keys.needed('type')}".strip()[:LONGEST_STATE]
        if not self._event:
            raise BadConfig("type and subtype are empty")
        self._payload = keys.text("payload")
        self.parts = (self.part("", Kind.ENUM, options=(self._event,), event=True),)
        self._read = self.reader()
        if not self.listen_raw("topic", self._heard):
            raise BadConfig("topic is missing")

    def _heard(self, message: Message) -> bool:
        if message.retained:
            return False
        text = self._read(message)
        if self._payload and text != self._payload:
            return False
        return self.tell(self._event, self._event)
