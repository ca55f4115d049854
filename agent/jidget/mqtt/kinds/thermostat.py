"""What climates and water heaters have in common: temperatures in a unit of their own, modes out of lists.

Parts are in degrees Celsius whatever the device speaks; so are Home Assistant's attributes, rounded as it rounds them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.entity import UNKNOWN, BadConfig, EntityAction, Part
from jidget.mqtt.kinds.common import NULL, MqttEntity, parse_number, whole
from jidget.mqtt.model import EntityConfig, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Property, Scalar, Unit, WriteRefused
from jidget_drivers.properties import misfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One value of a thermostat.

    Attributes:
        part: what it is called here.
        attribute: what Home Assistant calls it; empty where it is the state.
        teller: the topic that tells it; None if there is no such key.
        template: the template for what is told; `value_template` where the config has none.
        setter: the topic that sets it; None for what is only told.
        maker: the template for what is sent.
    """

    part: str
    attribute: str
    teller: str
    template: str
    setter: str | None = None
    maker: str = ""


class Thermostat(MqttEntity):
    """Base of climates and water heaters.

    Attributes:
        now: by part, what Home Assistant would show, before anybody told anything, too.
        minimum: least temperature to set, in Celsius.
        maximum: greatest.
    """

    def __init__(
        self, config: EntityConfig, templates: Templates, *, coldest: float, hottest: float, initial: float
    ) -> None:
        super().__init__(config, templates)
        unit = self.keys.text("temperature_unit", "C").upper().strip("°")
        if unit not in {"C", "F"}:
            raise BadConfig(f"temperature_unit should be C or F, it is {unit[:20]!r}")
        self._fahrenheit = unit == "F"
        self._precision = self.keys.number("precision", 0.1)
        if self._precision not in {0.1, 0.5, 1.0}:
            raise BadConfig(f"precision should be 0.1, 0.5 or 1.0, it is {self._precision:g}")
        ends = self._celsius_key("min_temp", coldest), self._celsius_key("max_temp", hottest)
        self.minimum, self.maximum = sorted(ends)  # publishers mix them up
        self.initial = self._celsius_key("initial", initial)
        self.now: dict[str, Scalar | None] = {}
        self._told: set[str] = set()
        self._slots: dict[str, Slot] = {}
        self._options: dict[str, tuple[str, ...]] = {}

    def _celsius_key(self, name: str, default: float) -> float:
        number = self.keys.number(name)
        return default if number is None else self._celsius(number)

    def _celsius(self, told: float) -> float:
        return (told - 32.0) / 1.8 if self._fahrenheit else told

    # --- slots --------------------------------------------------------------------------------------------------

    def temperature(self, slot: Slot, *, assumed: float | None = None, always: bool = False) -> None:
        """Add a temperature if the device has it; where nobody tells it, `assumed`. `always` shows its attribute."""
        if always or self.has(slot):
            self._add(slot, assumed)
        self._number(slot, temperature=True, unit=Unit.CELSIUS, minimum=self.minimum, maximum=self.maximum)

    def humidity(self, slot: Slot, minimum: float, maximum: float) -> None:
        """Add a relative humidity if the device has it."""
        if self.has(slot):
            self._add(slot, None)
        self._number(slot, temperature=False, unit=Unit.RELATIVE_HUMIDITY, minimum=minimum, maximum=maximum)

    def _number(self, slot: Slot, *, temperature: bool, minimum: float, maximum: float, unit: Unit) -> None:
        if not self.has(slot):
            return
        settable = self._settable(slot)
        limits: dict[str, Any] = {"minimum": minimum, "maximum": maximum} if settable else {}
        digits = (1 if self._precision < 1 else 0) if temperature else None
        self.parts += (self.part(slot.part, Kind.NUMBER, unit=unit, precision=digits, writable=settable, **limits),)

        def heard(text: str) -> bool:
            if text == NULL:
                return self.take(slot.part, None)
            number = parse_number(text)
            if number is None:
                return False
            return self.take(slot.part, self._celsius(float(number)) if temperature else whole(number))

        self._listen(slot, heard)

    def mode(
        self,
        slot: Slot,
        options: Sequence[str],
        *,
        assumed: str | None = None,
        reset: str | None = None,
        always: bool = False,
    ) -> None:
        """Add one of a list if the device has it.

        Where nobody tells it, it is `assumed`; `reset` is what null means; `always` shows its attribute.
        """
        names = tuple(dict.fromkeys(options))
        if always or self.has(slot):
            self._add(slot, assumed)
        if not self.has(slot):
            return
        self._options[slot.part] = names
        if names:
            self.parts += (self.part(slot.part, Kind.ENUM, options=names, writable=self._settable(slot)),)

        def heard(text: str) -> bool:
            if text == NULL:
                return self.take(slot.part, reset)
            return text in names and self.take(slot.part, text)

        self._listen(slot, heard)

    def _add(self, slot: Slot, assumed: Scalar | None) -> None:
        self._slots[slot.part] = slot
        self.now[slot.part] = assumed if self.assumes(slot.teller) else None

    def has(self, slot: Slot) -> bool:
        """Whether the device has it: a topic to set it, or one that tells it."""
        return self._settable(slot) or self.keys.text(slot.teller) is not None

    def _settable(self, slot: Slot) -> bool:
        return slot.setter is not None and self.keys.command_topic(slot.setter) is not None

    def _listen(self, slot: Slot, take: Callable[[str], bool]) -> None:
        own = self.keys.text(slot.template) is not None
        self.listen(slot.teller, take, slot.template if own else "value_template")

    def take(self, part: str, value: Scalar | None) -> bool:
        """Take what was told or is assumed; return True."""
        self.now[part] = value
        self._told.add(part)
        self.refresh()
        return True

    # --- what it shows ------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Make values, state and attributes of what is known."""
        properties = {part.name: part.property for part in self.parts}
        self.values = {part: self._fitting(properties[part]) for part in self._told if part in properties}
        for part, slot in self._slots.items():
            if slot.attribute:
                self.show(**{slot.attribute: self.shown(part)})
            else:
                value = self.now[part]
                self.state = UNKNOWN if value is None else str(value)

    def _fitting(self, prop: Property) -> Scalar | None:
        """Return a value; None for one beyond what can be set, which Home Assistant shows all the same."""
        value = self.now[prop.name]
        return None if value is None or misfit(prop, value) else value

    def shown(self, part: str) -> Scalar | None:
        """Return a value as Home Assistant shows it: temperatures rounded to the config's precision."""
        value = self.now[part]
        if isinstance(value, float) and part in {"current", "target", "target_low", "target_high"}:
            return self.rounded(value)
        return value

    def rounded(self, celsius: float) -> float:
        """Round a temperature to the config's precision."""
        if self._precision == 0.5:
            return round(celsius * 2) / 2
        return round(celsius, 1) if self._precision == 0.1 else round(celsius)

    # --- what is wished -----------------------------------------------------------------------------------------

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return the message that sets a part.

        Raises:
            WriteRefused: the publisher's template failed.
        """
        slot = self._slots.get(part)
        if slot is None or slot.setter is None:
            raise WriteRefused(f"there is no {part} to set")
        if part.startswith("target") and part != "target_humidity":
            celsius = float(value)
            return (self.publish(slot.setter, celsius * 1.8 + 32.0 if self._fahrenheit else celsius, slot.maker),)
        sent = whole(value) if isinstance(value, float) else value
        return (self.publish(slot.setter, sent, slot.maker),)

    def wrote(self, part: str, value: Scalar) -> None:
        """Assume what no topic tells."""
        slot = self._slots[part]
        if self.assumes(slot.teller):
            self.take(slot.part, value)

    def power_actions(self) -> tuple[EntityAction, ...]:
        """Return turning on and off by a topic of its own; none if there is no such topic."""
        if self.keys.command_topic("power_command_topic") is None:
            return ()
        on, off = self.keys.text("payload_on", "ON"), self.keys.text("payload_off", "OFF")
        return (
            EntityAction(name="turn_on", summary="Switch it on", plan=lambda: self._power(on)),
            EntityAction(
                name="turn_off", summary="Switch it off", plan=lambda: self._power(off), done=self.powered_off
            ),
        )

    def _power(self, payload: str) -> Sequence[Publish]:
        return (self.publish("power_command_topic", payload, "power_command_template"),)

    def powered_off(self) -> None:  # a water heater keeps its mode meanwhile
        """Take notice that it was switched off by the topic for that."""


def temperature_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return parts in the order people expect: what is, what is wished, then the modes."""
    order = ("current", "target", "target_low", "target_high", "mode", "action", "fan", "preset")
    return tuple(sorted(parts, key=lambda part: order.index(part.name) if part.name in order else len(order)))
