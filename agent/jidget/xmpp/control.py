"""Control by programs (Neuro-Foundation `urn:nf:iot:ctr:1.0`, DESIGN 4.4): `<set/>` and `<getForm/>` for one Thing.

The same path and the same rights as every other command. `<resp/>` says that the values were read back and are as
asked. Anything else is an error: its text says what is known, its application condition whether something may have
moved (`urn:jidget:1`: `<refused/>` no, `<failed/>` and `<unconfirmed/>` yes). A request is granted as a whole or not.
"""

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

from jidget.commands.model import Face, Outcome, Reason, Refusal, Result, Values
from jidget.commands.service import Commands
from jidget.errors import StanzaError
from jidget.things.values import shorten
from jidget.xmpp.forms import BadForm, find_form, read_form, write_form
from jidget.xmpp.request import request_of
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import CONTROL, DATA, JIDGET, element
from jidget_drivers import Scalar

MOST_PARAMETERS = 256

_SET, _GET_FORM, _RESP, _ND, _P = (f"{{{CONTROL}}}{name}" for name in ("set", "getForm", "resp", "nd", "p"))
_X = f"{{{DATA}}}x"
_ZONE = r"(?:Z|[+-]\d\d:\d\d)?"
_DATE, _TIME = r"-?\d{4,9}-\d\d-\d\d", r"\d\d:\d\d:\d\d(?:\.\d{1,9})?"


def _matching(pattern: str, make: Callable[[str], Scalar] = str) -> Callable[[str], Scalar]:
    """Return a reader of texts that match the whole of `pattern`; of others it raises `ValueError`."""
    expression = re.compile(pattern, re.ASCII)

    def read(text: str) -> Scalar:
        if not expression.fullmatch(text):
            raise ValueError(text)
        return make(text)

    return read


def _whole(bits: int) -> Callable[[str], Scalar]:
    limit = 1 << (bits - 1)
    read = _matching(r"[+-]?\d{1,20}", int)

    def checked(text: str) -> Scalar:
        number = read(text)
        if not -limit <= int(number) < limit:
            raise ValueError(text)
        return number

    return checked


# Parameter elements of Control.xsd, each with what its value is called and how it is read.
_TYPES: dict[str, tuple[str, Callable[[str], Scalar]]] = {
    f"{{{CONTROL}}}{name}": (called, read)
    for name, called, read in (
        ("b", "true or false", _matching("true|false|1|0", lambda text: text in ("true", "1"))),
        ("i", "a whole number of 32 bits", _whole(32)),
        ("l", "a whole number of 64 bits", _whole(64)),
        ("db", "a number", _matching(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", float)),
        ("s", "a text", str),
        ("e", "one of several texts", str),
        ("cl", "a colour of 6 or 8 hexadecimal digits", _matching("[0-9a-fA-F]{6}|[0-9a-fA-F]{8}")),
        ("d", "a date", _matching(_DATE + _ZONE)),
        ("dt", "a date and time", _matching(f"{_DATE}T{_TIME}{_ZONE}")),
        ("t", "a time of day", _matching(_TIME + _ZONE)),
        (
            "dr",
            "a duration such as PT5M",
            _matching(r"-?P(?=.)(?:\d{1,9}[YMD])*(?:T(?=.)(?:\d{1,9}(?:\.\d{1,9})?[HMS])+)?"),
        ),
    )
}


class Control:
    """Answers `<set/>` and `<getForm/>`.

    Attributes:
        features: what disco tells of us because of it.
    """

    features = (CONTROL,)

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def attach(self, router: Router) -> None:
        """Answer requests that come by `router`."""
        router.on_iq("set", _SET, self._set)
        router.on_iq("get", _GET_FORM, self._get_form)

    async def _set(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        thing_id = _thing_id(incoming.payload)
        values = _values(incoming.payload)
        result = await self._commands.write(request_of(incoming, Face.IQ), thing_id, values)
        if result.outcome is not Outcome.DONE:
            raise _error(result)
        names = [f.name.removeprefix(f"{thing_id}.") for f in result.fields]
        confirmed = (element(_P, {"n": name}) for name in names)
        return (element(_RESP, None, element(_ND, {"id": thing_id}), *confirmed),)

    async def _get_form(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        thing_id = _thing_id(incoming.payload)
        others = [child for child in incoming.payload if child.tag != _ND]
        if others:
            raise _bad(f"<{shorten(others[0].tag)}> is not expected here: name the Thing only")
        node = f"set/{thing_id}"
        try:
            form = self._commands.form(incoming.sender.bare, node)
        except Refusal as refusal:
            raise StanzaError(refusal.reason, refusal.text) from None
        if form is None:
            raise StanzaError(Reason.NOT_FOUND, f"{thing_id} has nothing that can be set")
        return (write_form(form, node),)


def _error(result: Result) -> StanzaError:
    """Return the error that tells how a command ended that is not done."""
    condition = result.reason or Reason.TIMEOUT  # unconfirmed: it did not say in time that it obeyed
    return StanzaError(condition, result.note.removeprefix("Refused: "), f"{{{JIDGET}}}{result.outcome}")


def _thing_id(payload: ET.Element) -> str:
    nodes = payload.findall(_ND)
    thing_id = nodes[0].get("id") if len(nodes) == 1 else None
    if not thing_id:
        raise _bad("name exactly one Thing: <nd id='…'/>")
    return thing_id


def _values(payload: ET.Element) -> dict[str, Scalar]:
    """Return what is to be set: typed parameters, or a form with as many of its fields as one likes."""
    parameters = [child for child in payload if child.tag not in (_ND, _X)]
    try:
        x = find_form(payload)
        written = None if x is None else read_form(x)
    except BadForm as error:
        raise _bad(str(error)) from None
    if written is None:
        return _typed(parameters)
    if parameters:
        raise _bad("either a form or parameters, not both")
    return _single(written)


def _typed(parameters: list[ET.Element]) -> dict[str, Scalar]:
    if len(parameters) > MOST_PARAMETERS:
        raise _bad(f"at most {MOST_PARAMETERS} parameters at a time")
    values: dict[str, Scalar] = {}
    for parameter in parameters:
        if parameter.tag not in _TYPES:
            known = ", ".join(tag.rpartition("}")[2] for tag in _TYPES)
            raise _bad(f"<{shorten(parameter.tag)}> is not expected here: parameters are {known}, in {CONTROL}")
        called, read = _TYPES[parameter.tag]
        tag, name, text = parameter.tag.rpartition("}")[2], parameter.get("n"), parameter.get("v")
        if not name or text is None:
            raise _bad(f"<{tag}/> needs n, the property, and v, its value")
        if name in values:
            raise _bad(f'"{shorten(name)}" is named twice')
        try:
            values[name] = read(text)
        except ValueError:
            raise _bad(f'{shorten(name)}: <{tag}/> is {called}, not "{shorten(text)}"') from None
    return values


def _single(written: Values) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {}
    for name, several in written.items():
        if len(several) > 1:
            raise _bad(f"the field {shorten(name)} takes one value, not {len(several)}")
        if several:
            values[name] = several[0]
    return values


def _bad(text: str) -> StanzaError:
    return StanzaError(Reason.BAD_VALUE, text, f"{{{JIDGET}}}{Outcome.REFUSED}")
