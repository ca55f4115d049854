"""Answers that others wait for, kept over the end of a session and sent again in the next, once.

An answer that arrives twice, with the same id, is better than one that never does. One that no server would take must
not come back for ever, and a long one not stand in the way of all the rest: who asked for much asks again.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

STILL_WANTED = 60.0
"""Seconds for which somebody waits for an answer."""
LONGEST = 16 * 1024
MOST = 100
_BEGINNINGS = ("<message ", "<iq type='result'", "<iq type='error'")


class Answers:
    """What was not known to have arrived when its session ended, or came when there was none.

    Attributes:
        wanted: whether there is to be another session; else nothing is kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a steady clock."""
        self.wanted = False
        self._clock = clock
        self._kept: deque[tuple[str, float]] = deque(maxlen=MOST)
        self._again: frozenset[str] = frozenset()

    def keep(self, text: str) -> bool:
        """Keep a stanza if it is an answer that is worth it; say whether it is."""
        worth = self.wanted and text.startswith(_BEGINNINGS) and len(text) <= LONGEST and text not in self._again
        if worth:
            self._kept.append((text, self._clock()))
        return worth

    def left(self, unacknowledged: Sequence[str]) -> None:
        """Keep what a session that ended has not brought to the server for sure."""
        for text in unacknowledged:
            self.keep(text)

    def take(self) -> Sequence[str]:
        """Return what is to be sent again now."""
        before = self._clock() - STILL_WANTED
        texts = [text for text, since in self._kept if since >= before]
        self._kept.clear()
        self._again = frozenset(texts)
        return texts
