"""Covers: blinds, shutters, curtains, garage doors.

Parts: the state (the main one), `position` and `tilt` in percent, 0 closed and 100 open, whatever range the device has.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from jidget.mqtt.entity import UNKNOWN, BadConfig, EntityAction, Part
from jidget.mqtt.kinds.common import NULL, MqttEntity, parse_number
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar, Unit

OPEN, CLOSED, OPENING, CLOSING = "open", "closed", "opening", "closing"
_FARTHEST = 1e9


class Span:
    """A device's range, of which percents are made. It may be the wrong way round."""

    def __init__(self, closed: int, opened: int) -> None:
        """Take both ends; they differ."""
        self.closed, self.opened = closed, opened

    def percent(self, told: float) -> int:
        """Return what a device tells as percent, rounded down."""
        return int((told - self.closed) * 100 // (self.opened - self.closed))

    def told(self, percent: float) -> int:
        """Return a percentage as the device is told it."""
        return round(percent * (self.opened - self.closed) / 100 + self.closed)

    def __contains__(self, told: float) -> bool:
        return min(self.closed, self.opened) <= told <= max(self.closed, self.opened)


class Cover(MqttEntity):
    """Something that opens and closes."""

    blocked_attributes = frozenset({"current_position", "current_tilt_position"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self._span = self._span_of("position_closed", "position_open")
        self._tilt_span = self._span_of("tilt_min", "tilt_max")
        self._limits: dict[str, Any] = {
            "position_open": self._span.opened,
            "position_closed": self._span.closed,
            "tilt_min": self._tilt_span.closed,
            "tilt_max": self._tilt_span.opened,
        }
        self._tilted = self.keys.integer("tilt_opened_value", 100)
        self._untilted = self.keys.integer("tilt_closed_value", 0)
        self._says = {
            self.keys.text(f"state_{state}", state): state
            for state in ("closed", "open", "closing", "opening", "stopped")
        }
        self._state: str | None = None
        self._position: int | None = None
        self._tilt: int | None = None
        self._percents: dict[str, int | None] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        tellers = ("state_topic", "position_topic", "tilt_status_topic")
        self._optimistic = self._optimistic or not any(self.keys.text(key) for key in tellers)
        self._tilt_assumed = self.keys.flag("tilt_optimistic") or not self.keys.text("tilt_status_topic")
        self.template("set_position_template")
        self.parts = tuple(self._make_parts())
        self.actions = tuple(self._make_actions())
        self.listen("position_topic", self._told_position, "position_template", **self._limits)
        self.listen("state_topic", self._told_state)
        self.listen("tilt_status_topic", self._told_tilt, "tilt_status_template", **self._limits)
        self._refresh()

    def _span_of(self, closed_key: str, open_key: str) -> Span:
        closed, opened = self.keys.integer(closed_key, 0), self.keys.integer(open_key, 100)
        if closed == opened:
            raise BadConfig(f"{closed_key} and {open_key} should differ, both are {opened}")
        return Span(closed, opened)

    def _make_parts(self) -> list[Part]:
        parts = [self.part("", Kind.ENUM, options=(OPEN, CLOSED, OPENING, CLOSING))]
        for name, teller, setter in (
            ("position", "position_topic", "set_position_topic"),
            ("tilt", "tilt_status_topic", "tilt_command_topic"),
        ):
            settable = self.keys.command_topic(setter) is not None
            if settable or self.keys.text(teller) is not None:
                percent: dict[str, Any] = {"unit": Unit.PERCENT, "minimum": 0, "maximum": 100}
                parts.append(self.part(name, Kind.INTEGER, writable=settable, **percent))
        return parts

    # --- what it tells ------------------------------------------------------------------------------------------

    def _told_state(self, text: str) -> bool:
        if text == NULL:
            self._state = None
        elif text not in self._says:
            return False
        elif self._says[text] != "stopped":
            self._state = self._says[text]
        elif self.keys.text("position_topic") is not None:
            self._state = CLOSED if self._position == 0 else OPEN
        else:
            self._state = CLOSED if self._state in {CLOSED, CLOSING} else OPEN
        return self._refresh()

    def _told_position(self, text: str) -> bool:
        """Take a position: a number, or JSON with a `position` and perhaps a `tilt_position`."""
        told: Any = text
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict) and parsed:
            if "position" not in parsed:
                return False
            told = parsed["position"]
            if "tilt_position" in parsed:
                self._tilt_assumed = self.keys.flag("tilt_optimistic")
                self._told_tilt(str(parsed["tilt_position"]))
        number = parse_number(str(told))
        if number is None or abs(number) > _FARTHEST:
            return False
        self._position = min(100, max(0, self._span.percent(number)))
        self._percents["position"] = self._as_asked("position", number, self._position)
        if self.keys.text("state_topic") is None:
            self._state = CLOSED if self._position == 0 else OPEN
        return self._refresh()

    def _told_tilt(self, text: str) -> bool:
        number = parse_number(text)
        if number is None or abs(number) > _FARTHEST or round(number) not in self._tilt_span:
            return False
        self._tilt = self._tilt_span.percent(round(number))
        self._percents["tilt"] = self._as_asked("tilt", number, self._tilt)
        return self._refresh()

    def _as_asked(self, part: str, told: float, percent: int) -> int:
        """Return the percentage that was asked for, where rounding is all that makes another one of it."""
        sent, asked = self._asked.get(part, (None, percent))
        return asked if round(told) == sent and abs(asked - percent) <= 1 else percent

    def _refresh(self) -> bool:
        self.state = self._state or UNKNOWN
        self.values = {part.name: self._percents.get(part.name) if part.name else self._state for part in self.parts}
        told = {"current_position": self._position, "current_tilt_position": self._tilt}
        self.show(**{name: value for name, value in told.items() if value is not None})
        return True

    # --- what is wished -----------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return the message that moves the cover to a position or tilt in percent.

        Raises:
            WriteRefused: the publisher's template failed.
        """
        percent = int(value)
        if part == "position":
            told = self._span.told(percent)
            self._asked[part] = told, percent
            limits = self._limits | {"position": percent}
            return (self.publish("set_position_topic", told, "set_position_template", **limits),)
        told = self._tilt_span.told(percent)
        self._asked[part] = told, percent
        return (self._publish_tilt(told, percent),)

    def wrote(self, part: str, value: Scalar) -> None:
        """Assume the position or tilt where no topic tells it."""
        percent = int(value)
        if part == "tilt" and self._tilt_assumed:
            self._tilt = self._percents["tilt"] = percent
        elif part == "position" and self._optimistic:
            self._position = self._percents["position"] = percent
            self._state = CLOSED if percent <= self._span.closed else OPEN
        self._refresh()

    def _publish_tilt(self, told: int, percent: int) -> Publish:
        return self.publish(
            "tilt_command_topic", told, "tilt_command_template", **self._limits | {"tilt_position": percent}
        )

    # --- actions ------------------------------------------------------------------------------------------------

    def _make_actions(self) -> list[EntityAction]:
        actions = []
        if self.keys.command_topic() is not None:
            for name, summary, done in (
                ("open", "Open it", lambda: self._assume(OPEN, 100)),
                ("close", "Close it", lambda: self._assume(CLOSED, 0)),
                ("stop", "Stop it where it is", None),
            ):
                payload = self.keys.text_unless_null(f"payload_{name}", name.upper())
                if payload is not None:
                    plan = self._sender("command_topic", payload)
                    actions.append(EntityAction(name=name, summary=summary, plan=plan, done=done))
        return actions + self._make_tilt_actions()

    def _make_tilt_actions(self) -> list[EntityAction]:
        if self.keys.command_topic("tilt_command_topic") is None:
            return []
        tilts = (
            ("open_tilt", "Tilt the slats open", self._tilted),
            ("close_tilt", "Tilt the slats shut", self._untilted),
        )
        actions = [
            EntityAction(
                name=name,
                summary=summary,
                plan=lambda told=told: (self._publish_tilt(told, told),),
                done=lambda told=told: self._assume_tilt(told),
            )
            for name, summary, told in tilts
        ]
        stop = self.keys.text_unless_null("payload_stop_tilt", "STOP")
        if stop is not None:
            plan = self._sender("tilt_command_topic", stop)
            actions.append(EntityAction(name="stop_tilt", summary="Stop tilting the slats", plan=plan))
        return actions

    def _sender(self, topic_key: str, payload: str) -> Callable[[], Sequence[Publish]]:
        return lambda: (self.publish(topic_key, payload, ""),)

    def _assume(self, state: str, position: int) -> None:
        if self._optimistic:
            self._state = state
            if self.keys.text("position_topic") is not None:
                self._position = self._percents["position"] = position
            self._refresh()

    def _assume_tilt(self, told: int) -> None:
        if self._tilt_assumed:
            self._tilt = self._percents["tilt"] = min(100, max(0, self._tilt_span.percent(told)))
            self._refresh()
