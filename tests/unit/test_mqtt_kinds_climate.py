"""Climates and water heaters: temperatures in either unit, modes out of lists, power."""

from typing import Any

import pytest
from tests.support.mqtt_entities import act, entity_of, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import Unit, WriteRefused


def climate(*names: str, **keys: Any) -> Entity:
    """Return a climate with a state and a command topic for each name."""
    topics = {f"{name}_{way}_topic": f"it/{name}/{way}" for name in names for way in ("state", "command")}
    return entity_of("climate", **{**topics, **keys})


def test_its_parts_are_what_it_has() -> None:
    entity = climate(
        "temperature",
        "temperature_low",
        "mode",
        "fan_mode",
        "swing_mode",
        action_topic="a",
        current_temperature_topic="c",
    )
    assert [part.name for part in entity.parts] == ["current", "target", "target_low", "mode", "action", "fan", "swing"]
    parts = {part.name: part.property for part in entity.parts}
    assert (parts["target"].unit, parts["target"].minimum, parts["target"].maximum) == (Unit.CELSIUS, 7, 35)
    assert [name for name, prop in parts.items() if not prop.writable] == ["current", "action"]
    assert parts["mode"].options == ("auto", "off", "cool", "heat", "dry", "fan_only")


def test_temperatures() -> None:
    entity = climate("temperature", current_temperature_topic="it/now", min_temp="5", max_temp="30.5")
    assert tell(entity, "20.37", "it/now")
    assert (entity.values["current"], entity.attributes["current_temperature"]) == (20.37, 20.4)
    assert tell(entity, "21", "it/temperature/state")
    assert entity.values["target"] == 21.0
    for nonsense in ("", "warm", "nan", "inf", "{}", "1e999"):
        assert not tell(entity, nonsense, "it/now")
    assert tell(entity, "None", "it/now")
    assert (entity.values["current"], entity.attributes["current_temperature"]) == (None, None)
    assert write(entity, 21.5, "target").payload == "21.5"
    assert write(entity, 21, "target").payload == "21.0"  # as Home Assistant sends it
    assert (entity.attributes["min_temp"], entity.attributes["max_temp"]) == (5, 30.5)


def test_fahrenheit_is_celsius_here() -> None:
    entity = climate("temperature", temperature_unit="F", min_temp=50, max_temp=86)
    target = entity.parts[0].property
    assert (target.minimum, target.maximum) == (10, 30)
    tell(entity, "70", "it/temperature/state")
    assert entity.attributes["temperature"] == 21.1
    assert write(entity, 21.5, "target").payload == "70.7"


@pytest.mark.parametrize(("precision", "shown"), [(0.1, 20.4), (0.5, 20.5), (1.0, 20)])
def test_attributes_are_rounded_to_the_precision(precision: float, shown: float) -> None:
    entity = climate(current_temperature_topic="it/now", precision=precision)
    tell(entity, "20.37", "it/now")
    assert entity.attributes["current_temperature"] == shown


def test_the_mode_is_the_state() -> None:
    entity = climate("mode", modes=["off", "heat"], mode_state_template="{{ value_json.m }}")
    assert entity.state == UNKNOWN
    assert tell(entity, '{"m": "heat"}', "it/mode/state")
    assert entity.state == entity.values["mode"] == "heat"
    assert not tell(entity, '{"m": "cool"}', "it/mode/state")
    assert not tell(entity, '{"m": ""}', "it/mode/state")
    assert tell(entity, '{"m": null}', "it/mode/state")
    assert entity.state == UNKNOWN
    assert write(entity, "off", "mode").payload == "off"


def test_a_value_template_serves_all_that_have_none() -> None:
    entity = climate("temperature", "mode", value_template="{{ value_json.x }}", mode_state_template="{{ value }}")
    tell(entity, '{"x": 19}', "it/temperature/state")
    tell(entity, "heat", "it/mode/state")
    assert (entity.values["target"], entity.values["mode"]) == (19, "heat")


def test_until_told_it_shows_what_home_assistant_assumes() -> None:
    """A state that nobody will ever tell is shown from the start, but is no value until it was set."""
    entity = climate("temperature", "mode", "fan_mode", temperature_state_topic=None, mode_state_topic=None)
    assert (entity.state, entity.attributes["temperature"]) == ("off", 21.0)
    assert entity.attributes["fan_mode"] is None
    assert entity.values == {}
    write(entity, 19.5, "target")
    write(entity, "heat", "mode")
    assert (entity.state, entity.values) == ("heat", {"target": 19.5, "mode": "heat"})


