"""Our two PEP nodes (XEP-0163): the stream of readings and the state, made and kept as they should be (DESIGN 4.3).

A node is created with its configuration and read back. Both servers' differences are in the tests.
"""

import logging
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from jidget.errors import PublishRefused, StanzaError
from jidget.xmpp.link import Link
from jidget.xmpp.xml import (
    DATA,
    DISCO_INFO,
    NODE_CONFIG,
    PUBSUB,
    PUBSUB_OWNER,
    SENSOR_DATA,
    SENSOR_DATA_NOW,
    element,
    serialise,
    text_of,
)

log = logging.getLogger(__name__)

NOW_ITEMS = 64
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"


class NoPep(PublishRefused):
    """The server has no PEP, or none for us: readings stay here, commands work."""


class Nodes:
    """The nodes' settings, and who may see them.

    Attributes:
        preconditions: by node, what each publish to it must say again.
    """

    def __init__(self, link: Link, whitelist: Callable[[], Sequence[str]] | None) -> None:
        """`whitelist` returns who may see the nodes on somebody's personal account; None: access by presence."""
        self._link = link
        self._whitelist = whitelist
        access = "presence" if whitelist is None else "whitelist"
        self._settings = {
            SENSOR_DATA: {"persist_items": "0", "access_model": access},
            SENSOR_DATA_NOW: {"persist_items": "1", "max_items": str(NOW_ITEMS), "access_model": access},
        }
        self.preconditions = {node: _preconditions(settings) for node, settings in self._settings.items()}
        self._kept: dict[str, frozenset[str]] = {}

    async def provision(self) -> None:
        """Make both nodes as they should be.

        Raises:
            NoPep: the server cannot do it.
            LinkError: the link was lost.
        """
        try:
            await self._require_pep()
            for node, settings in self._settings.items():
                await self._provision(node, settings)
            await self.admit()
        except StanzaError as error:
            raise NoPep(f"the server refuses our PEP nodes ({error})") from error

    async def admit(self) -> None:
        """Let see the nodes who may, and nobody else, where that is not by presence.

        Raises:
            StanzaError: a node is not there, or not ours any more.
            LinkError: the link was lost.
        """
        if self._whitelist is not None:
            for node in self._settings:
                await self._admit(node, self._whitelist())

    async def changed(self) -> str | None:
        """Return the name of a node that somebody has configured otherwise, if there is one.

        Raises as `admit` does.
        """
        for node, settings in self._settings.items():
            wrong = await self._wrong(node, settings)
            if wrong.keys() != self._kept.get(node, frozenset()):
                return node
        return None

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
