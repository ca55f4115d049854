"""The three kinds of account: an agent's own, one that several agents share, and somebody's personal one."""

from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import COUNTER, PUMP, running_app, write_config
from tests.support.asking import Asker, Refused
from tests.support.people import Person, friends

from jidget.demo.xmpp_server import XmppServer

STREAM, NOW = "urn:nf:iot:sd:1.0", "urn:nf:iot:sd:1.0#now"
OWNER = "http://jabber.org/protocol/pubsub#owner"
CLIENT = "{jabber:client}"


class Nodes(NamedTuple):
    """What the server keeps of an account's node."""

    settings: dict[str, str]
    members: set[str]


async def node_of(account: Account, node: str) -> Nodes:
    """Ask the server, as another client of the account, how a node is configured and who is affiliated with it."""
    async with Asker(account, account.jid, "-look") as client:
        config = await client.ask("get", f"<pubsub xmlns='{OWNER}'><configure node='{node}'/></pubsub>", to=account.jid)
        listing = await client.ask(
            "get", f"<pubsub xmlns='{OWNER}'><affiliations node='{node}'/></pubsub>", to=account.jid
        )
    assert config is not None
    assert listing is not None
    settings = {
        field.get("var", "").removeprefix("pubsub#"): field.findtext("{jabber:x:data}value", "")
        for field in config.iter("{jabber:x:data}field")
    }
    entries = [(entry.get("jid", ""), entry.get("affiliation")) for entry in listing.iter(f"{{{OWNER}}}affiliation")]
    return Nodes(settings, {jid for jid, affiliation in entries if affiliation == "member"})


def items(node: str) -> str:
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"


# ---- own ----------------------------------------------------------------------------------------------------------


async def test_on_its_own_account_every_address_is_the_agent(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        assert await person.asks("pump on") == "pump.state: on (confirmed)"
        assert await person.asks("pump off", to=agent.jid) == "pump.state: off (confirmed)"
        assert await person.asks("pump on", kind="normal") == "pump.state: on (confirmed)"
        assert await person.asks("pump off", kind=None) == "pump.state: off (confirmed)"
        assert (await person.sees()).findtext(f"{CLIENT}priority") == "5"
        await agent.publishes()
        for node in (STREAM, NOW):
            assert (await node_of(pi, node)).settings["access_model"] == "presence"
    assert agent.writes == ["true", "false", "true", "false"]


async def test_the_account_itself_is_an_owner(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi = account(server, "pi")
    async with running_app(write_config(tmp_path, pi)) as agent, Person(pi, agent.jid, "laptop") as laptop:
        await laptop.meet()
        assert await laptop.asks("pump on", to=agent.jid) == "pump.state: on (confirmed)"


# ---- agents -------------------------------------------------------------------------------------------------------


async def test_on_a_shared_account_a_line_is_for_whom_it_names(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    farm, alice = account(server, "farm"), account(server, "alice")

    def config(name: str) -> Path:
        return write_config(tmp_path / name, farm, {alice.jid: '"owner"'}, resource=name, kind="agents")

    on = "pump.state: on (confirmed)"
    async with (
        running_app(config("barn")) as barn,
        running_app(config("house")) as house,
        friends(person := Person(alice, barn.jid), Person(alice, house.jid, "tablet")),
    ):
        assert await person.asks("barn pump on") == on
        assert await person.asks("House: pump on") == on
        assert await person.asks("BARN, pump off") == "pump.state: off (confirmed)"
        assert (barn.writes, house.writes) == (["true", "false"], ["true"])
        assert await person.asks("pump on", to=barn.jid) == on
        assert "greenhouse" not in await person.asks("barn")  # its help
        before = len(person.replies())
        person.says("pump off")
        await person.answer(after=before + 1)
        hints = set(person.replies()[before:])
        assert hints == {
            f'I am {name}. Several agents share this address: begin with "{name}", as in: {name} status'
            for name in ("barn", "house")
        }
        assert await person.asks("house pump off") == "pump.state: off (confirmed)"
        assert len(person.replies()) == before + 3  # the other one kept silent
        assert (barn.writes, house.writes) == (["true", "false", "true"], ["true", "false"])
        assert (await node_of(farm, STREAM)).settings["access_model"] == "presence"


async def test_an_agent_that_left_a_shared_account_is_not_spoken_for(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    farm, alice = account(server, "farm"), account(server, "alice")

    def config(name: str) -> Path:
        return write_config(tmp_path / name, farm, {alice.jid: '"owner"'}, resource=name, kind="agents")

    async with running_app(config("barn")) as barn, friends(person := Person(alice, barn.jid)):
        async with running_app(config("house")) as house, friends(Person(alice, house.jid, "tablet")):
            assert await person.asks("house pump on") == "pump.state: on (confirmed)"
        await person.until(lambda s: s.get("from") == house.jid and s.get("type") == "unavailable")
        assert (await person.asks("house pump off")).startswith("I am barn.")
        assert house.writes == ["true"]
        assert barn.writes == []


# ---- person -------------------------------------------------------------------------------------------------------


async def test_on_a_persons_account_it_stays_in_the_background(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    bob, friend = account(server, "bob"), account(server, "friend")
    alice = account(server, "alice", contacts=(bob, friend))
    file = write_config(tmp_path, alice, {bob.jid: '"operator"'}, kind="person", things=PUMP + COUNTER)
    async with Person(alice, f"{alice.jid}/agent", "phone") as phone:
        await phone.appear()
        async with (
            running_app(file) as agent,
            Person(bob, agent.jid, follows=True) as listed,
            Person(friend, agent.jid, follows=True) as unlisted,
        ):
            assert (await phone.sees()).findtext(f"{CLIENT}priority") == "-1"
            await listed.meet()
            await unlisted.meet()

            listed.says("pump on")  # to alice, not to her agent
            await phone.until(lambda s: s.findtext(f"{CLIENT}body") == "pump on")
            assert await listed.asks("pump on", to=agent.jid) == "pump.state: on (confirmed)"
            assert await phone.asks("pump off", to=agent.jid) == "pump.state: off (confirmed)"
            unlisted.says("pump on", to=agent.jid)

            await listed.reads("meter.count")
            assert await listed.asks("status", to=agent.jid)
            assert not unlisted.readings()
            assert not unlisted.replies()
            assert len(listed.replies()) == 2
            assert agent.writes == ["true", "false"]
            for node in (STREAM, NOW):
                found = await node_of(alice, node)
                assert found.settings["access_model"] == "whitelist"
                assert found.members == {bob.jid}
            await agent.publishes()
            assert await listed.ask("get", items(NOW), to=alice.jid) is not None
            with pytest.raises(Refused):
                await unlisted.ask("get", items(NOW), to=alice.jid)


async def test_a_persons_whitelist_follows_the_access_list(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    bob, carol, eve = account(server, "bob"), account(server, "carol"), account(server, "eve")
    alice = account(server, "alice", contacts=(bob, carol, eve))
    narrow = '{ role = "viewer", read = ["pump"] }'
    for access, members in (
        ({bob.jid: '"viewer"', eve.jid: narrow}, {bob.jid}),
        ({bob.jid: '"viewer"', carol.jid: '"owner"'}, {bob.jid, carol.jid}),
        ({carol.jid: '"owner"'}, {carol.jid}),
        ({}, set()),
    ):
        async with running_app(write_config(tmp_path, alice, access, kind="person", things=COUNTER)) as agent:
            await agent.publishes()
            for node in (STREAM, NOW):
                assert (await node_of(alice, node)).members == members
