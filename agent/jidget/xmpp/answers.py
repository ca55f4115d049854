"""Answers that others wait for, kept over the end of a session and sent again in the next.

An answer that arrives twice, with the same id, is better than one that never does. One that no server would take must
not come back for ever, and a long one not stand in the way of all the rest: who asked for much asks again.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

STILL_WANTED = 60.0
"""Seconds for which somebody waits for an answer."""
LONGEST = 16 * 1024
MOST_BYTES = 256 * 1024
"""What is kept; beyond that the oldest give way."""
MOST_TIMES = 3
"""Sessions in which one is sent again: a bad network ends two in a row, a server that chokes on it ends them all."""
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
        self._kept: deque[tuple[str, float]] = deque()
        self._bytes = 0
        self._times: dict[str, int] = {}

    def keep(self, text: str) -> bool:
        """Keep a stanza if it is an answer that is worth it; say whether it is."""
        worth = (
            self.wanted
            and text.startswith(_BEGINNINGS)
            and len(text) <= LONGEST
            and self._times.get(text, 0) < MOST_TIMES
        )
        if worth:
            self._kept.append((text, self._clock()))
            self._bytes += len(text)
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._kept.popleft()[0])
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
        self._bytes = 0
        self._times = {text: self._times.get(text, 0) + 1 for text in texts}
        return texts
