"""Publishing to our two PEP nodes (XEP-0163): the stream of readings and the state (DESIGN 4.3).

Each publish says again what matters most of the node's settings, and is refused if somebody changed that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from jidget.errors import LinkError, PublishRefused, StanzaError
from jidget.reading import Batch, Reading
from jidget.xmpp.link import Link
from jidget.xmpp.nodes import Nodes, NoPep
from jidget.xmpp.pace import Pace
from jidget.xmpp.payload import write_current, write_nodes, write_resp
from jidget.xmpp.xml import (
    DISCO_ITEMS,
    PUBSUB,
    SENSOR_DATA,
    SENSOR_DATA_NOW,
    element,
    escape,
)

log = logging.getLogger(__name__)

_AROUND = 100
"""Bytes of a stanza around what is published."""
LOOK_AGAIN = 600.0
"""Seconds after which the settings of the nodes are looked at again, when the current values are written."""
_ITEM, _RESP = f"{{{PUBSUB}}}item", f"{{{SENSOR_DATA}}}resp"
# What the server says of one item, not of the node: offering other items goes on.
_ITEM_REFUSED = frozenset(("bad-request", "not-acceptable", "policy-violation"))


class Pep:
    """Publishes readings for one account. It is the agent's `Uplink`.

    Attributes:
        problem: why nothing is published, for people; empty while all is well or not known yet.
    """

    def __init__(
        self,
        link: Link,
        *,
        whitelist: Callable[[], Sequence[str]] | None = None,
        extent: Callable[[], tuple[str, int] | None] = lambda: None,
    ) -> None:
        """Take the link and what is told besides readings.

        Args:
            link: our connection.
            whitelist: returns who may see the nodes on somebody's personal account; None: access by presence.
            extent: returns the present generation of batches and its last SEQ, of which the current values tell; None
                where there is no telling.
        """
        self._link = link
        self._extent = extent
        self._nodes = Nodes(link, whitelist)
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._opened = False
        self._gap: asyncio.Future[None] | None = None
        self._pace = Pace()
        self._state: frozenset[str] = frozenset()
        self._look_again = 0.0
        self.problem = ""

    # ---- the Uplink ---------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until the nodes are there."""
        await self._ready.wait()

    async def publish(self, batch: Batch) -> None:
        """Publish a batch as one item of the stream node; see `jidget.ports.Uplink`. In a gap it waits for its turn."""
        if self._gap is not None:
            await asyncio.shield(self._gap)
        nodes = write_nodes(batch.readings, self._link.login.resource, historical=batch.backlog)
        publish = self._item(SENSOR_DATA, batch.id, write_resp(batch.id, nodes))
        await self._published(SENSOR_DATA, self._in_turn(publish))

    async def _in_turn(self, publish: str) -> None:
        turn = self._pace.enter(
            len(publish) + _AROUND, lambda turn: self._link.ask("set", publish, on_answer=turn.leave)
        )
        try:
            await self._link.answer_to(await turn.sent(), timeout=None)
        finally:
            turn.leave()

    async def publish_now(self, values: Sequence[Reading]) -> None:
        """Replace the current values; see `jidget.ports.Uplink`."""
        there = await self._state_items()
        written: set[str] = set()
        for number, nodes in enumerate(write_current(values, self._link.login.resource), start=1):
            item = f"{self._link.login.resource}/{number}"
            await self._publish(SENSOR_DATA_NOW, item, write_resp(self._as_of(item), nodes))
            written.add(item)
        for item in sorted(there - written):  # of when there was more to tell, perhaps in an earlier life
            await self._retract(item)
        self._state = frozenset(written)

    def _as_of(self, item: str) -> str:
        """Return the id of the `<resp/>` in a state item: the last batch before it, by which the stream goes on."""
        extent = self._extent()
        return item if extent is None else "{}-{}".format(*extent)

    async def told(self) -> tuple[str, int] | None:
        """Return the generation and last SEQ that were told with our current values last, if they are there.

        Raises:
            LinkError: the link was lost.
        """
        item = element(_ITEM, {"id": f"{self._link.login.resource}/1"})
        items = element(f"{{{PUBSUB}}}items", {"node": SENSOR_DATA_NOW}, item)
        try:
            reply = await self._link.request("get", element(f"{{{PUBSUB}}}pubsub", None, items))
        except StanzaError:
            return None  # there is none
        for resp in reply.iter(_RESP):
            gen, _, last = resp.get("id", "").rpartition("-")
            if gen and last.isascii() and last.isdecimal():
                return gen, int(last)
        return None

    async def _state_items(self) -> frozenset[str]:
        """Return the ids of the state items that are ours, after checking that the nodes are still as we made them.

        A node that the account's owner deletes is made again by our next publish, with the settings we send along but
        room for one item only and an empty whitelist. That shows here, at the latest when their settings are looked at.
        """
        try:
            query = element(f"{{{DISCO_ITEMS}}}query", {"node": SENSOR_DATA_NOW})
            reply = await self._link.request("get", query, to=self._link.login.jid)
            await self._nodes.admit()
            if asyncio.get_running_loop().time() >= self._look_again:
                changed = await self._nodes.changed()
                if changed is not None:
                    raise self._doubt(changed, "it was configured otherwise")
            self._plan_to_look_again()
        except StanzaError as error:
            raise self._doubt(SENSOR_DATA_NOW, str(error)) from error
        prefix = f"{self._link.login.resource}/"
        names = (item.get("name", "") for item in reply.iter(f"{{{DISCO_ITEMS}}}item"))
        there = frozenset(name for name in names if name.startswith(prefix))
        if not self._state <= there:
            raise self._doubt(SENSOR_DATA_NOW, f"{', '.join(sorted(self._state - there))} is gone")
        return there

    async def _publish(self, node: str, item: str, payload: str) -> None:
        await self._published(node, self._link.request_text("set", self._item(node, item, payload), timeout=None))

    def _item(self, node: str, item: str, payload: str) -> str:
        return (
            f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{escape(item)}'>"
            f"{payload}</item></publish>{self._nodes.preconditions[node]}</pubsub>"
        )

    async def _published(self, node: str, answered: Awaitable[object]) -> None:
        """Wait for a publish's answer, without a limit: liveness sees to it that there is a server."""
        try:
            await answered
        except StanzaError as error:
            if error.condition in _ITEM_REFUSED or error.application in ("payload-too-big", "invalid-payload"):
                raise PublishRefused(error.application or str(error)) from error
            raise self._doubt(node, str(error)) from error
        except LinkError:
            if not self._link.in_session:
                self._ready.clear()  # the session is about to say so
            raise

    def _doubt(self, node: str, why: str) -> LinkError:
        """Have the nodes made anew before anything else is published."""
        self._ready.clear()
        self._gone.set()
        return LinkError(f"the node {node} is not as we made it: {why}")

    async def _retract(self, item: str) -> None:
        retract = element(
            f"{{{PUBSUB}}}pubsub",
            None,
            element(f"{{{PUBSUB}}}retract", {"node": SENSOR_DATA_NOW}, element(f"{{{PUBSUB}}}item", {"id": item})),
        )
        try:
            await self._link.request("set", retract)
        except StanzaError as error:
            if error.condition != "item-not-found":
                log.warning("the old state item %s cannot be retracted: %s", item, error)

    # ---- the nodes ----------------------------------------------------------------------------------------------

    def lost(self) -> None:
        """Note that the session is gone."""
        self._opened = False
        self._ready.clear()
        gap, self._gap = self._gap, None
        if gap is not None:
            gap.set_exception(LinkError("the link was lost before it was sent"))
            gap.exception()  # seen, if nobody waits

    def pause(self) -> None:
        """Note that the link is gone; the session may go on, and with it what was sent already."""
        self._ready.clear()
        if self._gap is None:
            self._gap = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        """Note that the link is back, that the nodes are as they were, and who missed something has current values."""
        if self._opened and not self._gone.is_set():
            self._ready.set()
        gap, self._gap = self._gap, None
        if gap is not None:
            gap.set_result(None)

    async def unready(self) -> None:
        """Wait until a publish finds the nodes not as we made them."""
        await self._gone.wait()

    async def provision(self) -> None:
        """Make both nodes as they should be.

        Raises:
            NoPep: the server cannot do it; `problem` says why.
            LinkError: the link was lost.
        """
        try:
            await self._nodes.provision()
        except NoPep as error:
            self.problem = str(error)
            raise
        self.problem = ""
        self._state = frozenset()
        self._plan_to_look_again()
        self._gone.clear()

    def open(self) -> None:
        """Let publishing begin, once the nodes are there and the current values are in."""
        self._opened = True
        if self._gap is None:  # else it opens when that ends
            self.go_on()

    def _plan_to_look_again(self) -> None:
        now = asyncio.get_running_loop().time()
        self._look_again = self._look_again if self._look_again > now else now + LOOK_AGAIN
