"""Which entities are bridged: what `include` and `exclude` of `[mqtt]` mean."""

import pytest

from jidget.config.mqtt import SUBJECTS, MqttConfig
from jidget.mqtt.model import Device, EntityConfig
from jidget.mqtt.selection import Selection

PLUG = Device(
    identifiers=("zigbee2mqtt_0x00158d0001a2b3c4",),
    name="Kitchen plug",
    manufacturer="IKEA of Sweden",
    model="TRETAKT smart plug",
    area="Kitchen",
)
QUALITY = EntityConfig(
    kind="sensor",
    topic="homeassistant/sensor/0x00158d0001a2b3c4/linkquality/config",
    unique_id="0x00158d0001a2b3c4_linkquality_zigbee2mqtt",
    object_id="kitchen_plug_linkquality",
    name="Linkquality",
    device=PLUG,
    category="diagnostic",
    origin="Zigbee2MQTT",
    keys={},
)
BARE = EntityConfig(kind="switch", topic="homeassistant/switch/x/config", object_id="x", keys={})
NOBODY = Device(identifiers=("homeassistant/switch/x/config",))


def wants(**patterns: tuple[str, ...]) -> bool:
    return Selection(MqttConfig(**patterns)).wants(QUALITY, PLUG, "kitchen_plug")


FITTING = [
    "*",
    "Kitchen plug",
    "kitchen PLUG",
    "kitchen*",
    "kitchen_plug",
    "*_linkquality",
    "linkquality",
    "*0x00158d0001a2b3c4*",
    "device:kitchen?plug",
    "device:*158d0001a2b3c4",
    "device:kitchen_plug",
    "entity:*_linkquality",
    "entity:*_zigbee2mqtt",
    "kind:sensor",
    "kind:s*",
    "category:diagnostic",
    "area:kitchen",
    "model:*smart plug",
    "model:ikea*",
    "origin:zigbee2mqtt",
]
NOT_FITTING = [
    "kitchen",
    "sensor",
    "diagnostic",
    "ikea*",
    "device:linkquality",
    "entity:kitchen plug",
    "kind:switch",
    "category:config",
    "area:*garage*",
    "model:kitchen*",
    "origin:tasmota",
]


@pytest.mark.parametrize("pattern", FITTING)
def test_patterns_that_fit(pattern: str) -> None:
    assert wants(include=(pattern,))
    assert not wants(exclude=(pattern,))
    assert not wants(include=(pattern,), exclude=(pattern,))
    assert wants(include=("nothing", pattern), exclude=("nothing",))


@pytest.mark.parametrize("pattern", NOT_FITTING)
def test_patterns_that_do_not_fit(pattern: str) -> None:
    assert not wants(include=(pattern,))
    assert wants(exclude=(pattern,))


def test_everything_is_wanted_unless_something_else_is_said() -> None:
    assert wants()
    assert Selection(MqttConfig()).wants(BARE, NOBODY)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_may_be_missing(subject: str) -> None:
    assert Selection(MqttConfig(exclude=(f"{subject}:nothing",))).wants(BARE, NOBODY)
    has_one = subject in ("device", "entity", "kind")
    assert Selection(MqttConfig(include=(f"{subject}:*",))).wants(BARE, NOBODY) is has_one
