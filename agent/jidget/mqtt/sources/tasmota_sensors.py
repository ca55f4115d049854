"""What a Tasmota device measures, and what is pressed on it, as configs."""

from collections.abc import Iterator
from typing import Any

from jidget.mqtt.model import EntityConfig
from jidget.mqtt.sources.source import as_text, path
from jidget.mqtt.sources.tasmota_device import TasmotaDevice

_NO_SENSORS = frozenset({"Time", "PN532", "RDM6300"})
_MOST = 500

_LASTING = frozenset({1, 2, 3, 4, 5, 6, 9, 10, 13, 14, 15, 16})
"""`SwitchMode`s in which a switch is on or off."""
_PULSES = frozenset({13, 14})
"""Those in which it goes off by itself, after a second."""
_PRESSED = frozenset({0, 3, 4, 5, 6, 7, 8, 11, 12})
_HELD = {5: "hold", 6: "hold", 8: "double", 9: "double", 10: "double"}
"""By `SwitchMode`, what `HOLD` says. https://tasmota.github.io/docs/Buttons-and-Switches/#switchmode."""
_CLICKS = ("single", "double", "triple", "quad", "penta", "hold")

_UNITS = {
    "": "TotalStartTime Factor",
    "%": "Battery Humidity Moisture",
    "A": "Current CurrentNeutral",
    "Hz": "Frequency",
    "K": "CCT",
    "V": "Voltage",
    "VA": "ApparentPower",
    "W": "ActivePower Power",
    "cm": "Distance",
    "kWh": "Energy ExportActive ExportTariff ImportActive Today Total TotalTariff Yesterday",
    "kg": "Weight",
    "kvarh": "ExportReactive ImportReactive",
    "lx": "Ambient Illuminance",
    "ppb": "TVOC",
    "ppd": "PB0.3 PB0.5 PB1 PB10 PB2.5 PB5",
    "ppm": "CarbonDioxide eCO2",
    "var": "ReactivePower",
    "°": "PhaseAngle",
    "µg/m³": "CF1 CF10 CF2.5 PM1 PM10 PM2.5",
}
_UNIT_OF = {quantity: unit for unit, quantities in _UNITS.items() for quantity in quantities.split()}
_TOLD_UNITS = {
    "DewPoint": "TempUnit",
    "Pressure": "PressureUnit",
    "SeaPressure": "PressureUnit",
    "Speed": "SpeedUnit",
    "Temperature": "TempUnit",
}
"""Quantities whose unit is in the readings, and where."""
_CLASSES = {
    "ApparentPower": "apparent_power",
    "Battery": "battery",
    "CarbonDioxide": "carbon_dioxide",
    "Current": "current",
    "Factor": "power_factor",
    "Frequency": "frequency",
    "Humidity": "humidity",
    "Illuminance": "illuminance",
    "Power": "power",
    "Pressure": "pressure",
    "SeaPressure": "pressure",
    "Temperature": "temperature",
    "DewPoint": "temperature",
    "Today": "energy",
    "Total": "energy",
    "Voltage": "voltage",
    "Yesterday": "energy",
}


def inputs(device: TasmotaDevice) -> Iterator[EntityConfig]:
    """Go through switches and buttons that are wired to the device."""
    names = device.names("swn")
    for index, mode in enumerate(device.numbers("swc")):
        name = names[index] if index < len(names) and names[index] else f"Switch{index + 1}"
        if not _is_plain(name):
            continue
        if mode in _LASTING:
            yield _switch(device, index, name, mode)
        happens = {device.toggle: "press"} if mode in _PRESSED else {}
        if mode in _HELD:
            happens[device.hold] = _HELD[mode]
        if happens:
            yield _happening(device, f"switch_{index + 1}", name, happens)
    for index, button in enumerate(device.numbers("btn")):
        if button and device.option(73):
            clicks = {click.upper(): click for click in _CLICKS}
            yield _happening(device, f"button_{index + 1}", f"Button{index + 1}", clicks)


