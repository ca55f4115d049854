"""The roster follows the access list: who gets the readings, who does not, and whom we leave alone."""

import asyncio
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, PUMP, running_app, until, write_config
from tests.support.contacts import Contact, roster_of
from tests.support.logs import watching_log
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer


async def test_who_is_there_when_the_agent_starts_gets_its_readings_at_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER)
    async with Person(alice, f"{pi.jid}/agent", follows=True) as person:
        await person.appear()
        async with running_app(file), roster_of(pi) as roster:
            await person.reads("meter.count")
            assert (await roster.contacts())[alice.jid] == Contact("both")


async def test_who_comes_later_gets_its_readings_at_once(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"', bob.jid: '"owner"'}, things=COUNTER)
    async with running_app(file) as agent:
        for who in (alice, bob):
            async with Person(who, agent.jid, follows=True) as person:
                await person.appear()
                await person.reads("meter.count")


async def test_who_asks_first_is_let_in(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER)
    async with Person(alice, f"{pi.jid}/agent", follows=True) as person:
        await person.appear()
        person.xmpp.send_presence(pto=pi.jid, ptype="subscribe")
        await person.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=server.domain)  # what was sent before is dealt with
        async with running_app(file), roster_of(pi) as roster:
            await roster.until_both(alice)
            await person.reads("meter.count")


