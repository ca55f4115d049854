"""`stop`, `all off`: every output one may act on to its safe value, at once, whatever else is going on."""

from collections.abc import Callable, Sequence

from jidget.commands.model import Outcome, Reason, Refusal, Result, ResultField
from jidget.commands.registry import Actuation, Arguments, Plan, Scope
from jidget.commands.sentences import name_of, observed_fields
from jidget.config.model import Role
from jidget.safety.keeper import Keeper
from jidget.safety.output import Output
from jidget.things.values import same_value, show_value
from jidget_drivers import Scalar


class StopArguments(Arguments):
    """Nothing: it means everything."""


class Stop(Actuation[StopArguments]):
    """`stop`: never confirmed, never interlocked, waits for nobody's turn."""

    name = "stop"
    title = "5 Stop everything"
    role = Role.OPERATOR
    usage = "stop"
    summary = "every output you may act on to its safe value, at once; also: all off"
    arguments = StopArguments

    def __init__(self, keeper: Keeper) -> None:
        """Take who makes outputs safe."""
        self._keeper = keeper

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is something to stop."""
        return super().offered_to(scope) and any(output.rules.safe is not None for output in _outputs(scope))

    def plan(self, scope: Scope, _arguments: StopArguments, /) -> Plan:
        """Find the outputs."""
        outputs = _outputs(scope)
        safe = [output for output in outputs if output.rules.safe is not None]
        if not safe:
            raise Refusal(Reason.NOT_FOUND, "there is no output with a safe value that you may act on")

        async def drive(check: Callable[[], None]) -> Result:
            check()
            return _say(outputs, await self._keeper.stop(safe, scope.person.jid))

        return Plan(
            things=tuple(dict.fromkeys(output.thing for output in safe)),
            command=self.name,
            target="all",
            arguments={},
            outputs=tuple((output.thing, output.prop.name) for output in safe),
            drive=drive,
            urgent=True,
        )


def _outputs(scope: Scope) -> list[Output]:
    return [scope.guard.outputs[thing.id, prop.name] for thing, prop in scope.settable()]


def _say(outputs: Sequence[Output], left: Sequence[Output]) -> Result:
    lines: list[str] = []
    fields: list[ResultField] = []
    unconfirmed = bool(left)
    for output in outputs:
        name, safe = name_of(output.thing, output.prop), output.rules.safe
        if safe is None:
            lines.append(f"{name}: has no safe value, left as it is")
        elif output not in left and not _shows(output, safe):
            lines.append(f"{name}: {show_value(output.prop, safe)} sent, unconfirmed")
            unconfirmed = True
        elif output not in left:
            lines.append(f"{name}: {show_value(output.prop, safe)} (confirmed)")
            fields.extend(observed_fields(output.thing, (output.prop.name,)))
        elif output.thing.availability.available:
            lines.append(f"{name}: {show_value(output.prop, safe)} sent, unconfirmed: tried again until it is")
        else:
            lines.append(f"{name}: out of reach, set to {show_value(output.prop, safe)} as soon as it returns")
    return Result(
        outcome=Outcome.UNCONFIRMED if unconfirmed else Outcome.DONE, note="\n".join(lines), fields=tuple(fields)
    )


def _shows(output: Output, value: Scalar) -> bool:
    """Whether it can be seen that an output has a value."""
    seen = output.thing.values.get(output.prop.name)
    return output.thing.availability.available and seen is not None and same_value(output.prop, seen.value, value)
