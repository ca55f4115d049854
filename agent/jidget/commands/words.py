"""The chat grammar: from a line somebody typed to a command and its arguments (DESIGN 4.4). Pure, bounded work.

Only the shape of the line is decided here. Which Thing a name means, whether the person may, and what a value is worth
is decided by the command itself, the same for every face.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from jidget.commands.model import Reason, Refusal
from jidget.config.values import COMMAND_WORDS
from jidget.durations import parse_duration
from jidget.spelling import nearest
from jidget.things.directory import fold
from jidget.things.values import shorten

LONGEST_LINE = 2000
"""Characters; nothing longer is looked at."""
MOST_NAME_WORDS = 6
"""A Thing's label may be written without quotes up to this many words."""
LATER = COMMAND_WORDS - {"help", "status", "read", "set", "do", "stop", "all", "yes", "no", "things", "on", "off"}
"""Words that this version knows but does not support yet."""

_QUOTES = '"\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}'
_TOKEN = re.compile(rf"(?:[^\s{_QUOTES}]|[{_QUOTES}][^{_QUOTES}]*[{_QUOTES}])+")
_FOREIGN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LONG_UNIT = re.compile(r"(?<=\d)(sec(?:ond)?|min(?:ute)?|hr|hour|day)s?$", re.IGNORECASE)
"""Units that durations of a configuration do not know written like that."""
_REMOTELY = 0.3
"""How alike two words must be (0 to 1) for one to be suggested where nothing is nearer."""


class NotUnderstood(Exception):
    """The line begins with no word that is known; the text is the whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a person can say.

    Attributes:
        commands: words of all commands of this version.
        allowed: those that this person's role includes.
        names: of the Things this person may read: ids, labels, aliases, folded.
        targets: `THING.PROPERTY` of what this person may set, for suggestions.
        examples: what this person could say now.
    """

    commands: frozenset[str]
    allowed: Sequence[str]
    names: frozenset[str]
    targets: Sequence[str]
    examples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A command's name and its arguments as texts."""

    command: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    """A word of the line: what it says, whether quotes had a part in it, and where it stands."""

    text: str
    quoted: bool
    start: int
    end: int


def parse(line: str, vocabulary: Vocabulary) -> Parsed:
    """Return the command that `line` names.

    Raises:
        NotUnderstood: its first word is not known; the text is the whole answer.
        Refusal: it cannot be a command: too long, several lines, control characters, or a word of a later version.
    """
    if len(line) > LONGEST_LINE:
        raise Refusal(Reason.BAD_VALUE, f"that is too long: {len(line)} characters, at most {LONGEST_LINE}")
    line = unicodedata.normalize("NFC", _trim(line)).removeprefix("/").lstrip()
    if _FOREIGN.search(line):
        raise Refusal(Reason.BAD_VALUE, "there are control characters in that message")
    tokens = list(_tokens(line))
    if not tokens:
        raise NotUnderstood(f"Say what to do. {_try(vocabulary)}")
    word = tokens[0].text.casefold()
    if not tokens[0].quoted:
        if word in vocabulary.commands:
            return _command(word, line, tokens[1:], vocabulary)
        if word == "all":
            if [token.text.casefold() for token in tokens] != ["all", "off"]:
                raise Refusal(Reason.BAD_VALUE, "say all off, or stop: nothing else is done to everything at once")
            return Parsed(command="stop", arguments={})
        if word in LATER:
            raise Refusal(Reason.UNSUPPORTED, f'"{word}" is not supported in this version')
    named = _name_length(tokens, vocabulary.names)
    if not named:
        raise NotUnderstood(_unknown(tokens[0].text, vocabulary))
    if len(tokens) == named:
        return Parsed(command="read", arguments={"target": _joined(tokens)})
    return _set(line, tokens, named)


def is_stop(line: str) -> bool:
    """Whether a line is `stop` or `all off`, which waits for nothing that was said before."""
    words = unicodedata.normalize("NFC", _trim(line)).removeprefix("/").casefold().split()
    return words in (["stop"], ["all", "off"])


def _trim(line: str) -> str:
    """Cut blanks and invisible marks (Unicode Cf), which phones add, off both ends."""
    start, end = 0, len(line)
    while start < end and _invisible(line[start]):
        start += 1
    while end > start and _invisible(line[end - 1]):
        end -= 1
    return line[start:end]


