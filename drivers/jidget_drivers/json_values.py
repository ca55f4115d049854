"""Documents of JSON (RFC 8259) that somebody else wrote, and what is at a path in them. Pure."""

import json
import re
from collections.abc import Sequence
from typing import NoReturn

_INDEX = re.compile("[0-9]{1,9}")


class NotThere(LookupError):
    """A path leads nowhere.

    Attributes:
        step: the first step that is not there.
        instead: what it was looked for in.
    """

    def __init__(self, step: str, instead: object) -> None:
        super().__init__(step)
        self.step = step
        self.instead = instead


def parse_json(text: str) -> object:
    """Return the document in `text`.

    Raises:
        ValueError: it is no JSON, or nested too deeply; also for NaN and Infinity, which are none though Python takes
            them (RFC 8259, 6).
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def look_up(document: object, path: Sequence[str]) -> object:
    """Return what is at `path`: keys of objects, and indices of arrays from 0.

    Raises:
        NotThere: nothing is; null is something.
    """
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and _INDEX.fullmatch(step) and int(step) < len(document):
            document = document[int(step)]
        else:
            raise NotThere(step, document)
    return document
