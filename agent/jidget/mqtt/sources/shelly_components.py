"""What a Shelly device has, as configs: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Introduction."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from jidget.mqtt.model import Category, Device, EntityConfig
from jidget.mqtt.sources.source import Publisher, as_number, as_object, as_text, path
from jidget.mqtt.topics import topic_problem

_CLICKS = ["btn_down", "btn_up", "single_push", "double_push", "triple_push", "long_push"]

_ITSELF = frozenset({"cover", "light", "switch"})
"""Kinds that a device is there for: the only one of a sort has no name of its own."""


@dataclass(frozen=True, slots=True)
class Caller:
    """How something is requested of a device.

    Attributes:
        topic: where requests go.
        source: what the topic of the answers begins with.
        number: the id of requests that set something.
    """

    topic: str
    source: str
    number: int

    def request(self, method: str, **params: Any) -> str:
        """Return the payload that sets something."""
        return json.dumps({"id": self.number, "src": self.source, "method": method, "params": params})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellyDevice:
    """A device.

    Attributes:
        prefix: what its topics begin with.
        caller: how something is requested of it.
        config: of its components, as it told it.
        status: of its components, as it told it last.
        publisher: what its entities have in common.
    """

    prefix: str
    caller: Caller
    config: dict[str, Any]
    status: dict[str, dict[str, Any]]
    publisher: Publisher

    @classmethod
    def of(
        cls,
        prefix: str,
        caller: Caller,
        info: dict[str, Any],
        config: dict[str, Any],
        status: dict[str, dict[str, Any]],
    ) -> Self:
        """Return the device that says this of itself."""
        own = as_text(info.get("id")) or prefix
        device = Device(
            identifiers=(own,),
            name=as_text(info.get("name")) or own,
            manufacturer="Shelly",
            model=as_text(info.get("app")) or as_text(info.get("model")),
            version=as_text(info.get("ver")),
        )
        availability = {"topic": f"{prefix}/online", "payload_available": "true", "payload_not_available": "false"}
        sleeps = as_number(status.get("sys", {}).get("wakeup_period")) or 0
        return cls(
            prefix=prefix,
            caller=caller,
            config=config,
            status=status,
            publisher=Publisher(
                topic=f"{prefix}/online",
                device=device,
                origin="Shelly",
                shared={} if sleeps else {"availability": [availability]},
            ),
        )

    def name(self, component: str) -> str:
        """Return what people call a component; empty where they call it nothing."""
        return as_text(as_object(self.config.get(component)).get("name"))

    def topic(self, component: str) -> str:
        """Return where the status of a component is told."""
        return f"{self.prefix}/status/{component}"

    def entity(self, kind: str, component: str, what: str = "", **keys: Any) -> EntityConfig:
        """Return a config for a component, or for one of its values."""
        alone = sum(each.partition(":")[0] == component.partition(":")[0] for each in self.status) == 1
        short = component.partition(":")[0] if alone else component.replace(":", "_")
        itself = alone and kind in _ITSELF
        named = self.name(component) or ("" if alone else short.replace("_", " ").capitalize())
        spoken = what.replace("_", " ") if named else what.replace("_", " ").capitalize()
        return self.publisher.entity(
            kind,
            "_".join(each for each in (self.publisher.device.identifiers[0], component, what) if each),
            (what if alone else f"{short}_{what}") if what else self.publisher.device.name if itself else short,
            **{"name": f"{named} {spoken}".strip(), **keys},
        )


def entities(device: ShellyDevice) -> Iterator[EntityConfig]:
    """Go through the configs for all that a device has."""
    for component, status in device.status.items():
        if topic_problem(device.topic(component)):
            continue
        kind, _, number = component.partition(":")
        if number.isdecimal() and kind in _BUILDERS:
            yield from _BUILDERS[kind](device, component, int(number))
        for reading in _READINGS.get(kind, ()):
            if _has(status, reading.steps):
                yield _reading(device, component, reading)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A value of a component: what it is called, where it is in the status, and how it is to be understood."""

    name: str
    steps: tuple[str, ...]
    unit: str = ""
    device_class: str = ""
    category: Category = ""


def _has(status: dict[str, Any], steps: tuple[str, ...]) -> bool:
    value: Any = status
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _reading(device: ShellyDevice, component: str, reading: _Reading) -> EntityConfig:
    binary = reading.unit == "bool"
    keys: dict[str, Any] = {"payload_on": "True", "payload_off": "False"} if binary else {"state_class": "measurement"}
    return device.entity(
        "binary_sensor" if binary else "sensor",
        component,
        reading.name,
        state_topic=device.topic(component),
        value_template=path(*reading.steps),
        unit_of_measurement=None if binary else reading.unit or None,
        device_class=reading.device_class or None,
        category=reading.category,
        enabled=reading.category != "diagnostic",
        **keys,
    )


