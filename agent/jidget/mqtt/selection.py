"""Which entities are bridged, which are shown with the others, and which devices the configuration speaks of. Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from jidget.config.mqtt import MqttConfig
from jidget.config.things import Overlay
from jidget.mqtt.model import Device, EntityConfig


class Selection:
    """What the configuration wants of what is discovered."""

    def __init__(self, config: MqttConfig, overlays: Mapping[str, Overlay]) -> None:
        """Take `[mqtt]`, and the Things that are laid over devices, by id."""
        self._include = config.include
        self._exclude = config.exclude
        self._shown = {"diagnostic": config.diagnostics, "config": config.settings}
        self._overlays = {overlay.match: thing_id for thing_id, overlay in overlays.items()}

    def wants(self, config: EntityConfig, device: Device) -> bool:
        """Whether an entity is to be bridged."""
        if self.overlay(config, device):
            return not _fits(self._exclude, config, device)
        included = self._include is None or _fits(self._include, config, device)
        return included and not _fits(self._exclude, config, device)

    def overlay(self, config: EntityConfig, device: Device) -> str:
        """Return the id of the configured Thing that this device is; empty if it is none."""
        names = (*device.identifiers, config.unique_id)
        return next((self._overlays[name] for name in names if name in self._overlays), "")

    def quiet(self, config: EntityConfig) -> bool:
        """Whether an entity is left out where everything is shown; by its name it can be had all the same."""
        return not config.enabled or not self._shown.get(config.category, True)


def _fits(patterns: Iterable[str], config: EntityConfig, device: Device) -> bool:
    names = {
        "device": (device.name, *device.identifiers),
        "entity": (config.name, config.object_id, config.unique_id),
        "kind": (config.kind,),
        "category": (config.category or "primary",),
        "area": (device.area,),
        "model": (device.model,),
        "origin": (config.origin,),
    }
    for pattern in patterns:
        subject, colon, rest = pattern.partition(":")
        among = names[subject] if colon and subject in names else (*names["device"], *names["entity"])
        wanted = (rest if colon and subject in names else pattern).strip().casefold()
        if any(name and fnmatchcase(name.casefold(), wanted) for name in among):
            return True
    return False
