"""The registry of commands: what there is, who may use it, and the one shape all of them have."""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from jidget.commands.access import Person
from jidget.commands.model import Reason, Refusal, Result
from jidget.commands.sentences import say_command
from jidget.commands.signature import Signature, Signatures
from jidget.config.model import Role
from jidget.safety.guard import Guard
from jidget.spelling import did_you_mean
from jidget.things.directory import Directory, NotFound, find_property
from jidget.things.host import Thing
from jidget.things.values import shorten
from jidget_drivers import Property


class Arguments(BaseModel):
    """Base of a command's arguments, as they come from any face: all texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


async def _nothing() -> None:
    """Object to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A command that acts, its arguments checked: nothing has moved yet.

    Attributes:
        things: what will be moved.
        command: name of the command.
        target: the Thing's id, or `THING.ACTION`.
        arguments: what will be written, for the journal and the audit; secrets are masked.
        outputs: the properties that tell what it led to.
        drive: moves it; calls what it is given last of all before anything moves, and lets through what that raises.
            Raises `Refusal` where nothing was moved after all.
        require: judges it by the safety rules, before it is noted that anything may move; raises `Refusal`.
        confirm: whether a person must answer a code first.
        urgent: whether it waits for nobody's turn.
    """

    things: tuple[Thing, ...]
    command: str
    target: str
    arguments: Mapping[str, str]
    outputs: tuple[tuple[Thing, str], ...]
    drive: Callable[[Callable[[], None]], Awaitable[Result]]
    require: Callable[[], Awaitable[None]] = _nothing
    confirm: bool = False
    urgent: bool = False

    def __str__(self) -> str:
        """Return it as the audit tells it: `set pump state=on`."""
        return say_command(self.command, self.target, self.arguments)


class Command(ABC, Generic[ArgumentsT]):
    """A command: an `Inquiry` answers, an `Actuation` moves something.

    Class attributes:
        name: chat word and XEP-0050 node.
        title: what clients list; begins with a number, because some sort.
        role: the least role that may use it.
        usage: how to write it in chat.
        summary: one line.
        arguments: what it takes.
        chat_only: whether it is a word of chat and no node.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    role: ClassVar[Role]
    usage: ClassVar[str]
    summary: ClassVar[str]
    arguments: type[ArgumentsT]
    chat_only: ClassVar[bool] = False

    def offered_to(self, scope: "Scope") -> bool:
        """Whether this person can do anything with it."""
        return scope.person.at_least(self.role)

    def examples(self, _: "Scope", /) -> tuple[str, ...]:
        """Return what this person could write, best first."""
        return (self.name,)

    def check(self, arguments: Mapping[str, str]) -> ArgumentsT:
        """Return the typed arguments.

        Raises:
            Refusal: one is unknown, missing or too long.
        """
        try:
            return self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            name = str(problem["loc"][0]) if problem["loc"] else "argument"
            raise Refusal(
                Reason.BAD_VALUE, f"{self._say_problem(name, problem['type'])}. Write: {self.usage}"
            ) from None

    def _say_problem(self, name: str, kind: str) -> str:
        match kind:
            case "missing" | "string_too_short":
                return f"the {name} is missing"
            case "extra_forbidden":
                return f'{self.name} takes no "{shorten(name)}"'
            case "string_too_long":
                return f"the {name} is too long"
        return f"the {name} is not understood"


class Inquiry(Command[ArgumentsT]):
    """A command that moves nothing."""

    @abstractmethod
    async def answer(self, scope: "Scope", arguments: ArgumentsT, /) -> Result:
        """Answer it.

        Raises:
            Refusal: it cannot be answered, or not to this person.
        """


class Actuation(Command[ArgumentsT]):
    """A command that moves something. It only plans; the service drives (DESIGN 3, the way of a command)."""

    @abstractmethod
    def plan(self, scope: "Scope", arguments: ArgumentsT, /) -> Plan:
        """Check everything that can be checked before anything moves.

        Raises:
            Refusal: it makes no sense, or this person may not.
        """


AnyCommand = Command[Any]


