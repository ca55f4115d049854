"""What we say we are."""

import pytest
from tests.support.stanzas import ALICE, Table, incoming, refuses

from jidget.xmpp.disco import Disco

INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"


def attached(disco: Disco) -> Table:
    table = Table()
    disco.attach(table)
    return table


def test_the_hash_is_that_of_the_standard_s_own_example() -> None:
    """XEP-0115 5.2: what Exodus has, given here in another order."""
    disco = Disco(("client", "pc", "Exodus 0.9.1"), {"http://jabber.org/protocol/muc"})
    assert disco.verification == "QgayPKawpkPSDYmwT/WM94uAlu0="
    caps = disco.caps()
    assert (caps.get("hash"), caps.get("ver"), caps.get("node")) == ("sha-1", disco.verification, "urn:jidget:1")


@pytest.mark.parametrize("hashed", [False, True])
async def test_what_we_are_with_and_without_the_hash(hashed: bool) -> None:
    disco = Disco(("client", "bot", "Jidget <1>"), ("urn:b", "urn:a", "urn:a"))
    node = f"urn:jidget:1#{disco.verification}" if hashed else None
    attribute = f" node='{node}'" if node else ""
    query = await attached(disco).ask(incoming(f"<query xmlns='{INFO}'{attribute}/>", kind="get"))
    assert query.get("node") == node
    (identity,) = query.iterfind(f"{{{INFO}}}identity")
    assert identity.attrib == {"category": "client", "type": "bot", "name": "Jidget <1>"}
    features = [feature.get("var") for feature in query.iterfind(f"{{{INFO}}}feature")]
    assert features == sorted({"urn:a", "urn:b", INFO, ITEMS, "http://jabber.org/protocol/caps"})


async def test_nodes_by_who_asks() -> None:
    disco = Disco(("client", "bot", "Jidget"), ())
    disco.add_node("urn:list", lambda asking: [("pi@example.org/agent", "one", asking.sender.bare)])
    disco.add_info(lambda _, node: (("automation", "command-node", "One"), ("urn:f",)) if node == "one" else None)
    table = attached(disco)
    items = await table.ask(incoming(f"<query xmlns='{ITEMS}' node='urn:list'/>", ALICE, kind="get"))
    assert [item.attrib for item in items] == [
        {"jid": "pi@example.org/agent", "node": "one", "name": "alice@example.org"}
    ]
    info = await table.ask(incoming(f"<query xmlns='{INFO}' node='one'/>", kind="get"))
    assert [child.attrib for child in info] == [
        {"category": "automation", "type": "command-node", "name": "One"},
        {"var": "urn:f"},
    ]
    with refuses("item-not-found"):
        await table.ask(incoming(f"<query xmlns='{INFO}' node='two'/>", kind="get"))
    with refuses("item-not-found"):
        await table.ask(incoming(f"<query xmlns='{ITEMS}' node='two'/>", kind="get"))
    assert len(await table.ask(incoming(f"<query xmlns='{ITEMS}'/>", kind="get"))) == 0


async def test_a_hash_of_ours_from_before_is_unknown() -> None:
    with refuses("item-not-found"):
        await attached(Disco(("client", "bot", "Jidget"), ())).ask(
            incoming(f"<query xmlns='{INFO}' node='urn:jidget:1#old'/>", kind="get")
        )
