"""What a Tasmota device switches, dims and moves, as configs (https://tasmota.github.io/docs/Commands/)."""

from collections.abc import Iterator
from typing import Any

from jidget.mqtt.model import EntityConfig
from jidget.mqtt.sources.source import as_list, path
from jidget.mqtt.sources.tasmota_device import TasmotaDevice

_RELAY, _LIGHT, _SHUTTER = 1, 2, 3
_SINGLE, _COLDWARM, _RGB, _RGBW, _RGBCW = 1, 2, 3, 4, 5
_MOST_SHUTTERS = 16
_INVERTED = 1
_HUE = "{{ value_json.HSBColor.split(',')[0] }},{{ value_json.HSBColor.split(',')[1] }}"
_COLOR_MODE = "{{ 'color_temp' if value_json.White | default(0) > 0 else 'hs' if value_json.HSBColor is defined }}"


def outputs(device: TasmotaDevice) -> Iterator[EntityConfig]:
    """Go through switches, lights, covers and the fan."""
    relays = device.numbers("rl")
    several = sum(relay != 0 for relay in relays) > 1
    fan = device.told.get("if") == 1
    for index, relay in enumerate(relays):
        if relay == _RELAY and (device.option(30) or (fan and index == 0)):
            yield _output(device, "light", "relay", index, several)
        elif relay == _RELAY and not fan:
            yield _output(device, "switch", "relay", index, several)
        elif relay == _LIGHT:
            plain = fan or device.told.get("lt_st") == 0
            more = {} if plain else _light(device, index, index - relays.index(_LIGHT))
            yield _output(device, "light", "light", index, several, **more)
    if fan:
        yield _fan(device)
    pairs = [index for index, relay in enumerate(relays) if relay == _SHUTTER][::2]
    for number, _ in enumerate(pairs[:_MOST_SHUTTERS], 1):
        yield _shutter(device, number)


def _name(device: TasmotaDevice, index: int, kind: str) -> str:
    """Return what people call an output; nothing where it is the device itself."""
    names = device.names("fn")
    name = names[index] if index < len(names) else ""
    if index == 0 and name in ("", device.publisher.device.name):
        return ""
    return name or f"{kind.capitalize()} {index + 1}"


def _output(device: TasmotaDevice, kind: str, endpoint: str, index: int, several: bool, **more: Any) -> EntityConfig:
    number = str(index + 1)
    power = path(f"POWER{number}") if several else "{{ value_json.POWER | default(value_json.POWER1) }}"
    template = "state_value_template" if kind == "light" else "value_template"
    keys: dict[str, Any] = {
        "command_topic": f"{device.command}POWER{number}",
        "payload_on": device.on,
        "payload_off": device.off,
        "state_topic": device.state,
        template: power,
    }
    return device.publisher.entity(
        kind,
        f"{device.mac}_{kind}_{endpoint}_{index}",
        f"{kind}_{number}" if several else device.publisher.device.name,
        name=_name(device, index, kind),
        **{**keys, **more},
    )


def _light(device: TasmotaDevice, index: int, which: int) -> dict[str, Any]:
    """Return the keys for what a light can do besides on and off; it is the `which`-th of its device."""
    told = device.told.get("lt_st")
    subtype = told if isinstance(told, int) else 0
    if device.option(68):  # each channel is a light
        channel = f"Channel{index + 1}"
        return _topics(device, "brightness", channel, channel) | {"brightness_scale": 100}
    dimmer, state = ("Dimmer3", "Dimmer") if device.told.get("ty") == 1 else ("Dimmer", "Dimmer")
    if device.told.get("lk") == 0 and subtype >= _RGBW:  # colour and white are two lights
        dimmer = state = f"Dimmer{which + 1}"
        subtype = _RGB if which == 0 else _COLDWARM if subtype == _RGBCW else _SINGLE
    keys = _topics(device, "brightness", dimmer, state) | {"brightness_scale": 100}
    if subtype in (_COLDWARM, _RGBCW):
        reduced = device.option(82)
        keys |= _topics(device, "color_temp", "CT", "CT")
        keys |= {"min_mireds": 200 if reduced else 153, "max_mireds": 380 if reduced else 500}
    if subtype in (_RGB, _RGBW, _RGBCW):
        keys |= {
            "hs_state_topic": device.state,
            "hs_value_template": _HUE,
            "hs_command_topic": f"{device.command}Backlog",
            "hs_command_template": "HsbColor1 {{ hue | round | int }};HsbColor2 {{ sat | round | int }}",
        }
    if subtype == _RGBCW:
        keys |= {"color_mode_state_topic": device.state, "color_mode_value_template": _COLOR_MODE}
    return keys


def _topics(device: TasmotaDevice, name: str, command: str, state: str) -> dict[str, Any]:
    return {
        f"{name}_command_topic": f"{device.command}{command}",
        f"{name}_state_topic": device.state,
        f"{name}_value_template": path(state),
    }


def _fan(device: TasmotaDevice) -> EntityConfig:
    return device.publisher.entity(
        "fan",
        f"{device.mac}_fan_fan_ifan",
        "fan",
        name="Fan",
        command_topic=f"{device.command}FanSpeed",
        payload_on="2",
        payload_off="0",
        state_topic=device.state,
        state_value_template="{{ (2 if value_json.FanSpeed > 0 else 0) if value_json.FanSpeed is defined }}",
        percentage_command_topic=f"{device.command}FanSpeed",
        percentage_state_topic=device.state,
        percentage_value_template=path("FanSpeed"),
        speed_range_min=1,
        speed_range_max=3,
    )


def _shutter(device: TasmotaDevice, number: int) -> EntityConfig:
    name = f"Shutter{number}"
    settings = device.numbers("sho")
    inverted = number <= len(settings) and bool(settings[number - 1] & _INVERTED)
    moves = ("closing", "opening") if inverted else ("opening", "closing")
    direction = f"value_json.{name}.Direction"
    keys: dict[str, Any] = {
        "command_topic": f"{device.command}Backlog",
        "payload_open": f"ShutterOpen{number}",
        "payload_close": f"ShutterClose{number}",
        "payload_stop": f"ShutterStop{number}",
        "state_topic": device.sensor,
        "value_template": f"{{{{ ['stopped', '{moves[0]}', '{moves[1]}'][{direction}] }}}}",
        "position_topic": device.sensor,
        "position_template": path(name, "Position"),
        "set_position_topic": f"{device.command}ShutterPosition{number}",
        "position_open": 0 if inverted else 100,
        "position_closed": 100 if inverted else 0,
    }
    return device.publisher.entity(
        "cover",
        f"{device.mac}_cover_shutter_{number - 1}",
        f"shutter_{number}",
        name=f"Shutter {number}",
        **keys,
        **_tilt(device, number),
    )


def _tilt(device: TasmotaDevice, number: int) -> dict[str, Any]:
    listed = as_list(device.told.get("sht"))
    tilt = as_list(listed[number - 1]) if number <= len(listed) else []
    if len(tilt) < 3 or not all(isinstance(each, int) for each in tilt[:3]) or tilt[0] == tilt[1] or not tilt[2]:
        return {}
    return {
        "tilt_min": tilt[0],
        "tilt_max": tilt[1],
        "tilt_closed_value": tilt[0],
        "tilt_opened_value": tilt[1],
        "tilt_status_topic": device.sensor,
        "tilt_status_template": path(f"Shutter{number}", "Tilt"),
        "tilt_command_topic": f"{device.command}ShutterTilt{number}",
    }
