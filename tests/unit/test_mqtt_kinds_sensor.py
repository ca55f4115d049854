"""sensor and binary_sensor: what is told, what is not taken, what units become."""

from typing import Any

import pytest
from tests.support.mqtt_entities import TOPIC, entity_of, main, tell

from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget_drivers import Kind, Unit


def sensor(**keys: Any) -> Any:
    return entity_of("sensor", state_topic=TOPIC, **keys)


def test_a_sensor_without_unit_or_class_is_a_text() -> None:
    entity = sensor()
    assert main(entity).kind is Kind.STRING
    assert (entity.state, entity.values) == (UNKNOWN, {})
    assert tell(entity, "007")
    assert (entity.state, entity.values) == ("007", {"": "007"})


@pytest.mark.parametrize(
    "keys",
    [
        {"unit_of_measurement": "°C"},
        {"state_class": "measurement"},
        {"device_class": "aqi"},
        {"device_class": "Temperature"},
        {"suggested_display_precision": 1},
    ],
)
def test_a_unit_a_class_or_a_precision_makes_a_number(keys: dict[str, Any]) -> None:
    entity = sensor(**keys)
    assert main(entity).kind is Kind.NUMBER
    assert tell(entity, "21.50")
    assert entity.values[""] == 21.5
    assert entity.state == "21.50"  # as told


@pytest.mark.parametrize("payload", ["", "warm", "nan", "inf", "-inf", "1" * 400, "{}", "21,5"])
def test_what_is_no_number_keeps_the_value(payload: str) -> None:
    entity = sensor(unit_of_measurement="V")
    tell(entity, "3")
    assert not tell(entity, payload)
    assert entity.values == {"": 3}
    assert entity.state == "3"


def test_none_is_unknown() -> None:
    entity = sensor(unit_of_measurement="V")
    tell(entity, "3")
    assert tell(entity, "None")
    assert (entity.values, entity.state) == ({"": None}, UNKNOWN)


def test_a_template_that_fails_keeps_the_value_and_never_shows_the_payload() -> None:
    entity = sensor(value_template="{{ value_json.a.b }}")
    tell(entity, '{"a": {"b": "x"}}')
    assert not tell(entity, '{"c": 1}')
    assert not tell(entity, "no json")
    assert entity.state == "x"


def test_a_text_that_is_too_long_for_a_state_is_not_taken() -> None:
    entity = sensor()
    assert tell(entity, "a" * 255)
    assert not tell(entity, "a" * 256)


def test_an_enum_takes_only_its_options() -> None:
    entity = sensor(device_class="enum", options=["dry", "wet"])
    assert (main(entity).kind, main(entity).options) == (Kind.ENUM, ("dry", "wet"))
    assert tell(entity, "wet")
    assert not tell(entity, "soaked")
    assert entity.values == {"": "wet"}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("2026-05-31T20:00:00+02:00", "2026-05-31T18:00:00+00:00"),
        ("2026-05-31 18:00:00Z", "2026-05-31T18:00:00+00:00"),
        ("2026-5-1T8:00:30.25+0200", "2026-05-01T06:00:30+00:00"),
        ("20260531T180000Z", "2026-05-31T18:00:00+00:00"),
    ],
)
def test_a_timestamp_is_told_in_utc(payload: str, told: str) -> None:
    entity = sensor(device_class="timestamp")
    assert tell(entity, payload)
    assert entity.state == entity.values[""] == told


def test_a_timestamp_without_time_zone_is_not_guessed() -> None:
    entity = sensor(device_class="timestamp")
    assert not tell(entity, "2026-05-31T18:00:00")
    assert entity.state == UNKNOWN


@pytest.mark.parametrize("payload", ["yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"])
def test_no_timestamp_leaves_it_unknown(payload: str) -> None:
    entity = sensor(device_class="timestamp")
    tell(entity, payload)
    assert entity.state == UNKNOWN


def test_a_date_is_a_day() -> None:
    entity = sensor(device_class="date")
    assert tell(entity, "2026-05-31T23:59:00+02:00")
    assert entity.values == {"": "2026-05-31"}


