"""Nothing in a discovery payload or a message makes a kind raise anything but what it says it raises."""

from random import Random
from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, entity_of, tell
from tests.support.mqtt_strangers import check, use

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds import KINDS

TEXTS = ("", "hi", "2026-01-01", "18:00", "\ud800")
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
            check(entity)
        use(entity, random, TEXTS)
    assert built > 20
