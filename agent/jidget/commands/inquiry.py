"""The commands that ask: help, status, read, things."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

from pydantic import StringConstraints

from jidget.commands.model import Outcome, Reason, Refusal, Result, ResultField
from jidget.commands.registry import Actuation, AnyCommand, Arguments, Inquiry, Scope
from jidget.commands.sentences import describe, observed_fields, say_observed, say_thing
from jidget.config.model import Role
from jidget.spelling import did_you_mean
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable
from jidget.things.values import shorten
from jidget_drivers import Property

MOST_LINES = 60
"""Lines of a reply; the rest is counted."""
MOST_VALUES = 8
"""Values of a Thing in its line of `status`."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class NoArguments(Arguments):
    """For commands that take none."""


class Status(Inquiry[NoArguments]):
    """`status`: one line per Thing."""

    name = "status"
    title = "1 Status"
    role = Role.VIEWER
    usage = "status"
    summary = "one line per Thing"
    arguments = NoArguments

    async def answer(self, scope: Scope, _: NoArguments, /) -> Result:
        """Say what was last known of every Thing; no hardware is asked."""
        things = scope.things()
        lines = [*scope.remarks(), *(say_thing(thing, scope.now(), MOST_VALUES) for thing in things)]
        here = [thing for thing in things if thing.availability.available]
        fields = [field for thing in here for field in observed_fields(thing, thing.values)]
        return _listing(lines, fields, nothing="no Things yet")


class ReadArguments(Arguments):
    """Nothing for all of it, a Thing, or one of its properties."""

    target: Text = ""


class Read(Inquiry[ReadArguments]):
    """`read [THING[.PROPERTY]]`: fresh values."""

    name = "read"
    title = "2 Read…"
    role = Role.VIEWER
    usage = "read [THING[.PROPERTY]]"
    summary = "fresh values with units and age"
    arguments = ReadArguments

    def examples(self, scope: Scope, /) -> tuple[str, ...]:
        """Return a Thing that measures rather than acts, if there is one; and one of its properties."""
        things = sorted(scope.things(), key=lambda thing: len(thing.writable) == len(thing.properties))
        if not things:
            return ("read",)
        first = next(iter(things[0].properties), "")
        return (f"read {things[0].id}", *((f"read {things[0].id}.{first}",) if first else ()), "read")

    async def answer(self, scope: Scope, arguments: ReadArguments, /) -> Result:
        """Ask the hardware and say what it told."""
        if arguments.target.casefold() in ("", "all"):
            return await self._all(scope)
        thing, prop = scope.to_read(arguments.target)
        away = await _refresh(thing)
        if away:
            raise Refusal(Reason.UNAVAILABLE, away)
        props = list(thing.properties.values()) if prop is None else [prop]
        lines = _say(thing, props, scope.now())
        return _listing(lines, observed_fields(thing, (p.name for p in props)), nothing=f"{thing.id}: no values yet")

    async def _all(self, scope: Scope) -> Result:
        things = scope.things()
        async with asyncio.TaskGroup() as tasks:
            fresh = [(thing, tasks.create_task(_refresh(thing), name=f"read {thing.id}")) for thing in things]
        lines: list[str] = []
        fields: list[ResultField] = []
        for thing, task in fresh:
            away = task.result()
            lines += [away] if away else _say(thing, list(thing.properties.values()), scope.now())
            fields += () if away else observed_fields(thing, thing.properties)
        return _listing(lines, fields, nothing="no Things yet")


async def _refresh(thing: Thing) -> str:
    """Read a Thing; return why that was not possible, or nothing."""
    try:
        # The host bounds the reading itself; waiting for those who came before is bounded here.
        async with asyncio.timeout(2 * thing.timeout + 1):
            await thing.read_now()
    except ThingUnavailable as error:
        return str(error)
    except TimeoutError:
        return f"{thing.id} is busy and did not answer in time"
    return ""


