"""How far a consumer has got with an agent's batches: which it has, which it misses, which nobody has any more.

Batches are numbered without gaps within a generation (GEN-SEQ, DESIGN 4.3), so what is missing between two is known by
number. What is missing after the last one only the agent knows, and so does it know which generation followed which.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from jidget.xmpp.ranges import Ranges

OPEN_END = 10**18 - 1
"""The greatest SEQ that one may ask for: "and all that follow"."""
MOST_STRETCHES = 500
"""Of one generation. Whoever loses one batch in two for longer than that has the oldest gaps closed."""
MOST_GENERATIONS = 16
"""Whoever hears of more has the oldest ones closed, first those of which nothing is missing."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches FROM to TO (`GEN-SEQ`) are missing."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Want:
    """Batches to ask for; `last` may be `OPEN_END`."""

    gen: str
    first: int
    last: int


@dataclass(slots=True)
class Generation:
    """What is known of one generation.

    Attributes:
        start: from here on all its batches are wanted.
        has: those that came.
        lost: those that cannot be had.
        heard: there are batches at least up to this one.
        doubtful: whether there may be more after the last one, or a generation that followed.
    """

    start: int
    has: Ranges = field(default_factory=Ranges)
    lost: Ranges = field(default_factory=Ranges)
    doubtful: bool = False
    heard: int = 0

    @property
    def last(self) -> int:
        """Return the number after which nothing is known."""
        return max(self.start - 1, self.has.highest or 0, self.lost.highest or 0, self.heard)

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to ask for."""
        return not self.doubtful and not self.missing(self.start, self.last)

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the stretches that neither came nor are lost."""
        stretches = self.has.missing(max(first, self.start), last)
        return [rest for begin, end in stretches for rest in self.lost.missing(begin, end)]


class Progress:
    """Which batches of one agent are there, and which are to be asked for, oldest first."""

    def __init__(self, generations: Iterable[tuple[str, Generation]] = (), newest: str = "") -> None:
        """Go on where an earlier one was: with its `generations` and its `newest`."""
        self.generations: dict[str, Generation] = dict(generations)
        self.newest = newest

    def begin(self, gen: str, last: int) -> None:
        """Want all that follows a batch; nothing is known yet."""
        self.newest = gen
        self.generations[gen] = Generation(start=last + 1)

    def has(self, gen: str, seq: int) -> bool:
        """Return whether this batch was noted."""
        known = self.generations.get(gen)
        return known is not None and seq in known.has

    def leads(self, gen: str, seq: int) -> bool:
        """Return whether this batch comes after all that were noted."""
        known = self.generations.get(gen)
        return known is None or (gen == self.newest and seq > known.last)

    def hear(self, gen: str, seq: int) -> list[Gap]:
        """Note that there is such a batch, so that those before it are missing if they are not there.

        The first batch of all is where it begins. One of a generation never heard of may be newer or older than what
        there is: that is to be asked. Returns gaps that can no longer be kept in mind.
        """
        closed: list[Gap] = []
        known = self.generations.get(gen)
        if known is None:
            known = self.generations[gen] = Generation(start=seq)
            self.doubt()
            self.newest = self.newest or gen
            closed = self._forget_generations(gen)
        known.heard = max(known.heard, seq - 1)
        return closed

    def note(self, gen: str, seq: int) -> list[Gap]:
        """Note that a batch is there; return gaps that can no longer be kept in mind."""
        closed = self.hear(gen, seq)
        known = self.generations[gen]
        known.has.add(seq, seq)
        return closed + [_gap(gen, stretch) for stretch in _simplify(known)]

    def doubt(self) -> None:
        """Let there be more than is known: while nobody listened, batches may have been published."""
        if self.newest:
            self.generations[self.newest].doubtful = True

    # ---- what to ask for: by the time of the answer, a generation may no longer be kept in mind -------------------

    def wanted(self) -> Want | None:
        """Return what to ask for next: the oldest gap, or all that follows; None if nothing is missing."""
        for gen, known in self.generations.items():
            for first, last in known.missing(known.start, known.last):
                return Want(gen, first, last)
            if known.doubtful:
                return Want(gen, known.last + 1, OPEN_END)
        return None

    def settle(self, gen: str, first: int, last: int) -> list[Gap]:
        """Note that what is still missing from `first` to `last` cannot be had; return that."""
        known = self.generations.get(gen)
        if known is None:
            return []
        stretches = known.missing(first, last)
        for stretch in stretches:
            known.lost.add(*stretch)
        return [_gap(gen, stretch) for stretch in stretches]

    def complete(self, gen: str, following: str | None) -> list[Gap]:
        """Note that all of a generation was asked for, and which one followed it: that one is wanted from its start.

        Returns gaps that can no longer be kept in mind.
        """
        known = self.generations.get(gen)
        if known is None:
            return []
        known.doubtful = False
        return [] if following is None or following == gen else self._follow(gen, following)

    def replaced(self, gen: str, present: str) -> list[Gap]:
        """Note that the agent no longer knows a generation: `present` is wanted, all of it. Return what is lost."""
        known = self.generations.get(gen)
        if known is None:
            return []
        gaps = self.settle(gen, known.start, known.last)
        known.doubtful = False
        return gaps if present == gen else gaps + self._follow(gen, present)

    def give_up(self) -> list[Gap]:
        """Note that asking is of no use; returns what is lost."""
        lost: list[Gap] = []
        for gen, known in self.generations.items():
            lost += self.settle(gen, known.start, known.last)
            known.doubtful = False
            self.newest = gen  # the latest one heard of is the best guess
        return lost

    def gaps(self) -> list[Gap]:
        """Return what is missing between batches that are there."""
        return [
            _gap(gen, stretch)
            for gen, known in self.generations.items()
            for stretch in known.missing(known.start, known.has.highest or 0)
        ]

    def _follow(self, gen: str, following: str) -> list[Gap]:
        """Put a generation right behind another one; return gaps that can no longer be kept in mind."""
        known = self.generations.pop(following, None)
        if known is None or known.start != 1:
            known = known or Generation(start=1)
            known.start, known.doubtful = 1, True
        order = list(self.generations.items())
        place = [name for name, _ in order].index(gen) + 1
        self.generations = dict((*order[:place], (following, known), *order[place:]))
        if gen == self.newest:
            self.newest = following
        return self._forget_generations(following)

    def _forget_generations(self, latest: str) -> list[Gap]:
        """Keep the newest generation, the one just heard of and some others; return the gaps of the rest."""
        closed: list[Gap] = []
        while len(self.generations) > MOST_GENERATIONS:
            others = [gen for gen in self.generations if gen not in (self.newest, latest)]
            gone = next((gen for gen in others if self.generations[gen].is_whole), others[0])
            known = self.generations[gone]
            closed += self.settle(gone, known.start, known.last)
            del self.generations[gone]
        return closed


def _simplify(known: Generation) -> list[tuple[int, int]]:
    """Keep what there is to remember small; return the gaps that were closed for that."""
    closed: list[tuple[int, int]] = []
    while len(known.has) > MOST_STRETCHES:
        first, last = next(iter(known.has))
        if last < known.start:
            known.has.forget_lowest()
            continue
        first, last = known.has.missing(max(first, known.start), known.last)[0]
        closed += known.lost.missing(first, last)
        known.has.add(first, last)
    return closed


def _gap(gen: str, stretch: tuple[int, int]) -> Gap:
    return Gap(f"{gen}-{stretch[0]}", f"{gen}-{stretch[1]}")
