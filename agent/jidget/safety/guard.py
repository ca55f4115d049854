"""The guard: the only way to set an output. Whoever asks, over whatever face, asks it (DESIGN 4.4, Safety).

A change is judged twice: before anything is waited for, so that a refusal costs nothing, and again when the Thing is
held and nothing more can come in between. What limits the time on is kept in the store before anything moves.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from jidget.safety.changes import Earlier
from jidget.safety.memory import OutputMemory, boottime
from jidget.safety.output import Output
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.rules import OutputId
from jidget.things.state import ThingUnavailable, WriteResult
from jidget.things.values import same_value
from jidget_drivers import Scalar, WriteRefused

Values = Mapping[str, Scalar]


class Objection(Exception):
    """A rule forbids this now; nothing was moved. The text says which rule and until when."""


class Guard:
    """All outputs under their rules.

    Attributes:
        outputs: by Thing and property.
        on_kept: told which output its keeper should look at.
    """

    def __init__(
        self,
        directory: Directory,
        memory: OutputMemory,
        *,
        clock: Callable[[], float] = boottime,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take all Things, the outputs' past, a steady clock, and the wall clock that people are shown."""
        self.outputs: dict[OutputId, Output] = {}
        self.on_kept: Callable[[Output], None] = lambda _: None
        self._now = now
        self.memory = memory
        self.clock = clock
        self._groups: dict[str, frozenset[str]] | None = None
        self._turns: dict[str, asyncio.Lock] = {}
        self._stopping = False
        self._stops: dict[str, int] = {}
        self._written: set[Output] = set()

        for thing in directory:
            self._add(thing)

    def add(self, thing: Thing) -> None:
        """Take a Thing that has come into the house since, or takes the place of one."""
        self.remove(thing.id)
        self._add(thing)
        self._groups = None  # found out when somebody wants to know: many Things come at once

    def remove(self, thing_id: str) -> None:
        """Let go of a Thing's outputs; whose turn it is stays, as somebody may wait for it."""
        for output_id in [output_id for output_id in self.outputs if output_id[0] == thing_id]:
            self._written.discard(self.outputs.pop(output_id))

    def _add(self, thing: Thing) -> None:
        self._turns.setdefault(thing.id, asyncio.Lock())
        for prop in thing.writable:
            self.outputs[thing.id, prop.name] = Output(thing, prop, now=self._now)

    def outputs_of(self, thing: Thing) -> Sequence[Output]:
        """Return the outputs of one Thing."""
        return [self.outputs[thing.id, prop.name] for prop in thing.writable]

    def wants_confirmation(self, thing: Thing, values: Values) -> bool:
        """Whether a person must answer a code before these values are set."""
        outputs = [self.outputs[thing.id, name] for name in values]
        return any(o.rules.confirm and (o.rules.safe is None or o.is_on(values[o.prop.name])) for o in outputs)

    @asynccontextmanager
    async def turn(self, things: Iterable[Thing]) -> AsyncIterator[None]:
        """Hold Things and all that are interlocked with them: nobody else sets any of them meanwhile."""
        async with AsyncExitStack() as held:
            for turn in self._locks(things):
                await held.enter_async_context(turn)
            yield

    def busy(self, things: Iterable[Thing]) -> bool:
        """Whether somebody holds one of these Things, or one that is interlocked with them."""
        return any(turn.locked() for turn in self._locks(things))

    def _locks(self, things: Iterable[Thing]) -> list[asyncio.Lock]:
        """Return what to hold, always in the same order, so that no two wait for each other."""
        if self._groups is None:
            self._groups = _groups(self._turns, self.outputs)
        groups = self._groups
        wanted = {thing_id for thing in things for thing_id in groups[thing.id]}
        return [self._turns[thing_id] for thing_id in sorted(wanted)]

    # ---- setting ----------------------------------------------------------------------------------------------------

    async def require(self, thing: Thing, values: Values, span: float | None = None) -> None:
        """Judge a change before anything is done about it; what it is interlocked with is looked at first.

        Raises:
            Objection: a rule forbids it.
        """
        self._require(thing, values, span, partners=False)
        for partner in self._partners(thing, values):
            try:
                await partner.thing.read_now()
            except ThingUnavailable:
                continue  # which counts as on
        self._require(thing, values, span)

    async def write(
        self,
        thing: Thing,
        values: Values,
        *,
        by: str,
        span: float | None = None,
        check: Callable[[], None] = lambda: None,
        since: int | None = None,
    ) -> WriteResult:
        """Set properties of a Thing, in its turn, and read them back.

        Args:
            thing: whose.
            values: checked values by property.
            by: who asks.
            span: for how many seconds; then it goes to safe, or back where nothing is safe.
            check: called last of all before anything moves; may raise to stop it.
            since: what `mark` returned when this was asked for; a `stop` since then comes first.

        Raises:
            Objection: a rule forbids it; nothing was moved.
            ThingUnavailable: nothing was moved: it cannot be reached.
            WriteRefused: nothing was moved: the driver refused the first value.
            WriteFailed: something may have moved.
        """
        outputs = [self.outputs[thing.id, name] for name in values]
        values = {output.prop.name: output.exact(values[output.prop.name]) for output in outputs}
        earlier: list[tuple[Output, Earlier]] = []

        def begin() -> None:
            check()
            self._require(thing, values, span)
            if since is not None and since != self.mark(thing) and any(o.is_on(values[o.prop.name]) for o in outputs):
                raise Objection(f"{thing.id} was stopped meanwhile")
            for output in outputs:
                earlier.append((output, output.begin(values[output.prop.name], self.clock(), by, span)))
                self.keep(output, asked=True)

        off_first = sorted(outputs, key=lambda output: output.is_on(values[output.prop.name]))
        try:
            result = await thing.write({output.prop.name: values[output.prop.name] for output in off_first}, begin)
        except (ThingUnavailable, WriteRefused):
            for output, past in earlier:
                output.undo(past, self.clock())
                self.keep(output, asked=True)
            raise
        for output in outputs:
            told, value = result.values.get(output.prop.name), values[output.prop.name]
            if told is None or same_value(output.prop, told, value):  # where it tells nothing, what was sent counts
                output.settled(value, self.clock())
            self.keep(output)
        return result

    def mark(self, thing: Thing) -> int:
        """Return how often outputs of the Thing have been stopped."""
        return self._stops.get(thing.id, 0)

    def stop(self, outputs: Iterable[Output]) -> None:
        """Let nothing that was asked for before this switch any of these on."""
        for thing_id in {output.thing.id for output in outputs}:
            self._stops[thing_id] = self._stops.get(thing_id, 0) + 1

    async def invoke(
        self, thing: Thing, name: str, arguments: Mapping[str, Any], check: Callable[[], None], since: int
    ) -> Any:
        """Invoke an action of a Thing, in its turn; see `Thing.invoke`. What it does to outputs is observed.

        Raises:
            Objection: the agent is being stopped, or the Thing was since `mark` returned `since`.
        """

        def begin() -> None:
            check()
            if self._stopping:
                raise Objection("the agent is being stopped")
            if since != self.mark(thing):
                raise Objection(f"{thing.id} was stopped meanwhile")

        return await thing.invoke(name, arguments, begin)

    def stopping(self) -> None:
        """Let nobody switch anything on any more, and remember how things are now."""
        self._stopping = True

    def say_until(self, thing: Thing, names: Iterable[str]) -> str:
        """Say when outputs change by themselves; nothing if they do not."""
        at = self.clock()
        return "; ".join(filter(None, (self.outputs[thing.id, name].say_until(at) for name in names)))

    # ---- rules ------------------------------------------------------------------------------------------------------

    def _require(self, thing: Thing, values: Values, span: float | None, *, partners: bool = True) -> None:
        for name, value in values.items():
            output = self.outputs[thing.id, name]
            if self._stopping and output.is_on(value):
                raise Objection(f"the agent is being stopped, so {output.name} stays as it is")
            text = output.objection(value, self.clock(), span)
            if text is None and partners and output.is_on(value):
                text = self._interlocked(output, values)
            if text is not None:
                raise Objection(text)

    def _partners(self, thing: Thing, values: Values) -> list[Output]:
        """Return the outputs of other Things that must be off so that these values may be set."""
        ids = (
            partner
            for name, value in values.items()
            if self.outputs[thing.id, name].is_on(value)
            for partner in self.outputs[thing.id, name].rules.interlock
            if partner[0] != thing.id
        )
        return [self.outputs[partner] for partner in dict.fromkeys(ids) if partner in self.outputs]

    def _interlocked(self, output: Output, values: Values) -> str | None:
        """Say which output forbids this one to be on."""
        for partner_id in output.rules.interlock:
            partner = self.outputs.get(partner_id)
            if partner is None:
                name = ".".join(partner_id)
                return f"{name} has not been seen yet and may be on, so {output.name} stays off (interlock)"
            together = values.get(partner.prop.name) if partner_id[0] == output.thing.id else None
            if together is not None:
                if partner.is_on(together):
                    return f"{output.name} and {partner.name} are never on together (interlock)"
                continue  # it is switched off in the same go, and first
            if partner.on is None:
                return f"{partner.name} is out of reach and may be on, so {output.name} stays off (interlock)"
            if partner.on or partner.past.on_since is not None:
                return f"{partner.name} is on, so {output.name} stays off (interlock)"
        return None

    def conflicting(self, output: Output) -> Output | None:
        """Return an output that is on, as far as is known, and never may be together with this one."""
        partners = (self.outputs[partner] for partner in output.rules.interlock if partner in self.outputs)
        return next((partner for partner in partners if partner.on or partner.past.on_since is not None), None)

    def take_over(self, output: Output, earlier: Output) -> None:
        """Have an output go on where the one that it takes the place of has been."""
        output.take_over(earlier)
        if self.memory.load(output.name) is not None:
            self._written.add(output)

    def wake(self, output: Output) -> None:
        """Have an output take over what the store knows of it."""
        known = self.memory.load(output.name)
        if known is not None:
            self._written.add(output)
        output.wake(known, self.clock())

    def keep(self, output: Output, *, asked: bool = False) -> None:
        """Have what is known of an output outlive the process, and its keeper look at it.

        A stop of the agent is no reason to forget what was asked for before; what is `asked` for meanwhile counts.
        """
        if (asked or not self._stopping) and (output.remembers or output in self._written):
            self.memory.keep(output.name, output.past)
            self._written.add(output)
        self.on_kept(output)


def _groups(things: Iterable[str], outputs: Mapping[OutputId, Output]) -> dict[str, frozenset[str]]:
    """Return, for each Thing, all that it is interlocked with, directly or through others, and itself."""
    groups = {thing_id: frozenset((thing_id,)) for thing_id in things}
    for (thing_id, _), output in outputs.items():
        for partner, _ in output.rules.interlock:
            if partner not in groups:
                continue  # it has not been discovered yet
            joined = groups[thing_id] | groups[partner]
            groups |= dict.fromkeys(joined, joined)
    return groups