def _invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def _tokens(line: str) -> Iterator[_Token]:
    at = 0
    while at < len(line):
        if line[at].isspace():
            if line[at] in "\r\n":
                raise Refusal(Reason.BAD_VALUE, "one command in a message, please: that has several lines")
            at += 1
            continue
        match = _TOKEN.match(line, at)
        at = match.end() if match else at
        if match is None or (at < len(line) and not line[at].isspace()):
            raise Refusal(Reason.BAD_VALUE, "a quotation mark is not closed")
        text = match[0].translate({ord(quote): None for quote in _QUOTES})
        yield _Token(text, text != match[0], match.start(), at)


def _command(word: str, line: str, rest: list[_Token], vocabulary: Vocabulary) -> Parsed:
    match word:
        case "help":
            return Parsed(command=word, arguments=_some(word=_joined(rest)))
        case "read" | "forget":
            return Parsed(command=word, arguments=_some(target=_joined(rest)))
        case "set":
            return _set(line, rest, _name_length(rest, vocabulary.names) or min(1, len(rest)))
        case "do":
            return _do(rest, vocabulary)
        case "yes":
            return Parsed(command=word, arguments=_some(code=_joined(rest)))
    if rest:
        raise Refusal(Reason.BAD_VALUE, f"{word} stands alone: nothing may follow it")
    return Parsed(command=word, arguments={})


def _set(line: str, tokens: list[_Token], named: int) -> Parsed:
    """Split into target, value and duration; the value keeps its blanks, and its quotes unless it is all quoted."""
    target, rest = _joined(tokens[:named]), tokens[named:]
    rest, duration = _cut_duration(rest)
    arguments = _some(target=target) | ({"for": duration} if duration else {})
    if len(rest) == 1:
        arguments["value"] = rest[0].text
    elif rest:
        arguments["value"] = line[rest[0].start : rest[-1].end]
    return Parsed(command="set", arguments=arguments)


def _cut_duration(tokens: list[_Token]) -> tuple[list[_Token], str]:
    """Cut a trailing `for DURATION` off, unless quotes had a part in it: `for 10m`, `for 10 min`."""
    for length in (2, 3):
        tail = tokens[-length:]
        if len(tail) == length and tail[0].text.casefold() == "for" and not any(token.quoted for token in tail):
            duration = _LONG_UNIT.sub(lambda unit: unit[1][0], "".join(token.text for token in tail[1:]))
            try:
                parse_duration(duration)
            except ValueError:
                continue
            return tokens[:-length], duration
    return tokens, ""


def _do(tokens: list[_Token], vocabulary: Vocabulary) -> Parsed:
    named = _name_length(tokens, vocabulary.names) or min(1, len(tokens))
    target, rest = _joined(tokens[:named]), tokens[named:]
    if rest and "=" not in rest[0].text and not (fold(target) not in vocabulary.names and "." in target):
        target, rest = f"{target}.{rest[0].text}", rest[1:]
    for token in rest:
        name, sign, value = token.text.partition("=")
        if not name or not sign:
            raise Refusal(Reason.BAD_VALUE, f'"{shorten(token.text)}" is not an argument: write name=value')
        if "\n" in value:
            raise Refusal(Reason.BAD_VALUE, f"the argument {shorten(name)} has several lines")
    return Parsed(
        command="do", arguments=_some(target=target) | _some(arguments="\n".join(token.text for token in rest))
    )


def _name_length(tokens: Sequence[_Token], names: frozenset[str]) -> int:
    """Return how many tokens name a Thing or `THING.PROPERTY`, as many as can be; 0 if none do."""
    for length in range(min(MOST_NAME_WORDS, len(tokens)), 0, -1):
        *before, last = (token.text for token in tokens[:length])
        thing, dot, _ = last.rpartition(".")
        if fold(" ".join((*before, last))) in names or (dot and fold(" ".join((*before, thing))) in names):
            return length
    return 0


def _joined(tokens: Sequence[_Token]) -> str:
    return " ".join(token.text for token in tokens)


def _some(**arguments: str) -> dict[str, str]:
    return {name: text for name, text in arguments.items() if text}


def _unknown(word: str, vocabulary: Vocabulary) -> str:
    shown = shorten(word)
    candidates = (*vocabulary.allowed, *vocabulary.names, *vocabulary.targets)
    near = nearest(shown, candidates) or _remotely_near(shown, candidates)
    hint = f' Did you mean "{near}"?' if near else ""
    return f'Unknown word "{shown}".{hint} {_try(vocabulary)}'


def _remotely_near(word: str, candidates: Sequence[str]) -> str | None:
    matcher = SequenceMatcher(b=word.casefold())
    best, score = None, _REMOTELY
    for candidate in candidates:
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score and matcher.ratio() > score:
            best, score = candidate, matcher.ratio()
    return best


def _try(vocabulary: Vocabulary) -> str:
    return f"Try: {' | '.join(vocabulary.examples)}" if vocabulary.examples else "Try: help"
