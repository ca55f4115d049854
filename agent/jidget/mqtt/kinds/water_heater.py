"""Water heaters: boilers, hot-water tanks. Parts: `current`, `target`, `mode`."""

from jidget.mqtt.kinds.thermostat import Slot, Thermostat, temperature_parts
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates

_MODES = ("eco", "electric", "gas", "heat_pump", "high_demand", "performance", "off")
_COLDEST, _HOTTEST = (110 - 32) / 1.8, (140 - 32) / 1.8
"""What Home Assistant says of a heater without limits, in Celsius. Many are set beyond: any water will do here."""
_OWN_ATTRIBUTES = "current_temperature max_temp min_temp operation_list operation_mode temperature"
"""What a device cannot set by attributes of its own."""


class WaterHeater(Thermostat):
    """Something that heats water."""

    blocked_attributes = frozenset(_OWN_ATTRIBUTES.split())

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates, coldest=0.0, hottest=100.0, initial=_COLDEST)
        self.temperature(
            Slot(
                part="current",
                attribute="current_temperature",
                teller="current_temperature_topic",
                template="current_temperature_template",
            ),
            always=True,
        )
        self.temperature(
            Slot(
                part="target",
                attribute="temperature",
                teller="temperature_state_topic",
                template="temperature_state_template",
                setter="temperature_command_topic",
                maker="temperature_command_template",
            ),
            assumed=self.initial,
            always=True,
        )
        names = _MODES if self.keys.raw("modes") is None else self.keys.texts("modes")
        slot = Slot(
            part="mode",
            attribute="",
            teller="mode_state_topic",
            template="mode_state_template",
            setter="mode_command_topic",
            maker="mode_command_template",
        )
        self.mode(slot, names, assumed="off", always=True)
        self.parts = temperature_parts(self.parts)
        self.actions = self.power_actions()
        self.show(
            min_temp=self.rounded(_COLDEST if self.keys.raw("min_temp") is None else self.minimum),
            max_temp=self.rounded(_HOTTEST if self.keys.raw("max_temp") is None else self.maximum),
            operation_list=list(names),
        )
        self.refresh()

    def refresh(self) -> None:
        """Make values, state and attributes of what is known."""
        super().refresh()
        if "mode" in self._options:
            self.show(operation_mode=self.now["mode"])
