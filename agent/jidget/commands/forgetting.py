"""`forget THING`: have the broker forget a device that is gone for good; its announcement would stay for ever."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import StringConstraints

from jidget.commands.inquiry import Text
from jidget.commands.model import Outcome, Reason, Refusal, Result
from jidget.commands.registry import Actuation, Arguments, Plan, Scope
from jidget.config.model import Role
from jidget_drivers import DeviceUnavailable, WriteRefused

Forgetter = Callable[[str], Awaitable[int]]
"""Clears what announces a Thing, and returns on how many topics; raises as `Thing.write` does."""


class ForgetArguments(Arguments):
    """A Thing."""

    target: Annotated[Text, StringConstraints(min_length=1)]


class Forget(Actuation[ForgetArguments]):
    """`forget THING`: always confirmed. A device that is not gone announces itself again."""

    name = "forget"
    title = "8 Forget a device"
    role = Role.OWNER
    usage = "forget THING"
    summary = "have the broker forget a discovered device that is gone for good"
    arguments = ForgetArguments

    def __init__(self, forget: Forgetter) -> None:
        """Take what clears the announcements."""
        self._forget = forget

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is a discovered device."""
        return super().offered_to(scope) and any(thing.forgettable for thing in scope.things())

    def plan(self, scope: Scope, arguments: ForgetArguments, /) -> Plan:
        """Find the device."""
        thing, prop = scope.to_set(arguments.target)
        if prop is not None:
            raise Refusal(Reason.BAD_VALUE, f"only a whole Thing can be forgotten. Write: forget {thing.id}")
        if not thing.forgettable:
            text = f"{thing.id} is in the configuration, not discovered: remove [things.{thing.id}] there"
            raise Refusal(Reason.NOT_ACCEPTABLE, text)

        async def drive(check: Callable[[], None]) -> Result:
            check()
            try:
                count = await self._forget(thing.id)
            except (DeviceUnavailable, WriteRefused) as error:
                raise Refusal(Reason.UNAVAILABLE, str(error)) from None
            except TimeoutError as error:
                return Result(outcome=Outcome.UNCONFIRMED, note=f"{thing.id}: {error}")
            topics = "one topic" if count == 1 else f"{count} topics"
            note = f"{thing.id} is forgotten: the broker keeps nothing of it any more on {topics}"
            return Result(outcome=Outcome.DONE, note=note)

        return Plan(
            things=(thing,),
            command=self.name,
            target=thing.id,
            arguments={},
            outputs=(),
            drive=drive,
            confirm=True,
        )
