"""What came of each fault: when it was noticed, when readings flowed again."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Episode:
    """One fault. Moments are monotonic seconds.

    Attributes:
        number: of the fault, from 1.
        kind: of the fault.
        struck: when it began.
        ended: when it was over.
        noticed: after how many seconds from its beginning the agent took its link for lost; None where it did not.
        recovered: after how many seconds from its end a reading arrived that was made after it; None where none did.
        unnoticed: whether the agent never noticed that its link was dead.
        mistaken: whether the agent gave up a link that was alive.
        began: when it began, in UTC as in sensor data.
    """

    number: int
    kind: str
    struck: float
    began: str
    ended: float = 0.0
    noticed: float | None = None
    recovered: float | None = None
    unnoticed: bool = False
    mistaken: bool = False


def during(episodes: Sequence[Episode], time: str) -> Episode | None:
    """Return the last fault that had begun at a time."""
    return next((episode for episode in reversed(episodes) if episode.began <= time), None)
