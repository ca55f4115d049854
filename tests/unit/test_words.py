"""The chat grammar, line by line."""

from collections.abc import Mapping

import pytest
from tests.support.fakes import WORDS

from jidget.commands.model import Reason, Refusal
from jidget.commands.words import LATER, LONGEST_LINE, NotUnderstood, Vocabulary, parse
from jidget.config.values import COMMAND_WORDS

TRY = "Try: status | read greenhouse | pump on"


@pytest.mark.parametrize(
    ("line", "command", "arguments"),
    [
        ("status", "status", {}),
        ("  Status\n", "status", {}),
        ("/status", "status", {}),
        ("/ STATUS", "status", {}),
        ("\u200f\u200bstatus\ufeff", "status", {}),
        ("things", "things", {}),
        ("help", "help", {}),
        ("help set", "help", {"word": "set"}),
        ("/help  Set", "help", {"word": "Set"}),
        ("read", "read", {}),
        ("read greenhouse", "read", {"target": "greenhouse"}),
        ("READ Greenhouse.Temperature", "read", {"target": "Greenhouse.Temperature"}),
        ('read "desk lamp"', "read", {"target": "desk lamp"}),
        ("read desk lamp", "read", {"target": "desk lamp"}),
        ("read all", "read", {"target": "all"}),
        ("greenhouse", "read", {"target": "greenhouse"}),
        ("greenhouse.temperature", "read", {"target": "greenhouse.temperature"}),
        ("set pump on", "set", {"target": "pump", "value": "on"}),
        ("set pump.state on", "set", {"target": "pump.state", "value": "on"}),
        ("SET Pump ON", "set", {"target": "Pump", "value": "ON"}),
        ("set unknown on", "set", {"target": "unknown", "value": "on"}),
        ("set pump", "set", {"target": "pump"}),
        ("set", "set", {}),
        ("pump on", "set", {"target": "pump", "value": "on"}),
        ("/Pump Off", "set", {"target": "Pump", "value": "Off"}),
        ("tank.target 21,5", "set", {"target": "tank.target", "value": "21,5"}),
        ("tank.target 21,5 °C", "set", {"target": "tank.target", "value": "21,5 °C"}),
        ("tank.nothing 5", "set", {"target": "tank.nothing", "value": "5"}),
        ("desk lamp on", "set", {"target": "desk lamp", "value": "on"}),
        ("desk lamp.state on", "set", {"target": "desk lamp.state", "value": "on"}),
        ('"desk lamp".state on', "set", {"target": "desk lamp.state", "value": "on"}),
        ("“Desk Lamp” on", "set", {"target": "Desk Lamp", "value": "on"}),
        ("„Desk Lamp“ on", "set", {"target": "Desk Lamp", "value": "on"}),
        ("set desk lamp on", "set", {"target": "desk lamp", "value": "on"}),
        ("BU\u0308RO on", "set", {"target": "BÜRO", "value": "on"}),
        ("rain 2.0 on", "set", {"target": "rain 2.0", "value": "on"}),
        ("rain 2.0.target 5", "set", {"target": "rain 2.0.target", "value": "5"}),
        ("tank.text Hello,  World", "set", {"target": "tank.text", "value": "Hello,  World"}),
        ('tank.text "  spaced  "', "set", {"target": "tank.text", "value": "  spaced  "}),
        ('tank.text ""', "set", {"target": "tank.text", "value": ""}),
        ('tank.text say "hi" now', "set", {"target": "tank.text", "value": 'say "hi" now'}),
        ('tank.text "two\nlines"', "set", {"target": "tank.text", "value": "two\nlines"}),
        ('"pump" "on"', "set", {"target": "pump", "value": "on"}),
        ("pump on for 10m", "set", {"target": "pump", "value": "on", "for": "10m"}),
        ("pump on for 10 min", "set", {"target": "pump", "value": "on", "for": "10m"}),
        ("pump on for 10 Minutes", "set", {"target": "pump", "value": "on", "for": "10M"}),
        ("pump on for 90 seconds", "set", {"target": "pump", "value": "on", "for": "90s"}),
        ("pump on for 1 hour", "set", {"target": "pump", "value": "on", "for": "1h"}),
        ("pump on for 2 hrs", "set", {"target": "pump", "value": "on", "for": "2h"}),
        ("pump on for 3days", "set", {"target": "pump", "value": "on", "for": "3d"}),
        ("pump on for 500 ms", "set", {"target": "pump", "value": "on", "for": "500ms"}),
        ("pump on for 3 weeks", "set", {"target": "pump", "value": "on for 3 weeks"}),
        ("pump on FOR 1,5h", "set", {"target": "pump", "value": "on", "for": "1,5h"}),
        ("set tank.text wait for 5s", "set", {"target": "tank.text", "value": "wait", "for": "5s"}),
        ('set tank.text "wait for 5s"', "set", {"target": "tank.text", "value": "wait for 5s"}),
        ('set tank.text wait for "5s"', "set", {"target": "tank.text", "value": 'wait for "5s"'}),
        ('set tank.text wait "for" 5s', "set", {"target": "tank.text", "value": 'wait "for" 5s'}),
        ("set tank.text wait for rain", "set", {"target": "tank.text", "value": "wait for rain"}),
        ("pump for 10m", "set", {"target": "pump", "for": "10m"}),
        ("pump on for ten minutes", "set", {"target": "pump", "value": "on for ten minutes"}),
        ("do gate open", "do", {"target": "gate.open"}),
        ("do gate.open", "do", {"target": "gate.open"}),
        ("DO Gate Open speed=1,5 mode=fast", "do", {"target": "Gate.Open", "arguments": "speed=1,5\nmode=fast"}),
        ("do gate.open speed=1", "do", {"target": "gate.open", "arguments": "speed=1"}),
        ('do gate say text="hello world"', "do", {"target": "gate.say", "arguments": "text=hello world"}),
        ("do gate say text=a=b", "do", {"target": "gate.say", "arguments": "text=a=b"}),
        ("do desk lamp blink", "do", {"target": "desk lamp.blink"}),
        ("do rain 2.0 empty", "do", {"target": "rain 2.0.empty"}),
        ("do unknown open", "do", {"target": "unknown.open"}),
        ("do gate speed=1", "do", {"target": "gate", "arguments": "speed=1"}),
        ("do gate", "do", {"target": "gate"}),
        ("do", "do", {}),
        ("stop", "stop", {}),
        ("/STOP", "stop", {}),
        ("all off", "stop", {}),
        ("All  OFF", "stop", {}),
        ("yes 482913", "yes", {"code": "482913"}),
        ("Yes 482 913", "yes", {"code": "482 913"}),
        ("yes", "yes", {}),
        ("No", "no", {}),
    ],
)
def test_lines_are_understood(line: str, command: str, arguments: Mapping[str, str]) -> None:
    parsed = parse(line, WORDS)
    assert (parsed.command, dict(parsed.arguments)) == (command, arguments)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("foo", f'Unknown word "foo". Did you mean "do"? {TRY}'),
        ("foo bar baz", f'Unknown word "foo". Did you mean "do"? {TRY}'),
        ("statsu", f'Unknown word "statsu". Did you mean "status"? {TRY}'),
        ("pmup on", f'Unknown word "pmup". Did you mean "pump"? {TRY}'),
        ("green", f'Unknown word "green". Did you mean "greenhouse"? {TRY}'),
        ("tnak.target 21", f'Unknown word "tnak.target". Did you mean "tank.target"? {TRY}'),
        ("on", f'Unknown word "on". Did you mean "do"? {TRY}'),
        ('"status"', f'Unknown word "status". Did you mean "status"? {TRY}'),
        ("🎉", f'Unknown word "🎉". {TRY}'),
        ("12345", f'Unknown word "12345". {TRY}'),
        ("שלום", f'Unknown word "שלום". {TRY}'),
        ("", f"Say what to do. {TRY}"),
        ("  \n ", f"Say what to do. {TRY}"),
        ("/", f"Say what to do. {TRY}"),
    ],
)
def test_what_is_not_understood_is_answered_with_the_nearest_and_examples(line: str, answer: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(line, WORDS)
    assert str(caught.value) == answer


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x" * (LONGEST_LINE + 1), "too long"),
        ("status\nread", "one command in a message"),
        ("pump on\r\nheater on", "one command in a message"),
        ("pump \x00on", "control characters"),
        ("\x1b[2J", "control characters"),
        ("pump \x9bon", "control characters"),
        ('tank.text "open', "quotation mark is not closed"),
        ('tank.text 5"', "quotation mark is not closed"),
        ("status now", "status stands alone"),
        ("things all", "things stands alone"),
        ("stop pump", "stop stands alone"),
        ("no thanks", "no stands alone"),
        ("all off now", "say all off, or stop"),
        ("all on", "say all off, or stop"),
        ("all", "say all off, or stop"),
        ("do gate open fast", '"fast" is not an argument: write name=value'),
        ("do gate open =5", '"=5" is not an argument'),
        ('do gate say text="two\nlines"', "several lines"),
    ],
)
def test_what_cannot_be_a_command_is_refused(line: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(line, WORDS)
    assert says in caught.value.text
    assert caught.value.reason is Reason.BAD_VALUE


@pytest.mark.parametrize("word", sorted(LATER))
def test_words_of_later_versions_are_known_and_refused(word: str) -> None:
    for line in (word, f"/{word.upper()} 2h", f"{word} on"):
        with pytest.raises(Refusal) as caught:
            parse(line, WORDS)
        assert (caught.value.reason, caught.value.text) == (
            Reason.UNSUPPORTED,
            f'"{word}" is not supported in this version',
        )


def test_every_command_word_is_either_here_or_to_come() -> None:
    assert COMMAND_WORDS - LATER - {"all", "on", "off"} == WORDS.commands
    assert {"history", "plot", "alert", "audit"} <= LATER


def test_a_command_word_wins_over_a_thing_of_that_name() -> None:
    vocabulary = Vocabulary(commands=WORDS.commands, allowed=(), names=frozenset(("status",)), targets=(), examples=())
    assert parse("status", vocabulary).command == "status"
    assert parse('"status" on', vocabulary).arguments == {"target": "status", "value": "on"}


def test_somebody_who_may_nothing_is_pointed_to_help() -> None:
    nobody = Vocabulary(commands=WORDS.commands, allowed=(), names=frozenset(), targets=(), examples=())
    with pytest.raises(NotUnderstood, match=r'^Unknown word "foo"\. Try: help$'):
        parse("foo", nobody)
