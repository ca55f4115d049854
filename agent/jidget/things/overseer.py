"""What watches over the outputs of Things: the safety guard, seen from below."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jidget_drivers import Scalar

if TYPE_CHECKING:
    from jidget.things.host import Thing


class Overseer:
    """Told what a Thing does, and asked what it must do. This one wants nothing."""

    def first(self, _thing: "Thing") -> Mapping[str, Scalar]:
        """Return what to set as soon as the driver is open, before anything is read, in this order."""
        return {}

    def observed(self, thing: "Thing", names: Iterable[str]) -> None:
        """Take notice that properties have new values, before anybody else does."""

    def changed(self, thing: "Thing") -> None:
        """Take notice that the Thing came or went."""

    def urgent(self, _thing: "Thing") -> bool:
        """Return whether a driver that cannot be opened must be tried again soon."""
        return False
