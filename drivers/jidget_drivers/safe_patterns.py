"""Regular expressions of a configuration, kept from being busy for ever with a line of garbage.

While Python's `re` searches, nothing else runs, in no thread. Patterns that explode are therefore refused where that
can be seen, and a search that takes too long all the same is interrupted by a signal: the one thing that `re` looks
at while it searches.
"""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Annotated

from pydantic import AfterValidator

LONGEST_SEARCHED = 1024
"""Characters of a line, at most, in which patterns are searched: what they may cost grows with a power of it."""
SLOWEST = 0.25
"""Seconds of computing that the patterns may take for one line."""
FEW = 16
"""Repetitions of a group that count as few: `(?:[^,]*,){7}` is how one skips columns."""

_TOKEN = re.compile(
    r"""(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<open>\((?:\?(?:P<\w+>|<[=!]|\(\w+\)|[:=!>]|[aiLmsux-]+:?))?(?!\?))
    | (?P<atom>\\.|\(\?\#[^)]*\)|\(\?P=\w+\))
    | (?P<close>\))
    | (?P<repeat>(?:[*+?]|\{(?:\d+(?:,\d*)?|,\d*)\})[?+]?)
    | (?P<bar>\|)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Group:
    atomic: bool = False
    varies: bool = False
    """Whether it can match the same text in more than one way, as far as one sees without understanding it."""


def check_pattern(text: str) -> str:
    """Return `text` if it is a regular expression that is safe to search in a line.

    Raises:
        ValueError: it is none, or repeats what repeats; the text says what to write instead.
    """
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    _refuse_explosive(text)
    return text


def _refuse_explosive(pattern: str) -> None:
    groups = [_Group()]
    closed: _Group | None = None
    before = ""
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if kind == "repeat" and before not in ("", "open", "bar", "repeat"):
            if closed is not None and closed.varies and _is_many(text):
                raise ValueError(
                    f"{pattern!r} repeats a group that itself varies, {text} at position {token.start() + 1}: a line "
                    "that does not fit could keep it busy for ever. Repeat without nesting, or possessively: (…)*+"
                )
            if not _is_possessive(text) and not re.fullmatch(r"\{\d+\}", text):
                groups[-1].varies = True
        closed = None
        match kind:
            case "open":
                groups.append(_Group(atomic=text == "(?>"))
            case "close" if len(groups) > 1:
                closed = groups.pop()
                closed.varies = closed.varies and not closed.atomic
                groups[-1].varies |= closed.varies
            case "bar":
                groups[-1].varies = True
        before = kind or ""


def _is_possessive(repeat: str) -> bool:
    return len(repeat) > 1 and repeat.endswith("+")


def _is_unbounded(repeat: str) -> bool:
    return repeat[0] in "*+" or ",}" in repeat


def _is_many(repeat: str) -> bool:
    if _is_possessive(repeat) or repeat[0] == "?":
        return False
    return _is_unbounded(repeat) or _most(repeat) > FEW


def _most(repeat: str) -> int:
    """Return the upper bound of `{n}` or `{m,n}`."""
    return int(repeat.rstrip("?+").strip("{}").rpartition(",")[2])


PatternText = Annotated[str, AfterValidator(check_pattern)]
"""A regular expression that is safe to search in a line, as far as one can see."""


class TooSlow(Exception):
    """A search took longer than it may."""


class _Alarm:
    """The process's one timer of its own computing time, used for one search after the other."""

    armed = False

    def ring(self, _number: int, _frame: FrameType | None) -> None:
        if self.armed:  # else it rang just when the search was over
            self.armed = False
            raise TooSlow

    def install(self) -> None:
        if signal.getsignal(signal.SIGVTALRM) != self.ring:
            signal.signal(signal.SIGVTALRM, self.ring)


_alarm = _Alarm()


@contextmanager
def time_limit() -> Iterator[None]:
    """Interrupt what takes longer than `SLOWEST`; outside the main thread, where signals do not come, nothing does.

    Raises:
        TooSlow: it took longer. It may be raised between any two steps: inside must be nothing but computing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _alarm.install()
    _alarm.armed = True
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST)
    try:
        yield
    finally:
        _alarm.armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
