"""Trying again: pauses that grow, with full jitter, so that a thousand agents do not return in the same second."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """The pauses between attempts at something that keeps failing. Seconds.

    Attributes:
        first: the longest first pause.
        cap: the longest pause of all.
    """

    first: float = 1.0
    cap: float = 60.0
    _failures: int = 0

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0

    def next(self) -> float:
        """Return how long to wait now: anything up to a bound that doubles each time, but not nothing."""
        bound = min(self.cap, self.first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 30)
        return random.uniform(bound / 4, bound)  # noqa: S311  # jitter, not a secret
