"""Filters, tests and functions that Home Assistant adds to Jinja2, as far as they need no Home Assistant.

https://www.home-assistant.io/docs/configuration/templating/. They raise `ValueError` and `TypeError` for values they
cannot take, unless a default is given. What they cost is the sandbox's business, except where said.
"""

import base64
import hashlib
import json
import math
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

NONE_GIVEN: Final = object()
_LARGEST_PRECISION = 100
_LARGEST_STRUCT = 4096
_TRUE = frozenset({"1", "true", "yes", "on", "enable"})
_FALSE = frozenset({"0", "false", "no", "off", "disable"})


def _or_default(name: str, value: Any, default: Any) -> Any:
    if default is NONE_GIVEN:
        raise ValueError(f"{name} got {str(value)[:80]!r}, and no default")
    return default


def _forgiving(name: str, calculate: Callable[[float], Any]) -> Callable[..., Any]:
    def forgiving(value: Any, default: Any = NONE_GIVEN) -> Any:
        try:
            return calculate(float(value))
        except (ValueError, TypeError):
            return _or_default(name, value, default)

    return forgiving


# ---- numbers -----------------------------------------------------------------------------------------------------


def _float(value: Any, default: Any = NONE_GIVEN) -> Any:
    try:
        return float(value)
    except (ValueError, TypeError):
        return _or_default("float", value, default)


def _int(value: Any, default: Any = NONE_GIVEN, base: int = 10) -> Any:
    try:
        return int(value, base) if isinstance(value, str) else int(value)
    except (ValueError, TypeError):
        try:
            return int(float(value))
        except (ValueError, TypeError, OverflowError):
            return _or_default("int", value, default)


def _bool(value: Any, default: Any = NONE_GIVEN) -> Any:
    if isinstance(value, bool | int | float):
        return value != 0
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    return _or_default("bool", value, default)


def _round(value: Any, precision: int = 0, method: str = "common", default: Any = NONE_GIVEN) -> Any:
    if abs(precision) > _LARGEST_PRECISION:
        raise ValueError(f"round to {precision} digits")
    try:
        number, multiplier = float(value), float(10**precision)
        if method in {"ceil", "floor"}:
            rounded = getattr(math, method)(number * multiplier) / multiplier
        else:
            rounded = round(number * 2) / 2 if method == "half" else round(number, precision)
        return int(rounded) if precision == 0 else rounded
    except (ValueError, TypeError):
        return _or_default("round", value, default)


def _multiply(value: Any, amount: Any, default: Any = NONE_GIVEN) -> Any:
    return _forgiving("multiply", lambda number: number * amount)(value, default)


def _add(value: Any, amount: Any, default: Any = NONE_GIVEN) -> Any:
    return _forgiving("add", lambda number: number + amount)(value, default)


def _log(value: Any, base: Any = math.e, default: Any = NONE_GIVEN) -> Any:
    return _forgiving("log", lambda number: math.log(number, float(base)))(value, default)


def _atan2(y: Any, x: Any = NONE_GIVEN, default: Any = NONE_GIVEN) -> Any:
    if isinstance(y, list | tuple):
        y, x, default = y[0], y[1], default if x is NONE_GIVEN else x
    try:
        return math.atan2(float(y), float(x))
    except (ValueError, TypeError):
        return _or_default("atan2", (y, x), default)


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (ValueError, TypeError, OverflowError):
        return False


def _clamp(value: Any, least: Any, most: Any) -> float:
    return max(float(least), min(float(most), float(value)))


def _wrap(value: Any, least: Any, most: Any) -> float:
    low, span = float(least), float(most) - float(least)
    return (float(value) - low) % span + low if span else low


