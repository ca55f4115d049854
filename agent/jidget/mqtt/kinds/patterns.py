"""Regular expressions that discovery payloads give for texts and codes. Strangers write them."""

import re

from jidget.mqtt.budget import Budget
from jidget.mqtt.regexes import Patterns
from jidget.mqtt.templates import TemplateFailed


def fits(pattern: str | None, text: str) -> bool:
    """Whether a text begins with what a pattern describes, as Home Assistant checks it.

    So does any text if there is no pattern, or none that can be tried in bounded time: the device refuses what it must.
    """
    if pattern is None:
        return True
    budget = Budget()
    budget.renew()
    try:
        return Patterns(budget).match(text, pattern)
    except (TemplateFailed, re.error, ValueError, OverflowError, RecursionError):
        return True
