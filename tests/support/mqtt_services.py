"""Home Assistant's service calls, as what is written to parts and done by actions of an entity."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from jidget.mqtt.entity import Entity
from jidget.mqtt.model import Publish

Data = Mapping[str, Any]
FULL_BRIGHTNESS = 255


@dataclass(frozen=True, slots=True)
class Write:
    """A value for a part."""

    part: str
    value: Any


@dataclass(frozen=True, slots=True)
class Act:
    """An action, and its arguments."""

    name: str
    arguments: Data = field(default_factory=dict)


Step = Write | Act
Handler = Callable[[Data], Sequence[Step]]


def steps_of(service: str, data: Data) -> Sequence[Step]:
    """Return what a service call asks, in the order in which Home Assistant does it."""
    handler = _SERVICES.get(service)
    if handler is None:
        _, _, verb = service.partition(".")
        handler = _acting(verb.removeprefix("alarm_"), *data)
    return handler(data)


def call(entity: Entity, service: str, data: Data) -> Sequence[Publish]:
    """Do what a service call asks and take it to be published; return what that was.

    Raises:
        LookupError: nothing here does what the service does.
        WriteRefused: it cannot be done.
    """
    published: list[Publish] = []
    for step in steps_of(service, data):
        published += _write(entity, step) if isinstance(step, Write) else _act(entity, step)
    return published


def _write(entity: Entity, step: Write) -> Sequence[Publish]:
    published = entity.write(step.part, step.value)
    entity.wrote(step.part, step.value)
    return published


def _act(entity: Entity, step: Act) -> Sequence[Publish]:
    action = next((action for action in entity.actions if action.name == step.name), None)
    if action is None:
        raise LookupError(f"it has no {step.name}; it has {[action.name for action in entity.actions]}")
    arguments = dict(step.arguments)
    if "code" in arguments:
        arguments["code"] = SecretStr(arguments["code"])
    published = action.plan(**arguments)
    if action.done is not None:
        action.done(**arguments)
    return published


def _writing(part: str, value: Any) -> Handler:
    return lambda _: (Write(part, value),)


def _writing_given(part: str, key: str, convert: Callable[[Any], Any] = lambda value: value) -> Handler:
    return lambda data: (Write(part, convert(data[key])),)


def _acting(name: str, *keys: str) -> Handler:
    return lambda data: (Act(name, {key: data[key] for key in keys if key in data}),)


def _light_on(data: Data) -> Sequence[Step]:
    wanted: dict[str, Any] = {key: data[key] for key in ("effect", "transition", "flash") if key in data}
    if "brightness" in data:
        wanted["brightness"] = data["brightness"] * 100 / FULL_BRIGHTNESS
    if "brightness_pct" in data:
        wanted["brightness"] = data["brightness_pct"]
    if "color_temp_kelvin" in data:
        wanted["color_temp"] = data["color_temp_kelvin"]
    if "rgb_color" in data:
        wanted["color"] = "#{:02x}{:02x}{:02x}".format(*data["rgb_color"])
    if "white" in data:
        wanted["white"] = data["white"] * 100 / FULL_BRIGHTNESS
    unknown = data.keys() - {*wanted, "brightness_pct", "color_temp_kelvin", "rgb_color"}
    if unknown:
        raise LookupError(f"light.turn_on with {unknown}")
    if len(wanted) == 1 and not wanted.keys() & {"transition", "flash", "white"}:
        ((part, value),) = wanted.items()
        return (Write(part, value),)
    return (Act("turn_on", wanted) if wanted else Write("", True),)


def _light_off(data: Data) -> Sequence[Step]:
    return (Act("turn_off", data) if data else Write("", False),)


def _fan_on(data: Data) -> Sequence[Step]:
    if not data:
        return (Write("", True),)
    wanted = {"preset" if key == "preset_mode" else key: value for key, value in data.items()}
    return (Act("turn_on", wanted),)


def _siren_on(data: Data) -> Sequence[Step]:
    return (Act("sound", data) if data else Write("", True),)


def _temperature(data: Data) -> Sequence[Step]:
    """Set what is given, as Home Assistant does: the mode first, then the target, its low and high end."""
    parts = (
        ("hvac_mode", "mode"),
        ("operation_mode", "mode"),
        ("temperature", "target"),
        ("target_temp_low", "target_low"),
        ("target_temp_high", "target_high"),
    )
    return [Write(part, data[key]) for key, part in parts if key in data]


def _vacuum_command(data: Data) -> Sequence[Step]:
    params = {"params": json.dumps(data["params"])} if isinstance(data.get("params"), dict) else {}
    return (Act("send_command", {"command": data["command"], **params}),)


_SERVICES: dict[str, Handler] = {
    "switch.turn_on": _writing("", True),
    "switch.turn_off": _writing("", False),
    "number.set_value": _writing_given("", "value", float),
    "select.select_option": _writing_given("", "option"),
    "text.set_value": _writing_given("", "value", str),
    "button.press": _acting("press"),
    "scene.turn_on": _acting("activate"),
    "notify.send_message": _acting("send", "message"),
    "update.install": _acting("install"),
    "siren.turn_on": _siren_on,
    "siren.turn_off": _writing("", False),
    "lock.lock": _acting("lock", "code"),
    "lock.unlock": _acting("unlock", "code"),
    "lock.open": _acting("open", "code"),
    "valve.open_valve": _acting("open"),
    "valve.close_valve": _acting("close"),
    "valve.stop_valve": _acting("stop"),
    "valve.set_valve_position": _writing_given("position", "position"),
    "light.turn_on": _light_on,
    "light.turn_off": _light_off,
    "cover.open_cover": _acting("open"),
    "cover.close_cover": _acting("close"),
    "cover.stop_cover": _acting("stop"),
    "cover.set_cover_position": _writing_given("position", "position"),
    "cover.open_cover_tilt": _acting("open_tilt"),
    "cover.close_cover_tilt": _acting("close_tilt"),
    "cover.stop_cover_tilt": _acting("stop_tilt"),
    "cover.set_cover_tilt_position": _writing_given("tilt", "tilt_position"),
    "fan.turn_on": _fan_on,
    "fan.turn_off": _writing("", False),
    "fan.set_percentage": _writing_given("percentage", "percentage"),
    "fan.set_preset_mode": _writing_given("preset", "preset_mode"),
    "fan.oscillate": _writing_given("oscillate", "oscillating"),
    "fan.set_direction": _writing_given("direction", "direction"),
    "climate.set_temperature": _temperature,
    "climate.set_hvac_mode": _writing_given("mode", "hvac_mode"),
    "climate.set_fan_mode": _writing_given("fan", "fan_mode"),
    "climate.set_swing_mode": _writing_given("swing", "swing_mode"),
    "climate.set_preset_mode": _writing_given("preset", "preset_mode"),
    "climate.set_humidity": _writing_given("target_humidity", "humidity"),
    "climate.turn_on": _acting("turn_on"),
    "climate.turn_off": _acting("turn_off"),
    "date.set_value": _writing_given("", "date", str),
    "time.set_value": _writing_given("", "time", str),
    "datetime.set_value": _writing_given("", "datetime", str),
    "climate.set_swing_horizontal_mode": _writing_given("swing_horizontal", "swing_horizontal_mode"),
    "water_heater.set_temperature": _temperature,
    "water_heater.set_operation_mode": _writing_given("mode", "operation_mode"),
    "water_heater.turn_on": _acting("turn_on"),
    "water_heater.turn_off": _acting("turn_off"),
    "humidifier.turn_on": _writing("", True),
    "humidifier.turn_off": _writing("", False),
    "humidifier.set_humidity": _writing_given("target", "humidity"),
    "humidifier.set_mode": _writing_given("mode", "mode"),
    "vacuum.start": _acting("start"),
    "vacuum.pause": _acting("pause"),
    "vacuum.stop": _acting("stop"),
    "vacuum.return_to_base": _acting("return_to_base"),
    "vacuum.clean_spot": _acting("clean_spot"),
    "vacuum.locate": _acting("locate"),
    "vacuum.set_fan_speed": _writing_given("fan_speed", "fan_speed"),
    "vacuum.send_command": _vacuum_command,
    "lawn_mower.start_mowing": _acting("start_mowing"),
    "lawn_mower.pause": _acting("pause"),
    "lawn_mower.dock": _acting("dock"),
    **{
        f"alarm_control_panel.alarm_{name}": _acting(name, "code")
        for name in ("disarm", "arm_home", "arm_away", "arm_night", "arm_vacation", "arm_custom_bypass", "trigger")
    },
}