def _over(name: str, calculate: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    def over(*values: Any, default: Any = NONE_GIVEN) -> Any:
        if not values:
            raise TypeError(f"{name} of nothing")
        items: Iterable[Any] = values
        if isinstance(values[0], Iterable):
            items = values[0]
            default = values[1] if len(values) > 1 and default is NONE_GIVEN else default
        elif len(values) == 1:
            raise TypeError(f"{name} of {type(values[0]).__name__}")
        try:
            return calculate(list(items))
        except (TypeError, ZeroDivisionError, IndexError):
            return _or_default(name, values, default)

    return over


def _median(values: list[Any]) -> Any:
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


# ---- collections -------------------------------------------------------------------------------------------------


def _flatten(value: Iterable[Any], levels: int | None = None) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise TypeError(f"flatten expected a list, got {type(value).__name__}")
    flat: list[Any] = []
    for item in value:
        deeper = levels is None or levels >= 1
        if deeper and isinstance(item, Iterable) and not isinstance(item, str):
            flat.extend(_flatten(item, None if levels is None else levels - 1))
        else:
            flat.append(item)
    return flat


def _sets(calculate: Callable[[set[Any], set[Any]], set[Any]]) -> Callable[[Any, Any], list[Any]]:
    def of_two(value: Any, other: Any) -> list[Any]:
        for items in (value, other):
            if not isinstance(items, Iterable) or isinstance(items, str):
                raise TypeError(f"a list was expected, got {type(items).__name__}")
        return list(calculate(set(value), set(other)))

    return of_two


def _combine(*tables: Any, recursive: bool = False) -> dict[Any, Any]:
    if not tables:
        raise TypeError("combine of nothing")
    whole: dict[Any, Any] = {}
    for table in tables:
        if not isinstance(table, dict):
            raise TypeError(f"combine expected a dict, got {type(table).__name__}")
        for key, value in table.items():
            both = recursive and isinstance(whole.get(key), dict) and isinstance(value, dict)
            whole[key] = _combine(whole[key], value, recursive=True) if both else value
    return whole


def _iif(value: Any, if_true: Any = True, if_false: Any = False, if_none: Any = NONE_GIVEN) -> Any:
    if value is None and if_none is not NONE_GIVEN:
        return if_none
    return if_true if value else if_false


# ---- text and bytes ----------------------------------------------------------------------------------------------


def _from_json(value: Any, default: Any = NONE_GIVEN) -> Any:
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return _or_default("from_json", value, default)


def _to_json(value: Any, ensure_ascii: bool = False, pretty_print: bool = False, sort_keys: bool = False) -> str:
    separators = None if ensure_ascii else (",", ": ") if pretty_print else (",", ":")

    def dumped(what: Any) -> str:
        return json.dumps(
            what,
            ensure_ascii=ensure_ascii,
            indent=2 if pretty_print else None,
            sort_keys=sort_keys,
            separators=separators,
            allow_nan=False,
        )

    try:
        return dumped(value)
    except ValueError:  # NaN and infinity become null
        return dumped(json.loads(json.dumps(value), parse_constant=lambda _: None))


def _pack(value: Any, form: str) -> bytes | None:
    try:
        if struct.calcsize(form) > _LARGEST_STRUCT:
            raise ValueError(f"pack {form[:20]!r} is too large")
        return struct.pack(form, value)
    except struct.error:
        return None


def _unpack(value: bytes, form: str, offset: int = 0) -> Any:
    try:
        return struct.unpack_from(form, value, offset)[0]
    except struct.error:
        return None


def _base64_decode(value: str | bytes, encoding: str | None = "utf-8") -> str | bytes:
    decoded = base64.b64decode(value)
    if encoding not in {None, "", "utf-8", "utf8", "ascii", "latin-1", "latin1"}:
        raise ValueError(f"encoding {encoding!r} is not for payloads")
    return decoded.decode(encoding) if encoding else decoded


def _ordinal(value: Any) -> str:
    text = str(value)
    teens = int(text[-2:]) % 100 in range(11, 14)
    return text + ("th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(int(text[-1]), "th"))


def _slugify(value: Any, separator: str = "_") -> str:
    plain = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", lambda _: separator, plain.replace("'", "")).strip(separator)


def _hashed(name: str) -> Callable[[str], str]:
    return lambda value: hashlib.new(name, value.encode(), usedforsecurity=False).hexdigest()


def _unknown(*_arguments: Any, **_named: Any) -> str:
    return "unknown"


def _nothing(*_arguments: Any, **_named: Any) -> None:
    return None


def _no(*_arguments: Any, **_named: Any) -> bool:
    return False


def _zip(*items: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    return zip(*items, strict=False)


_BOTH: dict[str, Callable[..., Any]] = {
    **{name: _forgiving(name, getattr(math, name)) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sqrt")},
    **{name: _hashed(name) for name in ("md5", "sha1", "sha256", "sha512")},
    "float": _float, "int": _int, "bool": _bool, "is_number": _is_number, "log": _log, "atan2": _atan2,
    "clamp": _clamp, "wrap": _wrap, "iif": _iif, "combine": _combine, "flatten": _flatten,
    "average": _over("average", lambda values: math.fsum(values) / len(values)),
    "median": _over("median", _median),
    "statistical_mode": _over("statistical_mode", lambda values: Counter(values).most_common(1)[0][0]),
    "bitwise_and": lambda one, other: one & other,
    "bitwise_or": lambda one, other: one | other,
    "bitwise_xor": lambda one, other: one ^ other,
    "intersect": _sets(lambda one, other: one & other), "difference": _sets(lambda one, other: one - other),
    "union": _sets(lambda one, other: one | other), "symmetric_difference": _sets(lambda one, other: one ^ other),
    "pack": _pack, "unpack": _unpack, "slugify": _slugify, "typeof": lambda value: type(value).__name__,
    "base64_encode": lambda value: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode(),
    "base64_decode": _base64_decode, "urlencode": lambda value: urlencode(value).encode(),
    "states": _unknown, "state_attr": _nothing, "has_value": _no,
}  # fmt: skip

FUNCTIONS: dict[str, Any] = {
    **_BOTH, "pi": math.pi, "e": math.e, "tau": math.tau, "zip": _zip, "set": lambda items=(): set(items),
    "tuple": lambda items=(): tuple(items), "list": lambda items=(): list(items), "is_state": _no, "is_state_attr": _no,
}  # fmt: skip
"""Callable by name in a template."""
FILTERS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in _BOTH.items() if name != "urlencode"},
    "round": _round, "multiply": _multiply, "add": _add, "from_json": _from_json, "to_json": _to_json,
    "from_hex": bytes.fromhex, "ordinal": _ordinal, "ord": ord, "contains": lambda items, item: item in items,
}  # fmt: skip
"""After a `|`."""
TESTS: dict[str, Callable[..., bool]] = {
    "is_number": _is_number, "contains": lambda items, item: item in items, "has_value": _no, "is_state": _no,
    "is_state_attr": _no, "list": lambda value: isinstance(value, list), "set": lambda value: isinstance(value, set),
    "tuple": lambda value: isinstance(value, tuple),
    "string_like": lambda value: isinstance(value, str | bytes | bytearray),
}  # fmt: skip
"""After `is`."""
