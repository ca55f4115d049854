"""The chat grammar under garbage: a clear short refusal or a command, in little time, and nothing else."""

import random
import sys
import time
from collections.abc import Iterator

import pytest
from tests.support.fakes import WORDS

from jidget.commands.model import Refusal
from jidget.commands.words import LONGEST_LINE, NotUnderstood, Parsed, parse

SEED = 20261121
PIECES = [
    *("status", "read", "set", "do", "help", "pump", "tank.target", "desk", "lamp", "for", "10m", "on", "off", "no"),
    *('"', "“", "„", "=", ".", "/", "//", " ", "  ", "\t", "\n", "\r", "\u2028", "\xa0", "21,5", "°C", "-", "'", "\\"),
    *(
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u202e",
        "\u2066",
        "\u200f",
        "\ufeff",
        "\ufffe",
        "🎉",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "שלום",
        "ß",
        "İ",
    ),
    *("'; drop table journal; --", "<message/>", "{}", "%s", "{0}", "${HOME}", "../../etc/passwd", "nan", "1e999"),
]


def lines(count: int) -> Iterator[str]:
    """Yield random lines: of our own words and hostile pieces, and of any characters at all."""
    chance = random.Random(SEED)
    for number in range(count):
        if number % 3:
            yield "".join(chance.choice(PIECES) + chance.choice(("", " ")) for _ in range(chance.randrange(12)))
        else:
            yield "".join(chr(chance.randrange(sys.maxunicode + 1)) for _ in range(chance.randrange(40)))


def outcome(line: str) -> Parsed | str:
    try:
        return parse(line, WORDS)
    except (NotUnderstood, Refusal) as answer:
        return str(answer)


def test_garbage_is_a_command_or_a_short_clear_answer() -> None:
    kinds = set()
    for line in lines(6000):
        found = outcome(line)
        if isinstance(found, str):
            assert 0 < len(found) < 200, line
            assert not any(character in found for character in "\x00\x1b\x7f\n\u202e"), line
            kinds.add(found.split()[0])
        else:
            assert found.command in WORDS.commands
            assert all(isinstance(value, str) for value in found.arguments.values())
            assert sum(map(len, found.arguments.values())) <= len(line) + 8
            kinds.add(found.command)
    assert kinds >= {"set", "read", "do", "help", "Unknown", "Say"}


@pytest.mark.parametrize(
    "line",
    [
        "x" * 100_000,
        " " * 100_000,
        '"' * 100_000,
        "🎉" * 100_000,
        "pump on " * 12_500,
        "\x00" * 100_000,
        '"a' * 50_000,
        "a.b." * 25_000,
        "=" * (LONGEST_LINE - 1),
        '"" ' * (LONGEST_LINE // 3),
        "desk lamp " * (LONGEST_LINE // 10),
        "a" * LONGEST_LINE,
        "\u200b" * LONGEST_LINE,
        ". " * (LONGEST_LINE // 2),
    ],
)
def test_long_lines_cost_little_and_are_answered_shortly(line: str) -> None:
    began = time.perf_counter()
    found = outcome(line)
    assert time.perf_counter() - began < 0.25
    assert isinstance(found, Parsed) or len(found) < 200
