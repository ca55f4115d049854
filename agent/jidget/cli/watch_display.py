"""What `jidget watch` shows on stdout: readings, each once, as lines or as JSON, and what is missing."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence

from jidget.cli.reading_lines import ReadingLines
from jidget.cli.terminal import Painter
from jidget.xmpp.payload import Field, write_time
from jidget.xmpp.progress import Gap

MOST_RECENT = 10_000
"""Readings remembered by key, to recognise one that comes again in another batch."""
MOST_NAMES = 10_000
Key = tuple[str, str, int]
"""Thing, property and time of a reading: within one agent there is no other one with the same (DESIGN 4.3)."""


class Display:
    """Shows readings until that was enough.

    Attributes:
        enough: set when as many readings were shown as were wanted.
        left: how many are still wanted; None for all.
        readings: the time of each property's last reading, by Thing and property (UTC milliseconds).
        reached: the time up to which was shown what was published (UTC milliseconds); None at the beginning.
        unfinished: what was shown of a batch that was not shown in full, as that was enough.
    """

    def __init__(self, jid: str, *, as_json: bool, count: int | None) -> None:
        """`jid` is the agent's bare JID."""
        self.enough = asyncio.Event()
        self.left = count
        self.readings: dict[str, dict[str, int]] = {}
        self.reached: int | None = None
        self.unfinished: list[Key] = []
        self._jid = jid
        self._as_json = as_json
        self._paint = Painter(sys.stdout)
        self._lines = ReadingLines(self._paint)
        self._recent: dict[Key, None] = {}
        self._names = 0

    def restore(
        self, reached: int | None, readings: Mapping[str, Mapping[str, int]], unfinished: Iterable[Key]
    ) -> None:
        """Go on where an earlier run left off."""
        self.reached = reached
        self.readings = {thing: dict(times) for thing, times in readings.items()}
        self._names = sum(map(len, self.readings.values()))
        self.unfinished = list(unfinished)
        self._recent = dict.fromkeys(self.unfinished)

    def show(self, fields: Sequence[Field], seq: str | None = None, *, leads: bool = True) -> bool:
        """Show readings; return whether that was all of them: it is not, where only so many are wanted.

        `seq` names their batch where that is known; `leads` says that they are the latest that were published.
        """
        self._lines.widen(fields)
        for field in fields:
            if key_of(field) in self._recent:
                continue
            if self.enough.is_set():
                self.unfinished += [key_of(field) for field in fields if key_of(field) in self._recent]
                return False
            print(self._record(field, seq) if self._as_json else self._lines.line(field), flush=True)
            self._note(field, leads=leads)
            if self.left is not None:
                self.left -= 1
                if not self.left:
                    self.enough.set()
        if leads and fields:
            self.reached = max(field.time for field in fields)
        if self.unfinished:
            whole = {key_of(field) for field in fields}
            self.unfinished = [key for key in self.unfinished if key not in whole]
        return True

    def show_now(self, fields: Sequence[Field]) -> None:
        """Show current values."""
        self._lines.widen(fields)
        for field in fields:
            print(self._lines.line(field, "now"), flush=True)
            self._note(field, leads=True)  # a server may bring the last of them once more

    def show_gaps(self, gaps: Iterable[Gap]) -> None:
        """Say which batches are missing."""
        for gap in gaps:
            if self._as_json:
                print(json.dumps({"event": "gap", "from": gap.first, "to": gap.last}), flush=True)
            else:
                one = gap.first == gap.last
                which = f"batch {gap.first} is" if one else f"batches {gap.first} to {gap.last} are"
                print(self._paint.warn(f"{which} missing"), flush=True)

    def unseen(self, fields: Iterable[Field]) -> list[Field]:
        """Return the readings that are newer than the last one shown of their property."""
        return [field for field in fields if field.time > self._last_of(field, otherwise=field.time - 1)]

    def _last_of(self, field: Field, *, otherwise: int) -> int:
        return self.readings.get(field.thing, {}).get(field.property, otherwise)

    def secure(self) -> None:
        """Have what was shown on the disk, where it goes into a file: no state may be ahead of it."""
        descriptor = sys.stdout.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)

    def _note(self, field: Field, *, leads: bool) -> None:
        key = key_of(field)
        self._recent[key] = None
        if len(self._recent) > MOST_RECENT:
            del self._recent[next(iter(self._recent))]
        if leads:
            times = self.readings.get(field.thing, {})
            if field.property not in times:
                if self._names >= MOST_NAMES:
                    return
                self._names += 1
            self.readings.setdefault(field.thing, times)[field.property] = field.time

    def _record(self, field: Field, seq: str | None) -> str:
        record = {
            "jid": self._jid,
            "agent": field.agent,
            "thing": field.thing,
            "property": field.property,
            "value": field.value,
            "unit": field.unit,
            "time": write_time(field.time),
            "flags": list(field.flags),
            "seq": seq,
        }
        return json.dumps(record, ensure_ascii=False)


def key_of(field: Field) -> Key:
    """Return by what a reading is recognised."""
    return field.thing, field.property, field.time
