"""The safety rules of one output: what the guard holds it to. Pure."""

from dataclasses import dataclass

from jidget.things.values import same_value
from jidget_drivers import Property, Scalar

OutputId = tuple[str, str]
"""Thing and property."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for one writable property. Times in seconds.

    Attributes:
        safe: the value that harms nothing; None where there is none, and then nothing counts as on.
        restore: whether it goes back to what was last commanded when the agent starts, rather than to safe.
        on_disconnect: for how long the server may be out of reach; None for ever.
        max_on: longest time on; None for no limit.
        min_on: shortest time on.
        min_off: shortest time off.
        interlock: outputs that are never on together with this one.
        rate: how often it may be switched on, and within what time; None for no limit.
        confirm: whether a person must answer a code first.
        unfit: why the rules of the configuration do not fit it, so that it is not set at all; empty if they do.
    """

    safe: Scalar | None = None
    restore: bool = False
    on_disconnect: float | None = None
    max_on: float | None = None
    min_on: float = 0.0
    min_off: float = 0.0
    interlock: tuple[OutputId, ...] = ()
    rate: tuple[int, float] | None = None
    confirm: bool = False
    unfit: str = ""

    def is_on(self, prop: Property, value: Scalar) -> bool:
        """Whether a value counts as on: there is a safe one, and this is another."""
        return self.safe is not None and not same_value(prop, value, self.safe)
