"""The recorded Home Assistant: what share of its states and commands discovery, availability and kinds match."""

from functools import cache
from pathlib import Path

import pytest
from tests.support.mqtt_replay import Score, replay, rows
from tests.support.strict_skips import ABSENT

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "mqtt" / "ha-discovery.jsonl"
STATES, COMMANDS = 0.99, 0.97
"""The least share that must match, of each kind and of all."""

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"{ABSENT}{CORPUS}, what Home Assistant was seen to do")


@cache
def played() -> Score:
    return replay(rows(CORPUS))


def kinds() -> list[str]:
    return sorted({row["ha_entity_id"].partition(".")[0] for row in rows(CORPUS) if row.get("ha_entity_id")})


@pytest.mark.parametrize("kind", kinds() if CORPUS.exists() else [])
def test_a_kind_is_as_home_assistant_had_it(kind: str) -> None:
    tally = played().kinds[kind]
    wrong = "\n".join(str(each) for each in played().mismatches if each.entity.startswith(f"{kind}."))
    assert tally.states_right >= STATES * tally.states, wrong
    assert tally.commands_right >= COMMANDS * tally.commands, wrong


def test_all_of_it_is_as_home_assistant_had_it(capsys: pytest.CaptureFixture[str]) -> None:
    total = played().total
    with capsys.disabled():
        print(f"\n{played()}")
    wrong = "\n".join(str(each) for each in played().mismatches)
    assert total.states > 2000, "the corpus has been cut"
    assert total.states_right >= STATES * total.states, wrong
    assert total.commands_right >= COMMANDS * total.commands, wrong


def test_the_score_can_tell_wrong_from_right() -> None:
    row = next(row for row in rows(CORPUS) if (row.get("ha_entity_id") or "").startswith("switch.") and row["states"])
    changed = [{**step, "expect": {"state": "jammed"}} for step in row["states"]]
    commands = [{**command, "publish": []} for command in row.get("commands", [])]
    score = replay([{**row, "states": changed, "commands": commands}])
    assert score.total.states_right == score.total.commands_right == 0
    assert len(score.mismatches) == len(changed) + len(commands)


def test_of_a_device_payload_the_entity_is_found_by_its_name() -> None:
    components = {
        "t": {"p": "sensor", "unique_id": "t", "name": "Temperature", "state_topic": "t"},
        "t_min": {"p": "sensor", "unique_id": "m", "name": "Temperature min", "state_topic": "m"},
    }
    payload = {"dev": {"ids": ["tank"], "name": "Tank"}, "o": {"name": "test"}, "cmps": components}
    row = {"topic": "homeassistant/device/tank/config", "payload": payload}
    states = [{"topic": topic, "payload": topic, "expect": {"state": "m"}} for topic in ("m", "t")]
    for entity_id, right in (("sensor.tank_temperature_min", 2), ("sensor.tank_temperature", 0)):
        score = replay([{**row, "ha_entity_id": entity_id, "states": states}])
        assert score.total.states_right == right, score.mismatches
