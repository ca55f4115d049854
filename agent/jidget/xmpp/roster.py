"""The roster follows the access list: PEP reaches only those who are subscribed both ways (RFC 6121 3).

Several agents may share an account; each marks the people it lists with a roster group of its own, and removes only
people whom no agent lists any more.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from slixmpp import JID

from jidget.errors import StanzaError
from jidget.xmpp.link import Link
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import CLIENT, ROSTER, element

log = logging.getLogger(__name__)

GROUP = "jidget/"
_QUERY, _ITEM, _GROUP = (f"{{{ROSTER}}}{name}" for name in ("query", "item", "group"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A roster item (RFC 6121 2.1.2)."""

    subscription: str
    asked: bool
    name: str
    groups: frozenset[str]

    @property
    def sees_us(self) -> bool:
        """Whether they get our presence."""
        return self.subscription in ("from", "both")

    @property
    def seen_by_us(self) -> bool:
        """Whether we get theirs, or have asked to."""
        return self.subscription in ("to", "both") or self.asked


NOBODY = Contact(subscription="none", asked=False, name="", groups=frozenset())


class Roster:
    """Keeps subscriptions as the access list wants them. On somebody's personal account use none."""

    def __init__(
        self,
        link: Link,
        *,
        listed: Callable[[], Sequence[str]],
        wanted: Callable[[str], bool],
        shared: bool,
    ) -> None:
        """Take the parts it works with.

        Args:
            link: our connection.
            listed: the bare JIDs that the access list names and that get the feed.
            wanted: whether a bare JID gets the feed (also by its domain).
            shared: whether other agents use the same account.
        """
        self._link = link
        self._listed = listed
        self._wanted = wanted
        self._group = f"{GROUP}{link.login.resource}" if shared else ""
        self._ignored: set[str] = set()
        self._declined: set[str] = set()
        self._subscriptions: dict[str, str] = {}

    def attach(self, router: Router) -> None:
        """Take roster pushes and subscription requests from `router`."""
        router.on_iq("set", _QUERY, self._push, public=True)
        router.presences.append(self._on_presence)

    async def sync(self) -> None:
        """Ask whom we list, and let go of whom nobody lists.

        Raises:
            StanzaError: the server refuses.
            LinkError: the link was lost.
        """
        reply = await self._link.request("get", element(_QUERY))
        contacts = {item.get("jid", ""): _contact(item) for item in reply.iter(_ITEM)}
        self._subscriptions = {jid: contact.subscription for jid, contact in contacts.items()}
        for jid in self._listed():
            await self._ask(jid, contacts.get(jid, NOBODY))
        for jid, contact in contacts.items():
            if not self._wanted(jid):
                await self._let_go(jid, contact)

    async def _ask(self, jid: str, contact: Contact) -> None:
        """Have somebody we list subscribed both ways, and marked as ours on a shared account."""
        if self._group and self._group not in contact.groups:
            await self._set(jid, contact, {*contact.groups, self._group})
        if not contact.seen_by_us and jid not in self._declined:
            self._presence(jid, "subscribe")
        if not contact.sees_us:
            self._presence(jid, "subscribed")  # RFC 6121 3.4: their request is then granted without us

    async def _let_go(self, jid: str, contact: Contact) -> None:
        left = contact.groups - {self._group}
        if self._group and any(group.startswith(GROUP) for group in left):
            if left != contact.groups:
                await self._set(jid, contact, left)
            return
        log.info("%s is not in the access list: unsubscribed", jid)
        await self._link.request("set", element(_QUERY, None, element(_ITEM, {"jid": jid, "subscription": "remove"})))

    async def _set(self, jid: str, contact: Contact, groups: set[str] | frozenset[str]) -> None:
        names = {"jid": jid, "name": contact.name or None}
        item = element(_ITEM, names, *(element(_GROUP, None, group) for group in sorted(groups)))
        await self._link.request("set", element(_QUERY, None, item))

    def _presence(self, jid: str, kind: str) -> None:
        self._link.send(element(f"{{{CLIENT}}}presence", {"to": jid, "type": kind}))

    async def _push(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        if incoming.sender.full != self._link.login.jid:  # RFC 6121 2.1.6: only our own account pushes
            raise StanzaError("service-unavailable")
        for item in incoming.payload.iterfind(_ITEM):
            jid, contact = item.get("jid", ""), _contact(item)
            if contact.subscription == "both" and self._subscriptions.get(jid) != "both":
                # ejabberd notes what a contact wants to be told (caps) only from presence that comes after this moment
                self._presence(jid, "probe")
            self._subscriptions[jid] = contact.subscription
            if self._group and self._group not in contact.groups and jid in self._listed():
                # another agent of the account changed the item from what it knew before we had marked it
                await self._ask(jid, NOBODY if contact.subscription == "remove" else contact)
        return ()

    async def _on_presence(self, incoming: Incoming) -> None:
        jid = incoming.sender.bare
        match incoming.kind:
            case "subscribe" if self._wanted(jid):
                self._declined.discard(jid)
                self._presence(jid, "subscribed")
                if not await self._sees(jid):
                    self._presence(jid, "subscribe")
            case "subscribe":
                if jid not in self._ignored and len(self._ignored) < 1000:
                    self._ignored.add(jid)
                    log.info("%s asks for our presence and is not in the access list: ignored", JID(jid))
            case "unsubscribe" | "unsubscribed" if self._wanted(jid) and jid not in self._declined:
                self._declined.add(jid)
                log.info("%s ended the subscription: they get no readings until they add us again", jid)

    async def _sees(self, jid: str) -> bool:
        reply = await self._link.request("get", element(_QUERY))
        return any(item.get("jid") == jid and _contact(item).seen_by_us for item in reply.iter(_ITEM))


def _contact(item: ET.Element) -> Contact:
    return Contact(
        subscription=item.get("subscription", "none"),
        asked=item.get("ask") == "subscribe",
        name=item.get("name", ""),
        groups=frozenset(group.text or "" for group in item.iterfind(_GROUP)),
    )
