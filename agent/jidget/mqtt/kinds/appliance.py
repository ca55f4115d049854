"""What is on or off and has settings besides: what fans and humidifiers share."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import NULL, MqttEntity, on_off
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Scalar


class Appliance(MqttEntity):
    """An entity whose main part is on, off or unknown."""

    tellers: ClassVar[Mapping[str, str]]
    """By part that can be set, the topic that tells it."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self._on = self.keys.text("payload_on", "ON")
        self._off = self.keys.text("payload_off", "OFF")

    def _find_choices(self, key: str, reset_key: str, reset: str, command_topic: str) -> tuple[str, ...]:
        """Return what may be chosen: nothing where no topic takes the choice.

        Raises:
            BadConfig: the text that means "none" is one of the choices.
        """
        choices = tuple(dict.fromkeys(self.keys.texts(key)))
        if reset in choices:
            raise BadConfig(f"{key} should not hold {reset_key}, {reset[:40]!r}")
        return choices if self.keys.command_topic(command_topic) is not None else ()

    def _listen(self, topic_key: str, take: Callable[[str], bool], template_key: str) -> None:
        def heard(text: str) -> bool:
            if not text or not take(text):
                return False
            self._refresh()
            return True

        self.listen(topic_key, heard, template_key)

    def _told_on(self, text: str) -> bool:
        states = {NULL: None, self._off: False, self._on: True}
        if text not in states:
            return False
        self.values[""] = states[text]
        return True

    def _take_choice(self, part: str, text: str, choices: tuple[str, ...], reset: str) -> bool:
        if not choices or (text != reset and text not in choices):
            return False
        self.values[part] = None if text == reset else text
        return True

    def _refresh(self) -> None:
        on = self.values.get("")
        self.state = on_off(None if on is None else bool(on))

    def _publish_on(self, value: Scalar) -> Publish:
        return self.publish("command_topic", self._on if value else self._off)

    def wrote(self, part: str, value: Scalar) -> None:
        """Assume what no topic tells."""
        if self.assumes(self.tellers[part]):
            self.values[part] = value
            self._refresh()
