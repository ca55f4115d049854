"""mqtt-io, the program from PyPI, with pins on its standard output and a sensor that always says the same."""

import json
from pathlib import Path
from typing import ClassVar

from tests.bench.venvs import CACHE, mqtt_python

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.process import ServerProcess

PREFIX = "home/garage"


class MqttIo(ServerProcess):
    """One mqtt-io on a private broker. Its environment is made at the first start and kept for the next time."""

    name: ClassVar[str] = "mqtt-io"
    programs: ClassVar = {}

    def __init__(self, root: Path, broker: Mosquitto) -> None:
        super().__init__(root)
        self._broker = broker
        self._config = self.root / "mqtt-io.yml"
        self._python = Path()

    def prepare(self) -> None:
        """Write the configuration: JSON is YAML, too."""
        self._python = mqtt_python(CACHE / "mqtt")
        mqtt = {
            "host": self._broker.host,
            "port": self._broker.port,
            "topic_prefix": PREFIX,
            "client_id": "garage-pi",
            "ha_discovery": {"enabled": True, "name": "Garage Pi"},
        }
        relay = {
            "name": "relay",
            "module": "stdio",
            "pin": 20,
            "on_payload": "ON",
            "off_payload": "OFF",
            "publish_initial": True,
            "retain": True,
            "initial": "low",
            "ha_discovery": {"name": "Pump relay"},
        }
        door = {
            "name": "door",
            "module": "stdio",
            "pin": 22,
            "on_payload": "OPEN",
            "off_payload": "CLOSED",
            "poll_interval": 1,
            "retain": True,
            "ha_discovery": {"device_class": "door", "name": "Garage door"},
        }
        tank = {
            "name": "tank",
            "module": "mock",
            "interval": 1,
            "digits": 2,
            "ha_discovery": {"device_class": "temperature", "unit_of_measurement": "°C", "name": "Tank temperature"},
        }
        config = {
            "mqtt": mqtt,
            "gpio_modules": [{"name": "stdio", "module": "stdio"}],
            "digital_inputs": [door],
            "digital_outputs": [relay],
            "sensor_modules": [{"name": "mock", "module": "mock"}],
            "sensor_inputs": [tank],
        }
        self._config.write_text(json.dumps(config), encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(self._python), "-u", "-m", "mqtt_io", str(self._config)]

    def answers(self) -> bool:
        """Say whether it is connected, as it prints."""
        return "Connected to MQTT" in self.said

    @property
    def said(self) -> str:
        """Return what it printed: every change of a pin."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""