class Registry:
    """All commands there are, by name."""

    def __init__(self, commands: Iterable[AnyCommand]) -> None:
        self._commands = {command.name: command for command in commands}

    def __iter__(self) -> Iterator[AnyCommand]:
        return iter(self._commands.values())

    def get(self, name: str) -> AnyCommand | None:
        """Return the command of this name."""
        return self._commands.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one person can reach: everything a command looks at, it looks at through this.

    Attributes:
        person: who asks.
        directory: all Things; use the methods below, which leave out what this person may not know of.
        guard: sets their outputs.
        registry: all commands.
        signatures: of the Things' actions.
        me: the agent's full JID.
        now: the wall clock, in UTC seconds.
        remarks: lines about the agent itself, for `status`.
    """

    person: Person
    directory: Directory
    guard: Guard
    registry: Registry
    signatures: Signatures
    me: str
    now: Callable[[], float] = time.time
    remarks: Callable[[], Sequence[str]] = field(default=lambda: ())

    def may_read(self, thing: Thing) -> bool:
        """Whether this person may know of the Thing."""
        return self.person.may_read(thing.id, discovered=thing.discovered)

    def may_act(self, thing: Thing) -> bool:
        """Whether this person may move the Thing."""
        return self.person.may_act(thing.id, discovered=thing.discovered)

    def things(self) -> tuple[Thing, ...]:
        """Return the Things this person may read."""
        return tuple(thing for thing in self.directory if self.may_read(thing))

    def settable(self) -> tuple[tuple[Thing, Property], ...]:
        """Return every property this person may write."""
        return tuple((t, p) for t in self.directory if self.may_act(t) for p in t.writable)

    def invocable(self) -> tuple[tuple[Thing, Signature], ...]:
        """Return every action this person may invoke."""
        return tuple((t, s) for t in self.directory if self.may_act(t) for s in self.signatures.of(t).values())

    def offered(self) -> tuple[AnyCommand, ...]:
        """Return the commands this person can do anything with."""
        return tuple(command for command in self.registry if command.offered_to(self))

    def examples(self) -> tuple[str, ...]:
        """Return up to three different things this person could say now."""
        firsts = [command.examples(self)[:1] for command in self.offered()]
        return tuple(example for first in firsts for example in first)[:3]

    def to_read(self, text: str) -> tuple[Thing, Property | None]:
        """Return the Thing, and the property if one is named, of `THING` or `THING.PROPERTY`; a prefix is enough.

        Raises:
            Refusal: this person knows of none such.
        """
        try:
            return self.directory.resolve(text, may=self.may_read, act=False)
        except NotFound as error:
            raise Refusal(Reason.NOT_FOUND, str(error)) from None

    def to_set(self, text: str) -> tuple[Thing, Property | None]:
        """Return the Thing, and the property if one is named, that this person may act on.

        Raises:
            Refusal: they know of none such, or may not act on it.
        """
        try:
            thing, prop = self.directory.resolve(text, may=self.may_read, act=True)
        except NotFound as error:
            raise Refusal(Reason.NOT_FOUND, str(error)) from None
        self._require_right(thing)
        return thing, prop

    def to_invoke(self, text: str) -> tuple[Thing, Signature]:
        """Return the Thing and action of `THING.ACTION` that this person may invoke.

        Raises:
            Refusal: they know of none such, or may not act on it.
        """
        thing_name, dot, action = text.strip().rpartition(".")
        try:
            thing = self.directory.find(thing_name if dot else text, may=self.may_read, act=True)
        except NotFound as error:
            raise Refusal(Reason.NOT_FOUND, str(error)) from None
        self._require_right(thing)
        known = self.signatures.of(thing)
        if not known:
            raise Refusal(Reason.NOT_FOUND, f"{thing.id} has no actions")
        if not dot:
            raise Refusal(Reason.BAD_VALUE, f"say which action of {thing.id}: {', '.join(known)}")
        found = next((s for name, s in known.items() if name.casefold() == action.strip().casefold()), None)
        if found is None:
            hint = did_you_mean(shorten(action), known) or f" It has: {', '.join(known)}."
            raise Refusal(Reason.NOT_FOUND, f'{thing.id} has no action "{shorten(action)}".{hint}')
        return thing, found

    def by_id(self, thing_id: str, *, act: bool) -> Thing:
        """Return the Thing with exactly this id.

        Raises:
            Refusal: this person knows of none such, or may not act on it.
        """
        thing = self.directory.get(thing_id)
        if thing is None or not self.may_read(thing):
            near = did_you_mean(shorten(thing_id), [thing.id for thing in self.things()])
            raise Refusal(Reason.NOT_FOUND, f'there is no "{shorten(thing_id)}".{near}'.removesuffix("."))
        if act:
            self._require_right(thing)
        return thing

    def property_of(self, thing: Thing, text: str) -> Property:
        """Return the property that `text` names.

        Raises:
            Refusal: there is none.
        """
        try:
            return find_property(thing, text)
        except NotFound as error:
            raise Refusal(Reason.NOT_FOUND, str(error)) from None

    def require(self, name: str) -> AnyCommand:
        """Return the command of this name.

        Raises:
            Refusal: there is none, or the person's role does not include it.
        """
        command = self.registry.get(name)
        if command is None:
            raise Refusal(Reason.NOT_FOUND, f'there is no command "{shorten(name)}"')
        if not self.person.at_least(command.role):
            raise Refusal(Reason.FORBIDDEN, f"you may not use {command.name} here")
        return command

    def _require_right(self, thing: Thing) -> None:
        if not self.may_act(thing):
            raise Refusal(Reason.FORBIDDEN, f"you may not act on {thing.id}")
