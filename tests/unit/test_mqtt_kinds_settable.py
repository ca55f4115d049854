"""switch, number, select, text and the moments: what is told, what is sent, what is assumed."""

from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, entity_of, main, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget_drivers import Kind, Unit, WriteRefused


def settable(kind: str, **keys: Any) -> Any:
    return entity_of(kind, **{"state_topic": TOPIC, "command_topic": COMMAND, **keys})


def test_a_switch_tells_its_states_and_sends_its_payloads() -> None:
    entity = settable("switch", payload_on="go", payload_off="halt", state_on="going", qos=1, retain=True)
    assert not tell(entity, "go")
    assert tell(entity, "going")
    assert entity.values == {"": True}
    assert tell(entity, "None")
    assert entity.state == UNKNOWN
    published = write(entity, False)
    assert (published.topic, published.payload, published.qos, published.retain) == (COMMAND, "halt", 1, True)
    assert entity.state == UNKNOWN  # its topic will tell


def test_a_switch_without_state_topic_is_assumed() -> None:
    entity = entity_of("switch", command_topic=COMMAND)
    assert entity.topics == frozenset()
    write(entity, True)
    assert (entity.values, entity.state) == ({"": True}, "on")


def test_an_optimistic_switch_is_told_as_well() -> None:
    entity = settable("switch", optimistic=True)
    write(entity, True)
    assert entity.state == "on"
    tell(entity, "OFF")
    assert entity.state == "off"


def test_a_command_template_makes_the_payload() -> None:
    entity = settable("switch", command_template='{"state": "{{ value }}"}')
    assert write(entity, True).payload == '{"state": "ON"}'


def test_a_template_may_write_bytes() -> None:
    entity = settable("number", command_template="b'\\x01\\x02'")
    assert write(entity, 1).payload == b"\x01\x02"
    assert write(settable("number", command_template="b'broken"), 1).payload == "b'broken"


def test_a_command_template_that_fails_refuses() -> None:
    entity = settable("switch", command_template="{{ value.a.b }}")
    with pytest.raises(WriteRefused, match="command_template"):
        entity.write("", True)


def test_a_number_tells_and_sends() -> None:
    entity = settable("number", min=-10, max=50, step=0.5, unit_of_measurement="°C")
    assert (main(entity).minimum, main(entity).maximum, main(entity).precision) == (-10, 50, 1)
    assert main(entity).unit is Unit.CELSIUS
    assert tell(entity, "21.5")
    assert (entity.values, entity.state) == ({"": 21.5}, "21.5")
    assert write(entity, 22.0).payload == "22"
    assert write(entity, 22.5).payload == "22.5"


@pytest.mark.parametrize("payload", ["", " ", "warm", "101", "-1", "nan", "inf", "²", "[]"])
def test_a_number_does_not_take(payload: str) -> None:
    entity = settable("number")  # 0 to 100
    tell(entity, "5")
    assert not tell(entity, payload)
    assert entity.values == {"": 5}


def test_a_number_is_reset() -> None:
    entity = settable("number", payload_reset="gone")
    tell(entity, "5")
    assert tell(entity, "gone")
    assert entity.state == UNKNOWN
    assert not tell(entity, "None")


def test_a_number_in_fahrenheit_is_shown_in_celsius_and_sent_in_fahrenheit() -> None:
    entity = settable("number", device_class="temperature", unit_of_measurement="°F", min=50, max=86)
    assert (main(entity).minimum, main(entity).maximum, main(entity).unit) == (10, 30, Unit.CELSIUS)
    tell(entity, "68")
    assert entity.values == {"": 20}
    assert write(entity, 25.0).payload == "77"


def test_a_number_without_state_topic_is_assumed() -> None:
    entity = entity_of("number", command_topic=COMMAND)
    write(entity, 7)
    assert (entity.values, entity.state) == ({"": 7}, "7")


@pytest.mark.parametrize("keys", [{"min": 5, "max": 1}, {"step": 0}, {"min": "low"}, {"max": float("nan")}])
def test_a_number_without_a_range_is_a_bad_config(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        settable("number", **keys)


def test_a_device_class_newer_than_we_are_does_not_reject_a_number() -> None:
    assert main(settable("number", device_class="temperature_delta", unit_of_measurement="°C")).unit is Unit.CELSIUS


def test_a_select() -> None:
    entity = settable("select", options=["on", "off", 3, "on"])
    assert main(entity).options == ("on", "off", "3")
    assert tell(entity, "3")
    for payload in ("maybe", "", "ON"):
        assert not tell(entity, payload)
    assert entity.state == "3"
    assert tell(entity, "NONE")
    assert entity.state == UNKNOWN
    assert write(entity, "off").payload == "off"


@pytest.mark.parametrize("options", [[], None, [["on"]], {"a": 1}])
def test_a_select_needs_options(options: Any) -> None:
    with pytest.raises(BadConfig, match="options"):
        settable("select", options=options)


def test_a_text_shows_none_as_it_is() -> None:
    entity = settable("text")
    assert tell(entity, "None")
    assert (entity.values, entity.state) == ({"": "None"}, "None")
    assert tell(entity, "")
    assert entity.state == ""
    assert write(entity, "hello").payload == "hello"


def test_a_text_has_a_length_and_a_pattern() -> None:
    entity = settable("text", min=2, max=4, pattern="[a-z]+$")
    assert tell(entity, "abc")
    for text in ("a", "abcde", "AB"):
        assert not tell(entity, text)
        with pytest.raises(WriteRefused):
            entity.write("", text)
    assert entity.state == "abc"


def test_a_pattern_that_would_never_end_is_left_to_the_device() -> None:
    entity = settable("text", pattern="(a+)+$")
    assert write(entity, "a" * 60 + "!").payload == "a" * 60 + "!"
    assert tell(settable("text", pattern="((("), "anything")


def test_a_password_is_not_shown() -> None:
    entity = settable("text", mode="password")
    assert tell(entity, "secret")
    assert entity.values == {"": None}


@pytest.mark.parametrize("keys", [{"min": 5, "max": 1}, {"max": 256}, {"min": -1}])
def test_a_text_of_no_length_is_a_bad_config(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        settable("text", **keys)


@pytest.mark.parametrize(
    ("kind", "payload", "shown"),
    [
        ("date", "2026-05-31", "2026-05-31"),
        ("time", "18:30", "18:30:00"),
        ("datetime", "2026-05-31T20:30:00+02:00", "2026-05-31T18:30:00+00:00"),
    ],
)
def test_moments(kind: str, payload: str, shown: str) -> None:
    entity = settable(kind)
    assert main(entity).kind is Kind.STRING
    assert tell(entity, payload)
    assert (entity.values, entity.state) == ({"": shown}, shown)
    assert not tell(entity, "soon")
    assert write(entity, payload).payload == shown
    with pytest.raises(WriteRefused, match="like"):
        entity.write("", "soon")
    assert tell(entity, "None")
    assert entity.state == UNKNOWN


def test_a_datetime_without_time_zone_is_not_guessed() -> None:
    entity = settable("datetime")
    assert not tell(entity, "2026-05-31T20:30:00")


@pytest.mark.parametrize("kind", ["switch", "number", "select", "text", "date", "time", "datetime"])
@pytest.mark.parametrize("topic", [None, "", "a/+/b", "a/#", "nul\0", ["a"], "\ud800"])
def test_what_is_settable_needs_a_topic_without_wildcards(kind: str, topic: Any) -> None:
    with pytest.raises(BadConfig, match="command_topic"):
        settable(kind, command_topic=topic, options=["a"])
