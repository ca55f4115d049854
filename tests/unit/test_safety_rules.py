"""From the configuration to safety rules: what is filled in, what holds both ways, and what is told to be wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jidget.config.loader import read
from jidget.errors import ConfigError
from jidget.things.host import Thing
from jidget.things.loader import load_things
from jidget.things.rules import Rules

Load = Callable[[str], dict[str, Thing]]

FRAME = '[xmpp]\njid = "pi@example.org"\n[access]\n"a@example.org" = "owner"\n'


def relay(name: str, safety: str = "", properties: str = 'state = { type = "boolean", writable = true }') -> str:
    return f"""
[things.{name}]
driver = "simulated"
{safety}
[things.{name}.options.properties]
{properties}
"""


NUMBER = 'target = { type = "number", min = 5, max = 30, writable = true }'
SENSOR = 'level = { type = "number" }'
BUTTON = 'state = { type = "boolean" }'
TWO = 'a = { type = "boolean", writable = true }\nb = { type = "boolean", writable = true }'


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def things(text: str) -> dict[str, Thing]:
        file = tmp_path / "jidget.toml"
        file.write_text(FRAME + text)
        return {thing.id: thing for thing in load_things(read(file, {}, password=False).config)}

    return things


def test_rules_are_read_and_filled_in(load: Load) -> None:
    safety = """
[things.pump.safety]
on_start = "restore"
on_disconnect = "10m"
max_on = "15m"
min_on = "10s"
min_off = "1m"
rate_limit = "6/1m"
confirm = true
interlock = ["heater", "board.b"]
"""
    things = load(relay("pump", safety) + relay("heater") + relay("board", properties=TWO) + relay("lamp"))
    assert things["pump"].rules["state"] == Rules(
        safe=False,
        restore=True,
        on_disconnect=600,
        max_on=900,
        min_on=10,
        min_off=60,
        interlock=(("heater", "state"), ("board", "b")),
        rate=(6, 60),
        confirm=True,
    )
    assert things["heater"].rules["state"] == Rules(safe=False, interlock=(("pump", "state"),))
    assert things["board"].rules == {"a": Rules(), "b": Rules(safe=False, interlock=(("pump", "state"),))}
    assert things["lamp"].rules["state"] == Rules(), "without a driver's word and without rules nothing is safe"


def test_rules_by_property_and_never(load: Load) -> None:
    safety = 'safety = { target = { safe = 12.5, on_disconnect = "never", max_on = "8h" } }'
    assert load(relay("tank", safety, NUMBER))["tank"].rules["target"] == Rules(safe=12.5, max_on=8 * 3600)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            relay("tank", 'safety = { max_on = "5m" }', NUMBER),
            "things.tank.safety.max_on: there is no safe value to go to. Write safe = … beside it",
        ),
        (
            relay("tank", "safety = { safe = 31 }", NUMBER),
            "things.tank.safety.safe = 31: 31 is out of range: 5 to 30. Write a value that it takes",
        ),
        (
            relay("pump", 'safety = { safe = "off" }'),
            'things.pump.safety.safe = "off": state takes on or off, not off. Write a value that it takes',
        ),
        (
            relay("probe", "safety = { safe = 1 }", SENSOR),
            "things.probe.safety: the driver has nothing that can be set. Remove it",
        ),
        (
            relay("board", "safety = { safe = false }", TWO),
            "things.board.safety: several values can be set. Write [things.board.safety.a] or [things.board.safety.b]",
        ),
        (
            relay("board", "safety = { c = { safe = false } }", TWO),
            "things.board.safety.c: there is no such property that can be set. There are: a, b",
        ),
        (
            relay("pump", 'safety = { interlock = ["heatr"] }') + relay("heater"),
            'things.pump.safety.interlock[0] = "heatr": there is no such Thing. Did you mean "heater"? '
            "Write [things.heatr], or remove it",
        ),
        (
            relay("pump", 'safety = { interlock = ["pump"] }'),
            'things.pump.safety.interlock[0] = "pump": that is this output itself. Name the other one',
        ),
        (
            relay("pump", 'safety = { interlock = ["board"] }') + relay("board", properties=TWO),
            'things.pump.safety.interlock[0] = "board": say which output of board: board.a, board.b',
        ),
        (
            relay("pump", 'safety = { interlock = ["tank"] }') + relay("tank", properties=NUMBER),
            "things.tank.safety.target: it is in an interlock with pump.state. Write safe = … below it",
        ),
        (
            relay("pump", 'safety = { min_on = "2h", max_on = "1h" }'),
            "things.pump.safety.min_on: longer than max_on. Make max_on the longer one",
        ),
        (
            relay("pump", 'toggles = "lamp"') + relay("lamp"),
            'things.pump.toggles = "lamp": pump has no input that is on or off. Write toggles where the driver is a '
            'button: driver = "gpio-input"',
        ),
        (
            relay("button", 'toggles = "tank"', BUTTON) + relay("tank", properties=NUMBER),
            'things.button.toggles = "tank": tank.target is no switch: it is not on or off. Name one that is',
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_a_remedy(load: Load, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    (line,) = str(caught.value).splitlines()
    assert line.partition(": ")[2] == message
