"""Signatures of actions: from a typed method to fields, and from what people write to its arguments."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, SecretStr
from tests.support.fakes import Board, thing

from jidget.commands.signature import MASK, Signature, Signatures, signature_of
from jidget.things.values import BadValue
from jidget_drivers import Action, Duration, action


class Pace(StrEnum):
    SLOW = "slow"
    FAST = "fast"


DEFAULT = SecretStr("0000")


def signature(method: Callable[..., Awaitable[Any]]) -> Signature:
    return signature_of(Action(name="act", summary="Act.", method=method))


async def everything(  # noqa: PLR0917  # one of each kind
    number: Annotated[float, Field(ge=-1, le=2.5, description="A number")],
    above: Annotated[float, Field(gt=0)],
    whole: int,
    switch: bool,
    text: str,
    pace: Pace,
    again: Annotated[Pace, Field(description="Once more")] = Pace.FAST,
    choice: Literal["x", "Y"] = "x",
    perhaps: float | None = None,
    lasting: Duration = 60.0,
    short: Annotated[str, Field(max_length=3)] = "abc",
    secret: SecretStr = DEFAULT,
    *,
    late: bool = True,
) -> None: ...


PARAMETERS = {parameter.name: parameter for parameter in signature(everything).parameters}


@pytest.mark.parametrize(
    ("name", "says", "required", "default"),
    [
        ("number", "-1 to 2.5", True, ""),
        ("above", "a number from 0", True, ""),
        ("whole", "a whole number", True, ""),
        ("switch", "on or off", True, ""),
        ("text", "a text", True, ""),
        ("pace", "slow, fast", True, ""),
        ("again", "slow, fast", False, "fast"),
        ("choice", "x, Y", False, "x"),
        ("perhaps", "a number", False, ""),
        ("lasting", "a text", False, "1m"),
        ("short", "a text", False, "abc"),
        ("late", "on or off", False, "on"),
    ],
)
def test_parameters_are_described(name: str, says: str, required: bool, default: str) -> None:
    parameter = PARAMETERS[name]
    assert (parameter.range, parameter.required, parameter.default) == (says, required, default)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("number", "2,5", 2.5),
        ("number", " -1 ", -1.0),
        ("number", "\N{MINUS SIGN}0.5", -0.5),
        ("whole", "12", 12),
        ("switch", "ON", True),
        ("switch", "no", False),
        ("switch", "1", True),
        ("text", " as it is ", " as it is "),
        ("pace", "Fast", Pace.FAST),
        ("choice", "y", "Y"),
        ("perhaps", "1,5", 1.5),
        ("lasting", "5m", 300.0),
        ("secret", "hunter2", SecretStr("hunter2")),
    ],
)
def test_what_people_write_is_understood(name: str, text: str, value: object) -> None:
    parsed = PARAMETERS[name].parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("number", "3", 'number takes -1 to 2.5, not "3"'),
        ("number", "warm", 'number takes -1 to 2.5, not "warm"'),
        ("number", "nan", "number takes -1 to 2.5"),
        ("perhaps", "inf", "perhaps takes a number"),
        ("above", "0", "above takes a number from 0"),
        ("whole", "1.5", "whole takes a whole number"),
        ("whole", "9" * 900, "whole takes a whole number"),
        ("switch", "maybe", 'switch takes on or off, not "maybe"'),
        ("pace", "warp", 'pace takes slow, fast, not "warp"'),
        ("lasting", "for ever", "is not a duration"),
        ("short", "abcd", "at most 3 characters"),
        ("text", "x" * 1025, "at most 1024 characters"),
        ("text", "a\x00b", "no control characters"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, text: str, says: str) -> None:
    with pytest.raises(BadValue) as caught:
        PARAMETERS[name].parse(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_wrong_secret_is_not_repeated() -> None:
    async def unlock(code: Annotated[SecretStr, Field(max_length=4)]) -> None: ...

    (code,) = signature(unlock).parameters
    assert code.secret
    with pytest.raises(BadValue) as caught:
        code.parse("hunter2")
    assert "hunter2" not in str(caught.value)


def test_arguments_are_checked_together_and_secrets_masked() -> None:
    async def act(a: int, b: int = 2, code: SecretStr = DEFAULT) -> None: ...

    signed = signature(act)
    assert signed.usage == "act a=… [b=…] [code=…]"
    assert signed.check({"a": "1"}) == {"a": 1}
    assert signed.masked({"a": "1", "code": "hunter2"}) == {"a": "1", "code": MASK}
    for arguments, says in (
        ({}, "a is missing: a whole number. Write a=…"),
        ({"a": "1", "d": "1"}, 'act has no argument "d". It takes: a, b, code'),
        ({"a": "1", "coed": "1"}, 'Did you mean "code"?'),
        ({"a": "x"}, 'a takes a whole number, not "x"'),
    ):
        with pytest.raises(BadValue) as caught:
            signed.check(arguments)
        assert says in str(caught.value)


class Odd(Board):
    def __init__(self) -> None:
        super().__init__((), {})

    @action
    async def fine(self, untyped="x") -> None:  # type: ignore[no-untyped-def]  # as an author may write it
        """Do it."""

    @action
    async def several(self, *many: int) -> None:
        """Do it."""

    @action
    async def any_more(self, **more: int) -> None:
        """Do it."""

    @action
    async def by_place(self, first: int, /) -> None:
        """Do it."""

    @action
    async def by_field(self, first: int = Field(default=1, ge=0)) -> None:
        """Do it."""

    @action
    async def unknown_type(self, first: "NoSuchType") -> None:  # type: ignore[name-defined]  # noqa: F821
        """Do it."""

    @action
    async def no_schema(self, first: Callable[[], None]) -> None:
        """Do it."""


def test_an_action_that_people_cannot_invoke_is_left_out_and_that_said_once(caplog: pytest.LogCaptureFixture) -> None:
    one, signatures = thing("odd", Odd()), Signatures()
    assert list(signatures.of(one)) == ["fine"]
    assert list(signatures.of(one)) == ["fine"]
    assert sorted(record.message.split(" cannot")[0] for record in caplog.records) == [
        f"odd: its action {name}"
        for name in ("any_more", "by_field", "by_place", "no_schema", "several", "unknown_type")
    ]
