"""What is announced of a Thing, and what it tells: device-based discovery payloads and states. Pure.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, device discovery payload. What may not be set
is announced as something that can only be read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jidget import __version__
from jidget.commands.access import Person
from jidget.commands.signature import Signature
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.announcing.units import measured, state_class
from jidget.mqtt.model import US
from jidget.things.host import Thing
from jidget_drivers import Kind, Property, Scalar

PRESS = "PRESS"
ON, OFF = "ON", "OFF"
ONLINE, OFFLINE = "online", "offline"
LONGEST_TEXT = 255
"""Characters of a state in Home Assistant."""
_FARTHEST = 1e15
"""The limit of a number that has none of its own: Home Assistant wants one, and shows nothing that is beyond it."""
_FINEST = 3
"""Decimals of the smallest step that Home Assistant takes."""
_USUAL = 2
"""Decimals of the step where nobody says how many are worth it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a command topic is about: a property of a Thing that is set, or an action of it."""

    thing: Thing
    prop: str = ""
    action: str = ""

    @property
    def target(self) -> str:
        """Return it as people name it."""
        return f"{self.thing.id}.{self.prop or self.action}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the broker gets of one Thing.

    Attributes:
        thing: it.
        model: what it is: its driver.
        settable: properties that may be set.
        invocable: actions that may be invoked.
    """

    thing: Thing
    model: str = ""
    settable: frozenset[str] = frozenset()
    invocable: tuple[str, ...] = ()

    @property
    def controls(self) -> bool:
        """Whether there is anything to command."""
        return bool(self.settable or self.invocable)

    def orders(self, names: Names) -> Mapping[str, Order]:
        """Return what can be commanded by topic."""
        thing = self.thing
        sets = {names.set(thing.id, name): Order(thing=thing, prop=name) for name in self.settable}
        return sets | {names.do(thing.id, name): Order(thing=thing, action=name) for name in self.invocable}


def offer(thing: Thing, model: str, broker: Person, signatures: Mapping[str, Signature]) -> Offer | None:
    """Return what whoever may write to the broker gets of a Thing; None if nothing.

    What a person must confirm by a code cannot be commanded this way, nor an action that wants arguments.
    """
    if thing.discovered or not broker.may_read(thing.id):
        return None
    if not broker.may_act(thing.id):
        return Offer(thing=thing, model=model)
    confirmed = {name for name, rules in thing.rules.items() if rules.confirm}
    invocable = (
        name for name, signature in signatures.items() if not any(each.required for each in signature.parameters)
    )
    return Offer(
        thing=thing,
        model=model,
        settable=frozenset(prop.name for prop in thing.writable if prop.name not in confirmed),
        invocable=() if confirmed else tuple(invocable),
    )


# ---- announcements -----------------------------------------------------------------------------------------------


def announce(made: Offer, names: Names) -> dict[str, Any]:
    """Return the payload that announces a Thing."""
    thing = made.thing
    device = names.device(thing.id)
    return {
        "device": {
            "identifiers": [device],
            "name": thing.label,
            "manufacturer": US,
            "model": made.model,
            "via_device": names.agent,
        },
        "origin": _origin(),
        "availability": [{"topic": names.status}, {"topic": names.availability(thing.id)}],
        "availability_mode": "all",
        "components": dict(_components(made, names)),
    }


def announce_agent(names: Names, jid: str) -> dict[str, Any]:
    """Return the payload that announces the agent itself, by which its Things are reached."""
    connection = {
        "platform": "binary_sensor",
        "unique_id": f"{names.agent}_connection",
        "name": "Connection",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": names.status,
        "payload_on": ONLINE,
        "payload_off": OFFLINE,
    }
    return {
        "device": {
            "identifiers": [names.agent],
            "name": f"{US} {jid}",
            "manufacturer": US,
            "sw_version": __version__,
        },
        "origin": _origin(),
        "components": {"binary_sensor-connection": connection},
    }


def _origin() -> dict[str, str]:
    return {"name": US, "sw_version": __version__}


