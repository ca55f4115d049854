"""What a Zigbee device exposes, as configs: https://www.zigbee2mqtt.io/guide/usage/exposes.html."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jidget.mqtt.model import EntityConfig
from jidget.mqtt.sources.source import as_list, as_number, as_text, path
from jidget.mqtt.sources.zigbee_device import READABLE, SETTABLE, TOLD, Exposed, access, features_of, joined, prop
from jidget.mqtt.sources.zigbee_specific import climate, cover, fan, light, lock

_NAMED_SWITCHES = frozenset({"auto_lock", "away_mode", "valve_detection", "window_detection"})
"""Switches that Zigbee2MQTT names after their property."""
_HIDDEN = frozenset({"last_seen", "linkquality"})
_ASKED = frozenset(
    [
        "brightness",
        "color_temp",
        "current_heating_setpoint",
        "fan_mode",
        "local_temperature",
        "occupied_heating_setpoint",
        "position",
        "state",
        "system_mode",
        "tilt",
    ]
)
"""Features of which a device is asked how they stand."""
_LARGE = 65_535
"""Zigbee2MQTT's own limit for numbers without one."""
_CLASSES = """battery carbon_dioxide co2=carbon_dioxide current energy ac_frequency=frequency humidity illuminance power
    pressure temperature device_temperature=temperature local_temperature=temperature voltage pm25 pm10
    voc=volatile_organic_compounds power_factor soil_moisture=moisture battery_low=battery carbon_monoxide contact=door
    gas moving occupancy presence smoke tamper vibration water_leak=moisture"""
_TEXT = '{{ value_json["PROPERTY"] if value_json["PROPERTY"] is string else none | float }}'
"""What is not there, or null, is no text: `float` fails at it, so that the message tells nothing."""
_DEVICE_CLASSES = {name: known or name for name, _, known in (each.partition("=") for each in _CLASSES.split())}
"""Home Assistant's device class by what Zigbee2MQTT calls it."""


def entities(where: Exposed, exposes: Sequence[dict[str, Any]]) -> Iterator[EntityConfig]:
    """Go through the configs for all that a device exposes. What makes no sense is left out."""
    effects = next((as_list(each.get("values")) for each in exposes if each.get("name") == "effect"), [])
    for expose in exposes:
        kind = as_text(expose.get("type"))
        translate = _TRANSLATORS.get(kind)
        if translate is not None and (expose.get("features") is not None or prop(expose)):
            keys = {"effects": [as_text(each) for each in effects]} if kind == "light" else {}
            try:
                yield from translate(where, expose, **keys)
            except ValueError:  # a name that no template can have in it
                continue


def readable(exposes: Sequence[dict[str, Any]]) -> list[str]:
    """Return what a device can be asked for of what it is there for: each costs a message over the air."""
    features = (each for expose in exposes for each in features_of(expose) if as_text(each.get("name")) in _ASKED)
    return list(dict.fromkeys(prop(each) for each in features if access(each) & READABLE))


