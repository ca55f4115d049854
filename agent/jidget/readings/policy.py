"""When a value is worth reporting: on change beyond a deadband, not too often, not too rarely. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from jidget_drivers import Scalar


class Decision(Enum):
    """What to do with a value."""

    REPORT = auto()
    HOLD = auto()
    DROP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPolicy:
    """How a Thing is reported. Times in seconds, deadbands in each property's unit.

    Attributes:
        min_interval: no more often than this; what changes sooner is held, and its last value reported then.
        max_interval: at least this often, even unchanged.
        deadband: how far a number must move from the last one reported, where `deadbands` has no entry for it.
        deadbands: the same by property.
    """

    min_interval: float = 0.0
    max_interval: float = 300.0
    deadband: float = 0.0
    deadbands: Mapping[str, float] = field(default_factory=dict)

    def decide(
        self, name: str, value: Scalar, time: int, last: tuple[Scalar, int] | None, *, slack: float = 0.0
    ) -> Decision:
        """Decide on the value of property `name` at `time`, given the last (value, time) reported; milliseconds.

        `slack` is how many seconds early an unchanged value may be: the next one may come too late for `max_interval`.
        """
        if last is None:
            return Decision.REPORT
        elapsed = (time - last[1]) / 1000
        if elapsed < 0 or elapsed >= self.max_interval:  # a clock set back: what it said before bounds nothing
            return Decision.REPORT
        if elapsed < self.max_interval - slack and not self._moved(name, value, last[0]):
            return Decision.DROP
        return Decision.REPORT if elapsed >= self.min_interval else Decision.HOLD

    def _moved(self, name: str, value: Scalar, last: Scalar) -> bool:
        if isinstance(value, bool | str) or isinstance(last, bool | str):
            return value != last
        band = self.deadbands.get(name, self.deadband)
        return abs(value - last) > band if band else value != last
