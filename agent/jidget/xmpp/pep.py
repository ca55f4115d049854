"""Our two PEP nodes (XEP-0163): the stream of readings and the state; made, checked, published to (DESIGN 4.3).

A node is created with its configuration and read back; each publish says again what matters most of it, and is refused
if that changed. Both servers' differences are in the tests.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from jidget.errors import LinkError, PublishRefused, StanzaError
from jidget.reading import Batch, Reading
from jidget.xmpp.link import Link
from jidget.xmpp.payload import write_current, write_nodes, write_resp
from jidget.xmpp.xml import (
    DATA,
    DISCO_INFO,
    DISCO_ITEMS,
    NODE_CONFIG,
    PUBSUB,
    PUBSUB_OWNER,
    SENSOR_DATA,
    SENSOR_DATA_NOW,
    element,
    escape,
    serialise,
    text_of,
)

log = logging.getLogger(__name__)

NOW_ITEMS = 64
LOOK_AGAIN = 600.0
"""Seconds after which the settings of the nodes are looked at again, when the current values are written."""
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"
# What the server says of one item, not of the node: offering other items goes on.
_ITEM_REFUSED = frozenset(("bad-request", "not-acceptable", "policy-violation"))


class NoPep(PublishRefused):
    """The server has no PEP, or none for us: readings stay here, commands work."""


class Pep:
    """Publishes readings for one account. It is the agent's `Uplink`.

    Attributes:
        problem: why nothing is published, for people; empty while all is well or not known yet.
    """

    def __init__(self, link: Link, *, whitelist: Callable[[], Sequence[str]] | None = None) -> None:
        """`whitelist` returns who may see the nodes on somebody's personal account; None: access by presence."""
        self._link = link
        self._whitelist = whitelist
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._opened = False
        self._gap: asyncio.Future[None] | None = None
        self._state: frozenset[str] = frozenset()
        self._look_again = 0.0
        self._kept: dict[str, frozenset[str]] = {}
        access = "presence" if whitelist is None else "whitelist"
        self._settings = {
            SENSOR_DATA: {"persist_items": "0", "access_model": access},
            SENSOR_DATA_NOW: {"persist_items": "1", "max_items": str(NOW_ITEMS), "access_model": access},
        }
        self._preconditions = {node: _preconditions(settings) for node, settings in self._settings.items()}
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
        await self._publish(SENSOR_DATA, batch.id, write_resp(batch.id, nodes))

    async def publish_now(self, values: Sequence[Reading]) -> None:
        """Replace the current values; see `jidget.ports.Uplink`."""
        there = await self._state_items()
        written: set[str] = set()
        for number, nodes in enumerate(write_current(values, self._link.login.resource), start=1):
            item = f"{self._link.login.resource}/{number}"
            await self._publish(SENSOR_DATA_NOW, item, write_resp(item, nodes))
            written.add(item)
        for item in sorted(there - written):  # of when there was more to tell, perhaps in an earlier life
            await self._retract(item)
        self._state = frozenset(written)

    async def _state_items(self) -> frozenset[str]:
        """Return the ids of the state items that are ours, after checking that the nodes are still as we made them.

        A node that the account's owner deletes is made again by our next publish, with the settings we send along but
        room for one item only and an empty whitelist. That shows here, at the latest when their settings are looked at.
        """
        try:
            query = element(f"{{{DISCO_ITEMS}}}query", {"node": SENSOR_DATA_NOW})
            reply = await self._link.request("get", query, to=self._link.login.jid)
            for node, settings in self._settings.items():
                if self._whitelist is not None:
                    await self._admit(node, self._whitelist())
                if asyncio.get_running_loop().time() >= self._look_again:
                    wrong = await self._wrong(node, settings)
                    if wrong.keys() != self._kept.get(node, frozenset()):
                        raise self._doubt(node, "it was configured otherwise")
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
        publish = (
            f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{escape(item)}'>"
            f"{payload}</item></publish>{self._preconditions[node]}</pubsub>"
        )
        try:
            await self._link.request_text("set", publish, timeout=None)  # liveness sees to it that there is a server
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
            await self._require_pep()
            for node, settings in self._settings.items():
                await self._provision(node, settings)
                if self._whitelist is not None:
                    await self._admit(node, self._whitelist())
        except StanzaError as error:
            self.problem = f"the server refuses our PEP nodes ({error})"
            raise NoPep(self.problem) from error
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

    async def _require_pep(self) -> None:
        reply = await self._link.request("get", element(f"{{{DISCO_INFO}}}query"), to=self._link.login.jid)
        identities = [(i.get("category"), i.get("type")) for i in reply.iter(f"{{{DISCO_INFO}}}identity")]
        if ("pubsub", "pep") not in identities:
            raise NoPep(
                "the server has no PEP (XEP-0163): readings are kept here and commands work. "
                "Enable mod_pep (Prosody) or mod_pubsub with the pep plugin (ejabberd)"
            )

    async def _provision(self, node: str, settings: dict[str, str]) -> None:
        create = element(
            f"{{{PUBSUB}}}pubsub",
            None,
            element(f"{{{PUBSUB}}}create", {"node": node}),
            element(f"{{{PUBSUB}}}configure", None, _submit(settings)),
        )
        try:
            await self._link.request("set", create)
        except StanzaError as error:
            if error.condition != "conflict":
                raise
        wrong = await self._wrong(node, settings)
        if wrong:
            change = element(
                f"{{{PUBSUB_OWNER}}}pubsub",
                None,
                element(f"{{{PUBSUB_OWNER}}}configure", {"node": node}, _submit(wrong)),
            )
            await self._link.request("set", change)
            wrong = await self._wrong(node, settings)
        if "access_model" in wrong:  # who may read is not negotiable
            raise NoPep(f"the server keeps another access model for {node} than {settings['access_model']}")
        if wrong and wrong.keys() != self._kept.get(node):
            log.warning("the server keeps %s otherwise than %s", node, wrong)
        self._kept[node] = frozenset(wrong)

    async def _wrong(self, node: str, settings: dict[str, str]) -> dict[str, str]:
        """Return those of the settings that a node has otherwise."""
        current = await configuration(self._link, node)
        return {name: value for name, value in settings.items() if not _same(current.get(name), value)}

    async def _admit(self, node: str, people: Sequence[str]) -> None:
        """Make the whitelist of a node exactly `people` (XEP-0060 8.9), and subscribe them.

        ejabberd notifies a whitelisted contact only if subscribed explicitly; Prosody needs no subscription.
        """
        query = element(f"{{{PUBSUB_OWNER}}}pubsub", None, element(f"{{{PUBSUB_OWNER}}}affiliations", {"node": node}))
        reply = await self._link.request("get", query)
        listed = {
            entry.get("jid", ""): entry.get("affiliation", "") for entry in reply.iter(f"{{{PUBSUB_OWNER}}}affiliation")
        }
        gone = [jid for jid, is_now in listed.items() if is_now == "member" and jid not in people]
        new = [jid for jid in people if listed.get(jid) != "member"]
        # Unsubscribed first: Prosody lets nobody off the whitelist whose subscription it could not end afterwards.
        await self._subscribe(node, dict.fromkeys(gone, "none"))
        changes = dict.fromkeys(gone, "none") | dict.fromkeys(new, "member")
        if changes:
            await self._own_list(node, "affiliations", "affiliation", "affiliation", changes)
        await self._subscribe(node, dict.fromkeys(new, "subscribed"))

    async def _subscribe(self, node: str, subscriptions: dict[str, str]) -> None:
        if not subscriptions:
            return
        try:
            await self._own_list(node, "subscriptions", "subscription", "subscription", subscriptions)
        except StanzaError as error:
            log.info("the server lets nobody be subscribed to %s by us (%s); +notify must do", node, error)

    async def _own_list(self, node: str, plural: str, tag: str, attribute: str, entries: dict[str, str]) -> None:
        listing = element(f"{{{PUBSUB_OWNER}}}{plural}", {"node": node})
        listing.extend(
            element(f"{{{PUBSUB_OWNER}}}{tag}", {"jid": jid, attribute: value}) for jid, value in entries.items()
        )
        await self._link.request("set", element(f"{{{PUBSUB_OWNER}}}pubsub", None, listing))


