"""What was announced, kept in the store: so that it is taken back when it is no longer, also after a restart."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jidget.ports import Facts

log = logging.getLogger(__name__)

FACT = "mqtt announced"

Entry = tuple[Sequence[str], Sequence[str]]
"""Of one announcement: the keys of its components, and the topics on which more is kept for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What is to be taken back: whole topics, and components by the topic of their announcement."""

    topics: Sequence[str] = ()
    components: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Ledger:
    """All that is announced, by topic. What is not yet known to be taken back stays in it."""

    def __init__(self, facts: Facts) -> None:
        """Take the store."""
        self._facts = facts
        self._announced: dict[str, Entry] = {}
        self._next: dict[str, Entry] = {}

    @property
    def empty(self) -> bool:
        """Whether there is nothing that might have to be taken back."""
        return not self._announced

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open."""
        text = self._facts.fact(FACT)
        if text is None:
            return
        try:
            known = json.loads(text)
            self._announced = {
                str(topic): ([str(key) for key in keys], [str(more) for more in kept])
                for topic, (keys, kept) in known.items()
            }
        except (ValueError, TypeError, AttributeError):
            log.warning("mqtt: what was announced before cannot be read from the store: it is not taken back")

    def begin(self, now: Mapping[str, Entry]) -> Gone:
        """Note what is about to be announced; return what else was."""
        before, self._next = self._announced, dict(now)
        topics = [topic for each, (_, kept) in before.items() if each not in now for topic in (each, *kept)]
        components = {
            topic: [key for key in before[topic][0] if key not in keys]
            for topic, (keys, _) in now.items()
            if topic in before
        }
        both = {
            topic: tuple([*dict.fromkeys((*a, *b))] for a, b in zip(before.get(topic, ([], [])), entry, strict=True))
            for topic, entry in now.items()
        }
        self._keep({**before, **both})  # type: ignore[dict-item]
        return Gone(topics=topics, components=components)

    def end(self) -> None:
        """Note that what was to be taken back is."""
        self._keep(self._next)

    def _keep(self, announced: Mapping[str, Entry]) -> None:
        if announced == self._announced:
            return
        self._announced = dict(announced)
        self._facts.keep_fact(FACT, json.dumps(self._announced, separators=(",", ":")))
