"""All sources together: who is told what, and which of them has a device that several announce."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.sources.source import NOTHING, News, Source, merged
from jidget.mqtt.topics import Topics

_Key = tuple[str, str]


class Sources:
    """Several sources, of which the first that announces a device has it: the others' entities of it are held back.

    A device is the same where two have an identifier in common.

    Attributes:
        filters: whose messages are wanted from the beginning.
        largest: bytes that a message may have, by filter, where that is more than others may.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        """Take them, the one that counts most first."""
        self._sources = tuple(sources)
        self._wanted: Topics[int] = Topics()
        self._configs: dict[tuple[int, _Key], EntityConfig] = {}
        self._shown: set[tuple[int, _Key]] = set()
        self._claims: dict[str, dict[int, set[_Key]]] = {}
        for rank, source in enumerate(self._sources):
            for each in source.filters:
                self._wanted.add(each, rank)

    @property
    def filters(self) -> tuple[str, ...]:
        """Return the filters of all sources."""
        return tuple(dict.fromkeys(each for source in self._sources for each in source.filters))

    @property
    def largest(self) -> Mapping[str, int]:
        """Return what sources take although it is larger than what others take."""
        return {each: most for source in self._sources for each, most in source.largest.items()}

    def begin(self) -> News:
        """Return what is known before any message."""
        return _joined([self._weigh(rank, source.begin()) for rank, source in enumerate(self._sources)])

    def take(self, message: Message) -> News:
        """Take a message; return what it changes. Never raises for what a payload holds."""
        ranks = self._wanted.match(message.topic)
        if not ranks:
            return NOTHING
        return _joined([self._weigh(rank, self._sources[rank].take(message)) for rank in ranks])

    def _weigh(self, rank: int, news: News) -> News:
        """Return what becomes of a source's news where others may have the same devices."""
        for each in news.watched:
            self._wanted.add(each, rank)
        for each in news.unwatched:
            self._wanted.remove(each, rank)
        touched = [*news.removed, *news.present]
        if not touched:
            return news
        for config in news.removed:
            self._drop(rank, config)
        for config in news.present:
            self._hold(rank, config)
        gone = [config for config in news.removed if self._unshow(rank, config)]
        added, changed = [], []
        own = [(rank, config) for config in news.present]
        for whose, config in (*own, *self._sharing(rank, touched)):
            if self._is_held_back(whose, config):
                if self._unshow(whose, config):
                    gone.append(config)
            elif self._show(whose, config):
                added.append(config)
            elif whose == rank:
                changed.append(config)
        return replace(news, added=tuple(added), changed=tuple(changed), removed=tuple(gone))

    # ---- who claims what --------------------------------------------------------------------------------------------

    def _hold(self, rank: int, config: EntityConfig) -> None:
        before = self._configs.get((rank, _key(config)))
        if before is not None and _identifiers(before) != _identifiers(config):
            self._drop(rank, before)
        self._configs[rank, _key(config)] = config
        for identifier in _identifiers(config):
            self._claims.setdefault(identifier, {}).setdefault(rank, set()).add(_key(config))

    def _drop(self, rank: int, config: EntityConfig) -> None:
        known = self._configs.pop((rank, _key(config)), None)
        for identifier in _identifiers(known) if known is not None else ():
            claims = self._claims.get(identifier, {})
            claims.get(rank, set()).discard(_key(config))
            if not claims.get(rank):
                claims.pop(rank, None)
            if not claims:
                self._claims.pop(identifier, None)

    def _is_held_back(self, rank: int, config: EntityConfig) -> bool:
        return any(min(self._claims.get(identifier, {rank: ()})) < rank for identifier in _identifiers(config))

    def _sharing(self, rank: int, touched: Iterable[EntityConfig]) -> Iterator[tuple[int, EntityConfig]]:
        """Go through what lesser sources announce of the same devices."""
        found = dict.fromkeys(
            (other, key)
            for identifier in dict.fromkeys(each for config in touched for each in _identifiers(config))
            for other, keys in self._claims.get(identifier, {}).items()
            if other > rank
            for key in sorted(keys)
        )
        return ((other, self._configs[other, key]) for other, key in found)

    def _show(self, rank: int, config: EntityConfig) -> bool:
        """Note that an entity is there; return whether it was not."""
        known = (rank, _key(config)) in self._shown
        self._shown.add((rank, _key(config)))
        return not known

    def _unshow(self, rank: int, config: EntityConfig) -> bool:
        """Note that an entity is not there; return whether it was."""
        known = (rank, _key(config)) in self._shown
        self._shown.discard((rank, _key(config)))
        return known


def _joined(several: list[News]) -> News:
    if len(several) == 1:
        return several[0]
    return merged(
        several,
        watched=tuple(each for news in several for each in news.watched),
        unwatched=tuple(each for news in several for each in news.unwatched),
        asked=tuple(each for news in several for each in news.asked),
        retold=tuple(each for news in several for each in news.retold),
    )


def _key(config: EntityConfig) -> _Key:
    return config.topic, config.component


def _identifiers(config: EntityConfig) -> tuple[str, ...]:
    return config.device.identifiers if config.device is not None else ()
