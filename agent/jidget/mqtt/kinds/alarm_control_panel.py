"""Alarm panels. One part, the state; actions arm_home, arm_away … and disarm, with a code where the panel wants one."""

import hmac
from collections.abc import Callable, Sequence

from pydantic import SecretStr

from jidget.mqtt.entity import UNKNOWN, EntityAction
from jidget.mqtt.kinds.common import NULL, MqttEntity
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, WriteRefused

_STATES = (
    "disarmed",
    "armed_home",
    "armed_away",
    "armed_night",
    "armed_vacation",
    "armed_custom_bypass",
    "pending",
    "arming",
    "disarming",
    "triggered",
)
_FEATURES = ("arm_home", "arm_away", "arm_night", "arm_vacation", "arm_custom_bypass", "trigger")
_REMOTE = frozenset({"REMOTE_CODE", "REMOTE_CODE_TEXT"})
"""Codes that say: the panel checks the code itself."""


class AlarmControlPanel(MqttEntity):
    """A panel that arms an alarm."""

    blocked_attributes = frozenset({"changed_by", "code_arm_required", "code_format"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.command_topic(needed=True)
        self.keys.state_topic(needed=True)
        self._code = self.keys.text("code")
        given = self.keys.raw("supported_features") is not None
        features = self.keys.texts("supported_features") if given else _FEATURES
        self.parts = (self.part("", Kind.ENUM, options=_STATES),)
        self.actions = tuple(
            EntityAction(name=name, summary=_summary(name), plan=self._planner(name))
            for name in ("disarm", *_FEATURES)
            if name == "disarm" or name in features
        )
        digits = self._code is not None and (self._code == "REMOTE_CODE" or self._code.isdigit())
        self.show(
            code_format=None if self._code is None else "number" if digits else "text",
            changed_by=None,
            code_arm_required=self.keys.flag("code_arm_required", True),
        )
        self.listen("state_topic", self._told)

    def _told(self, text: str) -> bool:
        if text != NULL and text not in _STATES:
            return False
        self.values[""] = None if text == NULL else text
        self.state = UNKNOWN if text == NULL else text
        return True

    def _planner(self, name: str) -> Callable[..., Sequence[Publish]]:
        payload = self.keys.text(f"payload_{name}", name.upper())
        need = self.keys.flag(f"code_{name.partition('_')[0]}_required", True) and self._code is not None

        def plan_with(code: SecretStr) -> Sequence[Publish]:
            return self._plan(payload, code, need)

        def plan(code: SecretStr | None = None) -> Sequence[Publish]:
            return self._plan(payload, code, need)

        return plan_with if need else plan

    def _plan(self, payload: str, code: SecretStr | str | None, need: bool) -> Sequence[Publish]:
        given = code.get_secret_value() if isinstance(code, SecretStr) else code
        if need and not self._fits(given):
            raise WriteRefused("wrong code; nothing was sent to the panel")
        if self.keys.text("command_template") is None:
            return (self.publish("command_topic", payload, ""),)
        return (self.publish("command_topic", None, action=payload, code=given),)

    def _fits(self, code: str | None) -> bool:
        if self._code in _REMOTE:
            return bool(code)
        return hmac.compare_digest((code or "").encode("utf-8"), (self._code or "").encode("utf-8"))


def _summary(name: str) -> str:
    match name:
        case "disarm":
            return "Disarm the alarm"
        case "trigger":
            return "Set the alarm off"
    return f"Arm the alarm: {name.removeprefix('arm_').replace('_', ' ')}"
