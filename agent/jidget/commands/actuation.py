"""The commands that act: set, do. They plan; the service drives."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from jidget.commands.inquiry import Text
from jidget.commands.model import Reason, Refusal, Result
from jidget.commands.registry import Actuation, Arguments, Plan, Scope
from jidget.commands.sentences import failed, name_of, say_invoked, say_written
from jidget.commands.signature import Signature
from jidget.config.model import Role
from jidget.config.values import LONGEST
from jidget.durations import EXAMPLES, parse_duration, write_duration
from jidget.safety.guard import Objection
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable, WriteFailed
from jidget.things.values import (
    MAX_STRING,
    SWITCH_WORDS,
    BadValue,
    check_value,
    parse_value,
    say_range,
    shorten,
    show_number,
    show_value,
)
from jidget_drivers import Kind, Property, Scalar, WriteRefused

MOST_ARGUMENTS = 32
SHORTEST = 1.0
"""Seconds: what is set for less is hardly meant."""
_ARGUMENT = re.compile(r"\s*([^\s=]+)\s*=(.*)", re.DOTALL)


# ---- writing -------------------------------------------------------------------------------------------------------


def plan_write(scope: Scope, thing: Thing, values: Mapping[str, Scalar], span: float | None = None) -> Plan:
    """Plan to write properties of one Thing, named by id, alias or label; all are checked before any is written.

    Texts are read as people write them. That the person may act on the Thing is checked by the caller. With a `span`
    (seconds) they go to safe after it, or back to what they are now where nothing is safe.

    Raises:
        Refusal: a property is unknown, not writable, named twice, or its value does not fit.
    """
    checked: dict[str, Scalar] = {}
    for name, value in values.items():
        prop = scope.property_of(thing, name)
        if prop.name in checked:
            raise Refusal(Reason.BAD_VALUE, f"{name_of(thing, prop)} is named twice")
        if not prop.writable:
            raise Refusal(Reason.NOT_ACCEPTABLE, f"{name_of(thing, prop)} can only be read")
        try:
            checked[prop.name] = parse_value(prop, value) if isinstance(value, str) else check_value(prop, value)
        except BadValue as error:
            raise Refusal(Reason.BAD_VALUE, f"{name_of(thing, prop)}: {error}") from None
    if not checked:
        raise Refusal(Reason.BAD_VALUE, f"no value for {thing.id} was given")

    guard = scope.guard
    begun = guard.mark(thing)

    async def require() -> None:
        try:
            await guard.require(thing, checked, span)
        except Objection as error:
            raise Refusal(Reason.NOT_ACCEPTABLE, str(error)) from None

    async def drive(check: Callable[[], None]) -> Result:
        try:
            result = await guard.write(thing, checked, by=scope.person.jid, span=span, check=check, since=begun)
        except Objection as error:
            raise Refusal(Reason.NOT_ACCEPTABLE, str(error)) from None
        except ThingUnavailable as error:
            raise Refusal(Reason.UNAVAILABLE, str(error)) from None
        except WriteRefused as error:
            raise Refusal(Reason.NOT_ACCEPTABLE, f"{thing.id}.{next(iter(checked))}: {error}") from None
        except WriteFailed as error:
            return failed(Reason.TIMEOUT if error.timed_out else Reason.BROKEN, str(error))
        return say_written(thing, checked, result, guard.say_until(thing, checked) if span is not None else "")

    shown = {name: show_value(thing.properties[name], value) for name, value in checked.items()}
    return Plan(
        things=(thing,),
        command=Set.name,
        target=thing.id,
        arguments={**shown, **({} if span is None or "for" in shown else {"for": write_duration(span)})},
        outputs=tuple((thing, name) for name in checked),
        drive=drive,
        require=require,
        confirm=guard.wants_confirmation(thing, checked),
    )


class SetArguments(Arguments):
    """A Thing or one of its properties, and the value."""

    target: Annotated[Text, StringConstraints(min_length=1)]
    value: Annotated[str, StringConstraints(max_length=MAX_STRING)] | None = None
    duration: Text = Field(default="", alias="for")


class Set(Actuation[SetArguments]):
    """`set THING[.PROPERTY] VALUE`: write, answer with the value read back."""

    name = "set"
    title = "3 Set…"
    role = Role.OPERATOR
    usage = "set THING[.PROPERTY] VALUE [for DURATION]"
    summary = "switch or adjust; also without set: THING on, THING.PROPERTY VALUE, THING on for 10m"
    arguments = SetArguments

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is something this person may write."""
        return super().offered_to(scope) and bool(scope.settable())

    def examples(self, scope: Scope, /) -> tuple[str, ...]:
        """Return short ones first: `pump on`."""
        found = [_example(thing, prop) for thing, prop in scope.settable()]
        return tuple(sorted(found, key=lambda example: "." in example.split()[0])[:3])

    def plan(self, scope: Scope, arguments: SetArguments, /) -> Plan:
        """Find the property, read the value."""
        thing, prop = scope.to_set(arguments.target)
        prop = prop or _only_writable(thing, arguments.value)
        if arguments.value is None:
            raise Refusal(Reason.BAD_VALUE, f"say what to set {name_of(thing, prop)} to: {say_range(prop)}")
        return plan_write(scope, thing, {prop.name: arguments.value}, _span(arguments.duration))


def _span(text: str) -> float | None:
    """Return the seconds of a `for`; None without one."""
    if not text.strip():
        return None
    try:
        span = parse_duration(text)
    except ValueError:
        raise Refusal(Reason.BAD_VALUE, f'"{shorten(text)}" is not a duration. Write {EXAMPLES}') from None
    if not SHORTEST <= span <= LONGEST:
        raise Refusal(Reason.BAD_VALUE, f'for takes at least "1s" and at most "366d", not "{shorten(text)}"')
    return span


