"""event: https://www.home-assistant.io/integrations/event.mqtt/.

An event is told, it does not last. It is modelled as a property whose value is the type of the last event: each event
is a reading of its own, even of the same type, and what else it told is in the attributes. What the broker had kept
(retained) is no event.
"""

from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Message, NotJson, parse_json
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind

_TYPE = "event_type"
_NOTHING = frozenset({"", "None", "{}"})


class Event(MqttEntity):
    """Something that tells what has happened. The parts: the type of the last event.

    Home Assistant's state is the time of the last event, which nobody here knows: `state` is the type.
    """

    blocked_attributes = frozenset({_TYPE, "event_types"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self._types = tuple(dict.fromkeys(self.keys.texts("event_types")))
        if not self._types:
            raise BadConfig("event_types are missing")
        device_class = (self.keys.text("device_class") or "").lower()
        self.parts = (self.part("", Kind.ENUM, options=self._types, description=device_class, event=True),)
        self._read = self.reader(keep=True)
        if not self.listen_raw("state_topic", self._happened):
            raise BadConfig("state_topic is missing")
        self._show_event(None, {})

    def _show_event(self, kind: str | None, told: dict[str, Any]) -> None:
        self._shown = {"event_types": list(self._types), **told, _TYPE: kind}
        self.show()

    def _happened(self, message: Message) -> bool:
        text = None if message.retained else self._read(message)
        if text is None or text in _NOTHING:
            return False
        try:
            told = parse_json(text)
        except NotJson:
            return False
        if not isinstance(told, dict) or _TYPE not in told:
            return False
        kind = str(told.pop(_TYPE))
        if kind not in self._types:
            return False
        self._show_event(kind, told)
        return self.tell(kind, kind)
