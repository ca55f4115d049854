"""Our two PEP nodes (XEP-0163): the stream of readings and the state; made, checked, published to (DESIGN 4.3).

ejabberd 23.01 refuses publish-options beyond two fields, and the publish with them, so a node is created with its
configuration and read back; both servers' differences are in the tests.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from jidget.errors import LinkError, PublishRefused, StanzaError
from jidget.reading import Batch, Reading
from jidget.xmpp.link import Link
from jidget.xmpp.payload import pack_nodes, write_nodes, write_resp
from jidget.xmpp.xml import (
    DATA,
    DISCO_INFO,
    NODE_CONFIG,
    PUBSUB,
    PUBSUB_OWNER,
    SENSOR_DATA,
    SENSOR_DATA_NOW,
    element,
    escape,
    text_of,
)

log = logging.getLogger(__name__)

NOW_ITEMS = 64
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
        self._now_items = 0
        self.problem = ""

    # ---- the Uplink ---------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until the nodes are there."""
        await self._ready.wait()

    async def publish(self, batch: Batch) -> None:
        """Publish a batch as one item of the stream node; see `jidget.ports.Uplink`."""
        nodes = write_nodes(batch.readings, self._link.login.resource, historical=batch.backlog)
        await self._publish(SENSOR_DATA, batch.id, write_resp(batch.id, nodes))

    async def publish_now(self, values: Sequence[Reading]) -> None:
        """Replace the current values; see `jidget.ports.Uplink`."""
        resource = self._link.login.resource
        packed = pack_nodes(write_nodes(values, resource, controls=True))
        for number, nodes in enumerate(packed, start=1):
            item = f"{resource}/{number}"
            await self._publish(SENSOR_DATA_NOW, item, write_resp(item, nodes))
        for number in range(len(packed) + 1, self._now_items + 1):
            await self._retract(f"{resource}/{number}")
        self._now_items = len(packed)

    async def _publish(self, node: str, item: str, payload: str) -> None:
        publish = (
            f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{escape(item)}'>"
            f"{payload}</item></publish></pubsub>"
        )
        try:
            await self._link.request_text("set", publish)
        except StanzaError as error:
            if error.condition in _ITEM_REFUSED or error.application in ("payload-too-big", "invalid-payload"):
                raise PublishRefused(str(error)) from error
            self._ready.clear()
            self._gone.set()
            raise LinkError(f"the node {node} is not as we made it ({error})") from error

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
        """Note that the link is gone."""
        self._ready.clear()

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
            access = "presence" if self._whitelist is None else "whitelist"
            for node, settings in (
                (SENSOR_DATA, {"persist_items": "0", "access_model": access}),
                (
                    SENSOR_DATA_NOW,
                    {"persist_items": "1", "max_items": str(NOW_ITEMS), "access_model": access},
                ),
            ):
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
        self._gone.clear()

    def open(self) -> None:
        """Let publishing begin, once the nodes are there and the current values are in."""
        if not self._gone.is_set():
            self._ready.set()

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
        current = await configuration(self._link, node)
        wrong = {name: value for name, value in settings.items() if not _same(current.get(name), value)}
        if wrong:
            change = element(
                f"{{{PUBSUB_OWNER}}}pubsub",
                None,
                element(f"{{{PUBSUB_OWNER}}}configure", {"node": node}, _submit(wrong)),
            )
            await self._link.request("set", change)
            current = await configuration(self._link, node)
            wrong = {name: value for name, value in settings.items() if not _same(current.get(name), value)}
        for name in wrong:
            if name == "access_model":  # who may read is not negotiable
                raise NoPep(f"the server keeps {node} at access model {current.get(name)!r}: not published there")
            log.warning("the server keeps %s of %s at %r", name, node, current.get(name))

    async def _admit(self, node: str, people: Sequence[str]) -> None:
        """Make the whitelist of a node exactly `people` (XEP-0060 8.9), and subscribe them.

        ejabberd notifies a whitelisted contact only if subscribed explicitly; Prosody needs no subscription.
        """
        query = element(f"{{{PUBSUB_OWNER}}}pubsub", None, element(f"{{{PUBSUB_OWNER}}}affiliations", {"node": node}))
        reply = await self._link.request("get", query)
        listed = {
            entry.get("jid", ""): entry.get("affiliation", "") for entry in reply.iter(f"{{{PUBSUB_OWNER}}}affiliation")
        }
        changes = {jid: "member" for jid in people if listed.get(jid) != "member"}
        changes |= {jid: "none" for jid, is_now in listed.items() if is_now == "member" and jid not in people}
        if changes:
            await self._own_list(node, "affiliations", "affiliation", "affiliation", changes)
        subscriptions = {jid: "subscribed" if is_now == "member" else "none" for jid, is_now in changes.items()}
        if subscriptions:
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


def _submit(settings: dict[str, str]) -> ET.Element:
    form = element(f"{{{DATA}}}x", {"type": "submit"})
    values = {"FORM_TYPE": NODE_CONFIG, **{f"pubsub#{name}": value for name, value in settings.items()}}
    for var, value in values.items():
        kind = "hidden" if var == "FORM_TYPE" else None
        form.append(element(f"{{{DATA}}}field", {"var": var, "type": kind}, element(f"{{{DATA}}}value", None, value)))
    return form


def _same(current: str | None, wanted: str) -> bool:
    spellings = {"true": "1", "false": "0"}
    return current is not None and spellings.get(current, current) == wanted
