"""Nothing in a discovery payload or a message makes a kind raise anything but what it says it raises."""

import json
from random import Random
from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, entity_of, tell

from jidget.mqtt.entity import BadConfig, Entity
from jidget.mqtt.kinds import KINDS
from jidget_drivers import Kind, Property, Scalar, WriteRefused
from jidget_drivers.properties import misfit

ODD: list[Any] = [
    None, True, False, 0, -1, 3, 1e308, 1.5, float("inf"), float("nan"), 10**400, "", " ", "on", "OFF", "None", "50",
    "a" * 300, "{{ value }}", "{{ value", "{{ value_json.x.y }}", "\0", "\ud800", "a/+/b", "#", [], ["a", "a"], [[]],
    [1, None], {}, {"a": 1}, {"topic": "x"},
]  # fmt: skip
PAYLOADS: list[str | bytes] = [
    "", " ", "ON", "OFF", "None", "50", "-1", "1e400", "nan", "NaN", "Infinity", "\0", b"\xff\xfe", b"\x80",
    "a" * 70_000, "1" * 5000, "[" * 5000, "{}", "[]", "null", "true", '{"state": null}', '{"state": {"a": 1}}',
    '{"state": "ON", "brightness": "x", "color": 7, "color_temp": []}', '{"position": "half", "state": 3}',
    '{"event_type": {}}', '{"latitude": 1e999, "longitude": true}', '{"installed_version": [], "latest_version": 1}',
    '{"self": 1, "name": 2, "update_percentage": true, "a": "\\ud800"}', '{"state": NaN, "volume_level": Infinity}',
]  # fmt: skip
BASIS: dict[str, Any] = {
    "state_topic": TOPIC, "command_topic": COMMAND, "topic": TOPIC, "json_attributes_topic": TOPIC,
    "options": ["a", "b"], "event_types": ["a"], "automation_type": "trigger", "type": "a", "subtype": "b",
    "latest_version_topic": TOPIC, "payload_install": "go", "expire_after": 5, "off_delay": 1,
    "available_tones": ["a"], "payload_open": "OPEN", "code_format": "[0-9]",
}  # fmt: skip
KEYS = [
    *BASIS, "value_template", "command_template", "device_class", "unit_of_measurement", "state_class", "name", "qos",
    "retain", "encoding", "optimistic", "min", "max", "step", "payload_on", "payload_off", "state_on", "state_off",
    "payload_reset", "mode", "pattern", "reports_position", "position_open", "position_closed", "support_duration",
    "state_value_template", "json_attributes_template", "last_reset_value_template", "suggested_display_precision",
    "payload_press", "payload_stop", "state_open", "payload_home", "latest_version_template", "command_off_template",
]  # fmt: skip
OTHERS = {"light", "cover", "fan", "climate", "vacuum", "humidifier", "water_heater", "lawn_mower", "camera", "image"}
COMMON = sorted(KINDS - OTHERS - {"alarm_control_panel"})
"""Those of one value or none; the others have tests of their own."""


@pytest.mark.parametrize("kind", COMMON)
def test_odd_keys_and_payloads(kind: str) -> None:
    random = Random(kind)
    built = 0
    for _ in range(400):
        keys = dict(BASIS)
        if kind == "valve":
            del keys["payload_open"]
        for key in random.sample(KEYS, random.randint(0, 3)):
            keys[key] = random.choice(ODD)
        try:
            entity = entity_of(kind, **keys)
        except BadConfig as error:
            assert len(str(error)) < 500
            continue
        built += 1
        for payload in random.sample(PAYLOADS, 8):
            tell(entity, payload)
            _check(entity)
        _use(entity, random)
    assert built > 20


def _check(entity: Entity) -> None:
    """Check that what it shows is what its properties can show."""
    assert isinstance(entity.state, str)
    properties = {part.name: part.property for part in entity.parts}
    assert entity.values.keys() <= properties.keys()
    for name, value in entity.values.items():
        if value is not None:
            assert not misfit(properties[name], value), (name, value)
    json.dumps(entity.attributes)


def _use(entity: Entity, random: Random) -> None:
    for part in entity.parts:
        if part.property.writable:
            value = _value(part.property, random)
            try:
                entity.write(part.name, value)
                entity.wrote(part.name, value)
            except WriteRefused:
                continue
            _check(entity)
    for action in entity.actions:
        arguments = {"message": "hi"} if action.name == "send" else {}
        try:
            published = action.plan(**arguments)
        except WriteRefused:
            continue
        assert all(isinstance(each.payload, str | bytes) for each in published)
        if action.done is not None:
            action.done(**arguments)


def _value(prop: Property, random: Random) -> Scalar:
    match prop.kind:
        case Kind.BOOLEAN:
            return random.choice([True, False])
        case Kind.ENUM:
            return random.choice(prop.options)
        case Kind.STRING:
            return random.choice(["", "hi", "2026-01-01", "18:00", "\ud800"])
    low = prop.minimum if prop.minimum is not None else 0
    high = prop.maximum if prop.maximum is not None else 100
    return int(low) if prop.kind is Kind.INTEGER else random.choice([low, high])
