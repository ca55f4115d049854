"""Somebody who follows an agent's nodes with an ordinary client, and programs on its account that look after them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from tests.support.accounts import Account
from tests.support.asking import Asker
from tests.support.people import LIMIT, Person
from tests.support.sensor_data import NODE, NOW_NODE, Row, batch_of, rows_of

_EVENT = "{http://jabber.org/protocol/pubsub#event}"
_PUBSUB = "http://jabber.org/protocol/pubsub"
_DATA = "{jabber:x:data}"


class Item(NamedTuple):
    """An item as it was told of."""

    node: str
    id: str
    payload: ET.Element

    @property
    def rows(self) -> list[Row]:
        if self.node == NOW_NODE:
            return rows_of(self.payload, self.payload.get("id", ""))  # of the last batch that the values tell of
        return rows_of(self.payload, self.id)


class Follower(Person):
    """A client that wants to be told of both nodes (+notify)."""

    def __init__(self, account: Account, agent: str, resource: str = "follower", *, now: bool = False) -> None:
        super().__init__(account, agent, resource, follows=True)
        self._now = now

    async def appear(self, *, priority: int = 0) -> None:
        if self._now:
            await self.xmpp.plugin["xep_0030"].add_feature(f"{NOW_NODE}+notify")
        await super().appear(priority=priority)

    def items(self, node: str | None = None) -> list[Item]:
        """Return what the agent's account told of a node, or of both, in order; what came twice, once."""
        found: dict[tuple[str, str, bytes], Item] = {}
        for stanza in self.stanzas:
            if (stanza.get("from") or "").partition("/")[0] != self.agent.partition("/")[0]:
                continue
            for items in stanza.iterfind(f"{_EVENT}event/{_EVENT}items"):
                name = items.get("node", "")
                for item in items.iterfind(f"{_EVENT}item"):
                    if node in (None, name) and len(item):
                        told = Item(name, item.get("id", ""), item[0])
                        found.setdefault((name, told.id, ET.tostring(told.payload)), told)
        return list(found.values())

    def batches(self) -> list[Item]:
        """Return the items of the stream, each id once, which then has always the same content."""
        items = self.items(NODE)
        assert len({item.id for item in items}) == len(items), "a batch came again with another content"
        return items

    def rows(self, name: str = "") -> list[Row]:
        """Return the readings of the stream, of `THING.PROPERTY` if given, by the rule for consumers: each key once."""
        return [row for row in rows_once(self.batches()) if name in ("", row.name)]

    async def follows(self, enough: Callable[["Follower"], Any], *, within: float = LIMIT) -> None:
        """Wait until `enough` holds of what was told."""
        try:
            async with asyncio.timeout(within):
                while not enough(self):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            shown = [f"{item.node} {item.id} {len(ET.tostring(item.payload))} B" for item in self.items()]
            raise AssertionError("what was waited for did not come, but:\n" + "\n".join(shown)) from None

    async def hears(self, name: str, count: int, *, within: float = LIMIT) -> list[Row]:
        """Wait for so many readings of `THING.PROPERTY`."""
        await self.follows(lambda it: len(it.rows(name)) >= count, within=within)
        return self.rows(name)


def rows_once(batches: Iterable[Item]) -> list[Row]:
    """Return the readings of batches by the rule for consumers: each key once."""
    rows: dict[tuple[str, str, str, str], Row] = {}
    for batch in batches:
        for row in batch.rows:
            key = (row.agent, row.thing, row.prop, row.time)
            assert rows.setdefault(key, row) == row, "two readings with the same key"
    return list(rows.values())


def assert_gapless(batches: list[Item]) -> None:
    """Check that the batches are of one generation, and that none between the first and the last is missing."""
    ids = [batch_of(batch.id) for batch in batches]
    assert len({gen for gen, _ in ids}) == 1
    numbers = sorted(seq for _, seq in ids)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@asynccontextmanager
async def following(*followers: Follower) -> AsyncIterator[None]:
    """Log followers in before there is an agent, and out after the context."""
    try:
        for follower in followers:
            await follower.__aenter__()
            await follower.appear()
        yield
    finally:
        for follower in followers:
            await follower.__aexit__(None, None, None)


class Keeper(Asker):
    """Another client of the agent's own account: looks into its nodes and meddles with them.

    It shows no presence, and its resource comes before the agent's: ejabberd tells contacts of readings by way of the
    account's last resource.
    """

    def __init__(self, account: Account, resource: str = "-keeper") -> None:
        super().__init__(account, account.jid, resource)
        self.bare = account.jid

    async def configuration(self, node: str) -> dict[str, str]:
        """Return a node's configuration (XEP-0060 8.2), names without `pubsub#`."""
        reply = await self.ask("get", f"<pubsub xmlns='{_PUBSUB}#owner'><configure node='{node}'/></pubsub>")
        assert reply is not None
        fields = reply.iter(f"{_DATA}field")
        return {f.get("var", "").removeprefix("pubsub#"): f.findtext(f"{_DATA}value") or "" for f in fields}

    async def configure(self, node: str, **settings: str) -> None:
        """Change a node's configuration."""
        values = {"FORM_TYPE": f"{_PUBSUB}#node_config", **{f"pubsub#{key}": each for key, each in settings.items()}}
        fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
        form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
        await self.ask("set", f"<pubsub xmlns='{_PUBSUB}#owner'><configure node='{node}'>{form}</configure></pubsub>")

    async def delete(self, node: str) -> None:
        """Delete a node."""
        await self.ask("set", f"<pubsub xmlns='{_PUBSUB}#owner'><delete node='{node}'/></pubsub>")

    async def retract(self, node: str, item: str) -> None:
        """Delete an item."""
        await self.ask(
            "set", f"<pubsub xmlns='{_PUBSUB}'><retract node='{node}'><item id='{item}'/></retract></pubsub>"
        )

    async def publish(self, node: str, item: str, payload: str) -> None:
        """Publish an item; the node is made if it is not there."""
        entry = f"<item id='{item}'>{payload}</item>"
        await self.ask("set", f"<pubsub xmlns='{_PUBSUB}'><publish node='{node}'>{entry}</publish></pubsub>")


async def fetch(asker: Asker, jid: str, node: str = NOW_NODE) -> list[Item]:
    """Fetch the items of somebody's node, as a late joiner does.

    Raises:
        Refused: the server does not show them.
    """
    reply = await asker.ask("get", f"<pubsub xmlns='{_PUBSUB}'><items node='{node}'/></pubsub>", to=jid)
    assert reply is not None
    return [Item(node, item.get("id", ""), item[0]) for item in reply.iter(f"{{{_PUBSUB}}}item") if len(item)]
