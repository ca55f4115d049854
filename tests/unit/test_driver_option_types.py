"""Durations, paths and units in driver options."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from jidget.durations import parse_duration as parse_as_the_agent
from jidget_drivers import DriverOptions, Duration, LocalPath, Unit
from jidget_drivers.option_types import parse_duration, write_duration
from jidget_drivers.units import parse_unit, people_spelling


class Options(DriverOptions):
    pause: Duration = Field(default=90.0, description="A pause.")
    longest: Duration | None = None
    file: LocalPath = Path("never-resolved")


@pytest.mark.parametrize("text", ["500ms", "30s", "5m", "5min", "24h", "30d", "1.5h", "2,5 s", " 1H ", "0s"])
def test_durations_mean_what_they_mean_to_the_agent(text: str) -> None:
    assert parse_duration(text) == parse_as_the_agent(text)
    assert Options.model_validate({"pause": text}).pause == parse_as_the_agent(text)


@pytest.mark.parametrize("bad", ["5", "s", "5 parsecs", "-1s", "", "1h30m", 5, 5.0, None, True])
def test_what_is_no_duration_is_refused_with_examples(bad: object) -> None:
    with pytest.raises(ValidationError, match='write "500ms", "30s"'):
        Options.model_validate({"pause": bad})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1, "1s"), (60, "1m"), (90, "90s"), (3600, "1h"), (86400, "1d"), (0.0125, "12.5ms")],
)
def test_durations_are_written_as_they_are_read(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds)


def test_a_duration_in_the_json_schema_is_a_text_with_its_default_as_one() -> None:
    field = Options.model_json_schema()["properties"]["pause"]
    assert (field["type"], field["default"]) == ("string", "90s")
    assert Options().model_dump_json() == '{"pause":"90s","longest":null,"file":"never-resolved"}'


def test_a_relative_path_starts_beside_the_configuration() -> None:
    base = {"base": Path("/etc/jidget")}
    assert Options.model_validate({"file": "x.json"}, context=base).file == Path("/etc/jidget/x.json")
    assert Options.model_validate({"file": "/run/x.json"}, context=base).file == Path("/run/x.json")
    assert Options.model_validate({"file": "x.json"}).file == Path("x.json")


def test_a_path_of_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="home directory"):
        Options.model_validate({"file": "~no-such-user-here/x.json"})


@pytest.mark.parametrize(
    ("text", "unit"),
    [("Cel", Unit.CELSIUS), ("°C", Unit.CELSIUS), ("C", Unit.COULOMB), ("%", Unit.PERCENT), ("µg/m³", "ug/m3")],
)
def test_a_unit_is_named_by_symbol_or_usual_spelling(text: str, unit: Unit) -> None:
    assert parse_unit(f" {text} ") is Unit(unit)


@pytest.mark.parametrize("unit", list(Unit))
def test_every_unit_can_be_named_by_its_symbol_and_shown(unit: Unit) -> None:
    assert parse_unit(unit.value) is unit
    assert isinstance(people_spelling(unit), str)


@pytest.mark.parametrize("text", ["", "Celcius", "parsec", "cel"])
def test_an_unknown_unit_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="Cel, %RH"):
        parse_unit(text)
