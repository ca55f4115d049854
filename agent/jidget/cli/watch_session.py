"""How `jidget watch` stays connected, and what it says to a person about that and about the agent's absence."""

import asyncio
import sys
from collections.abc import Callable

from slixmpp import JID

from jidget.cli.terminal import Painter
from jidget.errors import JidgetError, LinkError, StanzaError
from jidget.supervise import Backoff
from jidget.xmpp.client import PRESENCE_WAIT, Client
from jidget.xmpp.payload import Field, read_fields
from jidget.xmpp.xml import SENSOR_DATA_NOW

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between attempts to connect again."""
SETTLE = 3.0
"""Seconds after which a server that we just logged in to surely sends us what is published."""
_NOT_OURS = frozenset(("forbidden", "not-authorized", "not-allowed", "service-unavailable"))
"""What servers say to who may not see a node; the last one also where there is no such account."""
_EMPTY = frozenset(("item-not-found", "feature-not-implemented"))


class Remarks:
    """Sentences about the readings, for a person, on stderr."""

    def __init__(self) -> None:
        self._paint = Painter(sys.stderr)

    def say(self, text: str) -> None:
        """Say something."""
        print(self._paint.warn(text), file=sys.stderr, flush=True)


class Session:
    """Keeps a client connected to follow its agent, from its first login on.

    Attributes:
        connected: set once the first login was done and there is nothing more to wait for.
        trouble: why there is no link now; empty while there is one.
    """

    def __init__(
        self,
        client: Client,
        remarks: Remarks,
        *,
        on_there: Callable[[], None],
        show_now: Callable[[list[Field]], None] | None,
    ) -> None:
        """Take whom to tell that the agent is there and may have published something, and where current values go."""
        self.connected = asyncio.Event()
        self.trouble = ""
        self._client = client
        self._agent: JID = client.agent
        self._remarks = remarks
        self._on_there = on_there
        self._show_now = show_now
        self._known_away = False
        self._patience = PRESENCE_WAIT
        client.on_presence = self._on_presence
        client.link.tell_gaps(self._on_gap)

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises:
            JidgetError: the first login failed, or a later one was refused.
        """
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with self._client.online() as lost:
                    error = await self._until_lost(lost)
            except LinkError as failed:
                error = failed
            if not (self.connected.is_set() and isinstance(error, LinkError)):
                raise error
            self._on_gap(error)
            if loop.time() - began > LONGEST_PAUSE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _until_lost(self, lost: "asyncio.Future[JidgetError]") -> JidgetError:
        """Do what is to be done after a login; return why the link was lost."""
        arriving = asyncio.create_task(self._arrive(), name="arriving")
        try:
            await asyncio.wait((arriving, lost), return_when=asyncio.FIRST_COMPLETED)
            if arriving.done():
                arriving.result()
                await asyncio.wait((lost,))
            return lost.result()
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)

    async def _arrive(self) -> None:
        self._patience = PRESENCE_WAIT
        try:
            await self._client.befriend()
            if self._show_now is not None and not self.connected.is_set():
                self._show_now(await self._current())
        except StanzaError as error:
            raise LinkError(f"{self._agent.bare} cannot be asked: {error}") from error
        self._on_gap(None)
        self.connected.set()
        if await self._appears():
            self._known_away = False
            self._on_there()
            await asyncio.sleep(SETTLE)  # what is published in between, it may not send us
            self._on_there()
        elif not self._known_away:
            self._known_away = True
            await self._explain_absence()

    def _on_gap(self, error: JidgetError | None) -> None:
        """Say once that there is no connection, and once that there is one again."""
        if error is not None and not self.trouble:
            self._remarks.say(f"{error}. Trying again")
        elif error is None and self.trouble:
            self._remarks.say("connected again")
            if self._client.agent_is_there:
                self._on_there()
        self.trouble = "" if error is None else str(error)

    async def _current(self) -> list[Field]:
        """Return the current values that the agent keeps for late joiners."""
        try:
            items = await self._client.items(SENSOR_DATA_NOW)
        except StanzaError as error:
            if error.condition not in _NOT_OURS | _EMPTY:
                raise
            if error.condition in _EMPTY or not await self._appears():
                return []
            items = await self._client.items(SENSOR_DATA_NOW)  # we were let in this moment
        fields = (field for _, payload in items for field in read_fields(payload))
        return [field for field in fields if field.agent == self._agent.resource]

    async def _appears(self) -> bool:
        """Return whether the agent is there, after waiting for it once."""
        wait, self._patience = self._patience, 0.0
        return await self._client.appears(wait)

    async def _explain_absence(self) -> None:
        """Say why nothing comes, where the agent is not there for us; what then comes is shown as ever."""
        try:
            offline = await self._client.subscribed()
        except (LinkError, StanzaError):  # without a link `run` has something else to say
            return
        if offline:
            self._remarks.say(f"{self._agent} is offline; its readings come when it is back")
        else:
            me = self._client.link.login.jid
            self._remarks.say(
                f"{self._agent.bare} does not show {me} its readings: its owner has to put {me} on its access list. "
                "They come as soon as that is done"
            )

    def _on_presence(self, there: bool) -> None:
        if there is self._known_away:
            self._remarks.say(f"{self._agent} is {'there' if there else 'offline'}")
            if there:
                self._on_there()
        self._known_away = not there
