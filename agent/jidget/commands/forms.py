"""The commands as forms: which nodes there are, what each asks for, and reading what comes back (DESIGN 4.4).

Nothing here knows stanzas: a face turns `Form` into XEP-0004 and a submitted form into `Submission`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jidget.commands.model import FieldKind, Form, FormField, NodeInfo, Reason, Refusal, Values
from jidget.commands.registry import Actuation, Scope
from jidget.commands.sentences import label_of, name_of
from jidget.commands.signature import Parameter, Signature
from jidget.things.host import Thing
from jidget.things.values import BadValue, parse_value, same_value, say_range, shorten, show_plain
from jidget_drivers import Kind, Property, Scalar

MOST_TYPED_NODES = 20
"""Typed nodes are listed up to this many; they can be executed however many there are."""
MOST_CHOICES = 200
"""Options of a list."""
MOST_FIELDS = 256
MOST_VALUES = 256
LONGEST_FORM = 32_768
"""Characters of everything a submitted form holds."""

_UNCHANGED = ("", "(unchanged)")


# ---- nodes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetNode:
    """`set/THING`: the typed form of everything that can be set on one Thing."""

    thing: Thing


@dataclass(frozen=True, slots=True)
class DoNode:
    """`do/THING/ACTION`: the typed form of one action."""

    thing: Thing
    signature: Signature


@dataclass(frozen=True, slots=True)
class WordNode:
    """A command by its own name."""

    name: str


Node = SetNode | DoNode | WordNode


def list_nodes(scope: Scope) -> list[NodeInfo]:
    """Return what this person may execute, in the order it is meant to be read."""
    offered = scope.offered()
    nodes = [NodeInfo(node=command.name, name=command.title) for command in offered if not command.chat_only]
    acting = {command.name: command.title for command in offered if isinstance(command, Actuation)}
    typed = []
    if "set" in acting:
        things = dict.fromkeys(thing for thing, _ in scope.settable())
        prefix = acting["set"].rstrip("…")
        typed += [NodeInfo(node=f"set/{thing.id}", name=f"{prefix} {thing.label}…") for thing in things]
    if "do" in acting:
        prefix = acting["do"].rstrip("…")
        typed += [
            NodeInfo(
                node=f"do/{thing.id}/{signature.action.name}",
                name=f"{prefix} {thing.label}: {signature.action.name}{'…' if signature.parameters else ''}",
            )
            for thing, signature in scope.invocable()
        ]
    if len(typed) <= MOST_TYPED_NODES:
        nodes += typed
    return sorted(nodes, key=lambda node: node.name.casefold())


def find_node(scope: Scope, node: str) -> Node:
    """Return what a node's name means.

    Raises:
        Refusal: there is none such, or not for this person.
    """
    parts = node.split("/", 2)
    match parts:
        case ["set", thing_id]:
            scope.require("set")
            thing = scope.by_id(thing_id, act=True)
            if not thing.writable:
                raise Refusal(Reason.NOT_FOUND, f"{thing.id} has nothing that can be set")
            return SetNode(thing)
        case ["do", thing_id, action]:
            scope.require("do")
            thing = scope.by_id(thing_id, act=True)
            signature = scope.signatures.of(thing).get(action)
            if signature is None:
                raise Refusal(Reason.NOT_FOUND, f'{thing.id} has no action "{shorten(action)}"')
            return DoNode(thing, signature)
        case [name]:
            command = scope.require(name)
            if command.chat_only:
                raise Refusal(Reason.NOT_FOUND, f'"{name}" is a word of chat, not a command of its own')
            if not command.offered_to(scope):
                raise Refusal(Reason.FORBIDDEN, f"there is nothing you may {name} here")
            return WordNode(name)
    raise Refusal(Reason.NOT_FOUND, f'there is no command "{shorten(node)}"')


# ---- forms ---------------------------------------------------------------------------------------------------------


def form_of(scope: Scope, node: Node) -> Form | None:
    """Return the form to fill in; None where the node needs none and runs at once."""
    match node:
        case SetNode(thing):
            return Form(
                title=f"Set {thing.label}",
                instructions="Only what you change is written.",
                fields=tuple(_property_field(thing, prop) for prop in thing.writable),
            )
        case DoNode(thing, signature):
            fields = tuple(_parameter_field(parameter) for parameter in signature.parameters)
            title = f"{thing.label}: {signature.action.name}"
            return Form(title=title, instructions=signature.action.summary, fields=fields) if fields else None
        case WordNode("read"):
            return Form(title="Read", instructions="Asks the hardware now.", fields=(_read_field(scope),))
        case WordNode("set"):
            return _set_form(scope)
        case WordNode("do"):
            return _do_form(scope)
        case WordNode("forget"):
            choices = [(thing.id, thing.label) for thing in scope.things() if thing.forgettable]
            text = "The broker forgets its announcement. A device that is not gone announces itself again."
            return Form(title="Forget", instructions=text, fields=(_choice("target", "Device", choices),))
    return None


def _read_field(scope: Scope) -> FormField:
    things = scope.things()
    choices = [("all", "everything")]
    single = sum(1 + len(thing.properties) for thing in things) <= MOST_CHOICES
    for thing in things:
        choices.append((thing.id, thing.label))
        if single:
            choices += [(name_of(thing, p), f"{thing.label} {label_of(p)}") for p in thing.properties.values()]
    return _choice("target", "What to read", choices)


def _set_form(scope: Scope) -> Form:
    choices = [(name_of(t, p), f"{t.label} {label_of(p)} ({say_range(p)})") for t, p in scope.settable()]
    value = FormField(var="value", kind=FieldKind.TEXT, label="Value (on, off, a number, …)", required=True)
    span = FormField(var="for", kind=FieldKind.TEXT, label="For how long (10m; empty: for good)")
    fields = (_choice("target", "What to set", choices), value, span)
    return Form(title="Set", instructions="One value at a time.", fields=fields)


def _do_form(scope: Scope) -> Form:
    choices = [(f"{t.id}.{s.action.name}", f"{t.label}: {s.usage}") for t, s in scope.invocable()]
    arguments = FormField(var="arguments", kind=FieldKind.LINES, label="Arguments (a line name=value each)")
    return Form(title="Do", instructions="Invokes an action.", fields=(_choice("target", "Action", choices), arguments))


def _choice(var: str, label: str, choices: Iterable[tuple[str, str]]) -> FormField:
    """Return a list whose first choice is the default: a list without one is filled in differently by every client."""
    options = tuple(choices)[:MOST_CHOICES]
    return FormField(var=var, kind=FieldKind.LIST, label=label, value=options[0][0], required=True, options=options)


def _property_field(thing: Thing, prop: Property) -> FormField:
    label = f"{label_of(prop)} ({say_range(prop)})"
    seen = thing.values.get(prop.name)
    match prop.kind:
        case Kind.BOOLEAN if seen is not None:
            return FormField(
                var=prop.name, kind=FieldKind.BOOLEAN, label=label_of(prop), value="1" if seen.value else "0"
            )
        case Kind.BOOLEAN:
            options = (_UNCHANGED, ("on", "on"), ("off", "off"))
            return FormField(var=prop.name, kind=FieldKind.LIST, label=label_of(prop), options=options)
        case Kind.ENUM:
            known = tuple((option, option) for option in prop.options)
            return FormField(
                var=prop.name,
                kind=FieldKind.LIST,
                label=label_of(prop),
                value="" if seen is None else str(seen.value),
                options=(_UNCHANGED, *known) if seen is None else known,
            )
        case Kind.STRING:
            text = "" if seen is None else str(seen.value)
            kind = FieldKind.LINES if "\n" in text else FieldKind.TEXT
            return FormField(var=prop.name, kind=kind, label=label, value=text)
        case Kind.NUMBER | Kind.INTEGER:
            return FormField(
                var=prop.name,
                kind=FieldKind.TEXT,
                label=label,
                value="" if seen is None else show_plain(prop, seen.value),
                datatype="xs:integer" if prop.kind is Kind.INTEGER else "xs:decimal",
                minimum=prop.minimum,
                maximum=prop.maximum,
            )


def _parameter_field(parameter: Parameter) -> FormField:
    about = f": {parameter.description}" if parameter.description else ""
    label = f"{parameter.name} ({parameter.range}){about}"
    value, required = parameter.default, parameter.required
    if parameter.options:
        options = tuple((option, option) for option in parameter.options)
        options = options if required or value else (_UNCHANGED, *options)
        return FormField(
            var=parameter.name,
            kind=FieldKind.LIST,
            label=label,
            value=value or options[0][0],
            required=required,
            options=options,
        )
    if parameter.type == "boolean" and (required or value):
        return FormField(var=parameter.name, kind=FieldKind.BOOLEAN, label=label, value="1" if value == "on" else "0")
    datatypes = {"number": "xs:decimal", "integer": "xs:integer"}
    return FormField(
        var=parameter.name,
        kind=FieldKind.TEXT,
        label=label,
        value=value,
        required=required,
        datatype=datatypes.get(parameter.type, ""),
        minimum=parameter.minimum,
        maximum=parameter.maximum,
    )


# ---- what comes back -----------------------------------------------------------------------------------------------


def check_size(values: Values) -> None:
    """Refuse a form that no person filled in.

    Raises:
        Refusal: too many fields, too many values, or too much text.
    """
    if len(values) > MOST_FIELDS or any(len(several) > MOST_VALUES for several in values.values()):
        raise Refusal(Reason.NOT_ACCEPTABLE, "that form has too many fields or values")
    if sum(len(var) + sum(map(len, several)) for var, several in values.items()) > LONGEST_FORM:
        raise Refusal(Reason.NOT_ACCEPTABLE, f"that form is too long: at most {LONGEST_FORM} characters")


def read_words(node: WordNode, values: Values) -> dict[str, str]:
    """Return the arguments of a command from the form of its own node; what the node does not ask for is ignored.

    Raises:
        Refusal: a field that has one value has several.
    """
    wanted = {
        "read": ("target",),
        "set": ("target", "value", "for"),
        "do": ("target",),
        "help": ("word",),
        "forget": ("target",),
    }
    arguments = {}
    for var in wanted.get(node.name, ()):
        value = single(values, var)
        if value or (value is not None and var == "value"):
            arguments[var] = value
    if node.name == "do" and values.get("arguments"):
        arguments["arguments"] = "\n".join(values["arguments"])
    return arguments


def read_changes(thing: Thing, values: Values, shown: Values) -> dict[str, Scalar]:
    """Return the values of a `set/THING` form that differ from those that were `shown`; texts as people write them.

    What was not shown counts as changed, and what was left empty as unchanged, unless it is a text.

    Raises:
        Refusal: a field has several values, or one that its property does not take.
    """
    changes: dict[str, Scalar] = {}
    for prop in thing.writable:
        text, before = _text(prop, values), _text(prop, shown)
        if text is None or text == before or (not text and prop.kind is not Kind.STRING):
            continue
        try:
            if not (before and same_value(prop, parse_value(prop, text), parse_value(prop, before))):
                changes[prop.name] = text
        except BadValue as error:
            raise Refusal(Reason.BAD_VALUE, f"{name_of(thing, prop)}: {error}") from None
    return changes


def read_arguments(signature: Signature, values: Values) -> Mapping[str, str]:
    """Return the arguments of a `do/THING/ACTION` form; what was left empty counts as not given.

    Raises:
        Refusal: a field has several values.
    """
    found = {parameter.name: single(values, parameter.name) for parameter in signature.parameters}
    return {name: text for name, text in found.items() if text}


def _text(prop: Property, values: Values) -> str | None:
    """Return what a field holds for a property; the lines of a text come as several values."""
    several = values.get(prop.name)
    return "\n".join(several) if several and prop.kind is Kind.STRING else single(values, prop.name)


def single(values: Values, var: str) -> str | None:
    """Return the value of a field that has at most one; None where it is not there.

    Raises:
        Refusal: it has several.
    """
    several = values.get(var, ())
    if len(several) > 1:
        raise Refusal(Reason.BAD_VALUE, f"the field {shorten(var)} takes one value, not {len(several)}")
    return several[0] if several else None