def _components(made: Offer, names: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield components by key. The platform is in the key: one may become another when rights change."""
    thing = made.thing
    for prop in thing.properties.values():
        keys = _settable(prop, names.set(thing.id, prop.name)) if prop.name in made.settable else _readable(prop)
        keys["state_topic"] = names.state(thing.id)
        keys["value_template"] = _told_by(prop.name, keys["platform"])
        name = None if len(thing.properties) == 1 else prop.label or _title(prop.name)
        yield _component(made, names, prop.name, keys, name)
    for action in made.invocable:
        keys = {"platform": "button", "command_topic": names.do(thing.id, action), "payload_press": PRESS}
        yield _component(made, names, f"do-{action}", keys, _title(action))
    if made.controls:
        keys = {"platform": "sensor", "state_topic": names.answer(thing.id), "entity_category": "diagnostic"}
        keys["force_update"] = True  # an answer in the same words is another one
        yield _component(made, names, "last-answer", keys, "Last answer")


def _told_by(name: str, platform: str) -> str:
    """Return the template of a value. What is not known is null, which all but texts take for that.

    A value is asked for by its key: as an attribute, one called `update` or `values` would be what every object has.
    """
    told = f'value_json["{name}"]'
    return f"{{{{ {told} if {told} is not none else '' }}}}" if platform == "text" else f"{{{{ {told} }}}}"


def _component(
    made: Offer, names: Names, key: str, keys: dict[str, Any], name: str | None
) -> tuple[str, dict[str, Any]]:
    unique_id = f"{names.device(made.thing.id)}.{key}"  # no id has a full stop
    return f"{keys['platform']}-{key}", {**keys, "unique_id": unique_id, "name": name}


def _settable(prop: Property, topic: str) -> dict[str, Any]:
    keys: dict[str, Any] = {"command_topic": topic}
    match prop.kind:
        case Kind.BOOLEAN:
            return {"platform": "switch", "payload_on": ON, "payload_off": OFF, **keys}
        case Kind.ENUM:
            return {"platform": "select", "options": list(prop.options), **keys}
        case Kind.STRING:
            return {"platform": "text", "max": LONGEST_TEXT, **keys}
    limits = {
        "min": -_FARTHEST if prop.minimum is None else prop.minimum,
        "max": _FARTHEST if prop.maximum is None else prop.maximum,
        "step": _step(prop),
        "mode": "box" if prop.minimum is None or prop.maximum is None else "auto",
    }
    return {"platform": "number", **keys, **measured(prop), **limits}


def _step(prop: Property) -> float:
    decimals = 0 if prop.kind is Kind.INTEGER else _USUAL if prop.precision is None else min(prop.precision, _FINEST)
    return 1 if decimals <= 0 else round(0.1**decimals, decimals)


def _readable(prop: Property) -> dict[str, Any]:
    match prop.kind:
        case Kind.BOOLEAN:
            return {"platform": "binary_sensor", "payload_on": ON, "payload_off": OFF}
        case Kind.ENUM:
            return {"platform": "sensor", "device_class": "enum", "options": list(prop.options)}
        case Kind.STRING:
            return {"platform": "sensor"}
    keys: dict[str, Any] = {"platform": "sensor", **measured(prop), **state_class(prop)}
    if prop.precision is not None and prop.precision >= 0:
        keys["suggested_display_precision"] = prop.precision
    return keys


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


# ---- states ------------------------------------------------------------------------------------------------------


def state(thing: Thing) -> dict[str, Any]:
    """Return what a Thing tells: every property's value, null for what is not known yet."""
    return {name: _told(thing.values[name].value if name in thing.values else None) for name in thing.properties}


def _told(value: Scalar | None) -> Any:
    match value:
        case bool():
            return ON if value else OFF
        case str():
            return value[:LONGEST_TEXT]
    return value


def withdrawn(payload: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return an announcement that also takes back components, which are known by their keys.

    One payload for both: of a second one Home Assistant may drop parts while it is busy with the first.
    """
    gone = {key: {"platform": key.partition("-")[0]} for key in keys if key not in payload["components"]}
    return {**payload, "components": {**payload["components"], **gone}}
