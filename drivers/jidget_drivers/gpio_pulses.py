"""Pulses counted from timestamped edges: debounced, never lost, and how fast they come."""

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

_MARKS_PER_WINDOW = 16


class Edge(StrEnum):
    """The change of level that is one pulse."""

    RISING = "rising"
    FALLING = "falling"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class _Mark:
    """How many pulses there were when the one at `tick` had come."""

    count: int
    tick: float


class Pulses:
    """Counts the pulses of one opening of a pin. Ticks are seconds of a clock that never steps back.

    `edge` is called by the thread that tells of edges, anything else by any other.

    With a debounce time a level counts once it has held so long. Whether it has is known from the timestamps of the
    edges alone, so neither a busy event loop nor a late callback adds or loses a pulse. Without one, each edge that is
    told is a pulse.

    Args:
        edge: which edges are pulses.
        debounce: seconds that a level must hold; 0 for none.
        window: seconds over which the rate is taken at most.
        level: the level now.
        now: the tick now.
    """

    def __init__(self, *, edge: Edge, debounce: float, window: float, level: bool, now: float) -> None:
        self._edge = edge
        self._debounce = debounce
        self._window = window
        self._lock = threading.Lock()
        self._level = level
        self._since = now
        self._held: bool | None = None  # the first level to hold is where we come in, no pulse
        self._begun = now
        self._count = 0
        # Some two windows of them, however fast the pulses come; a rarer pulse always makes one.
        self._marks: deque[_Mark] = deque(maxlen=2 * _MARKS_PER_WINDOW)
        self._last = now

    def edge(self, tick: float, level: bool) -> None:
        """Take an edge: from `tick` on the pin is at `level`."""
        with self._lock:
            if self._debounce == 0:
                if self._is_pulse(level):
                    self._add(tick)
                return
            self._settle(tick)
            self._level = level
            self._since = tick

    def count(self, now: float, level: bool) -> int:
        """Return how many pulses there were. `level` is the pin's own, which an edge may not have told yet."""
        with self._lock:
            if self._debounce > 0 and level == self._level:
                self._settle(now)
            return self._count

    def rate(self, now: float) -> float | None:
        """Return the pulses per second; None while that cannot be known.

        It is taken from pulse to pulse over those of the last window, or over the last two if they are rarer. When the
        next one is late the rate falls, and is 0 after a whole window without any.
        """
        with self._lock:
            silent = now - self._last
            if silent >= self._window:
                return 0.0
            earlier = [mark for mark in self._marks if mark.tick < self._last]
            if not earlier:
                return None
            recent = [mark for mark in earlier if mark.tick >= self._last - self._window]
            since = recent[0] if recent else earlier[-1]
            period = (self._last - since.tick) / (self._count - since.count)
            return 1 / max(period, silent)

    def _settle(self, until: float) -> None:
        """Let the level count if it has held long enough."""
        if self._level == self._held or until - self._since < self._debounce:
            return
        first = self._held is None
        self._held = self._level
        if not first and self._is_pulse(self._level):
            self._add(self._since)

    def _is_pulse(self, level: bool) -> bool:
        return self._edge is Edge.BOTH or level == (self._edge is Edge.RISING)

    def _add(self, tick: float) -> None:
        self._count += 1
        self._last = tick
        if not self._marks or tick - self._marks[-1].tick >= self._window / _MARKS_PER_WINDOW:
            self._marks.append(_Mark(self._count, tick))
