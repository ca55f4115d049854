"""Payloads: their encodings, and what is in them. Pure."""

import ast
import codecs
from typing import Any

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.model import NotJson, parse_json

_NOT_FOR_PAYLOADS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""The first two are quadratic: 256 KiB would hold the loop for minutes. The others are Python's own."""


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is; None if it is none."""
    try:
        told = parse_json(text)
    except NotJson:
        return None
    return told if isinstance(told, dict) else None


def known_encoding(name: str) -> str:
    """Return the encoding of payloads that a config names; empty: they are bytes.

    Raises:
        BadConfig: there is no such encoding.
    """
    if not name:
        return ""
    try:
        plain = codecs.lookup(name).name.replace("_", "-")
        "a".encode(name)
    except (LookupError, ValueError):
        raise BadConfig(f"encoding {name[:40]!r} is not known") from None
    if plain in _NOT_FOR_PAYLOADS:
        raise BadConfig(f"encoding {name[:40]!r} is not for payloads")
    return plain


def bytes_literal(text: str) -> str | bytes:
    """Return the bytes that a template wrote as `b'…'`; other text as it is."""
    if text.startswith(("b'", 'b"')):
        try:
            value = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return text
        if isinstance(value, bytes):
            return value
    return text
