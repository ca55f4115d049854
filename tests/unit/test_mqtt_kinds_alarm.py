"""Alarm panels: states, and codes that are never shown."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell

from jidget.commands.signature import signature_of
from jidget.mqtt.availability import Availability
from jidget.mqtt.device import BridgedDevice, Member
from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget.mqtt.model import Publish
from jidget.mqtt.templates import Templates
from jidget_drivers import WriteRefused


def panel(**keys: Any) -> Entity:
    return entity_of("alarm_control_panel", **{"state_topic": TOPIC, "command_topic": COMMAND, **keys})


def test_states() -> None:
    entity = panel()
    for state in ("disarmed", "arming", "armed_away", "pending", "triggered"):
        assert tell(entity, state)
        assert entity.state == entity.values[""] == state
    for nonsense in ("", " ", "armed", "ARMED_AWAY"):
        assert not tell(entity, nonsense)
    assert tell(entity, "None")
    assert entity.state == UNKNOWN


def test_actions_are_those_of_the_panel() -> None:
    assert [action.name for action in panel().actions] == [
        "disarm",
        "arm_home",
        "arm_away",
        "arm_night",
        "arm_vacation",
        "arm_custom_bypass",
        "trigger",
    ]
    entity = panel(supported_features=["arm_away"], payload_arm_away="AWAY!")
    assert [action.name for action in entity.actions] == ["disarm", "arm_away"]
    assert act(entity, "arm_away")[0].payload == "AWAY!"
    assert act(entity, "disarm")[0].payload == "DISARM"
    assert entity.state == UNKNOWN


def test_a_code_is_checked() -> None:
    entity = panel(code="1234")
    assert act(entity, "disarm", code=SecretStr("1234"))[0].payload == "DISARM"
    for wrong in ("", "123", "12345", "١٢٣٤"):
        with pytest.raises(WriteRefused, match="wrong code"):
            act(entity, "disarm", code=SecretStr(wrong))


def test_a_code_that_is_not_needed_for_all() -> None:
    entity = panel(code="1234", code_arm_required=False)
    assert act(entity, "arm_home")[0].payload == "ARM_HOME"
    with pytest.raises(TypeError):
        act(entity, "trigger")  # the form asks for it


def test_a_panel_may_check_the_code_itself() -> None:
    entity = panel(code="REMOTE_CODE_TEXT", command_template='{"do": "{{ action }}", "code": "{{ code }}"}')
    assert act(entity, "arm_away", code=SecretStr("x y"))[0].payload == '{"do": "ARM_AWAY", "code": "x y"}'
    with pytest.raises(WriteRefused, match="wrong code"):
        act(entity, "arm_away", code=SecretStr(""))


@pytest.mark.parametrize(
    ("code", "shown"),
    [(None, None), ("1234", "number"), ("REMOTE_CODE", "number"), ("secret", "text"), (1234, "number")],
)
def test_the_form_of_the_code_is_an_attribute_the_code_is_not(code: Any, shown: str | None) -> None:
    entity = panel(code=code)
    assert entity.attributes["code_format"] == shown
    assert "1234" not in str(entity.attributes)


def test_people_are_asked_for_the_code_in_secret() -> None:
    entity = panel(code="1234", code_trigger_required=False)
    names = {action.name: action.name for action in entity.actions}
    properties = {part.name: "alarm" for part in entity.parts}
    member = Member(entity, Availability(entity.config, Templates()), properties=properties, actions=names)
    sent: list[Publish] = []

    async def publish(message: Publish) -> None:
        sent.append(message)

    actions = BridgedDevice([member], publish).actions()
    (code,) = signature_of(actions["disarm"]).parameters
    assert (code.name, code.secret, code.required) == ("code", True, True)
    (code,) = signature_of(actions["trigger"]).parameters
    assert (code.name, code.secret, code.required) == ("code", True, False)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"command_topic": None}, "command_topic"),
        ({"state_topic": None}, "state_topic"),
        ({"code": ["1"]}, "code"),
        ({"code_arm_required": "maybe"}, "code_arm_required"),
        ({"supported_features": [{}]}, "supported_features"),
        ({"command_template": "{{ action"}, "command_template"),
    ],
)
def test_a_config_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        panel(**keys)