def test_presets_are_never_unknown() -> None:
    entity = climate("preset_mode", preset_modes=["eco"], preset_mode_value_template="{{ value_json.p }}")
    assert entity.attributes["preset_mode"] == "none"
    tell(entity, '{"p": "eco"}', "it/preset_mode/state")
    assert entity.values["preset"] == "eco"
    assert tell(entity, '{"p": null}', "it/preset_mode/state")
    assert entity.values["preset"] == "none"
    assert not tell(entity, '{"p": "boost"}', "it/preset_mode/state")
    assert write(entity, "none", "preset").payload == "none"


def test_actions_of_the_device() -> None:
    entity = climate(action_topic="it/does")
    assert tell(entity, "heating", "it/does")
    assert entity.values["action"] == entity.attributes["hvac_action"] == "heating"
    assert not tell(entity, "burning", "it/does")
    assert tell(entity, "None", "it/does")
    assert entity.values["action"] is None


def test_humidities() -> None:
    entity = climate(
        "target_humidity",
        current_humidity_topic="it/damp",
        target_humidity_command_template="{{ value }} %",
        max_humidity=80,
    )
    tell(entity, "45.5", "it/damp")
    tell(entity, "50", "it/target_humidity/state")
    assert (entity.values["humidity"], entity.values["target_humidity"]) == (45.5, 50)
    assert entity.attributes["humidity"] == 50
    assert write(entity, 55.0, "target_humidity").payload == "55 %"
    assert "target_humidity" not in climate(target_humidity_state_topic="t").values


def test_power_by_a_topic_of_its_own() -> None:
    entity = climate("mode", power_command_topic="it/power", payload_off="0", power_command_template="p={{ value }}")
    assert [(each.topic, each.payload) for each in act(entity, "turn_on")] == [("it/power", "p=ON")]
    assert [(each.topic, each.payload) for each in act(entity, "turn_off")] == [("it/power", "p=0")]
    assert entity.state == UNKNOWN
    optimistic = climate("mode", power_command_topic="it/power", optimistic=True)
    write(optimistic, "heat", "mode")
    act(optimistic, "turn_off")
    assert optimistic.state == "off"


@pytest.mark.parametrize(
    ("modes", "on"), [(["off", "dry"], "dry"), (["off", "cool", "heat"], "heat"), (["off", "dry", "cool"], "cool")]
)
def test_power_by_a_mode(modes: list[str], on: str) -> None:
    entity = climate("mode", modes=modes)
    assert act(entity, "turn_on")[0].payload == on
    assert act(entity, "turn_off")[0].payload == "off"


def test_what_cannot_be_switched_off_has_no_action() -> None:
    assert climate("mode", modes=["heat"]).actions == ()


def test_what_cannot_be_set_is_refused() -> None:
    entity = climate(current_temperature_topic="c")
    for part in ("current", "mode", "nothing"):
        with pytest.raises(WriteRefused):
            entity.write(part, 21)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"temperature_unit": "K"}, "temperature_unit"),
        ({"precision": 0.2}, "precision"),
        ({"min_temp": "cold"}, "min_temp"),
        ({"preset_modes": ["none"], "preset_mode_command_topic": "t"}, "preset_modes"),
        ({"min_humidity": 90, "max_humidity": 80}, "min_humidity"),
        ({"max_humidity": 101}, "max_humidity"),
        ({"modes": [["heat"]]}, "modes"),
        ({"mode_command_topic": "#"}, "mode_command_topic"),
        ({"temperature_command_template": "{{ 1 +", "temperature_command_topic": "t"}, "temperature_command_template"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        climate(**keys)


def test_a_water_heater() -> None:
    names = ("temperature", "mode")
    topics = {f"{name}_{way}_topic": f"it/{name}/{way}" for name in names for way in ("state", "command")}
    entity = entity_of("water_heater", **topics, current_temperature_topic="it/now", power_command_topic="it/power")
    assert [part.name for part in entity.parts] == ["current", "target", "mode"]
    target = entity.parts[1].property
    assert (target.minimum, target.maximum) == (0, 100)
    assert (entity.attributes["min_temp"], entity.attributes["max_temp"]) == (43.3, 60)
    tell(entity, "51.24", "it/now")
    tell(entity, "55", "it/temperature/state")
    tell(entity, "eco", "it/mode/state")
    assert entity.state == entity.attributes["operation_mode"] == "eco"
    assert (entity.attributes["current_temperature"], entity.attributes["temperature"]) == (51.2, 55)
    assert not tell(entity, "turbo", "it/mode/state")
    assert write(entity, 50, "target").payload == "50.0"
    assert write(entity, "gas", "mode").payload == "gas"
    assert act(entity, "turn_off")[0].payload == "OFF"
    assert entity.state == "eco"


def test_a_water_heater_that_tells_nothing() -> None:
    entity = entity_of("water_heater", temperature_command_topic="it/temperature/command")
    assert (entity.state, entity.attributes["temperature"]) == ("off", 43.3)
    assert "operation_mode" not in entity.attributes
