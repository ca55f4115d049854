"""Changes of an output: those that a rule makes, and what to go back to where nothing came of one."""

from dataclasses import dataclass

from jidget.safety.memory import Remembered
from jidget.things.state import Observed
from jidget_drivers import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """A change that nobody asked for just now.

    Attributes:
        value: what it is set to.
        why: which rule wants it, as a clause: `max_on is 15 min`.
        by: who had it on, as in `Remembered.by`.
        expected: whether it was asked for in advance, as the end of a `for`.
        lasting: whether it takes the place of what was commanded.
        restores: whether it only goes back to what was commanded before the agent started: tried once, and no rule.
    """

    value: Scalar
    why: str
    by: str
    expected: bool = False
    lasting: bool = True
    restores: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """How an output was before somebody began to set it, should nothing come of that.

    Attributes:
        past: what was known of it.
        dropped: a pending change that is not wanted any more.
        shown: what it showed last.
        unseen: whether what it was switched on by had not been seen yet.
    """

    past: Remembered
    dropped: Forced | None
    shown: Observed | None
    unseen: bool
