"""What could make much of little in one step: said before it is done whether the result is too large.

Guards get the budget and the arguments of a filter or method, and raise `TooMuch`.
"""

import codecs
import re
from collections.abc import Callable, Iterable
from datetime import date, time, timedelta, tzinfo
from typing import Any, Final

from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro
from jinja2.utils import Cycler, Joiner

from jidget.mqtt.budget import LARGEST_INT, Budget
from jidget.mqtt.filters_time import checked_format
from jidget.mqtt.templates import TooMuch

WIDEST: Final = 1000
"""Characters that something is padded to, digits after a point."""
_PERCENT = re.compile(r"%(?:\([^)]*\))?[#0\-+ ]*(\*|\d+)?(?:\.(\*|\d+))?")
_NUMBER = re.compile(r"\d+")
_ENCODINGS = frozenset({"utf-8", "ascii", "iso8859-1", "utf-16", "utf-16-le", "utf-16-be", "cp1252"})

_TEXT = frozenset(
    [
        "capitalize",
        "casefold",
        "center",
        "count",
        "encode",
        "endswith",
        "expandtabs",
        "find",
        "format",
        "format_map",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "join",
        "ljust",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
        "zfill",
    ]
)
_BYTES = frozenset(
    [
        "count",
        "decode",
        "endswith",
        "find",
        "hex",
        "index",
        "lower",
        "replace",
        "rfind",
        "split",
        "startswith",
        "strip",
        "upper",
    ]
)
_NUMBERS = frozenset(
    ["as_integer_ratio", "bit_count", "bit_length", "conjugate", "from_bytes", "hex", "is_integer", "to_bytes"]
)
_MOMENTS = frozenset(
    [
        "astimezone",
        "combine",
        "ctime",
        "date",
        "dst",
        "fromisoformat",
        "fromordinal",
        "fromtimestamp",
        "isocalendar",
        "isoformat",
        "isoweekday",
        "now",
        "replace",
        "strftime",
        "strptime",
        "time",
        "timestamp",
        "timetuple",
        "timetz",
        "today",
        "toordinal",
        "total_seconds",
        "tzname",
        "utcnow",
        "utcoffset",
        "utctimetuple",
        "weekday",
    ]
)
OWNERS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _TEXT),
    (bytes, _BYTES),
    (int, _NUMBERS),
    (float, _NUMBERS),
    (dict, frozenset({"copy", "fromkeys", "get", "items", "keys", "values"})),
    (list, frozenset({"copy", "count", "index"})),
    (tuple, frozenset({"count", "index"})),
    (
        set,
        frozenset(
            [
                "copy",
                "difference",
                "intersection",
                "isdisjoint",
                "issubset",
                "issuperset",
                "symmetric_difference",
                "union",
            ]
        ),
    ),
    *((kind, _MOMENTS) for kind in (date, time, timedelta, tzinfo)),
)
"""Methods of Python's own types that a template may call."""
PYTHON_OWNERS = (LoopContext, Cycler, Joiner, BlockReference, Macro, Context)
"""Types of Jinja2 whose methods it may call."""


def check_spec(spec: str) -> None:
    """See that a format (`>10.2f`) is of a reasonable width.

    Raises:
        TooMuch: it is not.
    """
    if any(len(number) > 4 or int(number) > WIDEST for number in _NUMBER.findall(spec)):
        raise TooMuch(f"it pads to more than {WIDEST} characters")
    if "%" in spec:
        checked_format(spec)


def check_percent(budget: Budget, form: Any, values: Any) -> None:
    """See that `form % values` is no larger than it looks."""
    if not isinstance(form, str):
        raise SecurityError("bytes cannot be formatted")
    fields = 0
    for width, precision in _PERCENT.findall(form):
        fields += 1
        if "*" in (width, precision):
            raise TooMuch("it pads to a width that is calculated")
        check_spec(f"{width} {precision}")
    before = budget.left
    budget.weigh(values)
    budget.spend((before - budget.left) * fields + fields * (WIDEST >> 4))