@pytest.mark.parametrize(
    ("keys", "payload", "value", "unit"),
    [
        ({"device_class": "temperature", "unit_of_measurement": "°F"}, "68.5", 20.3, Unit.CELSIUS),
        ({"device_class": "temperature", "unit_of_measurement": "K"}, "293.15", 20.0, Unit.CELSIUS),
        ({"device_class": "wind_speed", "unit_of_measurement": "mph"}, "10", 16, Unit.KILOMETRE_PER_HOUR),
        ({"device_class": "wind_speed", "unit_of_measurement": "m/s"}, "2.5", 9.0, Unit.KILOMETRE_PER_HOUR),
        ({"device_class": "atmospheric_pressure", "unit_of_measurement": "inHg"}, "29.92", 1013.21, Unit.HECTOPASCAL),
        ({"device_class": "atmospheric_pressure", "unit_of_measurement": "Pa"}, "101325", 1013.25, Unit.HECTOPASCAL),
        ({"device_class": "precipitation", "unit_of_measurement": "in"}, "0.04", 1.02, Unit.MILLIMETRE),
        ({"unit_of_measurement": "°F"}, "68", 68, None),  # without the class nobody converts
    ],
)
def test_units_become_metric_where_home_assistant_makes_them_so(
    keys: dict[str, str], payload: str, value: float, unit: Unit | None
) -> None:
    entity = sensor(unique_id="it", **keys)
    tell(entity, payload)
    assert entity.values[""] == pytest.approx(value)
    assert float(entity.state) == pytest.approx(value)
    assert main(entity).unit is unit


def test_without_unique_id_only_temperatures_are_converted() -> None:
    assert main(sensor(device_class="wind_speed", unit_of_measurement="m/s")).unit is Unit.METRE_PER_SECOND
    assert main(sensor(device_class="temperature", unit_of_measurement="°F")).unit is Unit.CELSIUS


def test_a_template_knows_what_the_entity_is() -> None:
    entity = sensor(value_template="{{ value_json.x if value_json.x is defined else this.state }} {{ entity_id }}")
    tell(entity, '{"x": 1}')
    assert entity.state == "1 sensor.it"
    tell(entity, "{}")
    assert entity.state == "1 sensor.it sensor.it"


@pytest.mark.parametrize(
    ("keys", "unit"),
    [
        ({"unit_of_measurement": "%"}, Unit.PERCENT),
        ({"unit_of_measurement": "%", "device_class": "humidity"}, Unit.RELATIVE_HUMIDITY),
        ({"unit_of_measurement": "%", "device_class": "battery"}, Unit.BATTERY_PERCENT),
        ({"unit_of_measurement": "lqi"}, None),
        ({"unit_of_measurement": "W/m²"}, Unit.WATT_PER_SQUARE_METRE),
    ],
)
def test_units_are_senml_symbols(keys: dict[str, str], unit: Unit | None) -> None:
    assert main(sensor(**keys)).unit is unit


def test_a_unit_without_symbol_is_in_the_description() -> None:
    assert main(sensor(unit_of_measurement="lqi")).description == "lqi"
    assert main(sensor(unit_of_measurement="mW", device_class="power")).description == "power, mW"


def test_any_message_renews_a_sensor_that_expires() -> None:
    entity = sensor(expire_after=30, value_template="{{ value_json.t | is_defined }}", unit_of_measurement="°C")
    assert entity.expires_after == 30
    assert tell(entity, '{"h": 50}')  # it lives
    assert (entity.values, entity.state) == ({"": None}, UNKNOWN)
    tell(entity, '{"t": 20}')
    assert tell(entity, '{"h": 50}')
    assert entity.values == {"": 20}
    entity.expire()
    assert (entity.values, entity.state) == ({}, UNKNOWN)


def test_expire_after_zero_never_expires() -> None:
    assert sensor(expire_after=0).expires_after is None


def test_wildcards_in_the_state_topic() -> None:
    entity = entity_of("sensor", state_topic="+/+/BTtoMQTT/A4C138", value_template="{{ value_json.tempc }}")
    assert entity.topics == {"+/+/BTtoMQTT/A4C138"}
    assert tell(entity, '{"tempc": 20}', "home/gw/BTtoMQTT/A4C138")
    assert not tell(entity, '{"tempc": 30}', "home/gw/BTtoMQTT/other")
    assert entity.state == "20"


