"""What is asked of an entity that strangers configured and told things: that it shows only what it may, and works."""

import inspect
import json
from collections.abc import Sequence
from random import Random

from jidget.mqtt.entity import Entity
from jidget_drivers import Kind, Property, Scalar, WriteRefused
from jidget_drivers.properties import misfit


def check(entity: Entity) -> None:
    """Check that what it shows is what its properties can show."""
    assert isinstance(entity.state, str)
    properties = {part.name: part.property for part in entity.parts}
    assert entity.values.keys() <= properties.keys()
    for name, value in entity.values.items():
        if value is not None:
            assert not misfit(properties[name], value), (name, value)
    json.dumps(entity.attributes)


def use(entity: Entity, random: Random, texts: Sequence[str]) -> None:
    """Set and do all there is, with one of the texts for each that wants a text."""
    for part in entity.parts:
        if part.property.writable:
            value = _value(part.property, random, texts)
            try:
                published = entity.write(part.name, value)
            except WriteRefused:
                continue
            assert all(isinstance(each.payload, str | bytes) for each in published)
            entity.wrote(part.name, value)
            check(entity)
    for action in entity.actions:
        needed = [p.name for p in inspect.signature(action.plan).parameters.values() if p.default is p.empty]
        arguments = dict.fromkeys(needed, "12")
        try:
            published = action.plan(**arguments)
        except WriteRefused:
            continue
        assert all(isinstance(each.payload, str | bytes) for each in published)
        if action.done is not None:
            action.done(**arguments)
        check(entity)


def _value(prop: Property, random: Random, texts: Sequence[str]) -> Scalar:
    match prop.kind:
        case Kind.BOOLEAN:
            return random.choice([True, False])
        case Kind.ENUM:
            return random.choice(prop.options)
        case Kind.STRING:
            return random.choice(texts)
    low, high = prop.minimum or 0, prop.maximum if prop.maximum is not None else 100
    return int(low) if prop.kind is Kind.INTEGER else random.choice([low, high, (low + high) / 3])
