"""The kinds of value a configuration may have: durations, JIDs, Thing ids, names, paths; each says what it wants."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from jidget.durations import EXAMPLES, parse_duration
from jidget.spelling import did_you_mean
from jidget_drivers.properties import PROPERTY_ID

THING_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
"""What a Thing's id looks like (the whole of it)."""
# fmt: off
COMMAND_WORDS = frozenset((
    "help", "status", "read", "set", "do", "stop", "all", "history", "plot", "alerts",
    "alert", "unalert", "mute", "forget", "things", "access", "allow", "deny", "invite", "audit", "yes", "no",
    "on", "off",
))
# fmt: on
"""Words that begin or make up a command: no Thing may be called by one."""
LONGEST = 366 * 86400.0
"""Seconds: no duration in a configuration is meant to be longer."""

DISCOVERED = "mqtt:"
"""What begins a pattern of Things that are not in the configuration."""
BROKER = "mqtt"
"""Who stands in `[access]` for everybody who may write to the MQTT broker; no server is called so."""
_GLOB = re.compile(r"[a-z0-9_\-*?\[\]!]+")
_DURATION_PATTERN = r"^\s*\d+([.,]\d+)?\s*([mM][sS]|[sS]|[mM]|[mM][iI][nN]|[hH]|[dD])\s*$"
_WITH_PORT = re.compile(r"[^:\]]:\d+$|\]:\d+$")
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
_NAME_LENGTH = 64


def wrong(text: str) -> PydanticCustomError:
    """Return an error whose text is ours, braces and all."""
    return PydanticCustomError("jidget", "{text}", {"text": text})


def from_file(info: ValidationInfo) -> bool:
    """Whether the value comes from a file (the context names its directory), not from code of ours."""
    return bool(info.context and "base" in info.context)


# ---- durations -----------------------------------------------------------------------------------------------------


def _seconds(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise wrong(f"not a duration: write a number and a unit in quotes, such as {EXAMPLES}") from None
        if not seconds <= LONGEST:
            raise wrong(f'longer than a year. Write a duration such as {EXAMPLES}, at most "366d"')
        return seconds
    if from_file(info) or isinstance(value, bool) or not isinstance(value, int | float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        hint = f' For {value} seconds write "{value}s"' if number else ""
        raise wrong(f"not a duration: a number and a unit in quotes is wanted, such as {EXAMPLES}.{hint}".rstrip("."))
    return float(value)


def _at_least_10_ms(seconds: float) -> float:
    if seconds < 0.01:
        raise wrong('too short: write at least "10ms"')
    return seconds


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["500ms", "30s", "5m"]})

Seconds = Annotated[float, BeforeValidator(_seconds), _DURATION_SCHEMA]
"""A span of time: text with a unit in the file, seconds in code."""
Pause = Annotated[float, BeforeValidator(_seconds), AfterValidator(_at_least_10_ms), _DURATION_SCHEMA]
"""A span of time that must not be nothing, because something waits for that long, again and again."""


def duration(text: str, description: str) -> Any:
    """Return a field with a duration as its default, written in the schema as people write it."""
    return Field(default=parse_duration(text), description=description, json_schema_extra={"default": text})


# ---- numbers -------------------------------------------------------------------------------------------------------

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number; neither a text nor true or false will do."""
Whole = Annotated[int, Field(strict=True)]


def _not_negative(value: float) -> float:
    if value < 0:
        raise wrong("negative. Write 0 or more")
    return value


def _deadband(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | dict):
        raise wrong("neither a number nor a table of numbers by property. Write 0.2 or { temperature = 0.2 }")
    return value


def _not_zero(value: float) -> float:
    if value == 0:
        raise wrong("would make every value the same. Write a factor other than 0, or remove it")
    return value


Factor = Annotated[Number, AfterValidator(_not_zero), Field(json_schema_extra={"not": {"const": 0}})]
Distance = Annotated[Number, AfterValidator(_not_negative), Field(json_schema_extra={"minimum": 0})]
"""How far a value must move to matter, in the property's unit."""


# ---- hosts and JIDs ------------------------------------------------------------------------------------------------


