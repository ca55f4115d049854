"""`jidget things`: what there is, with and without an agent that runs."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.fakes import relay, running, tank, thing

from jidget.cli.main import main
from jidget.commands.inventory import inventory
from jidget.commands.local import Local
from jidget.things.directory import Directory

CONFIG = """
[xmpp]
jid = "pi@example.org"
[access]
"alice@example.org" = "owner"
[things.pump]
driver = "simulated"
label = "Water pump"
[things.pump.options.properties]
state = { type = "boolean", writable = true }
level = { type = "number", writable = true, min = 0, max = 5, unit = "°C" }
mode = { type = "enum", writable = true, options = ["eco", "boost"] }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "jidget.toml"
    file.write_text(CONFIG)
    return file


def test_without_an_agent_the_configuration_is_listed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["things", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "pump (Water pump)",
        "  state  can be set",
        "  level  can be set: 0 to 5",
        "  mode   can be set: eco, boost",
    ]
    assert "No agent runs" in err


def test_json_has_an_object_for_each_property(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["things", "--json", "--config", str(config)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["thing"], each["property"], each["type"], each["unit"]) for each in told] == [
        ("pump", "state", "boolean", None),
        ("pump", "level", "number", "Cel"),
        ("pump", "mode", "enum", None),
    ]
    assert {each["value"] for each in told} == {None}
    assert not any(each["discovered"] for each in told)


def test_what_only_can_be_done_has_an_object_without_a_property() -> None:
    button = {"name": "Identify", "kind": "button", "state": "unknown", "actions": ["identify"]}
    told = inventory((thing("pump", relay()),), others=lambda _: [button])
    assert [(each["property"], each["kind"], each["actions"]) for each in told] == [
        ("state", None, []),
        (None, "button", ["identify"]),
    ]
    assert told[0].keys() == told[1].keys()


async def test_an_agent_that_runs_is_asked(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pump, away = thing("pump", relay(on=True), label="Water pump"), thing("tank", tank())
    directory = Directory((pump, away))
    local = Local(config.parent / "jidget.db", directory, lambda: inventory(directory))
    serving = asyncio.create_task(local.run())
    async with running(pump):
        assert await asyncio.to_thread(main, ["things", "--config", str(config)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "pump (Water pump)",
            "  state   on  can be set",
            "tank  not read yet",
            "  level",
            "  target  can be set: 5 to 30",
            "  mode    can be set: eco, boost",
        ]
        assert await asyncio.to_thread(main, ["things", "--json", "--config", str(config)]) == 0
        first = json.loads(capsys.readouterr().out.splitlines()[0])
        assert (first["value"], first["available"]) == (True, True)
    serving.cancel()
    await asyncio.wait((serving,))
