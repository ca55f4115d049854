"""Devices on the network that stand in for those of the examples: where an example has an address, theirs is put."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.hardware_http import JsonServer, Page
from tests.support.hardware_modbus import ModbusServer

METER = {
    1: {
        "input": {0: [0x4366, 0x8000, 0x40A0, 0], 72: [0, 12345]},
        "holding": {10: [160, 1], 20: [0]},
        "coil": {0: [0] * 16},
    }
}
"""What the example's energy meter holds: 230.5 V, 5 A, 123.45 kWh, a limit of 16 A, the night tariff."""
PLUG = '{"id": 0, "output": true, "apower": 86.4, "temperature": {"tC": 31.5, "tF": 88.7}}'


@contextmanager
def stand_in(driver: str) -> Iterator[dict[str, Any]]:
    """Serve what the example of `driver` asks for and give the options that lead there; none for other drivers."""
    match driver:
        case "modbus":
            with ModbusServer(METER) as meter:
                yield {"host": "127.0.0.1", "port": meter.port}
        case "http-json":
            with JsonServer(lambda _: Page(PLUG)) as plug:
                yield {"url": f"{plug.url}/rpc/Switch.GetStatus?id=0"}
        case _:
            yield {}
