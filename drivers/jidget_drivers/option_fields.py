"""What a JSON schema says to a person: the fields of a driver's options and of its actions' parameters."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, create_model

from jidget_drivers.option_types import DURATION_FORMAT

Schema = Mapping[str, Any]
TYPE_WORDS = {"string": "text", "boolean": "true or false", "integer": "whole number", "object": "table"}
_FORMAT_WORDS = {"path": "path", DURATION_FORMAT: "duration"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One option or one parameter of an action.

    Attributes:
        key: its name; in nested tables dotted, with NAME for a name of one's choice and [] for a list.
        type: what to write, in words: `text`, `number`, `duration`, `one of up, down`.
        default: as it is written in TOML; empty if there is none.
        required: whether it must be given.
        description: what it means.
    """

    key: str
    type: str
    default: str
    required: bool
    description: str


def parameters_schema(method: Callable[..., Any]) -> dict[str, Any]:
    """Return the JSON schema of an action's parameters, made from its type hints.

    Raises:
        TypeError: a parameter has no type hint, or is `*args` or `**kwargs`.
    """
    hints = get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(method).parameters.values()):
        if parameter.name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{parameter} is no field of a form: name each parameter")
        if parameter.name not in hints:
            raise TypeError(f"parameter {parameter.name!r} needs a type hint")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    model: type[BaseModel] = create_model(method.__name__, **fields)
    return model.model_json_schema()


def fields_of(schema: Schema, prefix: str = "", definitions: Schema | None = None) -> Iterator[FieldInfo]:
    """Yield the fields of an object's JSON schema, those of nested tables after their own."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        key = f"{prefix}{name}"
        yield FieldInfo(
            key=key,
            type=_say_type(field, definitions),
            default=_say_default(field),
            required=name in required,
            description=field.get("description", ""),
        )
        for suffix, table in _tables(field, definitions):
            yield from fields_of(table, f"{key}{suffix}.", definitions)


def _tables(field: Schema, definitions: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the tables nested in a field, with how their keys continue its name."""
    for variant in _variants(field, definitions):
        if "properties" in variant:
            yield "", variant
        for keyword, suffix in (("additionalProperties", ".NAME"), ("items", "[]")):
            inner = variant.get(keyword)
            if isinstance(inner, dict):
                yield from ((f"{suffix}{more}", table) for more, table in _tables(inner, definitions))


def _variants(field: Schema, definitions: Schema) -> list[Schema]:
    """Return what a field may be, references resolved, without null: None is what is left out in TOML."""
    if "$ref" in field:
        return _variants(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        return [one for option in field["anyOf"] for one in _variants(option, definitions)]
    return [] if field.get("type") == "null" else [field]


def _say_type(field: Schema, definitions: Schema) -> str:
    words: list[str] = []
    for variant in _variants(field, definitions):
        word = _say_variant(variant, definitions)
        if word not in words:
            words.append(word)
    return " or ".join(words)


def _say_variant(variant: Schema, definitions: Schema) -> str:
    if "enum" in variant:
        choices = variant["enum"]
        return (
            "one of " + ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
            if len(choices) <= 16
            else "text"
        )
    if "const" in variant:
        return str(variant["const"])
    kind = str(variant.get("type", "any"))
    if kind == "array":
        inner = variant.get("items")
        return f"list of {_say_type(inner, definitions)}" if inner else "list"
    word = _FORMAT_WORDS.get(str(variant.get("format"))) or TYPE_WORDS.get(kind, kind)
    low = variant.get("minimum", variant.get("exclusiveMinimum"))
    high = variant.get("maximum", variant.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{word} from {_say_number(low)} to {_say_number(high)}"
    return word


def _say_number(number: float) -> str:
    """Write a number as people do: 4000000 and 0.5, not 4e+06 and 0.5000000000000001."""
    return str(number) if isinstance(number, int) else f"{number:.12g}"


def _say_default(field: Schema) -> str:
    default: object = field.get("default")
    if default in (None, "", [], {}):
        return ""
    match default:
        case True | False:
            return "true" if default else "false"
        case str():
            return f'"{default}"'
        case float():
            return _say_number(default)
        case _:
            return str(default)
