"""Climates: thermostats, radiator valves, air conditioners.

Parts: `current`, `target`, `target_low`, `target_high`, `mode`, `action`, `fan`, `preset`, `swing`, `swing_horizontal`,
`humidity`, `target_humidity`; those that the device has.
"""

from collections.abc import Sequence

from jidget.mqtt.entity import BadConfig, EntityAction
from jidget.mqtt.kinds.common import NULL
from jidget.mqtt.kinds.thermostat import Slot, Thermostat, temperature_parts
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates

_MODES = ("auto", "off", "cool", "heat", "dry", "fan_only")
_FANS = ("auto", "low", "medium", "high")
_SWINGS = ("on", "off")
_ACTIONS = ("cooling", "defrosting", "drying", "fan", "heating", "idle", "off", "preheating")
_NO_PRESET = "none"
_HEATS = ("heat_cool", "heat", "cool")
_OWN_ATTRIBUTES = """current_humidity current_temperature fan_mode fan_modes humidity hvac_action hvac_modes
    max_humidity max_temp min_humidity min_temp preset_mode preset_modes swing_horizontal_mode
    swing_horizontal_modes swing_mode swing_modes target_temp_high target_temp_low target_temp_step
    temperature"""
"""What a device cannot set by attributes of its own."""


class Climate(Thermostat):
    """Something that heats or cools."""

    blocked_attributes = frozenset(_OWN_ATTRIBUTES.split())

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates, coldest=7.0, hottest=35.0, initial=21.0)
        self._add_temperatures()
        self._modes = self._list("modes", _MODES)
        self.mode(_slot("mode", "", "mode"), self._modes, assumed="off", always=True)
        self._add_action()
        self.mode(_slot("fan", "fan_mode", "fan_mode"), self._list("fan_modes", _FANS), assumed="low")
        self._add_preset()
        for name in ("swing", "swing_horizontal"):
            self.mode(_slot(name, f"{name}_mode", f"{name}_mode"), self._list(f"{name}_modes", _SWINGS), assumed="off")
        self._add_humidities()
        self.parts = temperature_parts(self.parts)
        self.actions = self.power_actions() or self._mode_actions()
        self.show(
            hvac_modes=list(self._modes),
            min_temp=self.rounded(self.minimum),
            max_temp=self.rounded(self.maximum),
            target_temp_step=self.keys.number("temp_step", 1.0),
            **{f"{part}_modes": list(names) for part, names in self._options.items() if part not in {"mode", "action"}},
        )
        self.refresh()

    def _list(self, name: str, default: Sequence[str]) -> tuple[str, ...]:
        return tuple(default) if self.keys.raw(name) is None else self.keys.texts(name)

    def _add_temperatures(self) -> None:
        current = Slot(
            part="current",
            attribute="current_temperature",
            teller="current_temperature_topic",
            template="current_temperature_template",
        )
        self.temperature(current, always=True)
        self.temperature(_slot("target", "temperature", "temperature"), assumed=self.initial)
        ends = [_slot(f"target_{end}", f"target_temp_{end}", f"temperature_{end}") for end in ("low", "high")]
        ranged = any(self.has(end) for end in ends)  # then both are shown
        for end in ends:
            self.temperature(end, assumed=self.initial, always=ranged)

    def _add_action(self) -> None:
        slot = Slot(part="action", attribute="hvac_action", teller="action_topic", template="action_template")
        self.mode(slot, _ACTIONS)

    def _add_preset(self) -> None:
        """Add presets: they come with a topic to set them, and `none` is always one."""
        names = self.keys.texts("preset_modes")
        if _NO_PRESET in names:
            raise BadConfig("preset_modes should not hold none, which is always there")
        if self.keys.command_topic("preset_mode_command_topic") is None:
            return
        slot = Slot(
            part="preset",
            attribute="preset_mode",
            teller="preset_mode_state_topic",
            template="preset_mode_value_template",
            setter="preset_mode_command_topic",
            maker="preset_mode_command_template",
        )
        self.mode(slot, (_NO_PRESET, *names) if names else (), reset=_NO_PRESET)
        self.now["preset"] = _NO_PRESET

    def _add_humidities(self) -> None:
        minimum, maximum = self.keys.number("min_humidity", 30.0), self.keys.number("max_humidity", 99.0)
        if not 0 <= minimum < maximum <= 100:
            raise BadConfig(f"min_humidity {minimum:g} should be below max_humidity {maximum:g}, both 0 to 100")
        current = Slot(
            part="humidity",
            attribute="current_humidity",
            teller="current_humidity_topic",
            template="current_humidity_template",
        )
        self.humidity(current, 0, 100)
        if self.keys.command_topic("target_humidity_command_topic") is not None:
            target = Slot(
                part="target_humidity",
                attribute="humidity",
                teller="target_humidity_state_topic",
                template="target_humidity_state_template",
                setter="target_humidity_command_topic",
                maker="target_humidity_command_template",
            )
            self.humidity(target, minimum, maximum)

    def powered_off(self) -> None:
        """Assume the mode `off` of an optimistic one."""
        if self._optimistic:
            self.take("mode", "off")

    def _mode_actions(self) -> tuple[EntityAction, ...]:
        """Return turning on and off by a mode, for devices without a topic for it."""
        if self.keys.command_topic("mode_command_topic") is None:
            return ()
        others = [mode for mode in self._modes if mode != "off"]
        on = others[0] if len(others) == 1 else next((mode for mode in _HEATS if mode in others), None)
        plans = [
            ("turn_on", "Switch it on", on),
            ("turn_off", "Switch it off", "off" if "off" in self._modes else None),
        ]
        return tuple(
            EntityAction(
                name=name,
                summary=summary,
                plan=lambda mode=mode: self.write("mode", mode),
                done=lambda mode=mode: self.wrote("mode", mode),
            )
            for name, summary, mode in plans
            if mode is not None and "off" in self._modes and mode != NULL
        )


def _slot(part: str, attribute: str, name: str) -> Slot:
    return Slot(
        part=part,
        attribute=attribute,
        teller=f"{name}_state_topic",
        template=f"{name}_state_template",
        setter=f"{name}_command_topic",
        maker=f"{name}_command_template",
    )
