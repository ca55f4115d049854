"""Things on topics that nobody announces, as people write them: `[mqtt.topics.NAME]`."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from jidget.config.values import Label, Number, PropertyId, ThingId, Whole, wrong

_LONGEST = 1024
_STEP = r"[^\s.\[\]'\"\\{}%#]+"
_PATH = rf"{_STEP}(\.{_STEP}|\[[0-9]{{1,6}}\])*"
_TOPIC = r"[^+#\x00-\x1f\x7f]+"


def _topic(text: str) -> str:
    if not re.fullmatch(_TOPIC, text) or len(text) > _LONGEST:
        raise wrong('not a topic. Write the whole of it, without + and #: "boiler/temperature"')
    return text


def _path(text: str) -> str:
    if text and not re.fullmatch(_PATH, text):
        raise wrong('not a way through JSON. Write keys with dots, places in brackets: "sensors[0].value"')
    return text


def steps_of(path: str) -> tuple[str | int, ...]:
    """Return the keys and places that a path goes through."""
    found = re.findall(rf"\[([0-9]+)\]|({_STEP})", path)
    return tuple(int(place) if place else key for place, key in found)


def identifier(thing_id: str) -> str:
    """Return what the device of a Thing of `[mqtt.topics]` is recognised by."""
    return f"mqtt.topics.{thing_id}"


Topic = Annotated[
    str, AfterValidator(_topic), WithJsonSchema({"type": "string", "maxLength": _LONGEST, "pattern": f"^{_TOPIC}$"})
]
JsonPath = Annotated[str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": f"^({_PATH})?$"})]
"""A way through JSON: `data.temperature`, `sensors[0].value`; empty for all of the payload."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PlainAvailability(_Table):
    """Where a device says whether it is there."""

    topic: Topic = Field(description="Where it is told", examples=["boiler/status"])
    path: JsonPath = Field(default="", description="Where in the JSON it is; empty if the payload is all")
    online: str = Field(default="online", description="What is told while it is there")
    offline: str = Field(default="offline", description="What is told when it has gone")


class PlainValue(_Table):
    """One property: where it is told, and how it is set."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["topic"]}, {"required": ["set_topic"]}],
            "dependentSchemas": {"expires": {"required": ["topic"], "properties": {"set_topic": False}}},
            "if": {"properties": {"type": {"const": "choice"}}, "required": ["type"]},
            "then": {"properties": {"options": {"minItems": 1}}, "required": ["options"]},
        }
    )

    topic: Topic | None = Field(default=None, description="Where it is told", examples=["boiler/state"])
    path: JsonPath = Field(
        default="", description="Where in the JSON it is; empty if the payload is all", examples=["data.temperature"]
    )
    type: Literal["number", "boolean", "text", "choice"] = Field(default="number", description="What it is")
    label: Label = Field(default="", description="What people call it")
    unit: str = Field(default="", max_length=20, description="Of a number", examples=["°C"])
    min: Number | None = Field(default=None, description="The least that can be set", examples=[10])
    max: Number | None = Field(default=None, description="The most that can be set", examples=[80])
    step: Annotated[Number, Field(ge=0.001)] | None = Field(default=None, description="The finest that can be set")
    options: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(
        default=(), description="What can be chosen", examples=[["eco", "boost"]]
    )
    on: str = Field(default="ON", description="What says that it is on; true in JSON is True")
    off: str = Field(default="OFF", description="What says that it is off; false in JSON is False")
    set_topic: Topic | None = Field(
        default=None, description="Where it is set; it cannot be set if left out", examples=["boiler/target/set"]
    )
    set_payload: Annotated[str, Field(max_length=8192)] | None = Field(
        default=None,
        description="Template for what is published to set it, as Home Assistant's; the value alone if left out",
        examples=['{"target": {{ value }}}'],
    )
    retain: StrictBool = Field(default=False, description="Whether the broker is to keep what is set")
    expires: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Seconds for which a reading holds; for ever if left out", examples=[600]
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.topic is None and self.set_topic is None:
            raise wrong("neither told nor set. Write topic or set_topic")
        if self.type == "choice" and not self.options:
            raise wrong("a choice of nothing. Write options")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise wrong(f"min {self.min:g} is above max {self.max:g}. Turn them round")
        if self.expires is not None and (self.set_topic is not None or self.topic is None):
            raise wrong("only readings expire. Remove expires, or set_topic")
        return self


class PlainThing(_Table):
    """A Thing on topics that nobody announces."""

    label: Label = Field(default="", description="What people call it")
    area: Label = Field(default="", description="Where it is", examples=["Cellar"])
    available: PlainAvailability | None = Field(
        default=None, description="Where it says whether it is there; always there if left out"
    )
    qos: Literal[0, 1, 2] = Field(default=0, description="Quality of service of what is published")
    properties: Annotated[dict[PropertyId, PlainValue], Field(min_length=1)] = Field(
        description="Its values", examples=[{"temperature": {"topic": "boiler/state", "path": "t", "unit": "°C"}}]
    )


PlainThings = dict[ThingId, PlainThing]
