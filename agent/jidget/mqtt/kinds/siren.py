"""siren: https://www.home-assistant.io/integrations/siren.mqtt/."""

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from jidget.mqtt.entity import EntityAction
from jidget.mqtt.kinds.common import NULL, MqttEntity, on_off
from jidget.mqtt.model import EntityConfig, NotJson, Publish, parse_json
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, WriteRefused

Volume = Annotated[float, Field(ge=0, le=1, description="0 to 1")]
Seconds = Annotated[int, Field(ge=0, le=86_400, description="seconds")]

_LONGEST = 86_400


class Siren(MqttEntity):
    """A siren. The parts: on; the action `sound` with the tone, volume and duration that it knows."""

    blocked_attributes = frozenset({"available_tones", "duration", "tone", "volume_level"})

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
        self._tones = tuple(dict.fromkeys(keys.texts("available_tones")))
        self._known = {
            **({"tone": None} if self._tones else {}),
            **({"volume_level": None} if keys.flag("support_volume_set", True) else {}),
            **({"duration": None} if keys.flag("support_duration", True) else {}),
        }
        self._off_template = "command_off_template" if keys.text("command_off_template") else "command_template"
        self._assumed = self.assumes()
        self.parts = (self.part("", Kind.BOOLEAN, writable=True),)
        self.actions = (self._sounding(),)
        self.show(**self._known, **({"available_tones": list(self._tones)} if self._tones else {}))
        self.listen("state_topic", self._told, "state_value_template")
        if self._assumed:  # Home Assistant begins with off; nobody knows
            self.state = "off"

    # --- what comes in ------------------------------------------------------------------------------------------

    def _told(self, text: str) -> bool:
        if text in self._meanings:
            return self._set(self._meanings[text])
        try:
            told = parse_json(text)
        except NotJson:
            return False
        if not isinstance(told, dict):
            return False
        state = told.pop("state", None)
        known = isinstance(state, str) and state in self._meanings
        if known:
            self._set(self._meanings[state])
        self._take(told)
        return known

    def _take(self, told: Mapping[str, Any]) -> None:
        """Take attributes, all or, if one is wrong, none."""
        if told.keys() - {"tone", "volume_level", "duration"}:
            return
        taken: dict[str, Any] = {}
        for name, value in told.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return
            if name == "tone":
                if str(value) not in self._tones and self._tones:
                    return
                taken[name] = value
                continue
            try:
                number = float(value)
                taken[name] = number if name == "volume_level" else int(number)
            except (ValueError, OverflowError):
                return
            if not 0 <= number <= (1 if name == "volume_level" else _LONGEST):
                return
        self.show(**{name: value for name, value in taken.items() if name in self._known})

    def _set(self, on: bool | None) -> bool:
        return self.tell(on, on_off(on))

    # --- what goes out ------------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for on, as the siren sounds by itself, or off."""
        return self._send(self._on, "command_template") if value else self._send(self._off, self._off_template)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            self._set(bool(value))

    def _sounding(self) -> EntityAction:
        def sound(**wanted: Any) -> Sequence[Publish]:
            return self._send(self._on, "command_template", **_given(wanted))

        def sounded(**wanted: Any) -> None:
            self._set(True)
            self.show(**_given(wanted))

        types: dict[str, Any] = {
            "tone": Literal[self._tones] | None if self._tones else None,
            "volume_level": Volume | None,
            "duration": Seconds | None,
        }
        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=types[name])
            for name in self._known
        ]
        sound.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect(3) looks for it
        sound.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return EntityAction(name="sound", summary="Sound.", plan=sound, done=sounded if self._assumed else None)

    def _send(self, payload: str, template_key: str, **variables: Any) -> Sequence[Publish]:
        told = {"state": payload, **variables}
        value = payload if self.keys.text(template_key) else json.dumps(told, separators=(",", ":"))
        publish = self.publish("command_topic", value, template_key, **told)
        if not publish.payload or publish.payload == NULL:
            raise WriteRefused(f"its publisher's {template_key} makes no payload of this")
        return (publish,)


def _given(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}
