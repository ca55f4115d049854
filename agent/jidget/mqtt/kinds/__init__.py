"""The kinds of entities, one module each, loaded when the first entity of a kind is discovered."""

from importlib import import_module

from jidget.mqtt.entity import BadConfig, Entity
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates

_CLASSES = {
    "alarm_control_panel": "AlarmControlPanel",
    "binary_sensor": "BinarySensor",
    "button": "Button",
    "camera": "Camera",
    "climate": "Climate",
    "cover": "Cover",
    "date": "Date",
    "datetime": "DateTime",
    "device_automation": "DeviceAutomation",
    "device_tracker": "DeviceTracker",
    "event": "Event",
    "fan": "Fan",
    "humidifier": "Humidifier",
    "image": "Image",
    "lawn_mower": "LawnMower",
    "light": "build_light",
    "lock": "Lock",
    "notify": "Notify",
    "number": "Number",
    "scene": "Scene",
    "select": "Select",
    "sensor": "Sensor",
    "siren": "Siren",
    "switch": "Switch",
    "tag": "Tag",
    "text": "Text",
    "time": "Time",
    "update": "Update",
    "vacuum": "Vacuum",
    "valve": "Valve",
    "water_heater": "WaterHeater",
}
"""By component of the discovery topic: the class, in the module named like the kind; for a light what picks one."""

KINDS = frozenset(_CLASSES)


def build(config: EntityConfig, templates: Templates) -> Entity:
    """Return the entity that a config describes.

    Raises:
        BadConfig: the kind is not known, or the config lacks what the kind cannot do without.
    """
    name = _CLASSES.get(config.kind)
    if name is None:
        raise BadConfig(f"{config.kind[:40]!r} is a kind of entity that is not known here")
    module = import_module(f"{__name__}.{config.kind}")
    entity: Entity = getattr(module, name)(config, templates)
    return entity
