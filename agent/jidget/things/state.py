"""What is known of a Thing: what was observed, whether it can be reached, what a write led to."""

from dataclasses import dataclass

from jidget_drivers import Scalar


class ThingUnavailable(Exception):
    """The Thing cannot be reached, so nothing was read or moved; the text says why and since when."""


class WriteFailed(Exception):
    """A write or action was begun and its end is unknown; the text says what happened.

    Attributes:
        timed_out: whether the device did not answer in time, rather than answering something wrong.
    """

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Observed:
    """A property's last known value and when it was read (UTC milliseconds)."""

    value: Scalar
    time: int


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the Thing can be reached, since when (UTC seconds), and why not."""

    available: bool
    since: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What a write led to: the values read back, None where the device did not tell; whether all are as asked."""

    values: dict[str, Scalar | None]
    confirmed: bool
