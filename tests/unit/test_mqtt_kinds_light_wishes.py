"""What is wished of a light: several things at once, in a form with its types, and shown again as it was asked for."""

import inspect
import json
from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell, write

from jidget.commands.signature import signature_of
from jidget.mqtt.entity import Entity
from jidget_drivers import Action, WriteRefused


def light(*modes: str, **keys: Any) -> Entity:
    given = {"schema": "json", "state_topic": TOPIC, "command_topic": COMMAND, "brightness": True, **keys}
    return entity_of("light", **given, **({"supported_color_modes": list(modes)} if modes else {}))


def told(entity: Entity, **message: Any) -> bool:
    return tell(entity, json.dumps(message))


def sent(entity: Entity, part: str, value: Any) -> Any:
    published = write(entity, value, part)
    assert published.topic == COMMAND
    return json.loads(published.payload)


def test_what_was_asked_for_is_shown_as_it_was_asked() -> None:
    """3000 K is 333 mired, which is 3003 K: a person who set 3000 is to see 3000."""
    entity = light("xy", "color_temp")
    told(entity, **sent(entity, "color_temp", 3000), color_mode="color_temp")
    assert (entity.values["color_temp"], entity.attributes["color_temp_kelvin"]) == (3000, 3003)
    told(entity, state="ON", color_mode="color_temp", color_temp=250)  # somebody else's wish
    assert entity.values["color_temp"] == 4000
    sent(entity, "color", "#FF4000")
    told(entity, state="ON", color_mode="xy", color={"x": 0.6758, "y": 0.3201})
    assert (entity.values["color"], entity.attributes["rgb_color"]) == ("#FF4000", [255, 68, 1])
    told(entity, state="ON", color_mode="xy", color={"x": 0.5, "y": 0.4})
    assert entity.values["color"] == "#ffb762"


def test_several_wishes_are_one_message() -> None:
    entity = light("rgb", "color_temp", effect=True, effect_list=["blink"], flash_time_long=7)
    action = next(action for action in entity.actions if action.name == "turn_on")
    assert list(action.plan.__annotations__) == ["brightness", "color", "color_temp", "effect", "transition", "flash"]
    (published,) = act(
        entity, "turn_on", brightness=100.0, color="#00ff00", effect="blink", transition=2.0, flash="long"
    )
    assert json.loads(published.payload) == {
        "state": "ON",
        "color": {"r": 0, "g": 255, "b": 0},
        "transition": 2.0,
        "flash": 7,
        "brightness": 255,
        "effect": "blink",
    }
    (published,) = act(entity, "turn_off", transition=3.0)
    assert json.loads(published.payload) == {"state": "OFF", "transition": 3.0}
    with pytest.raises(WriteRefused, match="either a colour or a colour temperature"):
        act(entity, "turn_on", color="#00ff00", color_temp=3000)


def test_the_form_of_an_action_has_its_types() -> None:
    entity = light("hs", "color_temp", effect=True, effect_list=["blink", "okay"])
    actions = {action.name: action for action in entity.actions}

    async def turn_on(**_: Any) -> None: ...

    turn_on.__annotations__ = dict(actions["turn_on"].plan.__annotations__)
    turn_on.__signature__ = inspect.signature(actions["turn_on"].plan)  # type: ignore[attr-defined]
    found = {each.name: each for each in signature_of(Action(name="x", summary="", method=turn_on)).parameters}
    assert not any(each.required for each in found.values())
    assert found["effect"].options == ("blink", "okay")
    assert found["flash"].options == ("short", "long")
    assert (found["brightness"].minimum, found["brightness"].maximum) == (0, 100)
    assert found["color"].parse("#ff8000") == "#ff8000"
    with pytest.raises(ValueError, match="color"):
        found["color"].parse("orange")


def test_plain_white() -> None:
    entity = light("rgb", "white", white_scale=100)
    (published,) = act(entity, "turn_on", white=50.0)
    assert json.loads(published.payload) == {"state": "ON", "white": 50}
    told(entity, state="ON", color_mode="white", brightness=10)
    assert (entity.attributes["color_mode"], entity.values["color"]) == ("white", None)


def test_white_channels_make_a_temperature_where_the_light_has_none() -> None:
    """As Home Assistant does for `color_temp_kelvin`: cold and warm share the brightness."""
    assert sent(light("rgbww"), "color_temp", 3000)["color"] == {"r": 0, "g": 0, "b": 0, "c": 123, "w": 132}
    assert sent(light("rgbww", max_mireds=300, min_mireds=300), "color_temp", 3000)["color"]["c"] == 128
    assert sent(light("hs"), "color_temp", 3333)["color"] == {"h": 27.355, "s": 48.529}
    assert "color" not in sent(light("brightness"), "color_temp", 3000)
    assert sent(light("color_temp"), "color", "#ff8000") == {"state": "ON", "color_temp": 547}


def test_a_colour_without_a_brightness_of_its_own_is_darker() -> None:
    entity = light("rgb", brightness=False)
    (published,) = act(entity, "turn_on", brightness=50.0, color="#ff4000")
    assert json.loads(published.payload) == {"state": "ON", "color": {"r": 128, "g": 32, "b": 0}}
