"""What a soak found, as figures and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.support.soak.episodes import Episode

_SHOWN = 20
_COLUMNS = "{:14}{:>6}{:>19}{:>9}{:>20}{:>9}"
_CELLS = ("notice_s", "longest_notice_s", "recovery_s", "longest_recovery_s")


@dataclass(kw_only=True)
class Result:
    """Figures of one soak; zero is what is wanted of the first group.

    Attributes:
        lost: readings that were made and never came, not even when asked for.
        duplicated: readings that survive deduplication twice, or came with two values.
        twice: commands that moved the actuator more than once.
        stale: commands that moved it when they were too old.
        strange: movements that nobody commanded.
        untrue: answers that say what did not happen.
        too_long: times that an output was on for longer than it may be.
        stuck: the fault after which nothing came any more.
        errors: unexpected errors in the agent's log.
        made: readings in the store at the end.
        received: different readings that arrived.
        repeated: readings that arrived again.
        fetched: readings that came because they were asked for.
        late: readings that only came when all of the history was asked for at the end.
        sent: commands.
        repetitions: how often one of them was sent again.
        executed: commands that moved the actuator.
        refused: commands that the agent refused.
        switched: times that an output was switched on that may not stay on.
        expired: times that it, or what was commanded for so long, was on until its limit.
        excess: the longest that one was on beyond its limit and the time that the agent was stopped or dead meanwhile,
            in seconds; less than 0 if it was always less.
        overdue: the longest that one was on after its limit while the agent worked, in seconds.
        seconds: how long it took.
        episodes: what came of each fault.
        details: what is wrong, for people.
    """

    server: str
    seed: int
    liveness: float
    lost: int = 0
    duplicated: int = 0
    twice: int = 0
    stale: int = 0
    strange: int = 0
    untrue: int = 0
    too_long: int = 0
    stuck: int = 0
    errors: int = 0
    made: int = 0
    received: int = 0
    repeated: int = 0
    fetched: int = 0
    late: int = 0
    sent: int = 0
    repetitions: int = 0
    executed: int = 0
    refused: int = 0
    switched: int = 0
    expired: int = 0
    excess: float | None = None
    overdue: float | None = None
    seconds: float = 0.0
    episodes: Sequence[Episode] = ()
    details: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        wrong = (self.lost, self.duplicated, self.twice, self.stale, self.strange, self.untrue, self.too_long)
        return not any(wrong) and not self.stuck and not self.errors and not self.unnoticed

    @property
    def unnoticed(self) -> int:
        """Return how often a dead link was never noticed."""
        return sum(episode.unnoticed for episode in self.episodes)

    @property
    def mistaken(self) -> int:
        """Return how often a link that was alive was taken for dead."""
        return sum(episode.mistaken for episode in self.episodes)

    def figures(self) -> dict[str, Any]:
        """Return everything for a program."""
        kinds = {kind: _of_kind(several) for kind, several in _by_kind(self.episodes).items()}
        return {
            "server": self.server,
            "seed": self.seed,
            "liveness_s": self.liveness,
            "faults": len(self.episodes),
            "seconds": round(self.seconds, 1),
            "readings": {
                "made": self.made,
                "received": self.received,
                "lost": self.lost,
                "duplicated": self.duplicated,
                "came_again": self.repeated,
                "asked_for": self.fetched,
                "late": self.late,
            },
            "commands": {
                "sent": self.sent,
                "sent_again": self.repetitions,
                "executed": self.executed,
                "executed_twice": self.twice,
                "stale_executed": self.stale,
                "refused": self.refused,
                "nobody_sent": self.strange,
                "untrue_answers": self.untrue,
            },
            "outputs": {
                "switched_on": self.switched,
                "on_until_the_limit": self.expired,
                "on_too_long": self.too_long,
                "longest_excess_s": _longest([self.excess]),
                "longest_overdue_s": _longest([self.overdue]),
            },
            "longest_notice_s": _longest(episode.noticed for episode in self.episodes),
            "longest_recovery_s": _longest(episode.recovered for episode in self.episodes),
            "dead_link_not_noticed": self.unnoticed,
            "live_link_given_up": self.mistaken,
            "errors_in_log": self.errors,
            "stuck_after_fault": self.stuck or None,
            "kinds": kinds,
            "good": self.good,
            "details": self.details,
        }

    def table(self) -> str:
        """Return it for people."""
        found = self.figures()
        readings, commands, outputs = found["readings"], found["commands"], found["outputs"]
        head = (
            f"{found['faults']} faults on {self.server}, seed {self.seed}, liveness {self.liveness:g} s:"
            f" {self.seconds:.0f} s, {self.seconds / max(1, len(self.episodes)):.1f} s each"
        )
        rows = [
            ("readings made", readings["made"]),
            ("readings received", readings["received"]),
            ("  lost", readings["lost"]),
            ("  duplicated", readings["duplicated"]),
            ("  that came again and were dropped", readings["came_again"]),
            ("  that were asked for", readings["asked_for"]),
            ("  found only in the whole history", readings["late"]),
            ("commands sent", commands["sent"]),
            ("  sent again with the same id", commands["sent_again"]),
            ("  executed", commands["executed"]),
            ("  executed twice", commands["executed_twice"]),
            ("  stale executed", commands["stale_executed"]),
            ("  refused", commands["refused"]),
            ("  executed and never sent", commands["nobody_sent"]),
            ("  answered with what is not so", commands["untrue_answers"]),
            ("outputs switched on", outputs["switched_on"]),
            ("  on until their limit, or a `for`", outputs["on_until_the_limit"]),
            ("  on for too long", outputs["on_too_long"]),
            ("  longest excess over limit and outages", _seconds(outputs["longest_excess_s"])),
            ("  longest overdue while the agent works", _seconds(outputs["longest_overdue_s"])),
            ("longest time to notice a dead link", _seconds(found["longest_notice_s"])),
            ("longest time to recover", _seconds(found["longest_recovery_s"])),
            ("dead links never noticed", found["dead_link_not_noticed"]),
            ("live links given up", found["live_link_given_up"]),
            ("unexpected errors in the agent's log", self.errors),
        ]
        lines = [head, "", *(f"{name:40}{value!s:>12}" for name, value in rows), ""]
        lines.append(
            f"{'fault':14}{'count':>6}{'to notice: median':>19}{'longest':>9}{'to recover: median':>20}{'longest':>9}"
        )
        for kind, figures in found["kinds"].items():
            cells = (
                _seconds(figures[key]) for key in ("notice_s", "longest_notice_s", "recovery_s", "longest_recovery_s")
            )
            lines.append("{:14}{:>6}{:>19}{:>9}{:>20}{:>9}".format(kind, figures["count"], *cells))
        if self.details:
            lines += ["", *self.details[:_SHOWN]]
            lines += [f"… and {len(self.details) - _SHOWN} more"] if len(self.details) > _SHOWN else []
        return "\n".join(lines)


def _by_kind(episodes: Sequence[Episode]) -> Mapping[str, list[Episode]]:
    kinds: dict[str, list[Episode]] = {}
    for episode in episodes:
        kinds.setdefault(episode.kind, []).append(episode)
    return dict(sorted(kinds.items()))


def _of_kind(episodes: Sequence[Episode]) -> dict[str, Any]:
    return {
        "count": len(episodes),
        "notice_s": _middle(episode.noticed for episode in episodes),
        "longest_notice_s": _longest(episode.noticed for episode in episodes),
        "recovery_s": _middle(episode.recovered for episode in episodes),
        "longest_recovery_s": _longest(episode.recovered for episode in episodes),
        "live_link_given_up": sum(episode.mistaken for episode in episodes),
    }


def _longest(seconds: Any) -> float | None:
    known = [each for each in seconds if each is not None]
    return round(max(known), 2) if known else None


def _middle(seconds: Any) -> float | None:
    known = [each for each in seconds if each is not None]
    return round(median(known), 2) if known else None


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