async def test_who_is_no_longer_listed_is_let_go_at_the_next_start(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    agent = f"{pi.jid}/agent"
    async with Person(alice, agent) as kept, Person(bob, agent, follows=True) as gone, roster_of(pi) as roster:
        await kept.appear()
        await gone.appear()
        file = write_config(tmp_path, pi, {alice.jid: '"viewer"', bob.jid: '"viewer"'}, things=COUNTER)
        async with running_app(file):
            await roster.until_both(alice, bob)
            await gone.reads("meter.count")
        with watching_log() as log:
            async with running_app(write_config(tmp_path, pi, {alice.jid: '"viewer"'}, things=COUNTER)):
                await log.says(f"{bob.jid} is not in the access list: unsubscribed")
                contacts = await roster.until(lambda found: bob.jid not in found)
                assert contacts[alice.jid].subscription == "both"
                await gone.until(lambda stanza: stanza.get("type") == "unsubscribed")
    async with roster_of(bob) as theirs:
        assert (await theirs.contacts()).get(pi.jid, Contact()).subscription in ("none", "from")


async def test_who_sees_only_some_things_gets_no_feed_but_an_answer(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, eve = account(server, "pi"), account(server, "alice"), account(server, "eve")
    grant = '{ role = "operator", things = ["pump"], read = ["pump"] }'
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"', eve.jid: grant}, things=PUMP + COUNTER)
    async with (
        running_app(file) as agent,
        roster_of(pi) as roster,
        friends(Person(alice, agent.jid)),
        Person(eve, agent.jid, follows=True) as person,
    ):
        await person.appear()
        person.xmpp.send_presence(pto=pi.jid, ptype="subscribe")
        assert await person.asks("pump on", to=agent.jid) == "pump.state: on (confirmed)"
        assert "meter" not in await person.asks("status", to=agent.jid)
        contacts = await roster.until_both(alice)
        assert contacts.get(eve.jid, Contact()).subscription == "none"
        assert not person.readings()
        assert not person.presences()


async def test_a_whole_domain_may_subscribe_by_itself(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {server.domain: '{ role = "viewer" }'}, things=COUNTER)
    async with (
        running_app(file) as agent,
        roster_of(pi) as roster,
        Person(alice, agent.jid, follows=True) as person,
    ):
        await person.appear()
        person.xmpp.send_presence(pto=pi.jid, ptype="subscribe")
        await roster.until_both(alice)
        await person.reads("meter.count")


async def test_a_stranger_who_asks_is_neither_let_in_nor_answered(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, mallory = account(server, "pi"), account(server, "alice"), account(server, "mallory")
    file = write_config(tmp_path, pi, {alice.jid: '"viewer"'})
    with watching_log() as log:
        async with (
            running_app(file) as agent,
            friends(person := Person(alice, agent.jid)),
            Person(mallory, agent.jid) as stranger,
            roster_of(pi) as roster,
        ):
            await stranger.appear()
            for _ in range(3):
                stranger.xmpp.send_presence(pto=pi.jid, ptype="subscribe")
            await log.says(f"{mallory.jid} asks for our presence and is not in the access list: ignored")
            await person.asks("status")
            assert (await roster.contacts()).get(mallory.jid, Contact()).subscription == "none"
            heard = [s.get("type") for s in stranger.stanzas if (s.get("from") or "").startswith(pi.jid)]
            assert set(heard) <= {"unavailable"}  # with which Prosody itself acknowledges the request
            assert len(log.matching(mallory.jid)) == 1


async def _goodbyes(person: Person, count: int) -> None:
    """Wait until the agent's session was found to be over so many times."""
    await until(lambda: sum(presence.get("type") == "unavailable" for presence in person.presences()) >= count)


@pytest.mark.parametrize("kind", [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)])
async def test_who_declined_is_not_asked_again_at_every_login(
    kind: type[Prosody] | type[Ejabberd], fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind, hibernation=1)
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    with watching_log() as log:
        async with ChaosProxy(server.host, server.port) as proxy:
            file = write_config(tmp_path, pi, {alice.jid: '"viewer"', bob.jid: '"viewer"'}, port=proxy.port)
            async with Person(bob, f"{pi.jid}/agent") as shy, running_app(file) as agent:
                shy.xmpp.auto_authorize = False
                shy.xmpp.auto_subscribe = False
                await shy.appear()
                asked = [await shy.until(lambda stanza: stanza.get("type") == "subscribe")]
                async with friends(person := Person(alice, agent.jid)):
                    await log.says(f"{bob.jid} ended the subscription")
                    for times in (2, 3):
                        await agent.publishes()
                        proxy.stall()
                        proxy.cut()
                        await _goodbyes(person, times - 1)
                        proxy.resume()
                        await log.says("logged in to", times=times)
                    async with roster_of(pi) as roster:
                        await roster.until_both(alice)
                    asked = [stanza for stanza in shy.stanzas if stanza.get("type") == "subscribe"]
                    assert len(asked) == 1
                shy.xmpp.send_presence(pto=pi.jid, ptype="subscribe")  # they thought better of it
                await shy.until(lambda stanza: stanza.get("type") == "subscribed")


async def test_agents_that_share_an_account_keep_each_others_people(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob, carol = (account(server, name) for name in ("pi", "alice", "bob", "carol"))

    def config(name: str, *people: str) -> Path:
        access = dict.fromkeys(people, '"viewer"')
        return write_config(tmp_path / name, pi, access, resource=name, kind="agents", things=COUNTER)

    barn, house = f"{pi.jid}/barn", f"{pi.jid}/house"
    async with Person(alice, barn) as a, Person(bob, house) as b, Person(carol, barn) as c, roster_of(pi) as roster:
        for person in (a, b, c):
            await person.appear()
        async with running_app(config("barn", alice.jid, carol.jid)):
            await roster.until_both(alice, carol)
            async with running_app(config("house", bob.jid, carol.jid)):
                contacts = await roster.until_both(alice, bob, carol)
                assert contacts[alice.jid].groups == {"jidget/barn"}
                assert contacts[bob.jid].groups == {"jidget/house"}
                await roster.until(lambda found: found[carol.jid].groups == {"jidget/barn", "jidget/house"})
                await roster.put(carol.jid, name="Carol", groups=("jidget/barn", "jidget/house", "Family"))
        async with running_app(config("barn", bob.jid)):
            contacts = await roster.until(lambda found: alice.jid not in found)
            contacts = await roster.until(lambda found: "jidget/barn" in found[bob.jid].groups)
            assert contacts[bob.jid] == Contact("both", groups=frozenset({"jidget/barn", "jidget/house"}))
            contacts = await roster.until(lambda found: "jidget/barn" not in found[carol.jid].groups)
            assert contacts[carol.jid] == Contact("both", name="Carol", groups=frozenset({"jidget/house", "Family"}))


async def test_agents_that_start_at_once_do_not_forget_each_others_people(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")

    def config(name: str, *people: str) -> Path:
        access = dict.fromkeys(people, '"viewer"')
        return write_config(tmp_path / name, pi, access, resource=name, kind="agents")

    both = {"jidget/barn", "jidget/house"}
    async with Person(alice, f"{pi.jid}/barn") as a, Person(bob, f"{pi.jid}/house") as b, roster_of(pi) as roster:
        await asyncio.gather(a.appear(), b.appear())
        async with (
            running_app(config("barn", alice.jid, bob.jid)),
            running_app(config("house", alice.jid, bob.jid)),
        ):
            await roster.until_both(alice, bob)
            await roster.until(lambda found: found[alice.jid].groups == found[bob.jid].groups == both)


async def test_a_persons_own_roster_stays_as_it_is(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    friend, other = account(server, "friend"), account(server, "other")
    alice = account(server, "alice", contacts=(friend,))
    async with roster_of(alice) as roster:
        before = await roster.contacts()
        assert before[friend.jid].subscription == "both"
        file = write_config(tmp_path, alice, {other.jid: '"owner"'}, kind="person")
        async with running_app(file) as agent, Person(other, agent.jid) as person:
            await person.appear()
            await until(agent.app.link.fresh)
            assert await person.asks("pump on", to=agent.jid) == "pump.state: on (confirmed)"
            person.xmpp.send_presence(pto=alice.jid, ptype="subscribe")
            assert await person.asks("pump off", to=agent.jid) == "pump.state: off (confirmed)"
            after = await roster.contacts()
            assert after[friend.jid] == before[friend.jid]
            assert after.get(other.jid, Contact()).subscription == "none"
