"""A large house on a broker: devices as Zigbee2MQTT announces them, eight entities each, all in one state topic."""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from jidget.demo.mosquitto import Mosquitto

ENTITIES = 8
"""Entities of each device."""
_FEATURES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "state": ("switch", {"payload_on": "ON", "payload_off": "OFF", "name": None}),
    "power": ("sensor", {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement"}),
    "energy": ("sensor", {"device_class": "energy", "unit_of_measurement": "kWh", "state_class": "total_increasing"}),
    "temperature": ("sensor", {"device_class": "temperature", "unit_of_measurement": "°C"}),
    "overload": ("binary_sensor", {"device_class": "problem", "payload_on": True, "payload_off": False}),
    "power_limit": ("number", {"min": 0, "max": 3680, "step": 1, "unit_of_measurement": "W"}),
    "power_on_behavior": ("select", {"options": ["off", "on", "previous"], "entity_category": "config"}),
    "linkquality": ("sensor", {"entity_category": "diagnostic", "enabled_by_default": False}),
}


def thing_of(number: int) -> str:
    """Return the id of the Thing of a device."""
    return f"plug_{number}"


def topic_of(number: int) -> str:
    """Return the state topic of a device."""
    return f"zigbee2mqtt/plug_{number}"


def configs_of(number: int) -> Iterator[tuple[str, str]]:
    """Yield discovery topics and payloads of one device."""
    state, identifier = topic_of(number), f"0x{number:016x}"
    for feature, (kind, keys) in _FEATURES.items():
        settable = kind in ("switch", "number", "select")
        config = {
            "name": feature.replace("_", " ").capitalize(),
            "object_id": f"plug_{number}_{feature}",
            "unique_id": f"{identifier}_{feature}_zigbee2mqtt",
            "state_topic": state,
            "value_template": f"{{{{ value_json.{feature} }}}}",
            **({"command_topic": f"{state}/set/{feature}"} if settable else {}),
            "availability": [
                {"topic": "zigbee2mqtt/bridge/state", "value_template": "{{ value_json.state }}"},
                {"topic": f"{state}/availability", "value_template": "{{ value_json.state }}"},
            ],
            "availability_mode": "all",
            "device": {"identifiers": [f"zigbee2mqtt_{identifier}"], "name": f"Plug {number}", "model": "A plug"},
            "origin": {"name": "Zigbee2MQTT", "sw": "2.14.1"},
            **keys,
        }
        yield f"homeassistant/{kind}/{identifier}/{feature}/config", json.dumps(config)


def state_of(power: float = 1.5) -> str:
    """Return a state of a device."""
    told = {"state": "ON", "power": power, "energy": 12.25, "temperature": 21.5, "overload": False}
    return json.dumps({**told, "power_limit": 3000, "power_on_behavior": "previous", "linkquality": 120})


def house_of(devices: int) -> Iterator[tuple[str, str]]:
    """Yield all that such a house publishes retained: configs, availability and states."""
    for number in range(devices):
        yield from configs_of(number)
    yield "zigbee2mqtt/bridge/state", '{"state": "online"}'
    for number in range(devices):
        yield f"{topic_of(number)}/availability", '{"state": "online"}'
        yield topic_of(number), state_of()


class Speaker:
    """A client of the broker that only speaks, without a library: messages of QoS 0, as fast as the socket takes them.

    All of it blocks.
    """

    def __init__(self, broker: Mosquitto, name: str = "speaker") -> None:
        self._connection = socket.create_connection((broker.host, broker.port))
        client = len(name).to_bytes(2, "big") + name.encode()
        # CONNECT of MQTT 3.1.1 (3.1) with a clean session and no keep-alive
        self._connection.sendall(bytes([0x10, 10 + len(client)]) + b"\x00\x04MQTT\x04\x02\x00\x00" + client)
        self._connection.recv(4)

    def says(self, messages: Iterator[tuple[str, str]], *, retain: bool = False) -> None:
        """Publish, and wait until the broker has taken all of it."""
        self._connection.sendall(b"".join(publish_packet(topic, payload, retain) for topic, payload in messages))
        self._connection.sendall(b"\xc0\x00")  # PINGREQ (3.12): its answer comes after all that was sent before
        self._connection.recv(2)

    def close(self) -> None:
        """Say goodbye."""
        self._connection.sendall(b"\xe0\x00")
        self._connection.close()


def publish_packet(topic: str, payload: str, retain: bool = False) -> bytes:
    """Return a PUBLISH of QoS 0 (MQTT 3.1.1 3.3)."""
    rest = len(topic.encode()).to_bytes(2, "big") + topic.encode() + payload.encode()
    length, left = bytearray(), len(rest)
    while True:
        left, digit = left // 128, left % 128
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([0x31 if retain else 0x30]) + bytes(length) + rest
