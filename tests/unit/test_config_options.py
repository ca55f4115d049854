"""What people are told of wrong options of a driver, whoever wrote the driver."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from jidget.config.problems import option_problems
from jidget_drivers import DriverOptions


class Edge(StrEnum):
    RISING = "rising"
    FALLING = "falling"


class Bus(DriverOptions):
    type: Literal["i2c"]
    address: int = Field(ge=0x08, le=0x77)


class Serial(DriverOptions):
    type: Literal["serial"]
    port: Path


class Channel(DriverOptions):
    gain: float = 1.0


class Options(DriverOptions):
    pin: int | str = Field(default=4, description="GPIO number (BCM).")
    edge: Edge = Edge.RISING
    count: int = Field(default=1, gt=0, description="How many.")
    link: Annotated[Bus | Serial, Field(discriminator="type")] | None = None
    channels: dict[str, Channel] = Field(default_factory=dict)
    steps: tuple[Channel, ...] = ()
    name: Annotated[str, Field(pattern="^[a-z]+$", max_length=5)] = "a"
    flag: bool = False
    pass_phrase: str = "x"
    code: SecretStr = SecretStr("")
    both: Channel | list[int] = Channel()

    @field_validator("name")
    @classmethod
    def _not_zzz(cls, value: str) -> str:
        if value == "zzz":
            raise ValueError("zzz is asleep. Write another name")
        return value

    @field_validator("pass_phrase", "code")
    @classmethod
    def _careless(cls, value: Any) -> Any:
        if "hunter2" in str(getattr(value, "get_secret_value", lambda: value)()):
            raise ValueError("hunter2 is a bad choice")
        return value

    @model_validator(mode="after")
    def _together(self) -> "Options":
        if self.flag and self.count > 1:
            raise ValueError("flag and count do not go together. Remove one of them")
        return self


def say(**options: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(options)
    return option_problems(Path("/etc/jidget.toml"), "things.pump.options", caught.value, Options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"count": "2x"},
            'count = "2x": not a whole number. Write it without quotes or point, such as 5. count: How many.',
        ),
        ({"count": 0}, "count = 0: too small. Write more than 0. count: How many."),
        (
            {"pin": [4]},
            "pin = [4]: not a whole number. Write it without quotes or point, such as 5. Or: not a text. "
            'Write it in quotes: "…". pin: GPIO number (BCM).',
        ),
        (
            {"edge": "risng"},
            'edge = "risng": not one of the choices. Write "rising" or "falling". Did you mean "rising"?',
        ),
        ({"edgee": "rising"}, 'edgee = "rising": unknown key. Did you mean "edge"?'),
        ({"name": "Pump"}, 'name = "Pump": not of the form ^[a-z]+$. Write it so'),
        ({"name": "pumpen"}, 'name = "pumpen": too long. Write at most 5 characters'),
        ({"name": "zzz"}, 'name = "zzz": zzz is asleep. Write another name'),
        ({"flag": 3}, "flag = 3: neither true nor false. Write one of them, without quotes"),
        ({"link": {"type": "i2c"}}, "link.address: missing. Write address = …"),
        ({"link": {"type": "i2c", "address": 3}}, "link.address = 3: too small. Write 8 or more"),
        ({"link": {"type": "serial", "port": 3}}, 'link.port = 3: not a path. Write it in quotes: "…"'),
        (
            {"link": {"type": "i2c", "address": 9, "port": "x"}},
            'link.port = "x": unknown key. Known keys: type, address',
        ),
        (
            {"channels": {"a": {"gain": "x"}}},
            'channels.a.gain = "x": not a number. Write it without quotes, such as 0.5',
        ),
        ({"channels": {"a": {"gian": 1}}}, 'channels.a.gian = 1: unknown key. Did you mean "gain"?'),
        (
            {"steps": [{}, {"gain": "x"}]},
            'steps[1].gain = "x": not a number. Write it without quotes, such as 0.5',
        ),
        ({"both": {"gain": "x"}}, 'both.gain = "x": not a number. Write it without quotes, such as 0.5'),
        ({"both": [1, "x"]}, 'both[1] = "x": not a whole number. Write it without quotes or point, such as 5'),
        ({"link": {}}, "link = {}: Unable to extract tag using discriminator 'type'"),
        ({"interval": "5s"}, 'interval = "5s": not an option of the driver. Move it to [things.pump]'),
        ({"pass_phrase": 3}, 'pass_phrase = ***: not a text. Write it in quotes: "…"'),
        ({"pass_phrase": "hunter2"}, "pass_phrase = ***: *** is a bad choice"),
        ({"code": ["hunter2"]}, 'code = ***: not a text. Write it in quotes: "…"'),
        ({"code": "hunter2"}, "code = ***: *** is a bad choice"),
        ({"api_key": "hunter2"}, "api_key = ***: unknown key."),
    ],
)
def test_message(options: dict[str, Any], message: str) -> None:
    (said,) = say(**options)
    assert said.startswith(f"/etc/jidget.toml: things.pump.options.{message}")
    assert "hunter2" not in said
    assert "\n" not in said


def test_what_only_the_whole_shows() -> None:
    assert say(flag=True, count=2) == [
        "/etc/jidget.toml: things.pump.options = {…}: flag and count do not go together. Remove one of them"
    ]


def test_all_at_once() -> None:
    assert len(say(count=0, edge="x", nme="y", channels={"a": {"gain": []}})) == 4


def test_a_driver_without_options() -> None:
    class Nothing(DriverOptions):
        """Nothing to set."""

    with pytest.raises(ValidationError) as caught:
        Nothing.model_validate({"pin": 3})
    assert option_problems(Path("/etc/jidget.toml"), "things.a.options", caught.value, Nothing) == [
        "/etc/jidget.toml: things.a.options.pin = 3: unknown key. Remove it: there is nothing to set here"
    ]
