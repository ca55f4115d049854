"""The files in which Zigbee2MQTT keeps its settings and its devices."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.zigbee2mqtt.house import Knows, Simulated

_COORDINATOR = "0x00124b0000000001"
_HOME_AUTOMATION = 260
_CLUSTERS = {
    "genBasic": 0,
    "genPowerCfg": 1,
    "genIdentify": 3,
    "genGroups": 4,
    "genScenes": 5,
    "genOnOff": 6,
    "genLevelCtrl": 8,
    "genMultistateInput": 18,
    "closuresDoorLock": 257,
    "closuresWindowCovering": 258,
    "hvacThermostat": 513,
    "hvacFanCtrl": 514,
    "lightingColorCtrl": 768,
    "msTemperatureMeasurement": 1026,
    "msRelativeHumidity": 1029,
    "ssIasZone": 1280,
    "seMetering": 1794,
    "haElectricalMeasurement": 2820,
}
"""Numbers of clusters, as in the ZCL specification."""


def write_data(directory: Path, broker: str, house: Iterable[Simulated], *, announces: bool) -> None:
    """Write `configuration.yaml`, which is JSON, and `database.db`; what is there is left as it is.

    It looks for no firmware and shows no page: it is to reach nothing but the broker. It watches which devices are
    there, and announces them to Home Assistant or not, which is its default.
    """
    directory.mkdir(exist_ok=True)
    if (directory / "database.db").exists():
        return
    house = list(house)
    told = {
        "version": 5,
        "mqtt": {"server": broker},
        "serial": {"port": "/dev/null", "adapter": "ember"},
        "frontend": {"enabled": False},
        "homeassistant": {"enabled": announces},
        "availability": {"enabled": True},
        "ota": {"disable_automatic_update_check": True},
        "advanced": {
            "log_output": ["console"],
            "log_level": "info",
            "channel": 11,
            "pan_id": 6754,
            "network_key": list(range(1, 17)),
            "ext_pan_id": [221] * 8,
        },
        "devices": {each.ieee: {"friendly_name": each.name} for each in house},
    }
    (directory / "configuration.yaml").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    rows = [_coordinator(), *(_row(number, device) for number, device in enumerate(house, 2))]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "database.db").write_text(text, encoding="utf-8")


def attributes_of(house: Iterable[Simulated]) -> dict[str, float]:
    """Return what the devices know at first, as `radio.cjs` wants it."""
    return {
        f"{device.address}/{endpoint}/{cluster}/{name}": value
        for device in house
        for endpoint, clusters in device.endpoints.items()
        for cluster, known in clusters.items()
        for name, value in known.items()
    }


def _row(number: int, device: Simulated) -> dict[str, Any]:
    takes = ("genBasic", "genIdentify", "genGroups")
    endpoints = {
        endpoint: _endpoint(endpoint, (*takes, *clusters), device.sends, clusters)
        for endpoint, clusters in device.endpoints.items()
    }
    return {
        "id": number,
        "type": "EndDevice" if device.battery else "Router",
        "ieeeAddr": device.ieee,
        "nwkAddr": device.address,
        "manufId": 4476,
        "manufName": device.maker,
        "modelId": device.model,
        "powerSource": "Battery" if device.battery else "Mains (single phase)",
        "epList": list(endpoints),
        "endpoints": endpoints,
        "interviewCompleted": True,
        "interviewState": "SUCCESSFUL",
        "meta": {"configured": "0.0.0"},
        "lastSeen": int((time.time() - device.unheard * 3600) * 1000),
    }


def _coordinator() -> dict[str, Any]:
    return {
        "id": 1,
        "type": "Coordinator",
        "ieeeAddr": _COORDINATOR,
        "nwkAddr": 0,
        "manufId": 0,
        "epList": [1],
        "endpoints": {1: _endpoint(1, (), (), {})},
        "interviewCompleted": True,
        "interviewState": "SUCCESSFUL",
        "meta": {},
    }


def _endpoint(number: int, takes: Iterable[str], sends: Iterable[str], known: Knows) -> dict[str, Any]:
    return {
        "profId": _HOME_AUTOMATION,
        "epId": number,
        "inClusterList": [_CLUSTERS[name] for name in takes],
        "outClusterList": [_CLUSTERS[name] for name in sends],
        "clusters": {name: {"attributes": dict(values)} for name, values in known.items() if values},
        "binds": [],
        "configuredReportings": [],
        "meta": {},
    }