def _host(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare or any(c.isspace() or c in "/@\0" for c in bare):
        raise wrong('not a host. Write a name or an address: "xmpp.example.org"')
    if bare.count(":") == 1:
        name, port = bare.split(":")
        raise wrong(f'a host with a port. Write host = "{name}" and port = {port or 5222}')
    return bare


Host = Annotated[str, AfterValidator(_host), WithJsonSchema({"type": "string", "pattern": r"^[^\s/@]+$"})]


def parse_jid(text: str) -> tuple[str, str, str]:
    """Return local part, domain and resource of a JID, normalised (RFC 7622); missing ones are empty.

    Raises:
        ValueError: it is not a JID; the text says what is wrong with it.
    """
    from slixmpp.jid import JID, InvalidJID  # noqa: PLC0415  # costs as much as all the rest of the configuration

    if text.casefold().startswith("xmpp:"):
        raise ValueError(f'a JID is written without "xmpp:". Write "{text[5:].split("?", 1)[0].lstrip("/")}"')
    if _WITH_PORT.search(text.partition("/")[0]):
        raise ValueError("not a JID: a port does not belong in it. Write xmpp.host and xmpp.port")
    try:
        jid = JID(text)
    except InvalidJID as error:
        raise ValueError(f"not a JID ({error}). A JID looks like name@example.org") from None
    if not jid.domain:
        raise ValueError("not a JID: it is empty. A JID looks like name@example.org")
    if "*" in jid.domain:
        raise ValueError("not a JID: its domain is no host name. A JID looks like name@example.org")
    return jid.local, jid.domain, jid.resource


def _account_jid(text: str) -> str:
    try:
        local, domain, resource = parse_jid(text)
    except ValueError as error:
        raise wrong(str(error)) from None
    if not local:
        raise wrong(f'only a server: the account\'s name is missing. Write "NAME@{domain}"')
    return f"{local}@{domain}{'/' + resource if resource else ''}"


def _bare_jid(text: str) -> str:
    if text.strip() == "*":
        raise wrong("nobody may be let in by a wildcard. Name each person's JID, or a whole domain: example.org")
    try:
        local, domain, resource = parse_jid(text)
    except ValueError as error:
        raise wrong(str(error)) from None
    bare = f"{local}@{domain}" if local else domain
    if resource:
        raise wrong(f'a full JID: rights belong to people, not to one of their clients. Write the bare JID: "{bare}"')
    return bare


AccountJid = Annotated[str, AfterValidator(_account_jid), WithJsonSchema({"type": "string", "pattern": "^[^@/]+@.+$"})]
"""The account's JID, with or without a resource, normalised."""
BareJid = Annotated[str, AfterValidator(_bare_jid), WithJsonSchema({"type": "string", "pattern": r"^[^/*]+$"})]
"""A bare JID or a domain, normalised."""


# ---- names ---------------------------------------------------------------------------------------------------------


def slug(text: str) -> str:
    """Return what `text` could be called as a Thing."""
    made = re.sub(r"[^a-z0-9_-]+", "_", text.casefold()).strip("_-")
    made = made if made[:1].isalpha() else f"thing_{made}".rstrip("_")
    return made[:63]


def _thing_id(text: str) -> str:
    if not THING_ID.fullmatch(text):
        raise wrong(
            "not a Thing id: small letters, digits, _ and -, beginning with a letter, at most 63. "
            f"Write [things.{slug(text)}] and give it a label"
        )
    if text in COMMAND_WORDS:
        raise wrong(f'"{text}" is a command word, so nobody could name this Thing. Write [things.my_{text}]')
    return text


def _property_id(text: str) -> str:
    if not PROPERTY_ID.fullmatch(text):
        raise wrong("not a property id: small letters, digits and _, beginning with a letter, at most 63")
    return text


def _label(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        raise wrong("contains characters that cannot be shown. Write plain text in one line")
    if len(text) > _NAME_LENGTH:
        raise wrong(f"{len(text)} characters long. Write at most {_NAME_LENGTH}")
    return text


def _alias(text: str) -> str:
    if not text:
        raise wrong("an empty name. Write a name or remove it")
    if text.casefold() in COMMAND_WORDS:
        raise wrong(f'"{text}" is a command word. Choose another name')
    return text


def _pattern(text: str) -> str:
    if not _GLOB.fullmatch(text.removeprefix(DISCOVERED)):
        raise wrong('not a pattern for Thing ids. Write an id, or parts of one with * for the rest: "gate*"')
    return text


ThingId = Annotated[
    str,
    AfterValidator(_thing_id),
    WithJsonSchema({"type": "string", "pattern": f"^{THING_ID.pattern}$", "not": {"enum": sorted(COMMAND_WORDS)}}),
]
PropertyId = Annotated[
    str, AfterValidator(_property_id), WithJsonSchema({"type": "string", "pattern": f"^{PROPERTY_ID.pattern}$"})
]
ThingPattern = Annotated[
    str, AfterValidator(_pattern), WithJsonSchema({"type": "string", "pattern": f"^({DISCOVERED})?{_GLOB.pattern}$"})
]
"""A Thing id, or a shell pattern (`*`, `?`, `[abc]`) of ids; of those that are discovered after `mqtt:`."""
Label = Annotated[
    str, AfterValidator(_label), WithJsonSchema({"type": "string", "maxLength": _NAME_LENGTH, "pattern": _NO_CONTROLS})
]
"""What people call something; empty for nothing of its own."""
Alias = Annotated[
    str,
    AfterValidator(_label),
    AfterValidator(_alias),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _NAME_LENGTH, "pattern": _NO_CONTROLS}),
]
Deadband = Annotated[Distance | dict[PropertyId, Distance], BeforeValidator(_deadband)]
"""How far a value must move to matter: for the whole Thing, or by property."""


# ---- paths ---------------------------------------------------------------------------------------------------------


def _beside_file(path: Path, info: ValidationInfo) -> Path:
    if not path.parts:
        raise wrong("no path. Write the name of a file")
    if "\0" in str(path):
        raise wrong("no path: it contains a NUL character. Write the name of a file")
    path = expand_home(path)
    return Path(info.context["base"]) / path if from_file(info) and info.context else path


def expand_home(path: Path) -> Path:
    """Return the path with a leading `~` replaced; an error of ours if it names nobody."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise wrong('its "~" names nobody\'s home. Write the whole path') from None


LocalPath = Annotated[Path, AfterValidator(_beside_file), WithJsonSchema({"type": "string", "minLength": 1})]
"""A file of this machine; a relative one starts at the directory of the configuration file."""


def one_of(word: str, choices: list[str]) -> str:
    """Say which words would have been right: `owner, operator or viewer`, and the nearest."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}.{did_you_mean(word, choices)}".rstrip(".")
