"""The audit: one line for every attempt to act, by whom, how, and what came of it."""

import asyncio
import logging

from jidget.commands.model import Request, Result
from jidget.things.values import shorten

log = logging.getLogger("jidget.audit")

LONGEST = 300
"""Characters of each part."""


def audit(request: Request, what: str, result: Result) -> None:
    """Tell of one attempt: who (full JID), face, what, outcome. Secrets are masked before they come here.

    The line is written when the event loop turns next: by then whoever asked has been sent the answer.
    """
    asyncio.get_running_loop().call_soon(
        log.info,
        "%s by %s: %s -> %s: %s",
        shorten(request.asker, LONGEST),
        request.face.value,
        shorten(what, LONGEST),
        result.outcome.value,
        shorten(result.record, LONGEST),
    )
