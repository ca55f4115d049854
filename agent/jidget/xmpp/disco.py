"""What we are and can (XEP-0030), and its hash in our presence (XEP-0115), so that nobody need ask."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from xml.etree import ElementTree as ET

from jidget.errors import StanzaError
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import CAPS, DISCO_INFO, DISCO_ITEMS, element

Identity = tuple[str, str, str]
"""Category, type and name of a disco identity."""
ItemsOf = Callable[[Incoming], list[tuple[str, str, str]]]
"""Given who asks, the items of a node: (jid, node, name)."""
InfoOf = Callable[[Incoming, str], tuple[Identity, tuple[str, ...]] | None]
"""Given who asks and a node, what it is and its features; None if there is no such node for them."""

CAPS_NODE = "urn:jidget:1"
_BASIC = (CAPS, DISCO_INFO, DISCO_ITEMS)


class Disco:
    """Answers disco queries for one full JID."""

    def __init__(self, identity: Identity, features: Iterable[str]) -> None:
        self.identity = identity
        self.features = tuple(sorted({*_BASIC, *features}))
        self._items: dict[str, ItemsOf] = {}
        self._infos: list[InfoOf] = []

    def attach(self, router: Router) -> None:
        """Answer queries that come by `router`."""
        router.on_iq("get", f"{{{DISCO_INFO}}}query", self._info, public=True)
        router.on_iq("get", f"{{{DISCO_ITEMS}}}query", self._node_items, public=True)

    def add_node(self, node: str, items: ItemsOf) -> None:
        """Answer disco#items of `node`."""
        self._items[node] = items

    def add_info(self, info: InfoOf) -> None:
        """Ask `info` about nodes that are not our own."""
        self._infos.append(info)

    @property
    def verification(self) -> str:
        """Return the caps hash (XEP-0115 5.1)."""
        category, kind, name = self.identity
        text = f"{category}/{kind}//{name}<" + "".join(f"{feature}<" for feature in self.features)
        return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()

    def caps(self) -> ET.Element:
        """Build the `<c/>` that goes into presence."""
        return element(f"{{{CAPS}}}c", {"hash": "sha-1", "node": CAPS_NODE, "ver": self.verification})

    async def _info(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        node = incoming.payload.get("node")
        identity, features = self.identity, self.features
        if node and node != f"{CAPS_NODE}#{self.verification}":
            found = next((info for info in (of(incoming, node) for of in self._infos) if info), None)
            if found is None:
                raise StanzaError("item-not-found")
            identity, features = found
        query = element(f"{{{DISCO_INFO}}}query", {"node": node})
        category, kind, name = identity
        query.append(element(f"{{{DISCO_INFO}}}identity", {"category": category, "type": kind, "name": name}))
        query.extend(element(f"{{{DISCO_INFO}}}feature", {"var": feature}) for feature in features)
        return (query,)

    async def _node_items(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        node = incoming.payload.get("node")
        query = element(f"{{{DISCO_ITEMS}}}query", {"node": node})
        if node:
            items = self._items.get(node)
            if items is None:
                raise StanzaError("item-not-found")
            for jid, item_node, name in items(incoming):
                query.append(element(f"{{{DISCO_ITEMS}}}item", {"jid": jid, "node": item_node, "name": name}))
        return (query,)
