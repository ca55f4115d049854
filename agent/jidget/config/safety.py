"""The safety rules of an output as people write them: `[things.X.safety]` or `[things.X.safety.PROPERTY]`."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    WithJsonSchema,
)

from jidget.config.values import THING_ID, Pause, PropertyId, Seconds, duration, wrong
from jidget.durations import parse_duration
from jidget_drivers.properties import PROPERTY_ID

NEVER = "never"
OUTPUT = rf"{THING_ID.pattern}(\.{PROPERTY_ID.pattern})?"
"""A Thing with one output, or one output of a Thing."""

_RATE = re.compile(r"\s*(\d{1,4})\s*/\s*(\S.*?)\s*")


def _output(text: str) -> str:
    if not re.fullmatch(OUTPUT, text):
        raise wrong('not an output. Write the id of a Thing, or THING.PROPERTY: "heater", "board.relay_2"')
    return text


def _never(value: object) -> object:
    return None if value == NEVER else value


def _rate(value: object) -> object:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    try:
        rate = match and (int(match[1]), parse_duration(match[2]))
    except ValueError:
        rate = None
    if not rate or rate[0] < 1 or rate[1] <= 0:
        raise wrong('not a rate. Write how often and in what time: "6/1m", "10/1h"')
    return rate


Output = Annotated[str, AfterValidator(_output), WithJsonSchema({"type": "string", "pattern": f"^{OUTPUT}$"})]
Rate = Annotated[
    tuple[int, float],
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d{1,4}\s*/\s*\S.*$", "examples": ["6/1m"]}),
]
"""How often, and within how many seconds."""


class SafetyRules(BaseModel):
    """What holds for one output, whoever switches it. Times in seconds; "on" means any value but the safe one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    safe: StrictBool | int | float | str | None = Field(
        default=None,
        description="Value that harms nothing, such as false; the driver's own if left out, else off for a switch",
        examples=[False],
    )
    on_start: Literal["safe", "restore"] = Field(
        default="safe", description="At the start: go to the safe value, or back to the value that was last commanded"
    )
    on_disconnect: Annotated[Seconds | None, BeforeValidator(_never)] = Field(
        default=None,
        description='Go to the safe value when the server was out of reach for so long; "never" if left out',
        examples=["10m"],
    )
    max_on: Pause | None = Field(
        default=None, description="Longest time on; then it goes to the safe value", examples=["15m"]
    )
    min_on: Seconds = duration("0s", "Shortest time on: it is not switched off earlier, except by stop")
    min_off: Seconds = duration("0s", "Shortest time off: it is not switched on again earlier")
    interlock: tuple[Output, ...] = Field(
        default=(), description="Never on while one of these is on, nor these while it is", examples=[["heater"]]
    )
    rate_limit: Rate | None = Field(
        default=None, description="How often it may be switched away from the safe value", examples=["6/1m"]
    )
    confirm: StrictBool = Field(default=False, description="Whether a person must answer a code first")


def _shape(value: Any) -> str:
    """Return which branch a table is: rules of the only output, or tables by property."""
    if isinstance(value, SafetyRules):
        return "SafetyRules"
    if isinstance(value, dict) and value and all(isinstance(rules, dict | SafetyRules) for rules in value.values()):
        return "dict"
    return "SafetyRules"


Safety = Annotated[
    Annotated[SafetyRules, Tag("SafetyRules")] | Annotated[dict[PropertyId, SafetyRules], Tag("dict")],
    Discriminator(_shape),
]
