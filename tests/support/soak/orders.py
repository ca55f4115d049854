"""Commands that were sent, what was answered, and what the actuator did: the verdict is in their comparison. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

FRESH = 30.0
"""Seconds after which a command must no longer move anything (DESIGN 4.5)."""
SLACK = 2.0
"""Seconds for the way of a command that was fresh when the agent looked at it, and for us to see what it did."""


class Answer(StrEnum):
    """How a command was answered."""

    NONE = "unanswered"
    DONE = "done"
    REFUSED = "refused"
    UNSURE = "unsure"
    BOUNCED = "bounced"


@dataclass(slots=True)
class Order:
    """A command; its value is its own, so that the actuator's record tells which one moved it.

    Attributes:
        value: what the actuator is set to.
        sent: when it was sent, the first time and again, in monotonic seconds.
        executed: when it moved the actuator.
        answer: the last word of the agent about it; a server that could not deliver it has none.
        words: what the answer said.
    """

    value: int
    sent: list[float] = field(default_factory=list)
    executed: list[float] = field(default_factory=list)
    answer: Answer = Answer.NONE
    words: str = ""

    @property
    def age(self) -> float:
        """Return how old it was when it moved the actuator first, from when it was last sent before."""
        if not self.executed:
            return 0.0
        return self.executed[0] - max((at for at in self.sent if at <= self.executed[0]), default=self.executed[0])

    def answered(self, answer: Answer, words: str = "") -> None:
        """Note an answer. What the agent said counts more than what a server said."""
        if answer is not Answer.BOUNCED or self.answer is Answer.NONE:
            self.answer, self.words = answer, words


class Orders:
    """All commands of a run by value.

    Attributes:
        strange: values that the actuator was set to by nobody, or before they were sent.
    """

    def __init__(self) -> None:
        self.all: dict[int, Order] = {}
        self.strange: list[int] = []

    def new(self) -> Order:
        """Make the next command, to be sent."""
        order = Order(len(self.all) + 1)
        self.all[order.value] = order
        return order

    def executed(self, value: int, at: float) -> None:
        """Note what the actuator's record tells."""
        order = self.all.get(value)
        if order is None or not order.sent or order.sent[0] > at:
            self.strange.append(value)
        else:
            order.executed.append(at)

    @property
    def repetitions(self) -> int:
        """Return how often a command was sent again."""
        return sum(len(order.sent) - 1 for order in self.all.values() if order.sent)

    def done(self) -> list[Order]:
        """Return what moved the actuator."""
        return [order for order in self.all.values() if order.executed]

    def twice(self) -> list[Order]:
        """Return what moved it more than once."""
        return [order for order in self.all.values() if len(order.executed) > 1]

    def stale(self) -> list[Order]:
        """Return what moved it too late."""
        return [order for order in self.all.values() if order.age > FRESH + SLACK]

    def untrue(self) -> list[Order]:
        """Return what was said to be done and was not, or to be refused and was done."""
        return [
            order
            for order in self.all.values()
            if (order.answer is Answer.DONE and not order.executed)
            or (order.answer is Answer.REFUSED and order.executed)
        ]

    def answered(self, answer: Answer) -> Sequence[Order]:
        """Return the commands that were answered so."""
        return [order for order in self.all.values() if order.answer is answer]
