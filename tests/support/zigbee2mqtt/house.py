"""The devices of the house: what they are, in the words of real ones."""

from collections.abc import Mapping
from dataclasses import dataclass

Knows = Mapping[str, Mapping[str, float]]
"""Attributes by cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One Zigbee device.

    Attributes:
        name: what Zigbee2MQTT calls it.
        model: what it says of itself; Zigbee2MQTT knows it by that.
        maker: the same.
        address: its network address; its IEEE address ends with it.
        endpoints: what it knows, by endpoint; what is empty has the cluster and knows nothing.
        sends: clusters that it commands, as a remote does.
        battery: whether it sleeps.
        unheard: hours since it was last heard.
    """

    name: str
    model: str
    maker: str
    address: int
    endpoints: Mapping[int, Knows]
    sends: tuple[str, ...] = ()
    battery: bool = False
    unheard: float = 0.0

    @property
    def ieee(self) -> str:
        """Its IEEE address."""
        return f"0xa4c138{self.address:010x}"


PLUG = Simulated(
    name="plug",
    model="SP 120",
    maker="innr",
    address=1000,
    endpoints={1: {"genOnOff": {"onOff": 0}, "haElectricalMeasurement": {"activePower": 0}}},
)
WASHER = Simulated(
    name="washer",
    model="INSPELNING Smart plug",
    maker="IKEA of Sweden",
    address=1001,
    endpoints={
        1: {
            "genOnOff": {"onOff": 0},
            "haElectricalMeasurement": {
                **dict.fromkeys(("acPowerMultiplier", "acVoltageMultiplier", "acCurrentMultiplier"), 1),
                "acPowerDivisor": 10,
                "acVoltageDivisor": 10,
                "acCurrentDivisor": 1000,
                "activePower": 0,
                "rmsVoltage": 2301,
                "rmsCurrent": 0,
            },
            "seMetering": {"multiplier": 1, "divisor": 1000, "currentSummDelivered": 0},
        }
    },
)
LAMP = Simulated(
    name="hall/lamp",
    model="TRADFRI bulb E27 WS opal 980lm",
    maker="IKEA of Sweden",
    address=1002,
    endpoints={
        1: {
            "genOnOff": {"onOff": 0},
            "genLevelCtrl": {"currentLevel": 127},
            "lightingColorCtrl": {"colorTemperature": 370, "colorMode": 2, "colorCapabilities": 16},
        }
    },
)
COLOURS = Simulated(
    name="Büro Licht",
    model="LCT001",
    maker="Philips",
    address=1003,
    endpoints={
        11: {
            "genOnOff": {"onOff": 0},
            "genLevelCtrl": {"currentLevel": 127},
            "lightingColorCtrl": {
                "currentX": 30000,
                "currentY": 26000,
                "enhancedCurrentHue": 20000,
                "currentSaturation": 100,
                "colorTemperature": 370,
                "colorMode": 1,
                "colorCapabilities": 31,
            },
        }
    },
)
BLIND = Simulated(
    name="blind",
    model="J1 (5502)",
    maker="ubisys",
    address=1004,
    endpoints={
        1: {
            "closuresWindowCovering": {
                "windowCoveringType": 8,
                "currentPositionLiftPercentage": 40,
                "currentPositionTiltPercentage": 20,
            }
        },
        2: {},
        3: {"seMetering": {"multiplier": 1, "divisor": 1000, "currentSummDelivered": 0, "instantaneousDemand": 0}},
    },
)
RADIATOR = Simulated(
    name="radiator",
    model="TRVZB",
    maker="SONOFF",
    address=1005,
    endpoints={
        1: {
            "hvacThermostat": {
                "localTemp": 1930,
                "occupiedHeatingSetpoint": 2000,
                "systemMode": 4,
                "runningState": 0,
                "localTemperatureCalibration": 0,
            },
            "genPowerCfg": {"batteryPercentageRemaining": 180},
        }
    },
    battery=True,
)
CELLAR = Simulated(
    name="cellar",
    model="SNZB-02",
    maker="eWeLink",
    address=1006,
    endpoints={1: {"msTemperatureMeasurement": {}, "msRelativeHumidity": {}, "genPowerCfg": {}}},
    battery=True,
)
DOOR = Simulated(
    name="front door",
    model="lumi.sensor_magnet.aq2",
    maker="LUMI",
    address=1007,
    endpoints={1: {"genOnOff": {}}},
    battery=True,
    unheard=48.0,
)
REMOTE = Simulated(
    name="remote",
    model="TRADFRI remote control",
    maker="IKEA of Sweden",
    address=1008,
    endpoints={1: {"genPowerCfg": {"batteryPercentageRemaining": 87}}},
    sends=("genOnOff", "genLevelCtrl", "genScenes"),
    battery=True,
)
SWITCHES = Simulated(
    name="switches",
    model="lumi.ctrl_ln2.aq1",
    maker="LUMI",
    address=1009,
    endpoints={1: {"genOnOff": {"onOff": 0}}, 2: {"genOnOff": {"onOff": 0}}},
)
LOCK = Simulated(
    name="lock",
    model="YRD226 TSDB",
    maker="Yale",
    address=1010,
    endpoints={1: {"closuresDoorLock": {"lockState": 1}, "genPowerCfg": {"batteryPercentageRemaining": 150}}},
    battery=True,
)
FAN = Simulated(
    name="ceiling fan",
    model="HBUniversalCFRemote",
    maker="King Of Fans,  Inc.",
    address=1011,
    endpoints={
        1: {"genOnOff": {"onOff": 0}, "genLevelCtrl": {"currentLevel": 127}, "hvacFanCtrl": {"fanMode": 2}},
    },
)
SMOKE = Simulated(
    name="smoke",
    model="SMSZB-120",
    maker="frient A/S",
    address=1012,
    endpoints={35: {"ssIasZone": {"zoneState": 1, "zoneStatus": 0}, "genPowerCfg": {"batteryVoltage": 30}}},
    battery=True,
)
HOUSE = (PLUG, WASHER, LAMP, COLOURS, BLIND, RADIATOR, CELLAR, DOOR, REMOTE, SWITCHES, LOCK, FAN, SMOKE)