def _say(thing: Thing, props: list[Property], now: float) -> list[str]:
    return [say_observed(thing, prop, now) for prop in props]


class Things(Inquiry[NoArguments]):
    """`things`: the catalogue."""

    name = "things"
    title = "6 Things"
    role = Role.VIEWER
    usage = "things"
    summary = "what there is: ids, values that can be set, their ranges, actions"
    arguments = NoArguments

    async def answer(self, scope: Scope, _: NoArguments, /) -> Result:
        """List the Things."""
        things = scope.things()
        fields = [
            ResultField(name=thing.id, label=thing.label, value=_properties(scope, thing)[:1000]) for thing in things
        ]
        return _listing([_catalogue_line(scope, thing) for thing in things], fields, nothing="no Things yet")


def _catalogue_line(scope: Scope, thing: Thing) -> str:
    name = thing.id if thing.label == thing.id else f"{thing.id} ({thing.label})"
    actions = [s.usage for s in scope.signatures.of(thing).values()] if scope.may_act(thing) else []
    return f"{name}: {_properties(scope, thing)}" + (f"; actions: {', '.join(actions)}" if actions else "")


def _properties(scope: Scope, thing: Thing) -> str:
    may = scope.may_act(thing)
    said = [describe(p, settable=p.writable and may) for p in thing.properties.values()]
    return ", ".join(said) or "no properties"


class HelpArguments(Arguments):
    """Nothing, or what help is wanted on."""

    word: Text = ""


class Help(Inquiry[HelpArguments]):
    """`help [WORD]`: what one may do here."""

    name = "help"
    title = "7 Help"
    role = Role.VIEWER
    usage = "help [WORD]"
    summary = "what you may do here, or about one word or Thing"
    arguments = HelpArguments

    def examples(self, scope: Scope, /) -> tuple[str, ...]:
        """Return help on the last command offered, which is the one that needs it most."""
        return ("help", *(f"help {command.name}" for command in scope.offered() if isinstance(command, Actuation)))

    async def answer(self, scope: Scope, arguments: HelpArguments, /) -> Result:
        """Explain."""
        word = arguments.word.casefold().removeprefix("/")
        offered = {command.name: command for command in scope.offered()}
        if not word:
            return _done(self._overview(scope))
        if word in offered:
            return _done(_explain(offered[word], scope))
        known = scope.registry.get(word)
        if known is not None:
            scope.require(word)
            if known.chat_only:  # there may be nothing that asks for it now
                return _done(_explain(known, scope))
            raise Refusal(Reason.FORBIDDEN, f"there is nothing you may {word} here")
        try:
            thing, _ = scope.to_read(word)
        except Refusal:
            words = [*offered, *(thing.id for thing in scope.things())]
            hint = did_you_mean(shorten(word), words) or f" There are: {', '.join(offered)}."
            raise Refusal(Reason.NOT_FOUND, f'there is no help on "{shorten(word)}".{hint}') from None
        return _done(_catalogue_line(scope, thing))

    def _overview(self, scope: Scope) -> str:
        lines = [f"I am {scope.me}. You may say:"]
        lines += [f"{command.usage}: {command.summary}" for command in scope.offered()]
        lines.append(f"Try: {' | '.join(scope.examples())}")
        return "\n".join(lines)


def _explain(command: AnyCommand, scope: Scope) -> str:
    lines = [f"{command.usage}: {command.summary}"]
    examples = command.examples(scope)
    if examples:
        lines.append(f"For example: {' | '.join(examples[:3])}")
    return "\n".join(lines)


def _done(note: str) -> Result:
    return Result(outcome=Outcome.DONE, note=note)


def _listing(lines: list[str], fields: Iterable[ResultField], *, nothing: str) -> Result:
    shown = lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        shown.append(f"… and {len(lines) - MOST_LINES} more")
    return Result(outcome=Outcome.DONE, note="\n".join(shown) or nothing, fields=tuple(fields))
