"""Regular expressions of strangers: what a search may cost at most is known before it begins.

Python's `re` backtracks, so `(a+)+$` takes for ever on 40 characters. The parsed pattern says how many ways there are
to match it against a text of a given length; where that is too many, it is not tried.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from jidget.mqtt.budget import Budget
from jidget.mqtt.templates import LONGEST_RESULT, TooMuch

LONGEST_PATTERN = 500
"""Characters."""
MOST_STEPS = 1 << 22
"""Of the matcher, in one search: 20 ms on a PC at the very most; the count is far above what happens."""
_STEPS_PER_UNIT = 64


class Patterns:
    """The regular-expression filters of a sandbox."""

    def __init__(self, budget: Budget) -> None:
        """Take what pays for them."""
        self._budget = budget

    def match(self, value: Any, find: str = "", ignorecase: bool = False) -> bool:
        """Whether a pattern matches at the beginning."""
        text = self._text(value, find, starts=False)
        return bool(_compiled(find, bool(ignorecase)).match(text))

    def search(self, value: Any, find: str = "", ignorecase: bool = False) -> bool:
        """Whether a pattern matches anywhere."""
        text = self._text(value, find)
        return bool(_compiled(find, bool(ignorecase)).search(text))

    def findall(self, value: Any, find: str = "", ignorecase: bool = False) -> list[Any]:
        """Return all matches, or their groups."""
        text = self._text(value, find)
        return _compiled(find, bool(ignorecase)).findall(text)

    def findall_index(self, value: Any, find: str = "", index: int = 0, ignorecase: bool = False) -> Any:
        """Return one of all matches."""
        return self.findall(value, find, ignorecase)[index]

    def replace(self, value: Any = "", find: str = "", replace: str = "", ignorecase: bool = False) -> str:
        """Return the text with all matches replaced."""
        text = self._text(value, find)
        made = 0

        def expand(match: re.Match[str]) -> str:
            nonlocal made
            if "\\" not in replace:
                piece = replace
            else:
                self._budget.characters(len(replace) * (len(match[0]) + 1))
                piece = match.expand(replace)
            made += len(piece)
            if made > LONGEST_RESULT:
                raise TooMuch(f"it makes a text of more than {LONGEST_RESULT} characters")
            self._budget.spend(1)
            return piece

        return _compiled(find, bool(ignorecase)).sub(expand, text)

    def _text(self, value: Any, find: Any, *, starts: bool = True) -> str:
        text = value if isinstance(value, str) else str(value)
        if not isinstance(find, str):
            raise TypeError("a regular expression should be a text")
        if len(find) > LONGEST_PATTERN:
            raise TooMuch(f"a regular expression of {len(find)} characters")
        steps = steps_at_most(find, text, starts=starts)
        if steps > MOST_STEPS:
            raise TooMuch(f"the regular expression {find!r} could take too long on {len(text)} characters")
        self._budget.spend(steps // _STEPS_PER_UNIT)
        return text


@lru_cache(maxsize=128)
def _compiled(find: str, ignorecase: bool) -> re.Pattern[str]:
    return re.compile(find, re.IGNORECASE if ignorecase else 0)


@lru_cache(maxsize=256)
def _parsed(find: str) -> Any:
    return parser.parse(find)


def steps_at_most(find: str, text: str, *, starts: bool = True) -> int:
    """Return about how many steps it takes to search a text, at most.

    Args:
        find: the pattern.
        text: where it is searched.
        starts: whether it is tried from every place, not from the beginning only.
    """
    items, seen = _parsed(find), _Text(text)
    anchored = len(items) > 0 and items[0] in _BEGINNINGS and not items.state.flags & re.MULTILINE
    cost = _sequence(items, seen, last=True)
    return cost.steps * (seen.length if starts and not anchored else 1) + (_DISCOUNTED + 1) * seen.length


class _Text:
    """What of a text matters for the cost.

    Attributes:
        length: places in it.
    """

    def __init__(self, text: str) -> None:
        self.length = len(text) + 1
        self._text = text

    def run(self, op: Any, argument: Any) -> int:
        """Return how many characters in a row one item of a pattern takes, at most."""
        if len(self._text) > _LONGEST_RUN or op not in _SINGLE:
            return self.length
        marks = {ord(letter): "x" if _takes(op, argument, letter) else " " for letter in set(self._text)}
        return max(map(len, self._text.translate(marks).split(" ")))


class _Cost(NamedTuple):
    """Of one part of a pattern, tried at one place.

    Attributes:
        ways: in how many ways it can match: what follows may be tried as often.
        steps: of finding them all.
    """

    ways: int
    steps: int


_BEGINNINGS = ((ops.AT, ops.AT_BEGINNING), (ops.AT, ops.AT_BEGINNING_STRING))
_REPEATS = frozenset({ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT})
_ENDLESS = _Cost(MOST_STEPS + 1, MOST_STEPS + 1)
_DISCOUNTED = 4
_LONGEST_RUN = 1000
_SINGLE = frozenset({ops.LITERAL, ops.NOT_LITERAL, ops.IN})
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    ops.CATEGORY_DIGIT: str.isdecimal,
    ops.CATEGORY_SPACE: str.isspace,
    ops.CATEGORY_WORD: lambda letter: letter.isalnum() or letter == "_",
    ops.CATEGORY_NOT_DIGIT: lambda letter: not letter.isdecimal(),
    ops.CATEGORY_NOT_SPACE: lambda letter: not letter.isspace(),
    ops.CATEGORY_NOT_WORD: lambda letter: not (letter.isalnum() or letter == "_"),
}


def _takes(op: Any, argument: Any, letter: str) -> bool:
    """Whether an item of a pattern may take a character, in upper or lower case."""
    forms = {letter, *letter.lower(), *letter.upper(), *letter.upper().lower(), *letter.lower().upper()}
    return any(_takes_exactly(op, argument, form) for form in forms)


def _takes_exactly(op: Any, argument: Any, letter: str) -> bool:
    if op is ops.LITERAL:
        return bool(argument == ord(letter))
    if op is ops.NOT_LITERAL:
        return bool(argument != ord(letter))
    if op is ops.RANGE:
        return bool(argument[0] <= ord(letter) <= argument[1])
    if op is ops.CATEGORY:
        return _CATEGORIES[argument](letter) if argument in _CATEGORIES else True
    negated = argument[0][0] is ops.NEGATE
    return any(_takes_exactly(item[0], item[1], letter) for item in argument if item[0] is not ops.NEGATE) != negated


def _sequence(items: Any, text: _Text, *, last: bool) -> _Cost:
    """Return the cost of items one after another. What is `last` is never tried again once it has matched."""
    ways, steps = 1, 1
    for position, (op, argument) in enumerate(items):
        cost = _item(op, argument, text, last=last and position == len(items) - 1)
        steps += ways * cost.steps
        ways *= cost.ways
        if steps > MOST_STEPS or ways > MOST_STEPS:
            return _ENDLESS
    return _Cost(ways, steps)


def _item(op: Any, argument: Any, text: _Text, *, last: bool) -> _Cost:
    if op in _REPEATS:
        return _repeat(op, argument, text, last=last)
    if op is ops.SUBPATTERN:
        return _sequence(argument[3], text, last=last)
    if op is ops.BRANCH:
        costs = [_sequence(branch, text, last=last) for branch in argument[1]]
        ways = max if _disjoint(argument[1]) else sum
        return _Cost(ways(cost.ways for cost in costs), sum(cost.steps for cost in costs))
    if op is ops.ATOMIC_GROUP:
        return _Cost(1, _sequence(argument, text, last=False).steps)
    if op in {ops.ASSERT, ops.ASSERT_NOT}:
        return _Cost(1, _sequence(argument[1], text, last=False).steps)
    if op is ops.GROUPREF_EXISTS:
        costs = [_sequence(branch, text, last=last) for branch in argument[1:] if branch is not None]
        return _Cost(sum(cost.ways for cost in costs) + 1, sum(cost.steps for cost in costs) + 1)
    return _Cost(1, text.length if op is ops.GROUPREF else 1)


def _repeat(op: Any, argument: Any, text: _Text, *, last: bool) -> _Cost:
    least, most, body = argument
    inner = _sequence(body, text, last=False)
    narrow = body.getwidth()[0]
    turns = max(1, min(int(most), text.length // max(narrow, 1)))
    if len(body) == 1:
        turns = max(1, min(turns, text.run(*body[0])))
    if narrow == 0:
        turns = max(turns, least)  # what matches nothing goes round as often as it is told to
    if inner.ways == 1:
        settled = last or op is ops.POSSESSIVE_REPEAT
        if last and narrow and inner.steps <= _DISCOUNTED:  # matches do not overlap: all of them take `length` turns
            return _Cost(1, min(least, turns) + 1)
        return _Cost(1 if settled else max(turns - least, 0) + 1, turns * inner.steps + 1)
    if turns * (inner.ways.bit_length() - 1) > MOST_STEPS.bit_length():
        return _ENDLESS
    ways = (inner.ways + 1) ** turns
    return _Cost(1 if op is ops.POSSESSIVE_REPEAT else ways, ways * inner.steps)


def _disjoint(branches: Any) -> bool:
    """Whether the first character tells which branch it is."""
    first = [branch[0] if len(branch) else None for branch in branches]
    letters = [item[1] for item in first if item is not None and item[0] is ops.LITERAL]
    return len(letters) == len(branches) and len({chr(letter).lower() for letter in letters}) == len(letters)
