"""Data forms (XEP-0004) that all clients render, made from the commands' own forms; and what anybody sends back."""

from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree as ET

from jidget.commands.model import FieldKind, Form, FormField, Result, ResultField, Values
from jidget.things.values import shorten, show_number
from jidget.xmpp.xml import DATA, JIDGET, VALIDATE, element, escape, serialise

OUTCOME = "outcome"
"""Hidden field of every result form: done, unconfirmed, refused or failed."""
MOST_FIELDS = 256
MOST_VALUES = 512
"""Values of all fields together."""
LONGEST_SUBMISSION = 32_768
"""Characters of all names and values together."""
LONGEST_VALUES = 64_000
"""Bytes of a result form's values: servers end the stream over a stanza of 256 KiB, and some throttle at 3 kB/s."""
LONGEST_NOTE = 24_000
"""Bytes of what is told in words; a result form may tell it a second time."""
LONGEST_TITLE = 200

_X, _FIELD, _VALUE = (f"{{{DATA}}}{name}" for name in ("x", "field", "value"))
_TITLE, _INSTRUCTIONS, _REQUIRED, _OPTION = (
    f"{{{DATA}}}{name}" for name in ("title", "instructions", "required", "option")
)
_FORM_TYPE = "FORM_TYPE"
_ON = frozenset(("1", "true"))


class BadForm(ValueError):
    """A submitted form that nobody's client makes; the text says what is wrong with it."""


# ---- to people -----------------------------------------------------------------------------------------------------


def write_form(form: Form, node: str, *, problem: str = "", filled: Values | None = None) -> ET.Element:
    """Build the form to fill in.

    Args:
        form: what is asked for.
        node: the command's node; it names the form (XEP-0068) unless that has a name of its own.
        problem: what was wrong with what was filled in before. It becomes the first instruction line, as some clients
            show no other (clients differ; a note is shown by even fewer while a form is).
        filled: what was filled in before, to be kept.
    """
    x = element(_X, {"type": "form"}, element(_TITLE, None, form.title))
    for line in (problem, form.instructions):
        if line:
            x.append(element(_INSTRUCTIONS, None, " ".join(line.split())))  # no line breaks: XEP-0004 3.1
    x.append(_hidden(_FORM_TYPE, _form_type(form.name or node)))
    x.extend(_input(field, (filled or {}).get(field.var)) for field in form.fields)
    return x


def _input(field: FormField, filled: tuple[str, ...] | None) -> ET.Element:
    made = element(_FIELD, {"var": field.var, "type": field.kind, "label": field.label})
    if field.datatype and field.kind is FieldKind.TEXT:
        made.append(_validation(field))
    if field.required:
        made.append(element(_REQUIRED))
    made.extend(element(_VALUE, None, value) for value in _shown(field, filled))
    made.extend(
        element(_OPTION, {"label": label}, element(_VALUE, None, value))
        for value, label in field.options
        if field.kind is FieldKind.LIST
    )
    return made


