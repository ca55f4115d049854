"""What happened to an output although nobody asked for it just now, told to those it concerns (DESIGN 4.4, Safety).

Everybody who follows readings sees the new value anyway. A message goes to whoever had it on, and to the owners.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from jidget.commands.access import Access
from jidget.commands.interrupted import Messenger
from jidget.commands.sentences import say_when
from jidget.errors import LinkError
from jidget.safety.buttons import Press
from jidget.safety.changes import Forced
from jidget.safety.output import Output
from jidget.things.values import shorten, show_value

log = logging.getLogger(__name__)
audit = logging.getLogger("jidget.audit")

MOST_WAITING = 100
"""Messages that wait for a link; the log has all that happened."""
LONGEST = 500
"""Characters of a message: a driver may have much to say about why it failed."""
OLD = 60.0
"""Seconds after which a message says when it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """A message to one person: `id` is the same if it has to be said again."""

    jid: str
    thing_id: str
    discovered: bool
    text: str
    time: float
    id: str


class Notices:
    """Audits changes that nobody asked for just now, and tells of those that nobody expected."""

    def __init__(
        self,
        access: Access,
        messenger: Messenger,
        *,
        reachable: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take who may know what, who tells them, whether there is a link to do so, and the wall clock."""
        self._access = access
        self._messenger = messenger
        self._reachable = reachable
        self._now = now
        self._waiting: deque[_Notice] = deque()
        self._changed = asyncio.Event()

    def forced(self, output: Output, forced: Forced) -> None:
        """Take notice of a change that a rule wanted."""
        value = show_value(output.prop, forced.value)
        audit.info("safety: set %s %s -> done: %s", output.name, value, forced.why)
        if not forced.expected:
            self._tell(output, forced.by, f"{output.name} was set to {value}: {forced.why}")

    def stuck(self, output: Output, text: str) -> None:
        """Take notice that an output cannot be made safe, or can again."""
        audit.warning("safety: %s", text)
        self._tell(output, output.past.by, text)

    def pressed(self, press: Press) -> None:
        """Take notice of a button."""
        value = show_value(press.output.prop, press.value)
        outcome = "done" if not press.problem else "refused" if press.refused else "failed"
        audit.info("%s: set %s %s -> %s: %s", press.by, press.output.name, value, outcome, press.problem or "confirmed")

    def notify(self) -> None:
        """Say that there may be a link again."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Tell, until cancelled."""
        while True:
            self._changed.clear()
            while self._waiting and self._reachable():
                notice = self._waiting[0]
                if not await self._told(notice):
                    break
                if self._waiting and self._waiting[0] is notice:  # else it was dropped while it was told
                    self._waiting.popleft()
            await self._changed.wait()

    def _tell(self, output: Output, by: str, text: str) -> None:
        concerned = dict.fromkeys((by, *(jid for jid in self._access.listed if self._owns(jid))))
        for jid in concerned:
            if "@" not in jid:
                continue
            if len(self._waiting) >= MOST_WAITING:
                log.warning("more than %d messages about outputs wait for a link: the oldest is dropped", MOST_WAITING)
                self._waiting.popleft()
            notice = _Notice(
                jid=jid,
                thing_id=output.thing.id,
                discovered=output.thing.discovered,
                text=shorten(text, LONGEST),
                time=self._now(),
                id=f"safety-{secrets.token_hex(8)}",
            )
            self._waiting.append(notice)
        self._changed.set()

    def _owns(self, jid: str) -> bool:
        person = self._access.person(jid)
        return person is not None and person.is_owner

    async def _told(self, notice: _Notice) -> bool:
        """Tell one person, if they still may know; return whether that is settled."""
        person = self._access.person(notice.jid)
        if person is None or not person.may_read(notice.thing_id, discovered=notice.discovered):
            return True
        when = f" ({say_when(notice.time)})" if self._now() - notice.time > OLD else ""
        try:
            await self._messenger.tell(notice.jid, notice.text + when, notice.id)
        except LinkError as error:
            log.debug("%s is told later: %s", notice.jid, error)
            return False
        return True
