"""From the configuration to the safety rules of every output, and to what buttons switch over. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from jidget.config.model import Config
from jidget.config.notation import show_value
from jidget.config.problems import Problem
from jidget.config.safety import SafetyRules
from jidget.spelling import did_you_mean
from jidget.things.host import Thing
from jidget.things.rules import OutputId, Rules
from jidget.things.values import BadValue, check_value
from jidget_drivers import Kind, Property, Scalar


@dataclass(frozen=True, slots=True)
class Button:
    """An input that switches an output over whenever it goes on."""

    input: OutputId
    output: OutputId


class BadRules(Exception):
    """Rules that do not fit the Things; `problems` has one for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*self.problems)


def rules_of(config: Config, things: Mapping[str, Thing]) -> dict[OutputId, Rules]:
    """Return the rules of every writable property; an interlock holds both ways, whichever of the two names it.

    Raises:
        BadRules: rules for what cannot be set, a safe value that does not fit, an interlock with nothing.
    """
    problems: list[Problem] = []
    known = _Known(things, frozenset(config.overlays))
    found = {(thing.id, prop.name): Rules(safe=prop.safe) for thing in things.values() for prop in thing.writable}
    for thing_id, settings in config.things.items():
        thing = things.get(thing_id)
        if thing is None or settings.safety is None:
            continue
        try:
            for name, rules, key in _tables(thing, settings.safety):
                found[thing_id, name] = _resolved(thing, thing.properties[name], rules, key, known)
        except BadRules as error:
            problems += error.problems
    if problems:
        raise BadRules(problems)
    return _both_ways(things, found)


def _tables(
    thing: Thing, safety: SafetyRules | Mapping[str, SafetyRules]
) -> Iterator[tuple[str, SafetyRules, tuple[str, ...]]]:
    """Yield each output's property, rules and key."""
    key = ("things", thing.id, "safety")
    names = [prop.name for prop in thing.writable]
    if not names:
        raise BadRules([Problem(key=key, text="the driver has nothing that can be set. Remove it")])
    if isinstance(safety, SafetyRules):
        if len(names) > 1:
            tables = " or ".join(f"[things.{thing.id}.safety.{name}]" for name in names[:4])
            raise BadRules([Problem(key=key, text=f"several values can be set. Write {tables}")])
        yield names[0], safety, key
        return
    unknown = [
        Problem(
            key=(*key, name),
            text=f"there is no such property that can be set.{did_you_mean(name, names)} There are: {', '.join(names)}",
        )
        for name in safety
        if name not in names
    ]
    if unknown:
        raise BadRules(unknown)
    for name, rules in safety.items():
        yield name, rules, (*key, name)


def _resolved(thing: Thing, prop: Property, rules: SafetyRules, key: tuple[str, ...], known: "_Known") -> Rules:
    safe = _safe(prop, rules, key)
    partners: list[OutputId] = []
    problems: list[Problem] = []
    for index, text in enumerate(rules.interlock):
        try:
            partner = known.partner(text)
            if partner == (thing.id, prop.name):
                raise BadValue("that is this output itself. Name the other one")  # noqa: TRY301  # told like the others
            partners.append(partner)
        except BadValue as error:
            problems.append(Problem(key=(*key, "interlock", index), value=show_value(text), text=str(error)))
    if safe is None:
        needing = {
            "on_disconnect": rules.on_disconnect is not None,
            "max_on": rules.max_on is not None,
            "min_on": bool(rules.min_on),
            "min_off": bool(rules.min_off),
            "interlock": bool(rules.interlock),
        }
        problems += [
            Problem(key=(*key, name), text="there is no safe value to go to. Write safe = … beside it")
            for name, wanted in needing.items()
            if wanted
        ]
    if rules.max_on is not None and rules.min_on > rules.max_on:
        problems.append(Problem(key=(*key, "min_on"), text="longer than max_on. Make max_on the longer one"))
    if problems:
        raise BadRules(problems)
    return Rules(
        safe=safe,
        restore=rules.on_start == "restore",
        on_disconnect=rules.on_disconnect,
        max_on=rules.max_on,
        min_on=rules.min_on,
        min_off=rules.min_off,
        interlock=tuple(dict.fromkeys(partners)),
        rate=rules.rate_limit,
        confirm=rules.confirm,
    )


def _safe(prop: Property, rules: SafetyRules, key: tuple[str, ...]) -> Scalar | None:
    if rules.safe is None:
        return False if prop.safe is None and prop.kind is Kind.BOOLEAN else prop.safe
    try:
        return check_value(prop, rules.safe)
    except BadValue as error:
        problem = Problem(
            key=(*key, "safe"), value=show_value(rules.safe), text=f"{error}. Write a value that it takes"
        )
        raise BadRules([problem]) from None


