"""Errors of ours out of the groups in which tasks report them."""

from jidget.cli.failures import our_errors
from jidget.errors import LinkError, LoginRefused

refused, lost = LoginRefused("refused"), LinkError("lost")


def test_an_error_by_itself() -> None:
    assert our_errors(refused) == [refused]
    assert our_errors(ZeroDivisionError()) == []


def test_groups_in_groups_keep_their_order_and_repeat_nothing() -> None:
    inner = ExceptionGroup("inner", [refused, lost])
    assert our_errors(ExceptionGroup("outer", [inner, LinkError("lost")])) == [refused, lost]


def test_any_other_error_is_a_bug_that_must_be_seen() -> None:
    assert our_errors(ExceptionGroup("outer", [refused, ZeroDivisionError()])) == []
    assert our_errors(BaseExceptionGroup("outer", [refused, KeyboardInterrupt()])) == []
