"""Lights of the template schema: everything is said by templates of the publisher's."""

from typing import Any

import pytest
from tests.support.mqtt_entities import COMMAND, TOPIC, act, entity_of, tell, write

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity
from jidget_drivers import WriteRefused

_ON = (
    "on{% if brightness is defined %},b{{ brightness }}{% endif %}"
    "{% if red is defined %},{{ red }}-{{ green }}-{{ blue }}-{{ hue }}-{{ sat }}{% endif %}"
    "{% if color_temp is defined %},t{{ color_temp }}{% endif %}{% if effect is defined %},{{ effect }}{% endif %}"
    "{% if transition is defined %},d{{ transition }}{% endif %}{% if flash is defined %},{{ flash }}{% endif %}"
)
_OFF = "off{% if transition is defined %},d{{ transition }}{% endif %}"


def light(*names: str, **keys: Any) -> Entity:
    """Return a light whose state is comma-separated words, of which each name has one."""
    readers = {f"{name}_template": f"{{{{ value.split(',')[{n}] }}}}" for n, name in enumerate(("state", *names))}
    base = {"schema": "template", "state_topic": TOPIC, "command_topic": COMMAND}
    return entity_of("light", **{**base, "command_on_template": _ON, "command_off_template": _OFF, **readers, **keys})


def test_on_off_and_brightness() -> None:
    entity = light("brightness")
    assert [part.name for part in entity.parts] == ["", "brightness"]
    assert tell(entity, "on,128")
    assert (entity.state, entity.attributes["brightness"], entity.values["brightness"]) == ("on", 128, 50)
    assert tell(entity, "off,0")
    assert (entity.state, entity.values["brightness"]) == ("off", 50)
    assert tell(entity, "None,300")
    assert (entity.state, entity.values["brightness"]) == (UNKNOWN, 50)
    assert not tell(entity, "maybe,bright")
    assert write(entity, 50, "brightness").payload == "on,b128"
    assert write(entity, True).payload == "on"
    assert write(entity, False).payload == "off"


def test_colours_and_temperatures_are_two_modes() -> None:
    entity = light("brightness", "color_temp", "red", "green", "blue")
    assert tell(entity, "on,255,300,None,None,None")
    assert (entity.attributes["color_mode"], entity.values["color_temp"]) == ("color_temp", 3333)
    assert tell(entity, "on,255,None,255,64,0")
    assert (entity.attributes["color_mode"], entity.values["color"]) == ("hs", "#ff4000")
    tell(entity, "on,255,None,255,x,0")
    assert entity.values["color"] == "#ff4000"
    assert write(entity, "#ff4000", "color").payload == "on,255-64-0-15.059-100.0"
    assert write(entity, 3000, "color_temp").payload == "on,t333"


def test_without_a_brightness_of_its_own_a_colour_is_darker() -> None:
    entity = light("red", "green", "blue")
    (published,) = act(entity, "turn_on", color="#ff0000")
    assert published.payload == "on,255-0-0-0.0-100.0"


def test_effects_and_fading() -> None:
    entity = light("effect", effect_list=["party"])
    tell(entity, "on,party")
    assert entity.values["effect"] == "party"
    tell(entity, "on,other")
    assert entity.values["effect"] == "party"
    (published,) = act(entity, "turn_on", effect="party", transition=1.5, flash="short")
    assert published.payload == "on,party,d1.5,short"
    (published,) = act(entity, "turn_off", transition=1.5)
    assert published.payload == "off,d1.5"


def test_without_a_template_for_the_state_it_is_assumed() -> None:
    entity = light("brightness", state_template=None, brightness_template="{{ value }}")
    write(entity, 50, "brightness")
    assert (entity.state, entity.values["brightness"]) == ("on", 50)
    write(entity, False)
    assert entity.state == "off"


def test_both_templates_are_needed_and_checked() -> None:
    for keys in ({"command_on_template": None}, {"command_off_template": None}, {"command_on_template": "{{"}):
        with pytest.raises(BadConfig, match="command_"):
            light(**keys)
    with pytest.raises(WriteRefused, match="command_on_template"):
        light(command_on_template="{{ nothing.at.all }}").write("", True)
