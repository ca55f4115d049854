"""How much is worked on at one time, so that nobody's stanzas keep those of others from being heard."""

from collections import Counter

MOST_EXPECTED = 1024
"""Stanzas that have arrived and are not begun: more than that never comes in what is read at a time."""


class Crowd:
    """People whose stanzas are worked on: so many at once of all of them, and fewer of each.

    A place is taken when work begins and left when it is done. What need not wait for anything is over before the next
    begins: however much of that arrives at a time, such as readings or questions about every node, there is room.

    Attributes:
        told: people (bare JIDs) who know that there was no room for them, and for whom there was none since.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self.told: set[str] = set()
        self._most = most
        self._most_of_one = most_of_one
        self._inside: Counter[str] = Counter()
        self._expected = 0
        self._put_off: set[str] = set()

    def expect(self) -> bool:
        """Count one who is going to `enter`; return False, and do not, if there are too many of them."""
        if self._expected >= MOST_EXPECTED:
            return False
        self._expected += 1
        return True

    def enter(self, who: str) -> bool:
        """Take a place for somebody who was expected; return whether there is one for them."""
        self._expected -= 1
        if self._inside[who] >= self._most_of_one or self._inside.total() >= self._most:
            return False
        self._inside[who] += 1
        self.told.discard(who)
        self._put_off.discard(who)
        return True

    def leave(self, who: str) -> None:
        """Give up a place."""
        self._inside[who] -= 1
        self._inside += Counter()  # forgets whom it has no place of
        if 2 * self._inside.total() <= self._most:
            self.told.intersection_update(self._inside)
            self._put_off.intersection_update(self._inside)

    def put_off(self, who: str) -> bool:
        """Note that there was no room for somebody; return whether that is new."""
        new = who not in self._put_off
        self._put_off.add(who)
        return new