_METERING = (
    _Reading("power", ("apower",), "W", "power"),
    _Reading("voltage", ("voltage",), "V", "voltage"),
    _Reading("current", ("current",), "A", "current"),
    _Reading("frequency", ("freq",), "Hz", "frequency"),
    _Reading("power_factor", ("pf",), "", "power_factor"),
    _Reading("energy", ("aenergy", "total"), "Wh", "energy"),
    _Reading("device_temperature", ("temperature", "tC"), "°C", "temperature", "diagnostic"),
)
_READINGS: dict[str, tuple[_Reading, ...]] = {
    **dict.fromkeys(("switch", "cover", "light", "rgb", "rgbw", "cct", "pm1"), _METERING),
    "devicepower": (
        _Reading("battery", ("battery", "percent"), "%", "battery"),
        _Reading("battery_voltage", ("battery", "V"), "V", "voltage", "diagnostic"),
    ),
    "em": (
        _Reading("power", ("total_act_power",), "W", "power"),
        _Reading("current", ("total_current",), "A", "current"),
        *(_Reading(f"power_{phase}", (f"{phase}_act_power",), "W", "power") for phase in "abc"),
        *(_Reading(f"voltage_{phase}", (f"{phase}_voltage",), "V", "voltage") for phase in "abc"),
        *(_Reading(f"current_{phase}", (f"{phase}_current",), "A", "current") for phase in "abc"),
    ),
    "em1": (
        _Reading("power", ("act_power",), "W", "power"),
        _Reading("voltage", ("voltage",), "V", "voltage"),
        _Reading("current", ("current",), "A", "current"),
    ),
    "em1data": (
        _Reading("energy", ("total_act_energy",), "Wh", "energy"),
        _Reading("energy_returned", ("total_act_ret_energy",), "Wh", "energy"),
    ),
    "emdata": (
        _Reading("energy", ("total_act",), "Wh", "energy"),
        _Reading("energy_returned", ("total_act_ret",), "Wh", "energy"),
    ),
    "flood": (_Reading("flood", ("alarm",), "bool", "moisture"),),
    "humidity": (_Reading("humidity", ("rh",), "%", "humidity"),),
    "illuminance": (_Reading("illuminance", ("lux",), "lx", "illuminance"),),
    "smoke": (_Reading("smoke", ("alarm",), "bool", "smoke"),),
    "temperature": (_Reading("temperature", ("tC",), "°C", "temperature"),),
    "voltmeter": (_Reading("voltage", ("voltage",), "V", "voltage"),),
    "wifi": (_Reading("rssi", ("rssi",), "dBm", "signal_strength", "diagnostic"),),
}
"""By component, the values that are shown where a device has them."""


def _switch(device: ShellyDevice, component: str, number: int) -> Iterator[EntityConfig]:
    yield device.entity(
        "switch",
        component,
        state_topic=device.topic(component),
        value_template=path("output"),
        state_on="True",
        state_off="False",
        command_topic=device.caller.topic,
        payload_on=device.caller.request("Switch.Set", id=number, on=True),
        payload_off=device.caller.request("Switch.Set", id=number, on=False),
    )


def _cover(device: ShellyDevice, component: str, number: int) -> Iterator[EntityConfig]:
    keys: dict[str, Any] = {
        "state_topic": device.topic(component),
        "value_template": path("state"),
        "command_topic": device.caller.topic,
        "payload_open": device.caller.request("Cover.Open", id=number),
        "payload_close": device.caller.request("Cover.Close", id=number),
        "payload_stop": device.caller.request("Cover.Stop", id=number),
    }
    if device.status[component].get("pos_control") is True:
        go_to = device.caller.request("Cover.GoToPosition", id=number, pos=0).replace(
            '"pos": 0', '"pos": {{ position }}'
        )
        keys |= {
            "position_topic": device.topic(component),
            "position_template": path("current_pos"),
            "set_position_topic": device.caller.topic,
            "set_position_template": go_to,
        }
    yield device.entity("cover", component, **keys)


def _light(device: ShellyDevice, component: str, number: int) -> Iterator[EntityConfig]:
    """Return a light: white, of a colour temperature, or coloured, as its status shows."""
    status, kind = device.status[component], component.partition(":")[0]
    names = {"light": "Light", "cct": "CCT", "rgb": "RGB", "rgbw": "RGBW"}
    begin = device.caller.request(f"{names[kind]}.Set", id=number)[:-2]  # its parameters go on
    on = f'{begin}, "on": true'
    keys: dict[str, Any] = {
        "schema": "template",
        "state_topic": device.topic(component),
        "state_template": "{{ 'on' if value_json.output else 'off' }}",
        "command_topic": device.caller.topic,
        "command_off_template": f'{begin}, "on": false}}}}',
    }
    if "brightness" in status:
        keys["brightness_template"] = "{{ (value_json.brightness * 2.55) | round | int }}"
        on += '{% if brightness is defined %}, "brightness": {{ (brightness / 2.55) | round | int }}{% endif %}'
    if "ct" in status:
        keys |= {"color_temp_template": path("ct"), "color_temp_kelvin": True, "min_kelvin": 2700, "max_kelvin": 6500}
        on += '{% if color_temp is defined %}, "ct": {{ color_temp }}{% endif %}'
    if "rgb" in status:
        keys |= {f"{name}_template": path("rgb", place) for place, name in enumerate(("red", "green", "blue"))}
        on += '{% if red is defined %}, "rgb": [{{ red }}, {{ green }}, {{ blue }}]{% endif %}'
    yield device.entity("light", component, command_on_template=f"{on}}}}}{{# #}}", **keys)


def _input(device: ShellyDevice, component: str, number: int) -> Iterator[EntityConfig]:  # noqa: ARG001  # as the others
    """Return a switch or an analogue value where the input is one; else it is a button, which tells events."""
    status, topic = device.status[component], device.topic(component)
    if isinstance(status.get("state"), bool):
        yield device.entity(
            "binary_sensor",
            component,
            state_topic=topic,
            value_template=path("state"),
            payload_on="True",
            payload_off="False",
        )
    elif "percent" in status:
        yield device.entity(
            "sensor", component, state_topic=topic, value_template=path("percent"), unit_of_measurement="%"
        )
    else:
        yield device.entity("event", component, state_topic=f"{device.prefix}/events/{component}", event_types=_CLICKS)


_BUILDERS: dict[str, Callable[[ShellyDevice, str, int], Iterator[EntityConfig]]] = {
    "cover": _cover,
    "input": _input,
    **dict.fromkeys(("cct", "light", "rgb", "rgbw"), _light),
    "switch": _switch,
}