def _shown(field: FormField, filled: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the values that a field shows: what was filled in where that can be shown, else its own.

    A list always shows one of its options: with none, each client picks another default.
    """
    first = filled[0] if filled else None
    match field.kind:
        case FieldKind.LIST:
            options = [value for value, _ in field.options]
            wanted = (*(filled or ())[:1], field.value, *options)
            return next(((value,) for value in wanted if value in options), ())
        case FieldKind.BOOLEAN:
            return ("1" if (field.value if first is None else first) in _ON else "0",)
        case FieldKind.LINES:
            return tuple((field.value if filled is None else "\n".join(filled)).split("\n"))
        case FieldKind.TEXT:
            return (field.value if first is None else first,)


def _validation(field: FormField) -> ET.Element:
    """Build the XEP-0122 hint. No client enforces it: the range is in the label too, and the commands check."""
    limits = {
        name: None if limit is None else show_number(limit, None)
        for name, limit in (("min", field.minimum), ("max", field.maximum))
    }
    method = element(f"{{{VALIDATE}}}range", limits) if any(limits.values()) else element(f"{{{VALIDATE}}}basic")
    return element(f"{{{VALIDATE}}}validate", {"datatype": field.datatype}, method)


def write_result(result: Result, node: str) -> ET.Element:
    """Build the form that tells how a command ended: flat, as no client shows a table well, and complete in itself.

    The values are there to be read by programs; people whose client shows the form and not the note get the note's
    first line as its title, or all of it where there are no values.
    """
    x = element(_X, {"type": "result"})
    if result.note:
        x.append(element(_TITLE, None, shorten(result.note.partition("\n")[0], LONGEST_TITLE)))
    x.append(_hidden(_FORM_TYPE, _form_type(node)))
    x.append(_hidden(OUTCOME, result.outcome))
    shown = list(_that_fit(result.fields))
    x.extend(shown)
    if not shown and result.note:
        x.append(_remark(cut_note(result.note)))
    elif len(shown) < len(result.fields):
        x.append(_remark(f"… and {len(result.fields) - len(shown)} more values; ask for one Thing"))
    return x


def _that_fit(fields: Iterable[ResultField]) -> Iterator[ET.Element]:
    room = LONGEST_VALUES
    for field in fields:
        attributes = {"var": field.name, "type": "text-single", "label": field.label}
        made = element(_FIELD, attributes, element(_VALUE, None, field.value))
        room -= len(serialise(made, DATA).encode())
        if room < 0:
            return
        yield made


def cut_note(note: str) -> str:
    """Return what is told in words, cut where it would not fit."""
    if len(escape(note).encode()) <= LONGEST_NOTE:
        return note
    room, end = LONGEST_NOTE, 0
    while (room := room - len(escape(note[end]).encode())) >= 0:
        end += 1
    return f"{note[:end]}…"


def _remark(text: str) -> ET.Element:
    return element(_FIELD, {"type": "fixed"}, element(_VALUE, None, text))


def _hidden(var: str, value: str) -> ET.Element:
    return element(_FIELD, {"var": var, "type": "hidden"}, element(_VALUE, None, value))


def _form_type(node: str) -> str:
    return f"{JIDGET}#{node}"


def form_name(x: ET.Element) -> str:
    """Return the name of a form of ours, the command's node unless it has one of its own; nothing for others."""
    types = (field.findtext(_VALUE) or "" for field in x.iterfind(_FIELD) if field.get("var") == _FORM_TYPE)
    return next((text.removeprefix(_form_type("")) for text in types if text.startswith(_form_type(""))), "")


# ---- from people ---------------------------------------------------------------------------------------------------


def find_form(parent: ET.Element) -> ET.Element | None:
    """Return the form among an element's children; None if there is none.

    Raises:
        BadForm: there are several.
    """
    forms = parent.findall(_X)
    if len(forms) > 1:
        raise BadForm("there are several forms where one belongs")
    return forms[0] if forms else None


def read_form(x: ET.Element) -> Values:
    """Return the values of a submitted form by field.

    What clients send back beside the values (FORM_TYPE, labels, options, fields without a name) is left out; which
    fields mean anything is the command's affair.

    Raises:
        BadForm: it is not a submitted form, names a field twice, or is larger than any form of ours.
    """
    if x.get("type") != "submit":
        raise BadForm(f'a form of type "submit" belongs here, not "{shorten(x.get("type", ""))}"')
    found: dict[str, tuple[str, ...]] = {}
    for field in x.iterfind(_FIELD):
        var = field.get("var", "")
        if not var or var == _FORM_TYPE:
            continue
        if var in found:
            raise BadForm(f'the field "{shorten(var)}" is there twice')
        found[var] = tuple(value.text or "" for value in field.iterfind(_VALUE))
    _check_size(found)
    return found


def _check_size(values: Mapping[str, tuple[str, ...]]) -> None:
    if len(values) > MOST_FIELDS:
        raise BadForm(f"the form has {len(values)} fields; at most {MOST_FIELDS} are read")
    count = sum(map(len, values.values()))
    if count > MOST_VALUES:
        raise BadForm(f"the form has {count} values; at most {MOST_VALUES} are read")
    length = sum(len(var) + sum(map(len, several)) for var, several in values.items())
    if length > LONGEST_SUBMISSION:
        raise BadForm(f"the form holds {length} characters; at most {LONGEST_SUBMISSION} are read")