def test_json_attributes() -> None:
    entity = sensor(json_attributes_topic="it/more", json_attributes_template="{{ value_json.extra | tojson }}")
    assert not tell(entity, '{"extra": {"a": 1, "icon": "mdi:x", "state_class": "total"}}', "it/more")
    assert entity.attributes == {"a": 1}
    for payload in ("[]", "no json", "7", b"\xff"):
        tell(entity, payload, "it/more")
    assert entity.attributes == {"a": 1}


def test_last_reset_is_an_attribute() -> None:
    entity = sensor(
        state_class="total",
        value_template="{{ value_json.v }}",
        last_reset_value_template="{{ value_json.since }}",
    )
    tell(entity, '{"v": 7, "since": "2026-01-01T00:00:00+00:00"}')
    tell(entity, '{"v": 8, "since": "never"}')
    assert entity.attributes["last_reset"] == "2026-01-01T00:00:00+00:00"


def test_payloads_that_are_no_text_are_not_taken() -> None:
    entity = sensor()
    assert not tell(entity, b"\xff\xfe")
    raw = sensor(encoding="")
    assert not tell(raw, "21")


def test_other_encodings() -> None:
    entity = sensor(encoding="latin-1", value_template="{{ value }}")
    assert tell(entity, "Gr\xf6\xdfe".encode("latin-1"))
    assert entity.state == "Größe"


@pytest.mark.parametrize(
    "keys",
    [
        {"expire_after": -1},
        {"expire_after": "soon"},
        {"suggested_display_precision": [1]},
        {"options": [{"a": 1}]},
        {"unit_of_measurement": ["V"]},
        {"device_class": {"a": 1}},
        {"value_template": ["{{ value }}"]},
        {"value_template": "{{ value "},
        {"encoding": "klingon"},
        {"encoding": "idna"},
        {"encoding": "Puny_Code"},
        {"encoding": "rot13"},
        {"encoding": "unicode_escape"},
        {"encoding": "a\0"},
        {"qos": 3},
        {"json_attributes_topic": "a/#/b"},
        {"last_reset_value_template": "{{ value }}"},
    ],
)
def test_a_wrong_key_is_a_bad_config(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        sensor(**keys)


def test_a_sensor_needs_a_state_topic() -> None:
    with pytest.raises(BadConfig, match="state_topic"):
        entity_of("sensor")


def binary(**keys: Any) -> Any:
    return entity_of("binary_sensor", state_topic=TOPIC, **keys)


@pytest.mark.parametrize(
    ("keys", "payload", "value"),
    [
        ({}, "ON", True),
        ({}, "OFF", False),
        ({}, "None", None),
        ({"payload_on": True, "payload_off": False, "value_template": "{{ value_json.c }}"}, '{"c": true}', True),
        ({"payload_on": 1, "payload_off": 0}, "0", False),
        ({"value_template": "{{ value_json.contact }}"}, "ON", True),  # undefined: the payload counts
    ],
)
def test_a_binary_sensor_tells(keys: dict[str, Any], payload: str, value: bool | None) -> None:
    entity = binary(**keys)
    assert tell(entity, payload)
    assert entity.values == {"": value}
    assert entity.state == {True: "on", False: "off", None: UNKNOWN}[value]


@pytest.mark.parametrize("payload", ["on", "", "true", "1", b"\xff"])
def test_a_binary_sensor_takes_only_its_payloads(payload: str | bytes) -> None:
    entity = binary()
    tell(entity, "ON")
    assert not tell(entity, payload)
    assert entity.state == "on"


def test_off_delay() -> None:
    entity = binary(off_delay=30)
    assert not entity.reverts_after
    tell(entity, "ON")
    assert entity.reverts_after == 30
    entity.revert()
    assert (entity.values, entity.state, entity.reverts_after) == ({"": False}, "off", None)


def test_a_binary_sensor_that_expires() -> None:
    entity = binary(expire_after=5)
    assert entity.expires_after == 5
    assert tell(entity, "huh")
    assert entity.values == {"": None}
