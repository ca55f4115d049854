"""What becomes of an entity: whether it is bridged, which Thing it belongs to, whether it is shown. Pure."""

from collections.abc import Mapping

from jidget.config.mqtt import MqttConfig
from jidget.config.things import Overlay
from jidget.config.topics import identifier
from jidget.mqtt.model import US, Device, EntityConfig
from jidget.mqtt.selection import Selection


class Choice:
    """What the configuration wants of what is discovered."""

    def __init__(self, config: MqttConfig, overlays: Mapping[str, Overlay]) -> None:
        """Take `[mqtt]`, and the Things that are laid over devices, by id."""
        self._selection = Selection(config)
        self._own_root = f"jidget/{config.client_id}/"
        self._shown = {"diagnostic": config.diagnostics, "config": config.settings}
        self._plain = {identifier(thing_id): thing_id for thing_id in config.topics}
        self._overlays = {overlay.match: thing_id for thing_id, overlay in overlays.items()}

    def wants(self, config: EntityConfig, device: Device) -> bool:
        """Whether an entity is to be bridged: what the configuration speaks of need not be included besides.

        What an agent like this one announces never is: its Things have a JID already.
        """
        if config.origin == US:
            return False
        thing_id = self.overlay(config, device)
        if thing_id:
            return not self._selection.excludes(config, device, thing_id)
        return self._selection.wants(config, device)

    def objection(self, config: EntityConfig) -> str:
        """Return why an entity may not be bridged, whatever is wanted; empty if it may."""
        if any(isinstance(value, str) and value.startswith(self._own_root) for value in config.keys.values()):
            return f"its topics are this agent's own: {self._own_root}…"
        return ""

    def overlay(self, config: EntityConfig, device: Device) -> str:
        """Return the id of the configured Thing that this device is; empty if it is none.

        Things of `[mqtt.topics]` are whole: whoever announces a device of such a name gets none of theirs.
        """
        if config.topic in self._plain:
            return self._plain[config.topic]
        names = (*device.identifiers, config.unique_id)
        return next((self._overlays[name] for name in names if name in self._overlays), "")

    def quiet(self, config: EntityConfig) -> bool:
        """Whether an entity is left out where everything is shown; by its name it can be had all the same."""
        return not config.enabled or not self._shown.get(config.category, True)
