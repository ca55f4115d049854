"""What devices announce by Home Assistant's MQTT discovery: from topics and payloads to configs of entities.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. `parse` reads one payload; `Discoveries` remembers
what was announced where, and says what a message changes. Nothing that a payload holds raises: what cannot be used
is a problem, told in a sentence, and the rest of the payload counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from jidget.mqtt.announcement import Announcement, parse
from jidget.mqtt.model import EntityConfig

MOST_ENTITIES = 20_000
"""Announcements of entities that are remembered."""

_Place = tuple[str, str]  # topic and component
_Identity = tuple[str, str]  # kind, and unique id or place


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a message changes.

    Attributes:
        added: entities that there were not.
        changed: entities that were announced differently before, at the same place.
        removed: entities that are gone, as they were announced. One that moved to another topic is in here as it
            was, and in `added` as it is: its identity is the same.
        released: entities that are about to move to another topic (`migrate_discovery`). They stay what they are
            until they are announced there.
        problems: what was not understood.
    """

    added: tuple[EntityConfig, ...] = ()
    changed: tuple[EntityConfig, ...] = ()
    removed: tuple[EntityConfig, ...] = ()
    released: tuple[EntityConfig, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[EntityConfig, ...]:
        """Return what is to be (re)built: `added` and `changed`."""
        return self.added + self.changed


@dataclass(slots=True)
class _Topic:
    """What was last announced on a topic."""

    digest: bytes
    configs: dict[str, EntityConfig] = field(default_factory=dict)


class Discoveries:
    """All that is announced on a broker.

    A unique id belongs to the first place that announced it; another place gets it when the first gives it up.
    """

    def __init__(self, prefix: str = "homeassistant") -> None:
        """Take the first level, or levels, of the discovery topics."""
        self._prefix = prefix
        self._topics: dict[str, _Topic] = {}
        self._owners: dict[_Identity, EntityConfig] = {}
        self._released: dict[_Place, EntityConfig] = {}
        self._waiting: dict[tuple[str, ...], dict[_Place, EntityConfig]] = {}
        """Those released, by kind and discovery id."""
        self._kept = 0  # configs in all topics

    @property
    def configs(self) -> Iterator[EntityConfig]:
        """Go through all entities that there are."""
        return iter(self._owners.values())

    def take(self, topic: str, payload: bytes) -> Changes:
        """Take a message; return what it changes: nothing, if it says what the last one said."""
        known = self._topics.get(topic)
        digest = blake2b(payload, digest_size=16).digest()
        if known is not None and known.digest == digest:
            return Changes()
        told = parse(topic, payload, self._prefix)
        if told.migrates:
            return self._release(topic, known, told)
        if not told.understood:
            return Changes(problems=told.problems)
        if known is None:
            if not told.configs:
                return Changes(problems=told.problems)
            known = self._topics[topic] = _Topic(digest)
        known.digest = digest
        changes = self._compare(topic, known, told)
        if not known.configs:
            del self._topics[topic]
        return changes

    def _release(self, topic: str, known: _Topic | None, told: Announcement) -> Changes:
        """Let others have what is announced here."""
        if known is None:
            return Changes(problems=told.problems)
        released = tuple(config for config in known.configs.values() if self._owns(config))
        for config in released:
            self._released[_place(config)] = config
            self._waiting.setdefault(self._way(config), {})[_place(config)] = config
        self._kept -= len(known.configs)
        del self._topics[topic]
        removed = []
        while len(self._released) > MOST_ENTITIES:  # those that waited longest
            oldest = next(iter(self._released.values()))
            self._unrelease(oldest)
            removed.append(oldest)
            del self._owners[_identity(oldest)]
        return Changes(released=released, removed=tuple(removed), problems=told.problems)

    def _compare(self, topic: str, known: _Topic, told: Announcement) -> Changes:
        before, known.configs = known.configs, {config.component: config for config in told.configs}
        for component in told.broken:  # what cannot be read is not gone
            if component in before:
                known.configs[component] = before[component]
        problems = [*told.problems, *self._limit(topic, known, len(before))]
        gone = [config for component, config in before.items() if _gone(config, known.configs.get(component))]
        removed = [config for config in gone if self._owns(config)]
        for config in removed:
            del self._owners[_identity(config)]
        added, changed = [], []
        for config in known.configs.values():
            owner = self._owners.get(_identity(config)) or self._awaiting(config)
            if owner is None:
                added.append(config)
            elif _place(owner) == _place(config) and _identity(owner) == _identity(config):
                if not self._unrelease(owner) and owner == config:
                    continue
                changed.append(config)
            elif self._unrelease(owner):
                del self._owners[_identity(owner)]
                removed.append(owner)
                added.append(config)
            else:
                problems.append(_taken(config, owner))
                continue
            self._owners[_identity(config)] = config
        added.extend(self._heirs(removed, topic))
        return Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed), problems=tuple(problems))

    def _limit(self, topic: str, known: _Topic, before: int) -> Iterator[str]:
        """Forget what is too much of what a topic announces, and say so."""
        room = MOST_ENTITIES - self._kept + before
        surplus = list(known.configs)[max(room, 0) :]
        for component in surplus:
            del known.configs[component]
        self._kept += len(known.configs) - before
        if surplus:
            yield f"{topic}: there are {MOST_ENTITIES} entities already, {len(surplus)} more are not remembered"

    def _awaiting(self, config: EntityConfig) -> EntityConfig | None:
        """Return what was released by the place that this one replaces, if neither has a unique id in common."""
        for released in self._waiting.get(self._way(config), {}).values():
            if not (released.unique_id and config.unique_id):
                return released
        return None

    def _unrelease(self, config: EntityConfig) -> bool:
        """Note that an entity does not wait for another topic any more; return whether it did."""
        released = self._released.pop(_place(config), None)
        if released is None:
            return False
        waiting = self._waiting[self._way(released)]
        del waiting[_place(released)]
        if not waiting:
            del self._waiting[self._way(released)]
        return True

    def _way(self, config: EntityConfig) -> tuple[str, ...]:
        return config.kind, *discovery_id(config, self._prefix)

    def _heirs(self, removed: Iterable[EntityConfig], topic: str) -> Iterator[EntityConfig]:
        """Go through what other topics announce under unique ids that are free now."""
        free = {_identity(config) for config in removed if config.unique_id}
        free = {identity for identity in free if identity not in self._owners}
        if not free:
            return
        for other, known in self._topics.items():
            for config in known.configs.values():
                if other != topic and _identity(config) in free:
                    free.discard(_identity(config))
                    self._owners[_identity(config)] = config
                    yield config

    def _owns(self, config: EntityConfig) -> bool:
        owner = self._owners.get(_identity(config))
        return owner is not None and _place(owner) == _place(config)


def discovery_id(config: EntityConfig, prefix: str) -> tuple[str, ...]:
    """Return what a device-based and a single announcement of an entity have in common: node and object of the topic.

    `PREFIX/sensor/NODE/OBJECT/config` is component `OBJECT` of `PREFIX/device/NODE/config`.
    """
    levels = config.topic.removeprefix(f"{prefix}/").split("/")[1:-1]
    return (levels[-1], *levels[:-1], config.component) if config.component else tuple(levels)


def _place(config: EntityConfig) -> _Place:
    return config.topic, config.component


def _identity(config: EntityConfig) -> _Identity:
    return config.kind, config.identity


def _gone(before: EntityConfig, now: EntityConfig | None) -> bool:
    return now is None or _identity(now) != _identity(before)


def _taken(config: EntityConfig, owner: EntityConfig) -> str:
    where = f"{config.topic} {config.component}".strip()
    return f"{where}: its unique_id {config.unique_id!r} is that of {owner.topic} {owner.component}".strip()