def _switch(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    for state in features_of(expose):
        if state.get("type") != "binary":
            yield from entities(where, [state])
            continue
        keys = {
            **where.told(state),
            "command_topic": where.setter(state),
            **_switched(state.get("value_on", "ON"), state.get("value_off", "OFF")),
        }
        if prop(state) in _NAMED_SWITCHES:
            yield where.entity("switch", prop(state), state, **keys)
        else:
            yield where.main("switch", {**state, "endpoint": expose.get("endpoint") or state.get("endpoint")}, **keys)


def _switched(on: Any, off: Any) -> dict[str, Any]:
    """Return the keys for two values: what is published is JSON, what is told is compared as Python writes it."""
    sent = {True: "true", False: "false"}
    return {
        "payload_on": sent[on] if isinstance(on, bool) else on,
        "payload_off": sent[off] if isinstance(off, bool) else off,
        "state_on": on,
        "state_off": off,
    }


def _binary(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    name = as_text(expose.get("name")) or prop(expose)
    endpoint = as_text(expose.get("endpoint"))
    on, off = expose.get("value_on", True), expose.get("value_off", False)
    if access(expose) & SETTABLE:
        called = joined(name, endpoint)
        keys = {**where.told(expose), **_switched(on, off), "command_topic": where.setter(expose)}
        yield where.entity("switch", f"switch_{called}", expose, called=called, **keys)
    elif access(expose) & TOLD:
        keys = {**where.told(expose), "payload_on": on, "payload_off": off, "device_class": _DEVICE_CLASSES.get(name)}
        yield where.entity("binary_sensor", joined(name, endpoint), expose, **keys)


def _numeric(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    name = as_text(expose.get("name")) or prop(expose)
    object_id = joined(name, as_text(expose.get("endpoint")))
    keys = {
        **where.told(expose),
        "device_class": _DEVICE_CLASSES.get(name),
        "unit_of_measurement": as_text(expose.get("unit")) or None,
    }
    if access(expose) & SETTABLE:
        least, most = as_number(expose.get("value_min")), as_number(expose.get("value_max"))
        yield where.entity(
            "number",
            object_id,
            expose,
            **keys,
            command_topic=where.setter(expose),
            min=-_LARGE if least is None else least,
            max=_LARGE if most is None else most,
            step=as_number(expose.get("value_step")),
        )
    elif access(expose) & TOLD:
        yield where.entity("sensor", object_id, expose, **keys, state_class="measurement", enabled=name not in _HIDDEN)


def _enum(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    options = [as_text(value) for value in as_list(expose.get("values"))]
    object_id = prop(expose)
    if access(expose) & SETTABLE and access(expose) & TOLD == 0 and len(options) == 1:
        yield where.entity("button", object_id, expose, command_topic=where.setter(expose), payload_press=options[0])
    elif access(expose) & SETTABLE:
        keys = {**where.told(expose), "command_topic": where.setter(expose), "options": options}
        yield where.entity("select", object_id, expose, **keys)
    elif expose.get("name") == "action":
        path(object_id)  # or raise
        happened = f'{{"event_type": {{{{ value_json["{object_id}"] | tojson }}}}}}'
        keys = {"state_topic": where.topic, "value_template": happened, "event_types": options}
        yield where.entity("event", object_id, expose, **keys)
    elif access(expose) & TOLD:
        yield where.entity("sensor", object_id, expose, **where.told(expose), device_class="enum", options=options)


def _text(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    told = where.told(expose)
    if told:
        told["value_template"] = _TEXT.replace("PROPERTY", prop(expose))
    if access(expose) & SETTABLE:
        yield where.entity("text", prop(expose), expose, **told, command_topic=where.setter(expose))
    elif told:
        yield where.entity("sensor", prop(expose), expose, **told)


def _composite(where: Exposed, expose: dict[str, Any]) -> Iterator[EntityConfig]:
    """Show what has parts as JSON. It cannot be set: most devices want all parts at once."""
    if access(expose) & TOLD:
        told = f'value_json["{prop(expose)}"]'
        shown = f"{{{{ {told} | tojson if {told} else None }}}}"
        path(prop(expose))  # or raise
        yield where.entity("sensor", prop(expose), expose, state_topic=where.topic, value_template=shown)


def _specific(translate: Callable[..., tuple[list[EntityConfig], set[str]]]) -> Callable[..., Iterator[EntityConfig]]:
    """Return a translator for what has features: those that it does not use are entities of their own."""

    def translated(where: Exposed, expose: dict[str, Any], **more: Any) -> Iterator[EntityConfig]:
        made, used = translate(where, expose, **more)
        yield from made
        yield from entities(where, [each for each in features_of(expose) if each.get("name") not in used])

    return translated


_TRANSLATORS: dict[str, Callable[..., Iterator[EntityConfig]]] = {
    "binary": _binary,
    "climate": _specific(climate),
    "composite": _composite,
    "cover": _specific(cover),
    "enum": _enum,
    "fan": _specific(fan),
    "light": _specific(light),
    "list": _composite,
    "lock": _specific(lock),
    "numeric": _numeric,
    "switch": _switch,
    "text": _text,
}
