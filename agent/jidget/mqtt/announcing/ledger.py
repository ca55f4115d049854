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
    """All that is announced, by topic. What is not yet known to be taken back stays in it.

    Only what was announced in our own name is taken back: a store that was copied to another machine tells what that
    other agent announces.
    """

    def __init__(self, facts: Facts, jid: str) -> None:
        """Take the store, and our full JID."""
        self._facts = facts
        self._jid = jid
        self._announced: dict[str, Entry] = {}
        self._next: dict[str, Entry] = {}
        self._kept = True

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open."""
        self._announced = self._known()

    def catch_up(self) -> bool:
        """Write what could not be written, now that the store is back; return whether it knows of more than we did."""
        if self._kept:
            return False
        known = self._known()
        more = not known.keys() <= self._announced.keys()
        self._keep({**known, **self._announced})
        return more

    def begin(self, now: Mapping[str, Entry]) -> Gone:
        """Note what is about to be announced; return what else was."""
        before, self._next = self._announced, dict(now)
        gone = {topic: kept for topic, (_, kept) in before.items() if topic not in now}
        components = {
            topic: [key for key in before[topic][0] if key not in keys]
            for topic, (keys, _) in now.items()
            if topic in before
        }
        self._keep(before | {topic: _both(before.get(topic, ([], [])), entry) for topic, entry in now.items()})
        return Gone(topics=[each for topic, kept in gone.items() for each in (topic, *kept)], components=components)

    def end(self) -> None:
        """Note that what was to be taken back is."""
        self._keep(self._next)

    def _known(self) -> dict[str, Entry]:
        text = self._facts.fact(FACT)
        if text is None:
            return {}
        try:
            found = json.loads(text)
            if found["jid"] != self._jid:
                log.info("mqtt: what %s announced, whose store this was, stays as it is", found["jid"])
                return {}
            return {
                str(topic): ([str(key) for key in keys], [str(more) for more in kept])
                for topic, (keys, kept) in found["announced"].items()
            }
        except (ValueError, TypeError, AttributeError, KeyError):
            log.warning("mqtt: what was announced before cannot be read from the store: it is not taken back")
            return {}

    def _keep(self, announced: Mapping[str, Entry]) -> None:
        if self._kept and announced == self._announced:
            return
        self._announced = dict(announced)
        text = json.dumps({"jid": self._jid, "announced": self._announced}, separators=(",", ":"))
        self._kept = self._facts.keep_fact(FACT, text)


def _both(one: Entry, other: Entry) -> Entry:
    return [*dict.fromkeys((*one[0], *other[0]))], [*dict.fromkeys((*one[1], *other[1]))]
