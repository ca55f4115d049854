"""Forgetting a device that was discovered: what is said when nobody knows whether the broker did."""

from types import SimpleNamespace
from typing import Any, cast

from jidget.commands.forgetting import Forget, ForgetArguments
from jidget.commands.model import Outcome
from jidget.commands.registry import Scope


async def test_what_the_broker_did_not_confirm_is_unconfirmed() -> None:
    async def forget(_: str) -> int:
        raise TimeoutError("the broker does not confirm it")

    ghost = SimpleNamespace(id="ghost", forgettable=True)
    scope = cast("Scope", SimpleNamespace(to_set=lambda _: (ghost, None)))
    plan: Any = Forget(forget).plan(scope, ForgetArguments(target="ghost"))
    result = await plan.drive(lambda: None)
    assert (result.outcome, result.note) == (Outcome.UNCONFIRMED, "ghost: the broker does not confirm it")
