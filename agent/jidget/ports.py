"""The small protocols by which a lower floor reaches what is above it; the composition root plugs the real ones in."""

from collections.abc import Sequence
from typing import Protocol

from jidget.reading import Batch, Reading


class Uplink(Protocol):
    """Where readings go."""

    async def ready(self) -> None:
        """Wait until there is a link and a place to publish to."""

    async def publish(self, batch: Batch) -> None:
        """Publish one batch and wait for the server's result.

        Raises:
            LinkError: not known to have arrived: publish it again.
            PublishRefused: the server has said that it will not take it.
        """

    async def publish_now(self, values: Sequence[Reading]) -> None:
        """Replace the current values that late joiners fetch.

        Raises:
            LinkError: not known to have arrived.
            PublishRefused: the server has said that it will not take them.
        """


class Outbox(Protocol):
    """What has been read and not yet been taken by the server. Bounded; what is dropped is counted and said."""

    @property
    def gen(self) -> str:
        """Return the generation of the batch numbers."""

    @property
    def waiting(self) -> int:
        """Return how many readings are in no batch yet."""

    @property
    def oldest_waiting(self) -> int | None:
        """Return the time of the oldest reading that is in no batch yet, in UTC milliseconds."""

    @property
    def dropped(self) -> int:
        """Return how many readings had to be dropped unsent."""

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings, oldest first."""

    def cut_several(self, most: int, count: int, *, backlog: bool) -> Sequence[Batch]:
        """Fix the next batches, up to `count`, of at most `most` waiting readings each; none if none wait."""

    async def secured(self) -> None:
        """Wait until what was cut is as safe as the owner wants it to be before it is sent."""

    def unacknowledged(self) -> Sequence[Batch]:
        """Return the batches that were cut and not acknowledged, oldest first."""

    def acknowledge(self, batch: Batch) -> None:
        """Note that the server has this batch."""


class Facts(Protocol):
    """What is known for good, one text a name, for those who need no more of the store."""

    def fact(self, name: str) -> str | None:
        """Return a fact that was kept; None if there is none, or while the file cannot be used."""

    def keep_fact(self, name: str, text: str) -> bool:
        """Keep a fact; return whether it is in the file."""
