"""How long outputs were on by the actuator's own record, and whether that was ever longer than allowed. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.support.soak.record import Line

TOLERANCE = 1.0
"""Seconds that an output may be on beyond its limit: for timers, threads and a start on a busy machine."""
_PUNCTUAL = 0.05
"""Seconds by which the clocks of the agent and of the record may differ about the same stretch."""


class Outages:
    """When the agent was stopped or dead, and could not have switched anything. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._over: list[tuple[float, float]] = []
        self._since: float | None = None

    def begin(self, at: float) -> None:
        """Note that it stands still from a moment on; it may do so already."""
        if self._since is None:
            self._since = at

    def end(self, at: float) -> None:
        """Note that it works from a moment on; it may have done so already."""
        if self._since is not None:
            self._over.append((self._since, at))
            self._since = None

    def within(self, began: float, ended: float) -> float:
        """Return for how many seconds of a stretch of time it stood still."""
        all_of_them = self._over if self._since is None else [*self._over, (self._since, ended)]
        return sum(max(0.0, min(end, ended) - max(begin, began)) for begin, end in all_of_them)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time for which an output was on, or for which it was on by one command that said for how long.

    Attributes:
        output: THING.PROPERTY.
        rule: what limits it: `max_on` or `for`.
        limit: the seconds that it may last while the agent works.
        began: when it was switched on, in monotonic seconds.
        ended: when it was switched off, or otherwise.
        down: for how many seconds of it the agent was stopped or dead.
        overdue: for how many seconds of it the agent worked although the limit was over.
    """

    output: str
    rule: str
    limit: float
    began: float
    ended: float
    down: float = 0.0
    overdue: float = 0.0

    @property
    def excess(self) -> float:
        """Return by how many seconds it was longer than its limit and `down`; less than 0 where it was shorter."""
        return self.ended - self.began - self.down - self.limit

    @property
    def too_long(self) -> bool:
        """Whether the limit was not kept. Deadlines go on while the agent does not, so this is stricter than `excess`.

        An agent that counts from the beginning after each start has an excess only if it is killed often.
        """
        return self.overdue > TOLERANCE

    @property
    def expired(self) -> bool:
        """Whether it lasted as long as it may: nobody but the agent itself ended it."""
        return self.ended - self.began >= self.limit - _PUNCTUAL

    def __str__(self) -> str:
        return (
            f"{self.output} was on for {self.ended - self.began:.2f} s; {self.rule} is {self.limit:g} s,"
            f" the agent was stopped or dead for {self.down:.2f} s, and worked for {self.overdue:.2f} s after the limit"
        )


@dataclass(slots=True, kw_only=True)
class Output:
    """What one output was set to; 0 is off.

    Attributes:
        name: THING.PROPERTY.
        max_on: seconds that it may be on, whatever it is set to meanwhile.
        spans: for how many seconds a value was commanded; such a value is commanded only once.
        lines: what its record tells.
    """

    name: str
    max_on: float
    spans: dict[int, float] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def stretches(self, outages: Outages, until: float) -> list[Stretch]:
        """Return all stretches for which it was on; the last one may go on until now, which is `until`.

        A value that it has already, as a start that restores it sets again, does not begin anything anew.
        """
        found: list[Stretch] = []
        value, since, on_since = 0, 0.0, 0.0

        def note(rule: str, limit: float, began: float, ended: float) -> None:
            late = max(0.0, ended - began - limit)
            found.append(
                Stretch(
                    output=self.name,
                    rule=rule,
                    limit=limit,
                    began=began,
                    ended=ended,
                    down=outages.within(began, ended),
                    overdue=late - outages.within(ended - late, ended),
                )
            )

        for line in (*self.lines, Line(value=0, at=until, seen=until)):
            if line.value == value:
                continue
            if value in self.spans:
                note("for", self.spans[value], since, line.at)
            if line.value == 0:
                note("max_on", self.max_on, on_since, line.at)
            elif value == 0:
                on_since = line.at
            value, since = line.value, line.at
        return found


def stretches_of(outputs: Iterable[Output], outages: Outages, until: float) -> Sequence[Stretch]:
    """Return the stretches of several outputs."""
    return [stretch for output in outputs for stretch in output.stretches(outages, until)]
