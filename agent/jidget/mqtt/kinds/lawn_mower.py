"""Lawn mowers. One part, what it is doing; actions start_mowing, pause, dock."""

from collections.abc import Callable, Sequence

from jidget.mqtt.entity import UNKNOWN, EntityAction
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind

_ACTIVITIES = ("mowing", "paused", "docked", "returning", "error")
_OPERATIONS = (
    ("start_mowing", "Mow, or go on mowing", "mowing"),
    ("pause", "Stop where it is", "paused"),
    ("dock", "Go back to its dock", "docked"),
)
"""What can be done, and what the mower is assumed to do then."""


class LawnMower(MqttEntity):
    """A mower."""

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.parts = (self.part("", Kind.ENUM, options=_ACTIVITIES),)
        self.actions = tuple(
            EntityAction(name=name, summary=summary, plan=self._sender(name), done=self._assumer(activity))
            for name, summary, activity in _OPERATIONS
            if self.keys.command_topic(f"{name}_command_topic") is not None
        )
        self.listen("activity_state_topic", self._told, "activity_value_template")

    def _told(self, text: str) -> bool:
        if text.lower() == "none":
            self._take(None)
        elif text in _ACTIVITIES:
            self._take(text)
        else:
            return False
        return True

    def _take(self, activity: str | None) -> None:
        self.values[""] = activity
        self.state = activity or UNKNOWN

    def _sender(self, name: str) -> Callable[[], Sequence[Publish]]:
        return lambda: (self.publish(f"{name}_command_topic", name, f"{name}_command_template"),)

    def _assumer(self, activity: str) -> Callable[[], None]:
        def assume() -> None:
            if self.assumes("activity_state_topic"):
                self._take(activity)

        return assume