def _switch(device: TasmotaDevice, index: int, name: str, mode: int) -> EntityConfig:
    return device.publisher.entity(
        "binary_sensor",
        f"{device.mac}_binary_sensor_switch_{index}",
        name,
        name=name,
        state_topic=device.sensor,
        value_template=f"{{{{ {_of(name)}.Action | default({_of(name)}) }}}}",
        payload_on=device.on,
        payload_off=device.off,
        off_delay=1 if mode in _PULSES else None,
    )


def _happening(device: TasmotaDevice, what: str, name: str, happens: dict[str, str]) -> EntityConfig:
    known = ", ".join(f"'{word}': '{event}'" for word, event in happens.items() if _is_plain(word))
    return device.publisher.entity(
        "event",
        f"{device.mac}_event_{what}",
        f"{name}_event",
        name=f"{name} event",
        state_topic=device.sensor,
        value_template=f'{{"event_type": {{{{ {{{known}}}[{_of(name)}.Action] | default("") | tojson }}}}}}',
        event_types=list(dict.fromkeys(happens.values())),
    )


def _of(name: str) -> str:
    return f'value_json["{name}"]'


def _is_plain(name: str) -> bool:
    try:
        path(name)
    except ValueError:
        return False
    return True


def sensors(device: TasmotaDevice, told: dict[str, Any]) -> Iterator[EntityConfig]:
    """Go through readings, as they were when the device announced them."""
    for number, (steps, quantity, value) in enumerate(_readings(told)):
        if number >= _MOST:
            return
        try:
            yield _sensor(device, told, steps, quantity, value)
        except ValueError:  # a name that no template can have in it
            continue
    for name, unit in (("RSSI", "%"), ("Signal", "dBm")):
        yield device.publisher.entity(
            "sensor",
            f"{device.mac}_status_sensor_status_sensor_status_{name.lower()}",
            f"wifi_{name.lower()}",
            name=f"Wi-Fi {name}",
            category="diagnostic",
            enabled=False,
            state_topic=device.state,
            value_template=path("Wifi", name),
            unit_of_measurement=unit,
            state_class="measurement",
        )


def _readings(told: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    """Go through the readings of all sensors: where each is, what it measures, and what it was."""
    for sensor, readings in told.items():
        if sensor in _NO_SENSORS or not isinstance(readings, dict):
            continue
        for name, value in readings.items():
            quantity = "" if sensor in ("AS3935", "LD2410") and name == "Energy" else name
            if sensor == "ANALOG":
                quantity = name.rstrip("0123456789")
            if isinstance(value, dict):
                for inner, reading in value.items():
                    yield (sensor, name, inner), inner if inner in _UNIT_OF else quantity, reading
            elif isinstance(value, list):
                for index, reading in enumerate(value):
                    yield (sensor, name, index), quantity, reading
            else:
                yield (sensor, name), quantity, value


def _sensor(
    device: TasmotaDevice, told: dict[str, Any], steps: tuple[str | int, ...], quantity: str, value: Any
) -> EntityConfig:
    if quantity in _TOLD_UNITS:
        unit = as_text(told.get(_TOLD_UNITS[quantity]))
        unit = f"°{unit}" if unit in ("C", "F") else unit
    else:
        unit = _UNIT_OF.get(quantity, "")
    numeric = isinstance(value, int | float)
    return device.publisher.entity(
        "sensor",
        "_".join([device.mac, "sensor", "sensor", *map(str, steps)]),
        "_".join(map(str, steps)),
        name=" ".join(map(str, steps)),
        state_topic=device.sensor,
        value_template=path(*steps),
        unit_of_measurement=unit or None if numeric else None,
        device_class=_CLASSES.get(quantity) if numeric else None,
        state_class="measurement" if numeric else None,
    )
