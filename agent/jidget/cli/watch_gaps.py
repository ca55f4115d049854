"""How `jidget watch` fills its gaps: it asks the agent for batches that did not arrive, and says what nobody has."""

import asyncio
from collections.abc import Callable, Sequence

from jidget.cli.watch_display import Display
from jidget.errors import LinkError, StanzaError
from jidget.supervise import Backoff
from jidget.xmpp.progress import OPEN_END, Gap, Progress, Want
from jidget.xmpp.recall import Recall, Repeated
from jidget.xmpp.stream_reader import Delivery, StreamReader

PATIENCE = 3.0
"""Seconds that readings wait for those that were published before them."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds between attempts to ask an agent that does not answer."""
_LATER = frozenset(
    (
        "internal-server-error",
        "recipient-unavailable",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
    )
)
"""What is said by who may answer another time; and, by servers of who is not there, `service-unavailable`."""


class Gaps:
    """Fills the gaps of one agent's stream, oldest first."""

    def __init__(
        self,
        recall: Recall,
        reader: StreamReader,
        display: Display,
        *,
        is_there: Callable[[], bool],
        on_change: Callable[[], None],
        resumes: bool,
    ) -> None:
        """Take the rooms it works with.

        Args:
            recall: asks the agent.
            reader: knows what arrived.
            display: shows it.
            is_there: whether the agent is known to be there.
            on_change: called after something was shown, or was found to be lost.
            resumes: whether what was missed while nobody watched is shown before all else, however long that takes.
        """
        self._recall = recall
        self._reader = reader
        self._display = display
        self._is_there = is_there
        self._on_change = on_change
        self._resumes = resumes
        self._begun = resumes
        self._patient = True
        self._wake = asyncio.Event()
        self._rests = asyncio.Event()
        self._pages = 0

    @property
    def _progress(self) -> Progress:
        return self._reader.progress

    def look(self) -> None:
        """Ask the agent what there is that did not arrive: it or we were away."""
        self._progress.doubt()
        self._start()

    def hear(self, delivery: Delivery) -> None:
        """Note that there is such a batch, which has a number: those before it are missing if they are not there."""
        closed = self._progress.hear(delivery.gen, delivery.seq)
        if closed:
            self._lose(closed)

    async def before_others(self) -> None:
        """Wait until what is missing is shown or cannot be had, but not for long: the present is of interest, too."""
        if self._progress.wanted() is None:
            return
        if self._patient:
            self._start()
            while True:
                pages = self._pages
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._rests.wait()
                except TimeoutError:
                    if self._resumes and self._pages > pages:
                        continue
                break
        self._patient = self._progress.wanted() is None

    def _start(self) -> None:
        self._rests.clear()
        self._wake.set()

    async def run(self) -> None:
        """Ask whenever there is something to ask for, until cancelled."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        pause: float | None = None
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass  # it is time to try again
            self._wake.clear()
            if await self._fill():
                backoff.reset()
                pause, self._resumes, self._patient = None, False, True
            else:
                pause = backoff.next()
            if not self._wake.is_set():
                self._rests.set()

    async def _fill(self) -> bool:
        """Ask for all that is missing; return whether that was answered, if only with a refusal."""
        try:
            if not self._begun:
                await self._begin()
            while not self._display.enough.is_set() and (want := self._progress.wanted()) is not None:
                await self._ask(want)
        except LinkError:
            return False
        except StanzaError as error:
            if error.condition in _LATER or (error.condition == "service-unavailable" and not self._is_there()):
                return False
            self._begun = True
            self._lose(self._progress.give_up())
        return True

    async def _begin(self) -> None:
        """Find out which batch is the last one before us: all after it is for us, whether it arrives or not."""
        extent = await self._recall.extent()
        self._begun = True
        if not self._progress.newest:
            self._progress.begin(extent.gen, extent.last)
            self._on_change()

    async def _ask(self, want: Want) -> None:
        answer = await self._recall.batches(want.gen, want.first, want.last)
        extent = answer.extent
        if extent.gen != want.gen:
            await self._bridge(want.gen, extent.gen)
            return
        if not self._show(want, answer) or answer.more:
            return
        end = extent.last if want.last == OPEN_END else want.last
        self._lose(self._progress.settle(want.gen, want.first, end))
        if want.last == OPEN_END:
            self._lose(self._progress.complete(want.gen, extent.following))

    def _show(self, want: Want, answer: Repeated) -> bool:
        """Show what was answered; return whether all of it was shown."""
        first = want.first
        for delivery in answer.deliveries:
            self._lose(self._progress.settle(want.gen, first, delivery.seq - 1))
            first = delivery.seq + 1
            if not self._progress.has(delivery.gen, delivery.seq) and not self.show(delivery):
                return False
        self._pages += 1
        return True

    def show(self, delivery: Delivery) -> bool:
        """Show a batch and note that; return whether it is shown in full."""
        leads = self._progress.leads(delivery.gen, delivery.seq)
        shown = self._display.show(delivery.fields, delivery.id, leads=leads)
        if shown:
            self._lose(self._reader.note(delivery))
        return shown

    def _lose(self, gaps: Sequence[Gap]) -> None:
        self._display.show_gaps(gaps)
        self._on_change()

    async def _bridge(self, gone: str, present: str) -> None:
        """Show by time what there is between a generation that the agent no longer knows and the present one."""
        since, until = self._display.reached, None
        if since is not None:
            first = await self._recall.batches(present, 1, OPEN_END)
            began = min((field.time for delivery in first.deliveries[:1] for field in delivery.fields), default=since)
            until = began - 1 if began > since else None
        while since is not None:
            page = await self._recall.history(since, until)
            if not self._display.show(self._display.unseen(page.fields)):
                return
            self._pages += 1
            since = page.following
        self._lose(self._progress.replaced(gone, present))