async def configuration(link: Link, node: str) -> dict[str, str]:
    """Return the configuration of one of our account's nodes (XEP-0060 8.2), names without `pubsub#`.

    Raises:
        StanzaError: there is no such node, or it is not ours.
        LinkError: the link was lost.
    """
    query = element(f"{{{PUBSUB_OWNER}}}pubsub", None, element(f"{{{PUBSUB_OWNER}}}configure", {"node": node}))
    reply = await link.request("get", query)
    return {
        field.get("var", "").removeprefix("pubsub#"): text_of(field, f"{{{DATA}}}value") or ""
        for field in reply.iter(f"{{{DATA}}}field")
    }


def _preconditions(settings: dict[str, str]) -> str:
    """Write the publish-options (XEP-0060 7.1.5) without which we do not publish: that the node is as we made it.

    So nothing goes to a node that its owner's other client has opened to the world or deleted: the server refuses, or
    makes a new one that is right in what matters. Only these two: ejabberd 23.01 knows no others.
    """
    checked = {name: settings[name] for name in ("persist_items", "access_model")}
    form = _submit(checked, PUBLISH_OPTIONS)
    return serialise(element(f"{{{PUBSUB}}}publish-options", None, form), PUBSUB)


def _submit(settings: dict[str, str], form_type: str = NODE_CONFIG) -> ET.Element:
    form = element(f"{{{DATA}}}x", {"type": "submit"})
    values = {"FORM_TYPE": form_type, **{f"pubsub#{name}": value for name, value in settings.items()}}
    for var, value in values.items():
        kind = "hidden" if var == "FORM_TYPE" else None
        form.append(element(f"{{{DATA}}}field", {"var": var, "type": kind}, element(f"{{{DATA}}}value", None, value)))
    return form


def _same(current: str | None, wanted: str) -> bool:
    spellings = {"true": "1", "false": "0"}
    return current is not None and spellings.get(current, current) == wanted
