"""valve: https://www.home-assistant.io/integrations/valve.mqtt/."""

from collections.abc import Callable, Sequence
from typing import Any

from jidget.mqtt.entity import UNKNOWN, BadConfig, EntityAction
from jidget.mqtt.kinds.common import NULL, MqttEntity, parse_number
from jidget.mqtt.model import EntityConfig, NotJson, Publish, parse_json
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit

_STATES = ("open", "opening", "closed", "closing")
_POSITIONLESS = ("payload_open", "payload_close", "state_open", "state_closed")


class Valve(MqttEntity):
    """A valve. The parts: its state, and its `position` in percent open if it tells one (`reports_position`).

    The actions `open`, `close` and `stop`, as far as it takes them; a position can be set.
    """

    blocked_attributes = frozenset({"current_position"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        self._positioned = keys.flag("reports_position")
        if self._positioned and any(key in keys for key in _POSITIONLESS):
            raise BadConfig(f"a valve that reports its position has none of {', '.join(_POSITIONLESS)}")
        self._commanded = keys.command_topic() is not None
        self._closed_at, self._open_at = keys.integer("position_closed", 0), keys.integer("position_open", 100)
        if self._closed_at == self._open_at:
            raise BadConfig(f"position_closed and position_open are both {self._open_at}")
        self._told_as = {keys.text(f"state_{state}", state): state for state in reversed(_STATES)}
        self._assumed = self.assumes()
        self._moving = ""
        self._position: int | None = None
        self._closed: bool | None = None
        self.parts = (self.part("", Kind.ENUM, options=_STATES),)
        if self._positioned:
            position = self.part(
                "position", Kind.INTEGER, unit=Unit.PERCENT, minimum=0, maximum=100, writable=self._commanded
            )
            self.parts += (position,)
            self.show(current_position=None)
        if self._commanded:
            self.actions = tuple(self._actions())
        self.listen("state_topic", self._told, position_open=self._open_at, position_closed=self._closed_at)

    # --- what comes in ------------------------------------------------------------------------------------------

    def _told(self, text: str) -> bool:
        if not text:
            return False
        position: Any = text
        state: Any = text
        try:
            told = parse_json(text)
        except NotJson:
            told = None
        if isinstance(told, dict):
            if ("position" if self._positioned else "state") not in told:
                return False
            position, state = told.get("position"), told.get("state")
        return self._take_position(position, state) if self._positioned else self._take_state(state)

    def _take_state(self, told: Any) -> bool:
        if told == NULL:
            self._moving, self._closed = "", None
            return self._refresh()
        state = self._told_as.get(told) if isinstance(told, str) else None
        if state is None:
            return False
        self._moving = state if state.endswith("ing") else ""
        self._closed = state == "closed"
        return self._refresh()

    def _take_position(self, told: Any, state_told: Any) -> bool:
        if state_told == NULL:
            self._position = None
            return self._refresh()
        state = self._told_as.get(state_told) if isinstance(state_told, str) else None
        moving = state if state in {"opening", "closing"} else None
        taken = moving is not None
        if moving is None or told != state_told:
            percent = self._percent(told)
            if percent is not None:
                self._position = percent
                taken = True
                if moving is None and percent in {0, 100}:
                    moving = ""  # it has arrived
        if moving is not None:
            self._moving = moving
        return taken and self._refresh()

    def _percent(self, told: Any) -> int | None:
        number = parse_number(told) if isinstance(told, str) else told
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        try:
            percent = (number - self._closed_at) * 100 // (self._open_at - self._closed_at)
            return min(max(int(percent), 0), 100)
        except (OverflowError, ValueError):
            return None

    def _refresh(self) -> bool:
        state = self._moving
        if not state and self._positioned and self._position is not None:
            state = "closed" if self._position == 0 else "open"
        elif not state and not self._positioned and self._closed is not None:
            state = "closed" if self._closed else "open"
        if self._positioned:
            self.values["position"] = self._position
            self.show(current_position=self._position)
        return self.tell(state or None, state or UNKNOWN)

    # --- what goes out ------------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # one part can be written
        """Return the payload for a position."""
        percent = int(value)
        scaled = round(percent * (self._open_at - self._closed_at) / 100 + self._closed_at)
        publish = self.publish(
            "command_topic", scaled, position=percent, position_open=self._open_at, position_closed=self._closed_at
        )
        return (publish,)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # one part can be written
        """Assume what was set where no topic tells."""
        if self._assumed:
            self._moving, self._position = "", int(value)
            self._refresh()

    def _actions(self) -> Sequence[EntityAction]:
        actions = []
        for name, payload, closed in (
            ("open", self.keys.text_unless_null("payload_open", "OPEN"), False),
            ("close", self.keys.text_unless_null("payload_close", "CLOSE"), True),
            ("stop", self.keys.text("payload_stop"), None),
        ):
            if payload is not None:
                plan, done = self._sending(payload), self._assuming(closed)
                summary = f"{name.capitalize()} it."
                actions.append(EntityAction(name=name, summary=summary, plan=plan, done=done))
        return actions

    def _sending(self, payload: str) -> Callable[[], Sequence[Publish]]:
        def send() -> Sequence[Publish]:
            return (self.publish("command_topic", payload),)

        return send

    def _assuming(self, closed: bool | None) -> Callable[[], None] | None:
        if not self._assumed or closed is None:
            return None

        def done() -> None:
            self._moving, self._closed = "", closed
            self._refresh()

        return done
