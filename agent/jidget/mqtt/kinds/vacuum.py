"""Vacuum cleaners, which tell and take by the `state` schema, the only one there still is.

Parts: what it is doing (the main one), `fan_speed`, `battery`. Actions as far as the cleaner has them.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from jidget.mqtt.entity import UNKNOWN, EntityAction, Part
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit, WriteRefused

_STATES = ("cleaning", "docked", "idle", "paused", "returning", "error")
_DEFAULT_FEATURES = ("start", "stop", "return_home", "battery", "status", "clean_spot")
_COMMANDS = (
    ("start", "start", "start", "Clean, or go on cleaning"),
    ("pause", "pause", "pause", "Pause cleaning"),
    ("stop", "stop", "stop", "Stop cleaning"),
    ("return_home", "return_to_base", "return_to_base", "Go back to its dock"),
    ("clean_spot", "clean_spot", "clean_spot", "Clean the spot where it is"),
    ("locate", "locate", "locate", "Make itself heard"),
)
"""Feature that brings it, name of the action, its payload if the config has no other, and what it does."""

Command = Annotated[str, Field(min_length=1, description="as the cleaner's maker names it")]
Params = Annotated[str, Field(description="a JSON object")]


class Vacuum(MqttEntity):
    """A robot that cleans."""

    blocked_attributes = frozenset({"battery_icon", "battery_level", "fan_speed"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        given = self.keys.raw("supported_features") is not None
        self._features = frozenset(self.keys.texts("supported_features") if given else _DEFAULT_FEATURES)
        self._speeds = tuple(dict.fromkeys(self.keys.texts("fan_speed_list")))
        self._speed: Any = 0  # until told, as Home Assistant has it
        self.parts = tuple(self._make_parts())
        self.actions = tuple(self._make_actions())
        if "fan_speed" in self._features:
            self.show(fan_speed_list=list(self._speeds))
        self.listen_raw("state_topic", self._told)

    def _make_parts(self) -> list[Part]:
        parts = [self.part("", Kind.ENUM, options=_STATES)]
        if "fan_speed" in self._features and self._speeds:
            settable = self.keys.command_topic("set_fan_speed_topic") is not None
            parts.append(self.part("fan_speed", Kind.ENUM, options=self._speeds, writable=settable))
        if "battery" in self._features:
            parts.append(self.part("battery", Kind.NUMBER, unit=Unit.BATTERY_PERCENT, minimum=0, maximum=100))
        return parts

    def _make_actions(self) -> list[EntityAction]:
        actions = []
        if self.keys.command_topic() is not None:
            for feature, name, payload, summary in _COMMANDS:
                if feature in self._features:
                    plan = self._sender(self.keys.text(f"payload_{name}", payload))
                    actions.append(EntityAction(name=name, summary=summary, plan=plan))
        if "send_command" in self._features and self.keys.command_topic("send_command_topic") is not None:
            actions.append(
                EntityAction(name="send_command", summary="Send a command of the maker's", plan=self._plan_command)
            )
        return actions

    def _sender(self, payload: str) -> Callable[[], Sequence[Publish]]:
        return lambda: (self.publish("command_topic", payload, ""),)

    def _plan_command(self, command: Command, params: Params | None = None) -> Sequence[Publish]:
        payload = command
        if params is not None:
            try:
                given = json.loads(params)
            except (ValueError, RecursionError):
                given = None
            if not isinstance(given, dict):
                raise WriteRefused('params should be a JSON object such as {"zone": "kitchen"}')
            payload = json.dumps({"command": command} | given, separators=(",", ":"), ensure_ascii=False)
        return (self.publish("send_command_topic", payload, ""),)

    def _told(self, message: Message) -> bool:
        """Take JSON such as `{"state": "docked", "battery_level": 61, "fan_speed": "max"}`, in parts or all of it."""
        told = self.object_in(message)
        if told is None:
            return False
        heard = False
        state = told.get("state")
        if "state" in told and (state is None or (isinstance(state, str) and state in _STATES)):
            heard = self.tell(state, state or UNKNOWN)
        if "battery" in self._features and _is_number(told.get("battery_level")):
            self.values["battery"] = max(0, min(100, told["battery_level"]))
            heard = True
        if "fan_speed" in told:
            self._speed = told["fan_speed"]
            known = isinstance(self._speed, str) and self._speed in self._speeds
            if "fan_speed" in self._features and self._speeds:
                self.values["fan_speed"] = self._speed if known else None
                heard = True
        if "fan_speed" in self._features:
            self.show(fan_speed=self._speed)
        if "battery" in self._features:
            self.show(battery_level=self.values.get("battery", 0))  # 0 until told, as Home Assistant has it
        return heard

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return the message that sets how hard it sucks.

        Raises:
            WriteRefused: it cannot be set.
        """
        if part != "fan_speed":
            raise WriteRefused(f"a vacuum cleaner's {part or 'state'} cannot be set")
        return (self.publish("set_fan_speed_topic", str(value), ""),)


def _is_number(told: object) -> bool:
    return isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told)
