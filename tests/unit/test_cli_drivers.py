"""`jidget drivers`: the catalogue, one driver, and drivers that are not there or broken."""

import json
import tomllib
from importlib.metadata import EntryPoint

import pytest

from jidget.cli import drivers as verb
from jidget.cli.main import main
from jidget_drivers.catalogue import installed


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def test_catalogue_names_every_driver_and_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert [line for line in lines if line in installed()] == sorted(installed())
    assert any(line.startswith("    properties: cpu_temperature, load, memory, disk, uptime, ") for line in lines)
    assert "    needs: pip install 'jidget[gpio]'" in lines
    assert lines[-1] == "`jidget drivers NAME` shows options and wiring."


def test_one_driver_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", "gpio-output"]) == 0
    said = capsys.readouterr().out
    for text in (
        "gpio-output  A GPIO pin that switches something",
        "Needs: pip install 'jidget[gpio]'",
        "\nWiring\n",
        "\n  state  true or false, writable\n",
        "\n  pin  whole number or text, required\n",
        "\n  active_low  true or false, default false\n",
        '\n  [things.my_gpio_output]\n  driver = "gpio-output"\n  [things.my_gpio_output.options]\n  pin = …',
    ):
        assert text in said


@pytest.mark.parametrize("name", sorted(installed()))
def test_the_example_is_toml_once_it_is_filled_in(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", name]) == 0
    example = capsys.readouterr().out.partition("\nConfiguration\n")[2].replace("…", '"x"')
    (thing,) = tomllib.loads(example)["things"].values()
    assert thing["driver"] == name


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert [info["name"] for info in listing] == sorted(installed())
    assert main(["drivers", "--json", "system"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info in listing
    names = [prop["name"] for prop in info["properties"]]
    assert names[:5] == ["cpu_temperature", "load", "memory", "disk", "uptime"]
    assert info["properties"][0]["unit"] == "Cel"


def test_unknown_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", "gpio-outptu"]) == 2
    assert capsys.readouterr().err == (
        'jidget: there is no driver "gpio-outptu". Did you mean "gpio-output"? Installed: '
        f"{', '.join(installed())}. Others come as packages: pip install NAME\n"
    )


BROKEN = [
    (EntryPoint("acme", "acme_drivers:Relay", "jidget.drivers"), "cannot be loaded: No module named 'acme_drivers'"),
    (EntryPoint("acme", "json:Relay", "jidget.drivers"), "cannot be loaded: module 'json' has no attribute 'Relay'"),
    (EntryPoint("acme", "json:dumps", "jidget.drivers"), "is none: json:dumps is not a Sensor or EventSource"),
]


@pytest.mark.parametrize(("entry", "complaint"), BROKEN, ids=["no module", "no class", "no driver"])
def test_a_broken_driver_is_named_and_does_not_hide_the_others(
    entry: EntryPoint, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "installed", lambda: {**installed(), "acme": entry})
    assert main(["drivers"]) == 1
    captured = capsys.readouterr()
    assert "gpio-output" in captured.out
    assert f'jidget: the driver "acme" of {entry.module} {complaint}' in captured.err
    assert main(["drivers", "acme"]) == 1
    assert complaint in capsys.readouterr().err


def test_no_drivers_at_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verb, "installed", dict)
    assert main(["drivers"]) == 1
    assert "pip install jidget" in capsys.readouterr().err
