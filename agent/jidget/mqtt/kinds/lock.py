"""lock: https://www.home-assistant.io/integrations/lock.mqtt/."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr

from jidget.mqtt.entity import UNKNOWN, EntityAction
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.kinds.patterns import fits
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, WriteRefused

_STATES = ("jammed", "opening", "locking", "open", "unlocking", "locked", "unlocked")
"""In Home Assistant's order: the first that holds is the state."""


class Lock(MqttEntity):
    """A lock. The parts: its state; the actions `lock`, `unlock` and, where there is a latch, `open`."""

    blocked_attributes = frozenset({"changed_by", "code_format"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        keys.command_topic(needed=True)
        self._told_as = {keys.text(f"state_{state}", state.upper()): state for state in _STATES}
        self._reset = keys.text("payload_reset", "None")
        self._code_format = keys.text("code_format")
        self._holds: str | None = None
        self._assumed = self.assumes()
        self.parts = (self.part("", Kind.ENUM, options=tuple(sorted(_STATES))),)
        with_code = self._code_format is not None or "code" in keys.text("command_template", "")
        self.actions = tuple(self._actions(with_code))
        self.listen("state_topic", self._told)
        if self._assumed:  # Home Assistant begins with unlocked; nobody knows
            self._holds = self.state = "unlocked"

    def _actions(self, with_code: bool) -> Sequence[EntityAction]:
        plan = self._with_code if with_code else self._without_code
        return [
            EntityAction(
                name=name,
                summary=summary,
                plan=plan(self.keys.text(f"payload_{name}", name.upper())),
                done=self._assuming(state),
            )
            for name, summary, state in (
                ("lock", "Lock it.", "locked"),
                ("unlock", "Unlock it.", "unlocked"),
                ("open", "Open the latch.", "open"),
            )
            if name != "open" or self.keys.text("payload_open") is not None
        ]

    def _without_code(self, payload: str) -> Callable[[], Sequence[Publish]]:
        def send() -> Sequence[Publish]:
            return (self.publish("command_topic", payload, code=None),)

        return send

    def _with_code(self, payload: str) -> Callable[..., Sequence[Publish]]:
        def send(code: SecretStr | None = None) -> Sequence[Publish]:
            given = "" if code is None else code.get_secret_value()
            if not fits(self._code_format, given):
                raise WriteRefused("the code is not like the codes of this lock")
            return (self.publish("command_topic", payload, code=given or None),)

        return send

    def _assuming(self, state: str) -> Callable[..., None] | None:
        def done(**_: Any) -> None:
            self._set(state)

        return done if self._assumed else None

    def _told(self, text: str) -> bool:
        if text == self._reset:
            if self._holds in {None, "locked", "unlocked"}:  # Home Assistant forgets no other state
                return self.tell(None, UNKNOWN)
            return False
        state = self._told_as.get(text)
        return state is not None and self._set(state)

    def _set(self, state: str) -> bool:
        self._holds = state
        return self.tell(state, state)
