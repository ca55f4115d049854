"""`jidget read`: the hardware once, no network; with the simulated driver and with this machine's own sensors."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jidget import log
from jidget.cli.main import main
from jidget.errors import Exit

Read = Callable[..., tuple[int, list[str], str]]

CONFIG = """
[xmpp]
jid = "pi@example.org"
[access]
"alice@example.org" = "owner"

[things.greenhouse]
driver = "simulated"
label = "Green House"
aliases = ["gh"]
[things.greenhouse.options.properties]
temperature = { type = "number", unit = "Cel", writable = true, initial = 21.37512 }
humidity = { type = "number", unit = "%RH", writable = true, initial = 55.0, precision = 1 }
pressure = { type = "number", unit = "hPa", writable = true, initial = 1000 }
count = { type = "integer", waveform = "counter" }
state = { type = "boolean", writable = true }
mode = { type = "enum", options = ["eco", "boost"], writable = true }
note = { type = "string", writable = true, initial = "two\\nlines" }
[things.greenhouse.properties.temperature]
precision = 2
offset = -0.4
aliases = ["temp"]

[things.machine]
driver = "system"
"""
EVERYTHING = [
    "greenhouse.temperature 20.98 Cel",
    "greenhouse.humidity 55.0 %RH",
    "greenhouse.pressure 1000 hPa",
    "greenhouse.count 0",
    "greenhouse.state off",
    "greenhouse.mode eco",
    "greenhouse.note two lines",
]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """Yield a way to run `jidget read` on a configuration: exit code, lines, stderr. There is no password."""
    monkeypatch.delenv("JIDGET_CONFIG", raising=False)
    loggers = [logging.getLogger(name) for name in (None, *log.OURS, "jidget.things")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]

    def run(*arguments: str, config: str = CONFIG) -> tuple[int, list[str], str]:
        file = tmp_path / "jidget.toml"
        file.write_text(config)
        code = main(["read", "--config", str(file), *arguments])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    yield run
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_everything_with_units_and_as_precise_as_it_should_be(read: Read) -> None:
    code, lines, err = read()
    assert (code, err) == (0, "")
    assert [line for line in lines if line.startswith("greenhouse.")] == EVERYTHING
    machine = [line for line in lines if line.startswith("machine.")]
    assert {line.split()[0] for line in machine} >= {f"machine.{n}" for n in ("load", "memory", "disk", "uptime")}
    assert any(re.fullmatch(r"machine\.load \d+\.\d\d", line) for line in machine)
    assert any(re.fullmatch(r"machine\.memory \d+\.\d %", line) for line in machine)


@pytest.mark.parametrize("target", ["greenhouse", "Green House", "gh", "GREEN", "green"])
def test_one_thing_by_id_label_alias_or_beginning(read: Read, target: str) -> None:
    assert read(target) == (0, EVERYTHING, "")


@pytest.mark.parametrize("target", ["greenhouse.temperature", "gh.temp", "Green House.TEMP", "green.temperature"])
def test_one_property(read: Read, target: str) -> None:
    assert read(target) == (0, ["greenhouse.temperature 20.98 Cel"], "")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("grenhouse", 'there is no "grenhouse". Did you mean "greenhouse"?'),
        ("zzz", "There are: greenhouse, machine."),
        ("greenhouse.tmperature", 'greenhouse has no property "tmperature". Did you mean "temperature"?'),
        ("greenhouse.", 'greenhouse has no property ""'),
    ],
)
def test_what_is_not_there_is_1_and_says_what_is(read: Read, target: str, says: str) -> None:
    code, lines, err = read(target)
    assert (code, lines) == (Exit.FAILED, [])
    assert says in err
    assert err.startswith("jidget: ")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("fail", "it does not answer (a fault on purpose)"),
        ("hang", "no answer within 0.2 s"),
        ("block", "no answer within 0.2 s"),
        ("invalid", "wrong checksum (a fault on purpose)"),
        ("nan", "a takes a finite number, not nan"),
        ("wrong_type", "a takes a number, not nonsense"),
        ("unknown_property", "a property it has not"),
    ],
)
def test_what_cannot_be_read_is_1_with_the_reason_and_the_rest_is_read(read: Read, fault: str, says: str) -> None:
    config = f"""
[xmpp]
jid = "pi@example.org"
[access]
"alice@example.org" = "owner"
[things.sick]
driver = "simulated"
timeout = "200ms"
[things.sick.options]
faults = [{{ do = "{fault}" }}]
[things.sick.options.properties]
a = {{ }}
[things.well]
driver = "simulated"
[things.well.options.properties]
b = {{ type = "integer", waveform = "counter" }}
"""
    begun = time.monotonic()
    code, lines, err = read(config=config)
    assert (code, lines) == (Exit.FAILED, ["well.b 0"])
    assert err.startswith("sick: ")
    assert says in err
    assert err.count("\n") == 1
    assert time.monotonic() - begun < 3


def test_a_driver_with_a_bug_is_told_as_such(read: Read) -> None:
    config = CONFIG + '\n[things.bad]\ndriver = "simulated"\n[things.bad.options]\nfaults = [{ do = "crash" }]\n'
    code, lines, err = read(config=config)
    assert code == Exit.FAILED
    assert lines[: len(EVERYTHING)] == EVERYTHING
    assert err == "bad: its driver has a bug (a fault on purpose)\n"


def test_more_is_told_if_asked_for(read: Read) -> None:
    config = CONFIG + '\n[things.bad]\ndriver = "simulated"\n[things.bad.options]\nfaults = [{ do = "crash" }]\n'
    code, _, err = read("-v", config=config)
    assert code == Exit.FAILED
    assert "Traceback" in err


def test_a_wrong_configuration_is_78(read: Read) -> None:
    code, _, err = read(config=CONFIG + '\n[things.x]\ndriver = "no-such"\n')
    assert code == Exit.CONFIG
    assert "no-such" in err