def check_product(budget: Budget, operator: str, left: Any, right: Any) -> None:
    """See that `left * right` or `left ** right` is of a reasonable size."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
        if bits > LARGEST_INT:
            raise TooMuch("it calculates with too large a number")
        return
    for items, times in ((left, right), (right, left)):
        if isinstance(items, str | bytes) and isinstance(times, int):
            budget.characters(len(items) * max(times, 0))
        elif isinstance(items, list | tuple) and isinstance(times, int):
            budget.elements(len(items) * max(times, 0))


def joined(budget: Budget, between: str, items: Iterable[Any]) -> str:
    """Return the items as text, with `between` between them."""
    parts = list(budget.metered(items))
    budget.weigh(parts)
    texts = [str(part) for part in parts]
    budget.characters(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


# ---- methods -----------------------------------------------------------------------------------------------------


def _padded(budget: Budget, _text: Any, *args: Any, **named: Any) -> tuple[Any, ...]:
    for width in (*args, *named.values()):
        if isinstance(width, int):
            budget.characters(width)
    return args


def _tabs(budget: Budget, text: str, tabsize: int = 8) -> tuple[Any, ...]:
    budget.characters(len(text) + text.count("\t") * tabsize)
    return (tabsize,)


def _replaced(budget: Budget, text: Any, *args: Any) -> tuple[Any, ...]:
    if isinstance(text, str | bytes) and len(args) >= 2:
        _check_replace(budget, text, *args[:2])
    return args


def _check_replace(budget: Budget, text: Any, old: Any, new: Any, count: Any = None) -> None:
    del count  # fewer than all are no more
    if isinstance(text, str | bytes) and isinstance(old, type(text)) and isinstance(new, type(text)):
        budget.characters(len(text) + text.count(old) * len(new))  # type: ignore[arg-type]


def _join_method(budget: Budget, between: Any, items: Iterable[Any]) -> tuple[Any, ...]:
    parts = list(budget.metered(items))
    budget.weigh(parts)
    budget.characters(len(between) * len(parts) + sum(len(part) for part in parts if isinstance(part, str)))
    return (parts,)


def _encoded(budget: Budget, text: Any, encoding: str = "utf-8", errors: str = "strict") -> tuple[Any, ...]:
    del budget, text
    if codecs.lookup(encoding).name not in _ENCODINGS:
        raise ValueError(f"encoding {encoding!r} is not for payloads")
    return (encoding, errors)


def _dated(budget: Budget, moment: Any, *args: Any) -> tuple[Any, ...]:
    del budget, moment
    for form in args[-1:]:
        checked_format(form)
    return args


METHODS: dict[str, Callable[..., tuple[Any, ...]]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "to_bytes"), _padded),
    "expandtabs": _tabs,
    "replace": _replaced,
    "join": _join_method,
    **dict.fromkeys(("encode", "decode"), _encoded),
    **dict.fromkeys(("strftime", "strptime"), _dated),
}
"""By name: checks a call of a method, and returns its arguments."""

# ---- filters -----------------------------------------------------------------------------------------------------


def _narrow(_budget: Budget, _value: Any, *args: Any, **named: Any) -> None:
    for number in (*args, *named.values()):
        if isinstance(number, int) and abs(number) > WIDEST:
            raise TooMuch(f"it makes more than {WIDEST} of one")


def _format(budget: Budget, form: Any, *args: Any, **named: Any) -> None:
    check_percent(budget, str(form), named or args)


def _sorted(budget: Budget, value: Any, *_args: Any, **_named: Any) -> None:
    """Compare each element with some others: as often as their number has digits."""
    before = budget.left
    budget.weigh(value)
    budget.spend((before - budget.left) * 16)


def _indented(budget: Budget, value: Any, *args: Any, **named: Any) -> None:
    if any(args) or any(named.values()):
        before = budget.left
        budget.weigh(value)
        budget.characters(8 * (before - budget.left) ** 2)  # as if each element were inside all others
        for indent in (*args, *named.values()):
            if isinstance(indent, str) or (isinstance(indent, int) and indent > 8):
                raise TooMuch("it indents by more than 8")


GUARDS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(("center", "batch", "slice", "truncate"), _narrow),
    **dict.fromkeys(("sort", "dictsort", "groupby", "unique", "min", "max", "median"), _sorted),
    **dict.fromkeys(("tojson", "to_json"), _indented),
    "replace": _check_replace,
    "format": _format,
}
"""By name: checks a use of a filter."""
