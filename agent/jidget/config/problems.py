"""What is wrong with a configuration, said to the person who wrote it: file, key, value, remedy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from jidget.config.notation import HIDDEN, TABLE, Key, show_key, show_value, smells_secret
from jidget.config.things import ThingConfig
from jidget.spelling import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong at one key. `value` is as it may be shown; empty for none. `text` ends with the remedy."""

    key: Key
    text: str
    value: str = ""

    def say(self, file: Path) -> str:
        """Return the line that people read."""
        where = show_key(self.key)
        if self.value == TABLE and len(self.key) == 1:
            where = f"[{where}]"
        elif self.value:
            where += f" = {self.value}"
        return f"{file}: {where}: {self.text}"


def option_problems(file: Path, prefix: str, error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return what is wrong with a driver's options as messages; `prefix` is their table: `things.pump.options`."""
    return [problem.say(file) for problem in problems_of(error, model, tuple(prefix.split(".")))]


def problems_of(error: ValidationError, model: type[BaseModel], prefix: Key = ()) -> list[Problem]:
    """Return what pydantic found wrong in a table of `model` at `prefix`, one problem a key."""
    found: dict[Key, list[tuple[_Place, ErrorDetails]]] = {}
    for details in error.errors(include_url=False):
        place = _place(model, details["loc"], prefix)
        found.setdefault(place.key, []).append((place, details))
    return [_problem(errors, prefix) for key, errors in found.items() if not _noise(key, found)]


def _noise(key: Key, found: Mapping[Key, list[tuple["_Place", ErrorDetails]]]) -> bool:
    """Whether the errors at `key` only follow from others."""
    errors = found[key]
    if all(place.alternative for place, _ in errors):  # another type that the value may have got further into it
        return any(other != key and other[: len(key)] == key for other in found)
    if errors[0][1]["type"] != "missing" or len(key) != 3:
        return False
    # a dotted name without quotes became tables in tables
    return key[0] == "access" and any(
        other[:2] == key[:2] and errors[0][1]["type"] == "extra_forbidden" for other, errors in found.items()
    )


# ---- where ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an error is.

    Attributes:
        key: the way to it, without the names of alternatives that pydantic puts in between.
        field: what the model says of the key; None inside lists and free tables.
        siblings: the keys that would be right beside or instead of it.
        alternative: whether it is an error of one of several types that the value may have.
        of_key: whether the key itself is wrong, not its value.
    """

    key: Key
    field: FieldInfo | None
    siblings: tuple[str, ...]
    alternative: bool
    of_key: bool


def _place(model: type[BaseModel], loc: Sequence[str | int], prefix: Key) -> _Place:
    annotation: Any = model
    key: list[str | int] = list(prefix)
    field: FieldInfo | None = None
    siblings: tuple[str, ...] = ()
    alternative = False
    parts = list(loc)
    of_key = bool(parts) and parts[-1] == "[key]"
    if of_key:
        parts.pop()
    for part in parts:
        branches = _branches(annotation)
        if len(branches) > 1 and not alternative:
            alternative = True  # the first part below a union names the branch, not a key
            annotation = _chosen(branches, part)
            continue
        alternative = False
        key.append(part)
        fields = _fields(branches)
        siblings = tuple(fields)
        field = fields.get(str(part))
        annotation = field.annotation if field else _inside(branches)
    return _Place(key=tuple(key), field=field, siblings=siblings, alternative=alternative, of_key=of_key)


def _branches(annotation: Any) -> list[Any]:
    """Return the types that a value may have, None aside."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _branches(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [branch for arg in get_args(annotation) if arg is not NoneType for branch in _branches(arg)]
    return [annotation]


def _chosen(branches: list[Any], tag: str | int) -> Any:
    """Return the branch that pydantic's `tag` names, or all of them where it cannot be told."""
    for branch in branches:
        name = str(getattr(branch, "__name__", branch))
        if str(tag) == name or str(tag).startswith(f"{name}["):
            return branch
    models = [branch for branch in branches if isinstance(branch, type) and issubclass(branch, BaseModel)]
    return models[0] if models else branches[-1]


def _fields(branches: list[Any]) -> dict[str, FieldInfo]:
    return {
        field.alias or name: field
        for branch in branches
        if isinstance(branch, type) and issubclass(branch, BaseModel)
        for name, field in branch.model_fields.items()
    }


def _inside(branches: list[Any]) -> Any:
    """Return the type of what a list or free table holds."""
    for branch in branches:
        args = [arg for arg in get_args(branch) if arg is not Ellipsis]
        if args:
            return args[-1]
    return Any


# ---- what ----------------------------------------------------------------------------------------------------------

_EXPECTED = {
    "string": 'not a text. Write it in quotes: "…"',
    "int": "not a whole number. Write it without quotes or point, such as 5",
    "float": "not a number. Write it without quotes, such as 0.5",
    "bool": "neither true nor false. Write one of them, without quotes",
    "path": 'not a path. Write it in quotes: "…"',
    "dict": "not a table. Write it as [{key}] with its keys below",
    "model": "not a table. Write it as [{key}] with its keys below",
    "tuple": 'not a list. Write it in brackets: ["…"]',
    "list": 'not a list. Write it in brackets: ["…"]',
    "set": 'not a list. Write it in brackets: ["…"]',
    "finite": "not a finite number. Write a number such as 0.5",
}
"""By the first word of pydantic's error type, where that word names a type."""

_LIMITS = {
    "greater_than_equal": ("ge", "too small. Write {} or more"),
    "greater_than": ("gt", "too small. Write more than {}"),
    "less_than_equal": ("le", "too large. Write {} or less"),
    "less_than": ("lt", "too large. Write less than {}"),
    "multiple_of": ("multiple_of", "not a multiple of {}. Write one"),
    "too_short": ("min_length", "too short. Write at least {} of them, or remove the key"),
    "too_long": ("max_length", "too long. Write at most {} of them"),
    "string_too_short": ("min_length", "too short. Write at least {} characters"),
    "string_too_long": ("max_length", "too long. Write at most {} characters"),
    "string_pattern_mismatch": ("pattern", "not of the form {}. Write it so"),
}


def _problem(errors: list[tuple[_Place, ErrorDetails]], prefix: Key) -> Problem:
    place, details = errors[0]
    kind, value = details["type"], details["input"]
    if kind == "missing":
        return Problem(key=place.key, text=_missing(place))
    shown = "" if place.of_key else show_value(value, hidden=_secret(place, prefix))
    if kind == "extra_forbidden":
        return Problem(key=place.key, value=shown, text=_unknown(place, prefix))
    texts = list(dict.fromkeys(_text(each, at) for at, each in errors))
    text = ". Or: ".join(text.removesuffix(".") for text in texts)
    if _secret(place, prefix) and isinstance(value, str) and value:
        text = text.replace(value, HIDDEN)
    if place.field is not None and place.field.description and prefix[:1] == ("things",):
        text = f"{text.removesuffix('.')}. {place.key[-1]}: {place.field.description}"
    return Problem(key=place.key, value=shown, text=text)


def _text(details: ErrorDetails, place: _Place) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = did_you_mean(details["input"], choices) if isinstance(details["input"], str) else ""
        listed = " or ".join(f'"{choice}"' for choice in choices) or str(context.get("expected"))
        return f"not one of the choices. Write {listed}{'.' + near if near else ''}"
    if kind in _LIMITS:
        name, text = _LIMITS[kind]
        return text.format(context.get(name))
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    expected = _EXPECTED.get(kind.split("_")[0])
    if expected:
        return expected.format(key=show_key(place.key))
    return details["msg"]


def _missing(place: _Place) -> str:
    name, field = str(place.key[-1]), place.field
    if field is None:
        return f"missing. Write {name} = …"
    if _fields(_branches(field.annotation)):
        return f"missing. Write the table [{show_key(place.key)}]"
    example = show_value(field.examples[0]) if field.examples else "…"
    return f"missing. Write {name} = {example}" + (f" ({field.description})" if field.description else "")


def _unknown(place: _Place, prefix: Key) -> str:
    *table, last = place.key
    name = str(last)
    if place.key in (("xmpp", "password"), ("mqtt", "password")):
        return (
            "a password does not belong in this file. Write it into a file of its own that only you can read, "
            'and name that: password_file = "password"'
        )
    if table[:1] == ["access"]:
        return (
            'unknown key. A JID or domain is written in quotes: "example.org" = "viewer". '
            f"A table for one has: {', '.join(place.siblings)}"
        )
    if prefix[:1] == ("things",) and name in ThingConfig.model_fields:
        return f"not an option of the driver. Move it to [{show_key(prefix[:-1])}]"
    candidates = [sibling for sibling in place.siblings if sibling != "options"]
    known = f" Known keys: {', '.join(place.siblings)}" if candidates else " Remove it: there is nothing to set here"
    text = f"unknown key.{did_you_mean(name, candidates) or known}"
    if not prefix and len(table) == 2 and table[0] == "things":
        text += f"{'' if text[-1] == '?' else '.'} What belongs to the driver goes to [{show_key((*table, 'options'))}]"
    return text


def _secret(place: _Place, prefix: Key) -> bool:
    """Whether the value must not be shown: the model says so, or a name on the way to it smells of it."""
    branches = _branches(place.field.annotation) if place.field is not None else []
    if SecretStr in branches or SecretBytes in branches:
        return True
    if Path in branches:
        return False
    named = list(place.key[len(prefix) :])
    if named[:1] == ["things"]:
        del named[1:2]  # what people call a Thing says nothing about its values
    return any(isinstance(part, str) and smells_secret(part) for part in named)
