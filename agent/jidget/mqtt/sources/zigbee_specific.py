"""What a Zigbee device exposes as a whole: lights, covers, climates, fans, locks.

Each returns its configs and the names of the features in them; the other features are entities of their own.
"""

from collections.abc import Sequence
from typing import Any

from jidget.mqtt.model import EntityConfig
from jidget.mqtt.sources.source import as_list, as_number, as_text, path
from jidget.mqtt.sources.zigbee_device import SETTABLE, TOLD, Exposed, access, features_of, prop

Made = tuple[list[EntityConfig], set[str]]

_BRIGHTEST = 254
_HEATS = ("occupied_heating_setpoint", "current_heating_setpoint")
_COOLS = ("occupied_cooling_setpoint", "current_cooling_setpoint")
_ACTIONS = (
    "{% set known = {'idle': 'idle', 'heat': 'heating', 'cool': 'cooling', 'fan_only': 'fan'} %}"
    "{{ known[value_json[\"PROPERTY\"]] | default('None') }}"
)


def _by_name(expose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {as_text(each.get("name")): each for each in features_of(expose)}


def light(where: Exposed, expose: dict[str, Any], effects: Sequence[str] = ()) -> Made:
    """Return a light: by one JSON object, or with a topic for each value where it is one of several endpoints."""
    features = _by_name(expose)
    state = features.get("state")
    if state is None:
        return [], set()
    endpoint = as_text(expose.get("endpoint"))
    used = {"state", "brightness", "color_temp", "color_xy", "color_hs"} & set(features)
    keys = _endpoint_light(where, features) if endpoint else _json_light(where, features, effects)
    made = where.main("light", {**state, "endpoint": endpoint}, **_temperatures(features), **keys)
    return [made], used


def _temperatures(features: dict[str, dict[str, Any]]) -> dict[str, Any]:
    warmth = features.get("color_temp", {})
    return {"min_mireds": as_number(warmth.get("value_min")), "max_mireds": as_number(warmth.get("value_max"))}


def _scale(features: dict[str, dict[str, Any]]) -> int | None:
    most = as_number(features.get("brightness", {}).get("value_max"))
    return int(most) if most and most >= 1 else _BRIGHTEST


def _json_light(where: Exposed, features: dict[str, dict[str, Any]], effects: Sequence[str]) -> dict[str, Any]:
    by_feature = {"color_xy": "xy", "color_hs": "hs", "color_temp": "color_temp"}
    modes = [mode for name, mode in by_feature.items() if name in features]
    if "xy" in modes and "hs" in modes:
        modes.remove("hs")  # Zigbee2MQTT tells both
    if not modes:
        modes = ["brightness"] if "brightness" in features else ["onoff"]
    return {
        "schema": "json",
        "state_topic": where.topic,
        "command_topic": f"{where.topic}/set",
        "supported_color_modes": modes,
        "brightness": "brightness" in features,
        "brightness_scale": _scale(features) if "brightness" in features else None,
        "effect": True if effects else None,
        "effect_list": list(effects) or None,
    }


def _endpoint_light(where: Exposed, features: dict[str, dict[str, Any]]) -> dict[str, Any]:
    state = features["state"]
    keys: dict[str, Any] = {
        "state_topic": where.topic,
        "state_value_template": path(prop(state)),
        "command_topic": where.setter(state),
        "payload_on": state.get("value_on", "ON"),
        "payload_off": state.get("value_off", "OFF"),
    }
    for name in ("brightness", "color_temp"):
        if (feature := features.get(name)) is not None:
            keys |= {
                f"{name}_state_topic": where.topic,
                f"{name}_value_template": path(prop(feature)),
                f"{name}_command_topic": where.setter(feature),
            }
    if "brightness" in features:
        keys["brightness_scale"] = _scale(features)
    if (color := features.get("color_xy")) is not None:
        path(prop(color))  # or raise
        told = f'value_json["{prop(color)}"]'
        keys |= {
            "xy_state_topic": where.topic,
            "xy_value_template": f"{{{{ {told}.x }}}},{{{{ {told}.y }}}}",
            "xy_command_topic": where.setter(color),
            "xy_command_template": '{"x": {{ x }}, "y": {{ y }}}',
        }
    return keys


def cover(where: Exposed, expose: dict[str, Any]) -> Made:
    """Return a cover: where it has a position that is what tells whether it is open."""
    features = _by_name(expose)
    state = features.get("state")
    if state is None:
        return [], set()
    endpoint = as_text(expose.get("endpoint"))
    keys: dict[str, Any] = {
        "command_topic": where.setter(state),
        "state_open": "OPEN",
        "state_closed": "CLOSE",
    }
    options = as_list(state.get("values"))
    if options and "STOP" not in options:
        keys["payload_stop"] = None
    position, tilt = features.get("position"), features.get("tilt")
    if position is not None:
        keys |= {"set_position_topic": where.setter(position)} if access(position) & SETTABLE else {}
        keys |= {"position_topic": where.topic, "position_template": path(prop(position))}
    elif access(state) & TOLD:
        keys |= where.told(state)
    if tilt is not None:
        keys |= {
            "tilt_status_topic": where.topic,
            "tilt_status_template": path(prop(tilt)),
            "tilt_command_topic": where.setter(tilt),
        }
    return [where.main("cover", {**state, "endpoint": endpoint}, **keys)], {"state", "position", "tilt"}


def lock(where: Exposed, expose: dict[str, Any]) -> Made:
    """Return a lock; how it stands mechanically is a sensor of its own."""
    state = _by_name(expose).get("state")
    if state is None:
        return [], set()
    locked, unlocked = state.get("value_on", "LOCK"), state.get("value_off", "UNLOCK")
    keys = {
        **where.told(state),
        "command_topic": where.setter(state),
        "payload_lock": locked,
        "payload_unlock": unlocked,
        "state_locked": locked,
        "state_unlocked": unlocked,
    }
    return [where.main("lock", {**state, "endpoint": expose.get("endpoint")}, **keys)], {"state"}


def fan(where: Exposed, expose: dict[str, Any]) -> Made:
    """Return a fan with its speed in percent, if it has one, and its modes as presets."""
    features = _by_name(expose)
    state = features.get("state")
    if state is None:
        return [], set()
    keys: dict[str, Any] = {
        "state_topic": where.topic,
        "state_value_template": path(prop(state)),
        "command_topic": where.setter(state),
        "payload_on": state.get("value_on", "ON"),
        "payload_off": state.get("value_off", "OFF"),
    }
    if (mode := features.get("mode")) is not None:
        keys |= _teller("preset_mode", where, mode, "value_template")
        keys["preset_modes"] = [as_text(value) for value in as_list(mode.get("values"))]
    if (speed := features.get("speed")) is not None:
        keys |= _teller("percentage", where, speed, "value_template")
        keys |= {
            "speed_range_min": as_number(speed.get("value_min")) or 1,
            "speed_range_max": as_number(speed.get("value_max")),
        }
    return [where.main("fan", {**state, "endpoint": expose.get("endpoint")}, **keys)], {"state", "mode", "speed"}


def climate(where: Exposed, expose: dict[str, Any]) -> Made:
    """Return a thermostat."""
    features = _by_name(expose)
    keys: dict[str, Any] = {"temperature_unit": "C"}
    used = set()
    heat = next((name for name in _HEATS if name in features), "")
    cool = next((name for name in _COOLS if name in features), "")
    targets = {"temperature_low": heat, "temperature_high": cool} if heat and cool else {"temperature": heat or cool}
    for slot, name in targets.items():
        if name:
            keys |= _teller(slot, where, features[name], "state_template")
            keys |= {
                "min_temp": as_number(features[name].get("value_min")),
                "max_temp": as_number(features[name].get("value_max")),
                "temp_step": as_number(features[name].get("value_step")),
            }
            used.add(name)
    if not used:
        return [], set()
    if (current := features.get("local_temperature")) is not None:
        keys |= {"current_temperature_topic": where.topic, "current_temperature_template": path(prop(current))}
    for name, slot, options in (
        ("system_mode", "mode", "modes"),
        ("fan_mode", "fan_mode", "fan_modes"),
        ("preset", "preset_mode", "preset_modes"),
        ("swing_mode", "swing_mode", "swing_modes"),
    ):
        if (feature := features.get(name)) is not None:
            keys |= _teller(slot, where, feature, "value_template" if slot == "preset_mode" else "state_template")
            keys[options] = [as_text(value) for value in as_list(feature.get("values"))]
            used.add(name)
    if (running := features.get("running_state")) is not None:
        path(prop(running))  # or raise
        keys |= {"action_topic": where.topic, "action_template": _ACTIONS.replace("PROPERTY", prop(running))}
        used.add("running_state")
    if "modes" not in keys:
        keys["modes"] = ["cool" if cool and not heat else "heat"]
    state = {"endpoint": expose.get("endpoint")}
    return [where.main("climate", state, **keys)], used


def _teller(slot: str, where: Exposed, feature: dict[str, Any], template: str) -> dict[str, Any]:
    """Return the keys for a value with a topic each way: `SLOT_state_topic` and so on."""
    keys: dict[str, Any] = {}
    if access(feature) & TOLD:
        keys |= {f"{slot}_state_topic": where.topic, f"{slot}_{template}": path(prop(feature))}
    if access(feature) & SETTABLE:
        keys[f"{slot}_command_topic"] = where.setter(feature)
    return keys
