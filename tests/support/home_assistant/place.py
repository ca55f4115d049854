"""Things that are announced, and the agent that has them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.accounts import Accounts
from tests.support.agents import write_config

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

THINGS = """
[things.pump]
driver = "simulated"
label = "PLACE pump"
interval = "100ms"
[things.pump.options]
record = "pump.record"
[things.pump.options.properties]
state = { type = "boolean", writable = true }
[things.pump.safety]
safe = false
RULES
[things.room]
driver = "simulated"
label = "PLACE room"
interval = "100ms"
[things.room.options]
record = "room.record"
[things.room.options.properties]
target = { unit = "Cel", writable = true, min = 5, max = 30, initial = 20, precision = 1 }
mode = { type = "enum", options = ["off", "eco", "comfort"], writable = true }
note = { type = "string", writable = true }
speed = { type = "integer", writable = true }

[things.gate]
driver = "simulated"
label = "PLACE gate"
interval = "100ms"
[things.gate.options.properties]
state = { type = "boolean", writable = true }
[things.gate.safety]
confirm = true

[things.valve]
driver = "simulated"
label = "PLACE valve"
interval = "100ms"
[things.valve.options.properties]
state = { type = "boolean", writable = true }
"""
AIR = """
[things.air]
driver = "simulated"
label = "PLACE air"
interval = "100ms"
[things.air.options.properties]
temperature = { unit = "Cel", low = 21.5, high = 21.5 }
humidity = { unit = "%RH", low = 48, high = 48 }
update = { type = "boolean", label = "Window", period = "1h" }
level = { type = "enum", options = ["good", "bad"], period = "1h" }
said = { type = "string", initial = "all is well" }
energy = { unit = "kWh", low = 12, high = 12 }
dust = { unit = "ug/m3", low = 7, high = 7 }

[things.meter]
driver = "simulated"
label = "PLACE meter"
interval = "100ms"
[things.meter.options.properties]
volume = { unit = "l", low = 3, high = 3, precision = 0 }
"""
MAY = {"mqtt": '{ role = "operator", things = ["pump", "room", "gate"] }'}


class Place:
    """Where the Things of one test are: the configuration of the agent that has them."""

    def __init__(self, directory: Path, account: Accounts, server: Prosody, broker: Mosquitto, name: str) -> None:
        self.directory = directory / "agent"
        self.device = f"jidget-{name}"
        self._name = name
        self._account = account(server, name)
        self.agent = f"Jidget {self._account.jid}/agent"
        self._broker = broker

    def config(
        self, grants: Mapping[str, str] = MAY, *, things: str = THINGS, rules: str = "", announce: bool = True
    ) -> Path:
        """Write it."""
        table = f'[mqtt]\nhost = "{self._broker.host}"\nport = {self._broker.port}\nclient_id = "{self.device}"\n'
        table += f"announce = {str(announce).lower()}\n"
        text = (things + table).replace("PLACE", self._name.capitalize()).replace("RULES", rules)
        return write_config(self.directory, self._account, grants, things=text)

    def done(self, thing_id: str) -> list[tuple[str, Any]]:
        """Return what a Thing was really made to do: the property and the value."""
        file = self.directory / f"{thing_id}.record"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        parts = (line.split(" ", 2) for line in lines)
        return [(name, json.loads(value)) for _, name, value in parts]
