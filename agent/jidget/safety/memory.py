"""What of an output outlives the process: kept as one fact of the store.

Spans of time are written as CLOCK_BOOTTIME (clock_gettime(2)) together with the boot they belong to: the wall clock of
a Pi lies, and after a reboot every deadline has passed.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from jidget.ports import Facts
from jidget_drivers import Scalar

_TIMES = ("on_since", "off_since", "until")
_VALUES = ("commanded", "before")
_SCALAR = (bool, int, float, str, type(None))

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boottime() -> float:
    """Return seconds of a clock that nobody sets and that also runs while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def this_boot() -> str:
    """Return what names this run of the machine (random(4), boot_id)."""
    return BOOT_ID.read_text("ascii").strip()


@dataclass(slots=True, kw_only=True)
class Remembered:
    """What is known of one output's past. Times in seconds of CLOCK_BOOTTIME.

    Attributes:
        commanded: what was last asked for; None before anything was.
        by: who asked, as a bare JID or as what the agent calls it.
        on_since: since when it has been on; None while it is off.
        off_since: since when it has been off; None if it has not been on.
        until: when a `for` ends; None without one.
        before: what a `for` returns to where there is no safe value.
    """

    commanded: Scalar | None = None
    by: str = ""
    on_since: float | None = None
    off_since: float | None = None
    until: float | None = None
    before: Scalar | None = None


class OutputMemory:
    """The outputs' past in the store. What cannot be written is written as soon as the file can be used again.

    That may be another file, where the first was damaged: then all is written that was ever kept.
    """

    def __init__(self, facts: Facts, boot: Callable[[], str] = this_boot) -> None:
        """Take the store, and what names this run of the machine."""
        self._facts = facts
        self._boot = boot()
        self._kept: dict[str, str] = {}
        self._in_file: set[str] = set()

    def load(self, output: str) -> tuple[Remembered, bool] | None:
        """Return what is known of an output and whether that is of this boot; None if nothing is."""
        text = self._kept.get(output) or self._facts.fact(_name(output))
        try:
            raw = json.loads(text or "null")
            known = {field.name: raw[field.name] for field in fields(Remembered) if field.name in raw}
            times = [known.get(name) for name in _TIMES]
            if not all(time is None or (type(time) in (int, float) and math.isfinite(time)) for time in times):
                return None
            if not (isinstance(known.get("by", ""), str) and all(isinstance(known.get(n), _SCALAR) for n in _VALUES)):
                return None
            return (Remembered(**known), raw.get("boot") == self._boot)
        except (ValueError, TypeError, AttributeError):  # of another version; nothing is known, so it goes to safe
            return None

    def keep(self, output: str, remembered: Remembered) -> None:
        """Have this outlive the process. A crash from now on does not lose it; a power cut ends the boot anyway."""
        text = json.dumps({"boot": self._boot, **asdict(remembered)})
        if output in self._in_file and self._kept[output] == text:
            return
        self._kept[output] = text
        self._write(output, text)

    def catch_up(self) -> None:
        """Write what the file may not have: it could not be used, or is another one now."""
        for output, text in list(self._kept.items()):
            if self._facts.fact(_name(output)) != text and not self._write(output, text):
                return

    def _write(self, output: str, text: str) -> bool:
        written = self._facts.keep_fact(_name(output), text)
        (self._in_file.add if written else self._in_file.discard)(output)
        return written


def _name(output: str) -> str:
    return f"output {output}"
