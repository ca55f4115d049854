"""What watches over the outputs of Things: the safety guard, seen from below."""

from collections.abc import Mapping

from jidget_drivers import Scalar


class Overseer:
    """Told what a Thing does, by its id, and asked what it must do. This one wants nothing."""

    def first(self, _thing_id: str) -> Mapping[str, Scalar]:
        """Return what to set as soon as the driver is open, before anything is read, in this order."""
        return {}

    def observed(self, thing_id: str, values: Mapping[str, Scalar], *, old: bool = False) -> None:
        """Take notice that properties have new values, before anybody else does; or `old` ones, of an unknown time."""

    def changed(self, thing_id: str, *, available: bool) -> None:
        """Take notice that the Thing came or went."""

    def urgent(self, _thing_id: str) -> bool:
        """Return whether a driver that cannot be opened must be tried again soon."""
        return False
