"""number: https://www.home-assistant.io/integrations/number.mqtt/."""

from collections.abc import Sequence

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget.mqtt.kinds.common import MqttEntity, parse_number, whole
from jidget.mqtt.kinds.units import measure
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Scalar

_FINEST = 0.001
_MOST_DECIMALS = 6


class Number(MqttEntity):
    """A number that can be set. The parts: the number.

    What a device tells outside of `min` to `max` is not taken, as Home Assistant does not take it.
    """

    blocked_attributes = frozenset({"max", "min", "step"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        keys.command_topic(needed=True)
        self._least, self._most = keys.number("min", 0.0), keys.number("max", 100.0)
        if self._least > self._most:
            raise BadConfig(f"min {self._least:g} is above max {self._most:g}")
        step = keys.number("step", 1.0)
        if step < _FINEST:
            raise BadConfig(f"step should be at least {_FINEST}, it is {step:g}")
        self._reset = keys.text("payload_reset", "None")
        self._assumed = self.assumes()
        device_class = (keys.text("device_class") or "").lower()
        self._measure = measure(keys.text("unit_of_measurement"), device_class, only_temperature=True)
        self.parts = (
            self.part(
                "",
                Kind.NUMBER,
                unit=self._measure.unit,
                minimum=whole(self._measure.shown(self._least)),
                maximum=whole(self._measure.shown(self._most)),
                precision=_decimals(step) if not self._measure.converts else None,
                description=", ".join(
                    word for word in (device_class.replace("_", " "), self._measure.known_as()) if word
                ),
                writable=True,
            ),
        )
        self.show(min=self._least, max=self._most, step=step)
        self.listen("state_topic", self._told)

    def _told(self, text: str) -> bool:
        if not text.strip():
            return False
        if text == self._reset:
            return self.tell(None, UNKNOWN)
        number = parse_number(text)
        if number is None or not self._least <= number <= self._most:
            return False
        return self._show_number(number)

    def _show_number(self, told: float) -> bool:
        value = told
        if self._measure.converts:
            value = self._measure.rounded(str(told), self._measure.shown(told))
        return self.tell(value, str(value))

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:  # noqa: ARG002  # it has one part
        """Return the payload for a number: whole ones without decimals."""
        return (self.publish("command_topic", self._sent(value)),)

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: ARG002  # it has one part
        """Assume what was set where no topic tells."""
        if self._assumed:
            self._show_number(self._sent(value))

    def _sent(self, value: Scalar) -> int | float:
        return whole(self._measure.told(float(value)) if self._measure.converts else float(value))


def _decimals(step: float) -> int:
    """Return how many decimals the multiples of a step have."""
    return next((count for count in range(_MOST_DECIMALS) if abs(step - round(step, count)) < 1e-9), _MOST_DECIMALS)
