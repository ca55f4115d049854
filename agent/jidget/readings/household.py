"""The Things of the house as they come and go: found by name, kept safe, run and reported."""

from collections.abc import Callable

from jidget.readings.policy import ReportPolicy
from jidget.readings.sampler import Sampler
from jidget.safety.keeper import Keeper
from jidget.things.directory import Directory
from jidget.things.host import Thing


class Household:
    """Lets Things in and out while the agent runs."""

    def __init__(
        self,
        directory: Directory,
        keeper: Keeper,
        sampler: Sampler,
        policy: Callable[[str], ReportPolicy],
        on_availability: Callable[[Thing], None] = lambda _: None,
    ) -> None:
        """Take who finds them, keeps them safe and runs them, when each is reported (by id), and who hears of them."""
        self._on_availability = on_availability
        self._policy = policy
        self._directory = directory
        self._keeper = keeper
        self._sampler = sampler

    async def admit(self, thing: Thing, /) -> None:
        """Let a Thing in, in the place of the one of the same id, if there is one."""
        if self._directory.get(thing.id) is not None:
            await self._sampler.remove(thing.id)
        thing.on_availability = self._on_availability
        self._keeper.add(thing)
        self._directory.add(thing)
        self._sampler.add(thing, self._policy(thing.id))

    async def dismiss(self, thing_id: str, /) -> None:
        """Let a Thing go."""
        self._directory.remove(thing_id)
        await self._sampler.remove(thing_id)
        self._keeper.remove(thing_id)
