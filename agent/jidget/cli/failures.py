"""What went wrong, out of the groups in which tasks report it."""

from collections.abc import Iterator

from jidget.errors import JidgetError


def our_errors(error: BaseException) -> list[JidgetError]:
    """Return the errors of ours that `error` is or holds, each text once; none if it holds any other error too."""
    errors = list(_leaves(error))
    ours = {str(leaf): leaf for leaf in reversed(errors) if isinstance(leaf, JidgetError)}
    return list(reversed(ours.values())) if all(isinstance(leaf, JidgetError) for leaf in errors) else []


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
