"""Signatures of actions: the typed parameters of a driver's method as form fields and chat arguments (STYLE C2)."""

import inspect
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints
from weakref import WeakKeyDictionary

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from jidget.spelling import did_you_mean
from jidget.things.host import Thing
from jidget.things.values import LARGEST_INTEGER, BadValue, clean_text, shorten, show_number
from jidget_drivers import Action

log = logging.getLogger(__name__)

MASK = "•••"
LONGEST_ARGUMENT = 1024
"""Characters."""

_TYPES = {"number": "a number", "integer": "a whole number", "boolean": "on or off", "string": "a text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an action.

    Attributes:
        name: as in the method.
        adapter: checks and converts what people write.
        schema: the JSON schema of its type, references resolved.
        required: whether it must be given.
        default: the text of its default; empty where there is none that can be shown.
    """

    name: str
    adapter: TypeAdapter[Any]
    schema: Mapping[str, Any]
    required: bool
    default: str = ""

    @property
    def type(self) -> str:
        """Return its JSON type; empty if it is of several."""
        found = self.schema.get("type", "")
        return found if isinstance(found, str) else ""

    @property
    def secret(self) -> bool:
        """Whether its value must not be shown or kept."""
        return self.schema.get("format") == "password" or bool(self.schema.get("writeOnly"))

    @property
    def options(self) -> tuple[str, ...]:
        """Return the only values it may have, if there are only some."""
        values = self.schema.get("enum", [self.schema["const"]] if "const" in self.schema else [])
        return tuple(str(value) for value in values)

    @property
    def description(self) -> str:
        """Return what its author says of it."""
        return str(self.schema.get("description", "")).strip()

    @property
    def minimum(self) -> float | None:
        """Return its least value."""
        return self._limit("minimum", "exclusiveMinimum")

    @property
    def maximum(self) -> float | None:
        """Return its greatest value."""
        return self._limit("maximum", "exclusiveMaximum")

    def _limit(self, *names: str) -> float | None:
        found = next((self.schema[name] for name in names if name in self.schema), None)
        return found if isinstance(found, int | float) else None

    @property
    def range(self) -> str:
        """Say what it takes: `-10 to 10`, `on or off`, `eco, boost`."""
        if self.options:
            return ", ".join(self.options)
        low, high = (None if v is None else show_number(v, None) for v in (self.minimum, self.maximum))
        if low is not None and high is not None:
            return f"{low} to {high}"
        noun = _TYPES.get(self.type, "a value")
        if low is not None:
            return f"{noun} from {low}"
        return f"{noun} up to {high}" if high is not None else noun

    @property
    def example(self) -> str:
        """Return a value it takes, or something like it."""
        if self.options:
            return self.options[0]
        if self.type == "boolean":
            return "on"
        if self.type in ("number", "integer"):
            if self.minimum is not None and self.minimum > 0:
                return show_number(self.minimum, None)
            return show_number(self.maximum, None) if self.maximum is not None and self.maximum < 0 else "0"
        return "…"

    def parse(self, text: str) -> Any:
        """Return the value that a person's `text` names.

        Raises:
            BadValue: it names none that the action takes.
        """
        if len(text) > LONGEST_ARGUMENT:
            raise BadValue(f"{self.name} takes at most {LONGEST_ARGUMENT} characters; this has {len(text)}")
        wanted: str = text
        if self.options:
            wanted = next((o for o in self.options if o.casefold() == text.strip().casefold()), text)
        elif self.type in ("number", "integer"):
            wanted = text.strip().replace(",", ".").replace("\N{MINUS SIGN}", "-")
        elif self.type == "boolean":
            wanted = text.strip().casefold()
        elif clean_text(text) != text:
            raise BadValue(f"{self.name} takes no control characters")
        try:
            value = self.adapter.validate_strings(wanted)
        except ValidationError as error:
            raise BadValue(self._say_wrong(text, error)) from None
        endless = isinstance(value, float) and not math.isfinite(value)
        if endless or (isinstance(value, int) and abs(value) > LARGEST_INTEGER):
            raise BadValue(f"{self.name} takes {self.range}")
        return value

    def _say_wrong(self, text: str, error: ValidationError) -> str:
        said = f"{self.name} takes {self.range}" + ("" if self.secret else f', not "{shorten(text)}"')
        if self.options or self.type in ("number", "integer", "boolean"):
            return said
        told = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
        return said if self.secret else f"{said}: {shorten(told, 120)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An action and what it takes."""

    action: Action
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """Say how the action is invoked, without the Thing: `calibrate offset=…`."""
        named = [f"{p.name}=…" if p.required else f"[{p.name}=…]" for p in self.parameters]
        return " ".join([self.action.name, *named])

    def check(self, arguments: Mapping[str, str]) -> dict[str, Any]:
        """Return the checked values of the arguments that people wrote.

        Raises:
            BadValue: one is unknown, missing or wrong.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in arguments:
            if name not in known:
                takes = ", ".join(known) or "no arguments"
                hint = did_you_mean(shorten(name), known)
                raise BadValue(f'{self.action.name} has no argument "{shorten(name)}".{hint or f" It takes: {takes}"}')
        for parameter in self.parameters:
            if parameter.required and parameter.name not in arguments:
                raise BadValue(f"{parameter.name} is missing: {parameter.range}. Write {parameter.name}=…")
        return {name: known[name].parse(text) for name, text in arguments.items()}

    def masked(self, arguments: Mapping[str, str]) -> dict[str, str]:
        """Return the arguments as they may be kept and shown."""
        secret = {parameter.name for parameter in self.parameters if parameter.secret}
        return {name: MASK if name in secret else text for name, text in arguments.items()}


class Signatures:
    """The signatures of every Thing's actions, worked out once. An action that has none is left out, and that said."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Thing, dict[str, Signature]] = WeakKeyDictionary()

    def of(self, thing: Thing) -> Mapping[str, Signature]:
        """Return the signatures of a Thing's actions by name."""
        found = self._known.get(thing)
        if found is None:
            found = self._known[thing] = {}
            for name, action in sorted(thing.actions.items()):
                try:
                    found[name] = signature_of(action)
                except (TypeError, NameError, PydanticUserError, PydanticSchemaGenerationError) as error:
                    log.error("%s: its action %s cannot be offered: %s", thing.id, name, error)
        return found


def signature_of(action: Action) -> Signature:
    """Return the signature of an action.

    Raises:
        TypeError: a parameter is of a kind or type that people cannot give.
        NameError: an annotation names a type that is not there.
        PydanticUserError: the same, said by pydantic.
        PydanticSchemaGenerationError: the same, said by pydantic.
    """
    hints = get_type_hints(action.method, include_extras=True)
    parameters = []
    for parameter in inspect.signature(action.method).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"parameter {parameter.name} cannot be given by name")
        if isinstance(parameter.default, FieldInfo):
            raise TypeError(f"parameter {parameter.name}: write Annotated[TYPE, Field(…)], not a default of Field(…)")
        adapter = TypeAdapter[Any](hints.get(parameter.name, str))
        schema = _resolved(adapter.json_schema())
        required = parameter.default is parameter.empty
        parameters.append(
            Parameter(
                name=parameter.name,
                adapter=adapter,
                schema=schema,
                required=required,
                default="" if required else _text(adapter, parameter.default),
            )
        )
    return Signature(action=action, parameters=tuple(parameters))


def _resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema of one type: its reference followed, and the first choice where it may also be null."""
    found = dict(schema)
    reference = re.fullmatch(r"#/\$defs/(.+)", str(found.pop("$ref", "")))
    if reference:
        found = {**found["$defs"][reference[1]], **found}
    choices = [choice for choice in found.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        del found["anyOf"]
        found = {**_resolved({**choices[0], "$defs": found.get("$defs", {})}), **found}
    return found


def _text(adapter: TypeAdapter[Any], default: object) -> str:
    shown = adapter.dump_python(default, mode="json", warnings=False)
    if isinstance(shown, bool):
        return "on" if shown else "off"
    return str(shown) if isinstance(shown, int | float | str) else ""
