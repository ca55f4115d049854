"""TOML that is none: where, which line, what to do; a secret on that line is not shown."""

import re
import tomllib
from pathlib import Path
from typing import Any

from jidget.config.notation import HIDDEN, smells_secret
from jidget.errors import ConfigError

LONGEST = 1 << 20
"""Bytes: a configuration is smaller than this."""

_POSITION = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL)
_ASSIGNMENT = re.compile(r"\s*[\w.\"'-]+\s*=")
_NAME = re.compile(r"[\w-]+")
_LONGEST_LINE = 100
_REMEDIES = (
    ("Invalid value", 'Text and durations are written in quotes: "pi@example.org", "30s"'),
    (
        "Expected '=' after a key",
        'Write KEY = VALUE; a JID as a key is written in quotes: "alice@example.org" = "owner"',
    ),
    ("Invalid initial character for a key", "A key is made of letters, digits, _ and -; anything else needs quotes"),
    ("Cannot declare", "The same table stands further up. Put the keys of both into one"),
    ("Cannot overwrite a value", "The same key stands further up. Remove one of the two"),
    ("Duplicate inline table key", "Remove one of the two"),
    ("Expected newline or end of document", "Write one KEY = VALUE a line"),
    ("Unclosed array", 'A list ends with "]"'),
    ("Unclosed inline table", 'A table written in one line ends with "}"'),
    ("Unterminated string", "The closing quote is missing"),
    ("Illegal character", "Text ends with the same quote on the same line"),
    ("Invalid statement", "A line is a table [NAME], KEY = VALUE, or a comment after #"),
)


def parse_toml(content: bytes, file: Path) -> dict[str, Any]:
    """Return what the bytes of a TOML file say.

    Raises:
        ConfigError: they are not UTF-8 or not TOML; the text names the line and column and shows the line.
    """
    if len(content) > LONGEST:
        raise ConfigError(f"{file}: larger than 1 MiB, so it is no configuration of ours. Name the right file")
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}: line {line}: not UTF-8 (byte 0x{content[error.start]:02x}). Save the file as UTF-8"
        ) from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{file}: tables or lists are nested too deeply. Write them flat") from None
    except ValueError as error:  # a TOMLDecodeError, or what Python itself says of an absurdly long number
        raise ConfigError(f"{file}: {_explain(str(error), text)}") from None


def _explain(message: str, text: str) -> str:
    match = _POSITION.fullmatch(message)
    if match:
        what, line, column = match[1], int(match[2]), int(match[3])
        where = f"line {line}, column {column}: "
    else:
        what, line, where = message.replace("(at end of document)", "at the end of the file"), 0, ""
    lines = text.split("\n")
    shown = f": {_show(lines, line)}" if 0 < line <= len(lines) else ""
    remedy = next((remedy for start, remedy in _REMEDIES if what.startswith(start)), "See https://toml.io")
    return f"{where}not TOML: {what[:1].lower()}{what[1:]}{shown}. {remedy}"


def _show(lines: list[str], number: int) -> str:
    """Return the line as it may be shown: nothing after a name that smells of a secret, here or where a value began."""
    line = lines[number - 1]
    if not _ASSIGNMENT.match(line):
        begun = next((earlier for earlier in reversed(lines[: number - 1]) if _ASSIGNMENT.match(earlier)), "")
        if smells_secret(begun.partition("=")[0]):
            return HIDDEN
    for word in _NAME.finditer(line):
        if smells_secret(word[0]):
            line = line[: word.end()] + f" {HIDDEN}"
            break
    line = "".join(c if c.isprintable() else "\ufffd" for c in line.strip())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
