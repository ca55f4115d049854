"""Keys and values as TOML writes them, for messages. What smells of a secret is not shown."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches

Key = tuple[str | int, ...]
"""The way to a value: table names, the key, positions in lists."""

_SECRET = re.compile(r"pass|pwd|secret|token|credential|apikey|(?<![a-z])(key|pw)(?![a-z])", re.IGNORECASE)
_SECRETS = ("password", "passphrase", "secret", "token", "credential")
HIDDEN = "***"
TABLE = "{…}"
"""Stands for all that a table holds."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60


def smells_secret(name: str) -> bool:
    """Whether what is called so must not be shown: the name of a secret, or a misspelling of one."""
    if _SECRET.search(name):
        return True
    return any(get_close_matches(word, _SECRETS, n=1, cutoff=0.75) for word in re.split(r"[^a-z]+", name.casefold()))


def show_key(key: Iterable[str | int]) -> str:
    """Write a key the way TOML does: `access."bob@example.org".role`; positions in lists in brackets."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else _quoted(part)
            text += f".{name}" if text else name
    return text


def show_value(value: object, *, hidden: bool = False) -> str:
    """Write a value the way TOML does, shortened; what is inside a table is left out."""
    match value:
        case Mapping():
            text = TABLE if value else "{}"
        case _ if hidden:
            text = HIDDEN
        case bool():
            text = str(value).lower()
        case str():
            text = _quoted(value)
        case list() | tuple():
            text = f"[{', '.join(show_value(item) for item in value)}]"
        case datetime() | date() | time():
            text = value.isoformat()
        case int() if value.bit_length() > 256:
            text = "a very large number"
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _quoted(text: str) -> str:
    """Quote a text with everything escaped that a terminal or log might stumble over."""
    quoted = json.dumps(text[: 2 * _LONGEST_SHOWN], ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)
