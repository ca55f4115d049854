"""Entities of discovered kinds, and what one tells them."""

from typing import Any

from jidget.mqtt.entity import Entity
from jidget.mqtt.kinds import build
from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import Property

TOPIC = "it/state"
COMMAND = "it/set"


def entity_of(kind: str, /, **keys: Any) -> Entity:
    """Return an entity of a kind with these keys of its discovery payload."""
    config = EntityConfig(
        kind=kind,
        topic=f"homeassistant/{kind}/it/config",
        object_id="it",
        unique_id=str(keys.get("unique_id", "")),
        keys=keys,
    )
    return build(config, Templates())


def tell(entity: Entity, payload: str | bytes, topic: str = TOPIC, *, retained: bool = False) -> bool:
    """Have a message arrive; return whether it told a value."""
    raw = payload if isinstance(payload, bytes) else payload.encode()
    return entity.receive(Message(topic=topic, payload=raw, retained=retained))


def main(entity: Entity) -> Property:
    """Return the property of the main part."""
    assert entity.parts[0].name == ""
    return entity.parts[0].property


def act(entity: Entity, name: str, **arguments: Any) -> list[Publish]:
    """Do what an action does, and take it to be published."""
    action = next(action for action in entity.actions if action.name == name)
    published = list(action.plan(**arguments))
    if action.done is not None:
        action.done(**arguments)
    return published


def write(entity: Entity, value: Any, part: str = "") -> Publish:
    """Set a part, and take it to be published; return the one message that takes."""
    (published,) = entity.write(part, value)
    entity.wrote(part, value)
    return published