def _only_writable(thing: Thing, value: str | None) -> Property:
    """Return the property that is meant where only the Thing is named: a switch position means its only switch.

    Settings that are left out where everything is shown are not meant, unless there is nothing else.
    """
    writable = _foremost(thing)
    switches = [prop for prop in writable if prop.kind is Kind.BOOLEAN]
    if len(switches) == 1 and value is not None and value.strip().casefold() in SWITCH_WORDS:
        return switches[0]
    if len(writable) == 1:
        return writable[0]
    if not writable:
        raise Refusal(Reason.NOT_ACCEPTABLE, f"{thing.id} has nothing that can be set")
    choices = ", ".join(name_of(thing, prop) for prop in writable[:8])
    raise Refusal(Reason.BAD_VALUE, f"{thing.id} has several values that can be set. Say which: {choices}")


def _foremost(thing: Thing) -> Sequence[Property]:
    """Return what people mean by setting a Thing: without its settings, if there is anything besides."""
    return [prop for prop in thing.writable if prop.name not in thing.quiet] or thing.writable


def _example(thing: Thing, prop: Property) -> str:
    foremost = _foremost(thing)
    alone = [prop] == [*foremost]
    switches = [p for p in foremost if p.kind is Kind.BOOLEAN]
    target = thing.id if alone or [prop] == switches else name_of(thing, prop)
    match prop.kind:
        case Kind.BOOLEAN:
            return f"{target} on"
        case Kind.ENUM:
            return f"{target} {prop.options[0]}"
        case Kind.STRING:
            return f'{target} "hello"'
        case Kind.NUMBER | Kind.INTEGER:
            low, high = prop.minimum, prop.maximum
            if low is not None and high is not None:
                middle = (low + high) / 2
                return f"{target} {int(middle) if prop.kind is Kind.INTEGER else show_number(middle, prop.precision)}"
            edge = low if low is not None else high if high is not None else 1
            return f"{target} {show_number(edge, None)}"


# ---- actions -------------------------------------------------------------------------------------------------------


def plan_action(scope: Scope, thing: Thing, signature: Signature, arguments: Mapping[str, str]) -> Plan:
    """Plan to invoke an action with arguments as people write them.

    Raises:
        Refusal: an argument is unknown, missing or wrong.
    """
    name = signature.action.name
    try:
        checked: dict[str, Any] = signature.check(arguments)
    except BadValue as error:
        raise Refusal(Reason.BAD_VALUE, f"{thing.id} {name}: {error}") from None

    begun = scope.guard.mark(thing)

    async def drive(check: Callable[[], None]) -> Result:
        try:
            return say_invoked(thing, name, await scope.guard.invoke(thing, name, checked, check, begun))
        except Objection as error:
            raise Refusal(Reason.NOT_ACCEPTABLE, str(error)) from None
        except ThingUnavailable as error:
            raise Refusal(Reason.UNAVAILABLE, str(error)) from None
        except WriteRefused as error:
            raise Refusal(Reason.NOT_ACCEPTABLE, f"{thing.id} {name}: {error}") from None
        except WriteFailed as error:
            return failed(Reason.TIMEOUT if error.timed_out else Reason.BROKEN, str(error))

    return Plan(
        things=(thing,),
        command=Do.name,
        target=f"{thing.id}.{name}",
        arguments=signature.masked(arguments),
        outputs=(),
        drive=drive,
        confirm=any(output.rules.confirm for output in scope.guard.outputs_of(thing)),  # it may move any of them
    )


class DoArguments(Arguments):
    """An action `THING.ACTION`, and its arguments: a line `name=value` each."""

    target: Annotated[Text, StringConstraints(min_length=1)]
    arguments: Annotated[str, StringConstraints(max_length=8 * MAX_STRING)] = ""


class Do(Actuation[DoArguments]):
    """`do THING ACTION [name=value …]`: invoke an action."""

    name = "do"
    title = "4 Do…"
    role = Role.OPERATOR
    usage = "do THING ACTION [name=value …]"
    summary = "invoke an action"
    arguments = DoArguments

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is an action this person may invoke."""
        return super().offered_to(scope) and bool(scope.invocable())

    def examples(self, scope: Scope, /) -> tuple[str, ...]:
        """Return actions with the arguments they cannot do without."""
        return tuple(
            " ".join((f"do {thing.id} {s.action.name}", *(f"{p.name}={p.example}" for p in s.parameters if p.required)))
            for thing, s in scope.invocable()[:3]
        )

    def plan(self, scope: Scope, arguments: DoArguments, /) -> Plan:
        """Find the action, read its arguments."""
        thing, signature = scope.to_invoke(arguments.target)
        return plan_action(scope, thing, signature, _split(arguments.arguments, signature))


def _split(text: str, signature: Signature) -> dict[str, str]:
    """Return the arguments written as `name=value`, a line each."""
    found: dict[str, str] = {}
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > MOST_ARGUMENTS:
        raise Refusal(Reason.BAD_VALUE, f"too many arguments: at most {MOST_ARGUMENTS}")
    for line in lines:
        match = _ARGUMENT.fullmatch(line)
        if not match:
            raise Refusal(Reason.BAD_VALUE, f'"{shorten(line)}" is not name=value. Write: {signature.usage}')
        if match[1] in found:
            raise Refusal(Reason.BAD_VALUE, f'the argument "{shorten(match[1])}" is given twice')
        found[match[1]] = match[2].strip()
    return found
