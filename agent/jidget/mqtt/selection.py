"""Which entities are bridged, by the patterns in `include` and `exclude` of `[mqtt]`. Pure.

A pattern is a shell pattern of names (`*`, `?`, `[abc]`); case does not matter. Alone it is compared with the names of
devices and of entities; after a subject and a colon with that:

| pattern | is compared with |
|---|---|
| `NAME` | all that `device:` and `entity:` are compared with |
| `device:NAME` | the device's name, its identifiers, the id of its Thing |
| `entity:NAME` | the entity's name, its id in discovery, its unique id |
| `kind:NAME` | the kind of entity: `sensor`, `switch`, `update` … |
| `category:NAME` | `config` or `diagnostic`; entities of neither have none |
| `area:NAME` | the area that the device's publisher suggests |
| `model:NAME` | the device's model and manufacturer |
| `origin:NAME` | the program that published it, such as `Zigbee2MQTT` |

What is excluded is left out even if it is included.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from jidget.config.mqtt import SUBJECTS, MqttConfig
from jidget.mqtt.model import Device, EntityConfig


class Selection:
    """The patterns of a configuration."""

    def __init__(self, config: MqttConfig) -> None:
        self._include = [_parted(pattern) for pattern in config.include or ("*",)]
        self._exclude = [_parted(pattern) for pattern in config.exclude]

    def wants(self, config: EntityConfig, device: Device, thing_id: str = "") -> bool:
        """Whether an entity of a device is to be bridged; `thing_id` where it is known already."""
        if not self._exclude and self._include == [("", "*")]:
            return True
        names = _names(config, device, thing_id)
        return _fits(names, self._include) and not _fits(names, self._exclude)

    def excludes(self, config: EntityConfig, device: Device, thing_id: str = "") -> bool:
        """Whether an entity is to be left out even if something else asks for it."""
        return _fits(_names(config, device, thing_id), self._exclude)


def _parted(pattern: str) -> tuple[str, str]:
    subject, colon, rest = pattern.partition(":")
    return (subject, rest.casefold()) if colon and subject in SUBJECTS else ("", pattern.casefold())


def _names(config: EntityConfig, device: Device, thing_id: str) -> dict[str, list[str]]:
    """Return what there is to be compared, by subject."""
    names: dict[str, Iterable[str]] = {
        "device": (device.name, *device.identifiers, thing_id),
        "entity": (config.name, config.object_id, config.unique_id),
        "kind": (config.kind,),
        "category": (config.category,),
        "area": (device.area,),
        "model": (device.model, device.manufacturer),
        "origin": (config.origin,),
    }
    folded = {subject: [each.casefold() for each in some if each] for subject, some in names.items()}
    folded[""] = folded["device"] + folded["entity"] or [""]
    return folded


def _fits(names: dict[str, list[str]], patterns: Iterable[tuple[str, str]]) -> bool:
    return any(fnmatchcase(name, pattern) for subject, pattern in patterns for name in names[subject])