@dataclass(frozen=True, slots=True)
class _Known:
    """The Things of the configuration, and the ids of those that are still to be discovered."""

    things: Mapping[str, Thing]
    to_come: frozenset[str] = frozenset()

    def partner(self, text: str) -> OutputId:
        """Return the output that an interlock names: `heater` or `board.relay_2`."""
        thing_id, _, name = text.partition(".")
        if thing_id in self.to_come:
            if not name:
                raise BadValue(f'a device that is discovered. Say which output: "{thing_id}.PROPERTY"')
            return thing_id, name
        thing = self.things.get(thing_id)
        if thing is None:
            near = did_you_mean(thing_id, (*self.things, *self.to_come))
            raise BadValue(f"there is no such Thing.{near} Write [things.{thing_id}], or remove it")
        names = [prop.name for prop in thing.writable]
        if name in names or (not name and len(names) == 1):
            return thing_id, name or names[0]
        if not names:
            raise BadValue(f"{thing_id} has nothing that can be set. Name an output")
        raise BadValue(f"say which output of {thing_id}: {', '.join(f'{thing_id}.{each}' for each in names)}")


def rule(config: Config, thing: Thing, things: Mapping[str, Thing]) -> None:
    """Give a Thing that was discovered its rules, and those of the configuration that it is interlocked with theirs.

    Args:
        config: the whole configuration.
        thing: the one that was discovered.
        things: those with a driver, and those discovered that it speaks of, too.

    Raises:
        BadRules: rules that do not fit it; it has those that do.
    """
    overlay = config.overlays.get(thing.id)
    problems: list[Problem] = []
    if overlay is not None and overlay.safety is not None:
        known = _Known(things, frozenset(config.overlays))
        try:
            for name, rules, key in _tables(thing, overlay.safety):
                thing.rules[name] = _resolved(thing, thing.properties[name], rules, key, known)
        except BadRules as error:
            problems += error.problems
    everybody = {**things, thing.id: thing}
    found = {(each.id, name): held for each in everybody.values() for name, held in each.rules.items()}
    try:
        for (thing_id, name), held in _both_ways(everybody, found).items():
            everybody[thing_id].rules[name] = held
    except BadRules as error:
        problems += error.problems
    if problems:
        raise BadRules(problems)


def buttons_of(config: Config, things: Mapping[str, Thing]) -> tuple[Button, ...]:
    """Return what each press of a button switches over.

    Raises:
        BadRules: a button that is none, or an output that is no switch.
    """
    found: list[Button] = []
    problems: list[Problem] = []
    for thing_id, settings in config.things.items():
        if settings.toggles is None or thing_id not in things:
            continue
        try:
            found.append(Button((thing_id, _input(things[thing_id])), _switch(settings.toggles, things)))
        except BadValue as error:
            key = ("things", thing_id, "toggles")
            problems.append(Problem(key=key, value=show_value(settings.toggles), text=str(error)))
    if problems:
        raise BadRules(problems)
    return tuple(found)


def _input(thing: Thing) -> str:
    names = [prop.name for prop in thing.properties.values() if prop.kind is Kind.BOOLEAN and not prop.writable]
    if len(names) != 1:
        has = (
            f"has several inputs that are on or off: {', '.join(names)}" if names else "has no input that is on or off"
        )
        raise BadValue(f'{thing.id} {has}. Write toggles where the driver is a button: driver = "gpio-input"')
    return names[0]


def _switch(text: str, things: Mapping[str, Thing]) -> OutputId:
    """Return the output that `lamp` or `board.relay_2` names, if it is on or off."""
    thing_id, name = _Known(things).partner(text)
    if things[thing_id].properties[name].kind is not Kind.BOOLEAN:
        raise BadValue(f"{thing_id}.{name} is no switch: it is not on or off. Name one that is")
    return thing_id, name


def _both_ways(things: Mapping[str, Thing], found: Mapping[OutputId, Rules]) -> dict[OutputId, Rules]:
    """Return the rules with each interlock written at both its ends; both must have a value that is not on."""
    partners: dict[OutputId, dict[OutputId, None]] = {output: {} for output in found}
    for output, rules in found.items():
        for partner in rules.interlock:
            partners[output][partner] = None
            if partner in partners:  # else it has not been discovered yet
                partners[partner][output] = None
    result: dict[OutputId, Rules] = {}
    for output, rules in found.items():
        safe = rules.safe
        if partners[output] and safe is None:
            thing_id, name = output
            if things[thing_id].properties[name].kind is not Kind.BOOLEAN:
                text = f"it is in an interlock with {'.'.join(next(iter(partners[output])))}. Write safe = … below it"
                raise BadRules([Problem(key=("things", thing_id, "safety", name), text=text)])
            safe = False
        result[output] = replace(rules, safe=safe, interlock=tuple(partners[output]))
    return result
