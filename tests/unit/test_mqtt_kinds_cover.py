"""Covers: states, positions in any range, tilts, and what is assumed where nothing tells."""

from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, main, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity


def cover(**keys: Any) -> Entity:
    return entity_of("cover", **{"state_topic": TOPIC, "command_topic": COMMAND, **keys})


def placed(**keys: Any) -> Entity:
    """Return one with positions."""
    return cover(**{"state_topic": None, "position_topic": "it/at", "set_position_topic": "it/go", **keys})


def test_states_by_words_of_its_own() -> None:
    entity = cover(state_open="UP", state_closed="DOWN")
    assert main(entity).options == ("open", "closed", "opening", "closing")
    assert not main(entity).writable
    assert (entity.state, entity.values[""]) == (UNKNOWN, None)
    for word, state in [("UP", "open"), ("closing", "closing"), ("DOWN", "closed"), ("opening", "opening")]:
        assert tell(entity, word)
        assert entity.state == entity.values[""] == state
    for nonsense in ("", "up", "ajar", "{}"):
        assert not tell(entity, nonsense)
    assert tell(entity, "None")
    assert entity.state == UNKNOWN


@pytest.mark.parametrize(
    ("before", "after"), [("closing", "closed"), ("closed", "closed"), ("opening", "open"), ("open", "open")]
)
def test_stopped_is_open_unless_it_was_shutting(before: str, after: str) -> None:
    entity = cover()
    tell(entity, before)
    assert tell(entity, "stopped")
    assert entity.state == after


@pytest.mark.parametrize(("position", "after"), [("0", "closed"), ("1", "open")])
def test_stopped_is_what_the_position_says_where_there_is_one(position: str, after: str) -> None:
    entity = cover(position_topic="it/at")
    tell(entity, position, "it/at")
    assert entity.state == UNKNOWN  # its state has a topic of its own
    tell(entity, "stopped")
    assert entity.state == after


def test_actions_are_those_that_have_a_payload() -> None:
    entity = cover(payload_stop=None, payload_open="up", qos=2)
    assert [action.name for action in entity.actions] == ["open", "close"]
    (published,) = act(entity, "open")
    assert (published.topic, published.payload, published.qos) == (COMMAND, "up", 2)
    (published,) = act(entity, "close")
    assert published.payload == "CLOSE"
    assert entity.state == UNKNOWN
    assert cover(command_topic=None).actions == ()


def test_the_state_follows_the_position_where_nothing_else_tells() -> None:
    entity = placed()
    assert tell(entity, "40", "it/at")
    assert (entity.state, entity.values["position"], entity.attributes["current_position"]) == ("open", 40, 40)
    assert tell(entity, "0", "it/at")
    assert entity.state == "closed"
    assert write(entity, 42, "position").payload == "42"


@pytest.mark.parametrize(
    ("closed", "opened", "told", "percent", "back"),
    [
        (0, 255, "128", 50, "128"),
        (100, 0, "58", 42, "58"),
        (0, 100, "150", 100, "100"),
        (10, 20, "9", 0, "10"),
        (0, 100, "33.9", 33, "33"),
        (-50, 50, "0", 50, "0"),
    ],
)
def test_positions_of_any_range(closed: int, opened: int, told: str, percent: int, back: str) -> None:
    entity = placed(position_closed=closed, position_open=opened)
    assert tell(entity, told, "it/at")
    assert entity.values["position"] == percent
    assert write(entity, percent, "position").payload == back


@pytest.mark.parametrize("percent", range(101))
def test_what_was_asked_for_is_shown_as_it_was_asked(percent: int) -> None:
    """42 % of 0 to 255 is told as 107, and 107 is 41 % as Home Assistant rounds it."""
    entity = placed(position_open=255)
    tell(entity, str(write(entity, percent, "position").payload), "it/at")
    assert entity.values["position"] == percent
    assert abs(entity.attributes["current_position"] - percent) <= 1
    tell(entity, "200", "it/at")
    assert entity.values["position"] in {78, percent}


def test_templates_know_the_range() -> None:
    entity = placed(
        position_open=0,
        position_closed=100,
        position_template="{{ position_closed - (value | int) }}",
        set_position_template='{"p": {{ position }}, "v": {{ value }}, "o": {{ position_open }}}',
    )
    tell(entity, "30", "it/at")
    assert entity.values["position"] == 30
    assert write(entity, 42, "position").payload == '{"p": 42, "v": 58, "o": 0}'


def test_a_position_may_bring_the_tilt() -> None:
    entity = placed(tilt_status_topic="it/tilt")
    assert tell(entity, '{"position": 10, "tilt_position": 20}', "it/at")
    assert entity.attributes["current_tilt_position"] == 20
    assert not tell(entity, '{"tilt_position": 30}', "it/at")
    assert entity.values["tilt"] == 20


def test_tilts() -> None:
    entity = cover(tilt_command_topic="it/tilt/set", tilt_status_topic="it/tilt", tilt_min=0, tilt_max=180)
    assert tell(entity, "90", "it/tilt")
    assert entity.values["tilt"] == 50
    for nonsense in ("181", "-1", "x", "", "nan"):
        assert not tell(entity, nonsense, "it/tilt")
    assert write(entity, 75, "tilt").payload == "135"
    assert entity.values["tilt"] == 50
    assert [action.name for action in entity.actions][3:] == ["open_tilt", "close_tilt", "stop_tilt"]
    assert act(entity, "open_tilt")[0].payload == "100"
    assert act(entity, "close_tilt")[0].payload == "0"
    assert act(entity, "stop_tilt")[0].payload == "STOP"


def test_what_nothing_tells_is_assumed() -> None:
    entity = entity_of("cover", command_topic=COMMAND, tilt_command_topic="it/tilt/set")
    act(entity, "open")
    assert (entity.state, "position" in entity.values) == ("open", False)
    act(entity, "close")
    assert entity.state == "closed"
    write(entity, 30, "tilt")
    assert entity.values["tilt"] == 30
    act(entity, "open_tilt")
    assert entity.values["tilt"] == 100


def test_an_optimistic_one_is_assumed_and_told() -> None:
    entity = placed(optimistic=True)
    write(entity, 30, "position")
    assert (entity.state, entity.values["position"]) == ("open", 30)
    act(entity, "close")
    assert (entity.state, entity.values["position"]) == ("closed", 0)
    tell(entity, "7", "it/at")
    assert (entity.state, entity.values["position"]) == ("open", 7)


@pytest.mark.parametrize("payload", ["", "half", "nan", "inf", "1e400", "9" * 50, "[]", "{}", "null", b"\xff"])
def test_a_position_that_is_none(payload: str | bytes) -> None:
    entity = placed()
    tell(entity, "40", "it/at")
    assert not tell(entity, payload, "it/at")
    assert entity.values["position"] == 40


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"position_open": 0}, "position_open"),
        ({"tilt_max": 0}, "tilt_max"),
        ({"position_open": "far"}, "position_open"),
        ({"command_topic": "a/#"}, "command_topic"),
        ({"payload_open": ["a"]}, "payload_open"),
        ({"set_position_template": "{{"}, "set_position_template"),
        ({"tilt_status_template": "{% if %}", "tilt_status_topic": "t"}, "tilt_status_template"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        cover(**keys)
