"""`jidget check`: findings, one line each, and exit codes. The live side is tested with real servers elsewhere."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from jidget.cli.main import main

XMPP = '[xmpp]\njid = "pi@example.org"\n[access]\n"alice@example.org" = "owner"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("FORCE_COLOR", "JIDGET_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("JIDGET_XMPP_PASSWORD", "hunter2hunter2")
    return tmp_path / "jidget.toml"


def test_all_is_well(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f'{XMPP}[things.machine]\ndriver = "system"\n[things.lab]\ndriver = "simulated"\n')
    assert main(["check", "--offline", "--config", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"OK   {file}: pi@example.org/agent",
        "OK   things.machine: system",
        "OK   things.lab: simulated",
        f"OK   store: {file.parent}/jidget.db is made at the first start",
    ]


def test_doubts_are_warnings_and_no_failure(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[xmpp]\njid = "pi@example.org"\n[things.machine]\ndriver = "system"\n')
    assert main(["check", "--offline", "--config", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        f"WARN {file}: access: nobody but the account itself may see anything. "
        'Write [access] and "NAME@SERVER" = "owner"'
    )


def test_every_problem_of_the_file_is_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[xmpp]\njid = "example.org"\nport = 5222\npassword = "hunter2"\n')
    assert main(["check", "--offline", "--config", str(file)]) == 78
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.partition(" = ")[0] for line in lines] == [
        f"FAIL {file}: xmpp.jid",
        f"FAIL {file}: xmpp.port",
        f"FAIL {file}: xmpp.password",
    ]
    assert captured.err == ""
    assert "hunter2" not in captured.out


def test_every_problem_of_the_drivers_is_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(
        f'{XMPP}[things.a]\ndriver = "sytem"\n'
        '[things.b]\ndriver = "gpio-output"\n[things.b.options]\npin = []\ncolour = "red"\n'
        '[things.c]\ndriver = "system"\nproperties.lod = { precision = 1 }\n'
    )
    assert main(["check", "--offline", "--config", str(file)]) == 78
    *lines, store = capsys.readouterr().out.splitlines()
    assert lines[0] == f"OK   {file}: pi@example.org/agent"
    assert store.startswith("OK   store: ")
    assert [line.split(": ")[1].partition(" = ")[0] for line in lines[1:]] == [
        "things.a.driver",
        "things.b.options.pin",
        "things.b.options.colour",
        "things.c.properties.lod",
    ]
    assert all(line.startswith(f"FAIL {file}: ") for line in lines[1:])
    assert 'Did you mean "system"?' in lines[1]
    assert 'Did you mean "load"?' in lines[4]


def test_a_store_that_is_not_ours_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f'{XMPP}[store]\npath = "notes"\n[things.machine]\ndriver = "system"\n')
    (file.parent / "notes").write_text("buy seeds\n")
    assert main(["check", "--offline", "--config", str(file)]) == 78
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (f"FAIL store: {file.parent}/notes is damaged, or never was one: name another file in store.path")
    assert (file.parent / "notes").read_text() == "buy seeds\n"


def test_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path / "nope.toml")]) == 78
    assert capsys.readouterr().out == (
        f"FAIL {tmp_path / 'nope.toml'}: there is no such file. Name the right one with --config or $JIDGET_CONFIG\n"
    )


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"].keys() == {"xmpp", "access", "store", "report", "things", "mqtt"}


def test_colours(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    file.write_text(f'{XMPP}[things.machine]\ndriver = "system"\n')
    assert main(["check", "--offline", "--config", str(file)]) == 0
    assert capsys.readouterr().out.startswith("\x1b[32mOK  \x1b[0m ")
