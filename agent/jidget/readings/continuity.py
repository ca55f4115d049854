"""Whether the store is the one by which the last batches were numbered (DESIGN 4.3).

A store that was put back from a copy has forgotten batches that it gave numbers to; the server remembers how far the
numbers had come, as that is told with the current values.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

log = logging.getLogger(__name__)


class Numbers(Protocol):
    """What gives batches their numbers."""

    @property
    def gen(self) -> str:
        """Return the present generation."""

    def extent(self, gen: str) -> tuple[int, str | None] | None:
        """Return a generation's last SEQ and the generation after it, if any; None for one that is not known."""

    def renew(self) -> None:
        """Begin a new generation."""


class Continuity:
    """Compares, once in the life of the process: a store is replaced only while nobody uses it."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._compared = False

    def extent(self) -> tuple[str, int] | None:
        """Return the present generation and its last SEQ; None where there is no telling."""
        gen = self._numbers.gen
        found = self._numbers.extent(gen)
        return None if found is None else (gen, found[0])

    async def compare(self, ask: Callable[[], Awaitable[tuple[str, int] | None]]) -> None:
        """Begin a new generation if the server has seen more of the present one than the store knows.

        Raises what `ask` does, which returns the generation and last SEQ that the server was told last.
        """
        if self._compared:
            return
        told = await ask()
        self._compared = True
        if told is None:
            return
        gen, last = told
        known = self._numbers.extent(gen)
        if known is None:
            log.info(
                "the server has readings of a store that this one does not follow (%s up to %d): a new generation is "
                "numbered from 1, and what the old store kept for the server is not sent",
                *(gen, last),
            )
        elif last > known[0] and gen == self._numbers.gen:
            self._numbers.renew()
            log.warning(
                "the store has forgotten batches that the server had (%s up to %d, the store knows %d): it was put "
                "back from a copy. New ones are numbered anew, as %s",
                *(gen, last, known[0], self._numbers.gen),
            )
