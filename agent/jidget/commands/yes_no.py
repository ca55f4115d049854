"""The words that answer a question: `yes CODE`, `no`. What they lead to is in `confirmation`."""

from typing import Annotated

from pydantic import StringConstraints

from jidget.commands.inquiry import NoArguments, Text
from jidget.commands.registry import Arguments, Command, Scope
from jidget.config.model import Role


class YesArguments(Arguments):
    """The code."""

    code: Annotated[Text, StringConstraints(min_length=1)]


class Yes(Command[YesArguments]):
    """`yes CODE`: do what was asked about."""

    name = "yes"
    title = ""
    role = Role.OPERATOR
    usage = "yes CODE"
    summary = "do what waits for this code; it was in the answer to your command"
    arguments = YesArguments
    chat_only = True

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is something that a code is asked for."""
        return super().offered_to(scope) and _asks(scope)

    def examples(self, _: Scope, /) -> tuple[str, ...]:
        """Return none: a code cannot be known beforehand."""
        return ()


class No(Command[NoArguments]):
    """`no`: do nothing of what was asked about."""

    name = "no"
    title = ""
    role = Role.OPERATOR
    usage = "no"
    summary = "cancel all of yours that waits for a code"
    arguments = NoArguments
    chat_only = True

    def offered_to(self, scope: Scope) -> bool:
        """Whether there is something that a code is asked for."""
        return super().offered_to(scope) and _asks(scope)


def _asks(scope: Scope) -> bool:
    return any(output.rules.confirm for output in scope.guard.outputs.values() if scope.may_act(output.thing))
