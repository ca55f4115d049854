"""Our two nodes on real servers, as a plain client sees them: what is in them, what becomes of them (DESIGN 4.3)."""

import asyncio
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import PUMP, QUICK, running_app, write_config
from tests.support.asking import Refused
from tests.support.followers import Follower, Item, Keeper, assert_gapless, fetch, following
from tests.support.logs import watching_log
from tests.support.sensor_data import NODE, NOW_NODE, batch_of

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.xmpp_server import XmppServer

EVERYTHING = """
[things.tank]
driver = "simulated"
interval = "50ms"
[things.tank.options.properties]
temperature = { type = "number", unit = "Cel", writable = true, initial = 21.375, precision = 2 }
humidity = { type = "number", unit = "%RH", waveform = "ramp", low = 40.0, high = 60.0, period = "1s" }
ratio = { type = "number", waveform = "ramp", low = 0.0, high = 1.0, period = "1s" }
count = { type = "integer", waveform = "counter" }
level = { type = "integer", unit = "%", low = 0, high = 100, waveform = "ramp", period = "1s" }
state = { type = "boolean", writable = true }
mode = { type = "enum", options = ["eco", "boost & more"], writable = true }
name = { type = "string", writable = true, initial = "<'ü\\"&>" }
"""
METER = """
[things.meter]
driver = "simulated"
interval = "20ms"
[things.meter.options.properties]
count = { type = "integer", waveform = "counter" }
"""


def many(things: int, properties: int, length: int = 0) -> str:
    """Return Things that have much to tell."""
    text = json.dumps("x" * length)
    kind = f'type = "string", writable = true, initial = {text}' if length else 'type = "number", writable = true'
    tables = []
    for number in range(things):
        tables.append(
            f'[things.t{number}]\ndriver = "simulated"\ninterval = "1h"\n[things.t{number}.options.properties]'
        )
        tables += [f"property_{index} = {{ {kind} }}" for index in range(properties)]
    return "\n".join(tables)


def household(server: XmppServer, account: Accounts) -> tuple[Account, Account]:
    """Return a device's and its owner's account, who see each other."""
    alice = account(server, "alice")
    return account(server, "pi", contacts=(alice,)), alice


def owner(alice: Account) -> dict[str, str]:
    return {alice.jid: '"owner"'}


# ---- what is in them -----------------------------------------------------------------------------------------------


async def test_a_plain_client_is_told_readings_exactly_as_the_contract_has_them(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    file = write_config(tmp_path, pi, owner(alice), things=EVERYTHING, resource="shed")
    follower = Follower(alice, f"{pi.jid}/shed")
    async with following(follower), running_app(file, QUICK):
        await follower.hears("tank.count", 20)
        rows = follower.rows()
    told = {row.prop: row for row in reversed(rows)}
    assert {(prop, row.type, row.unit) for prop, row in told.items()} == {
        ("temperature", "q", "°C"),
        ("humidity", "q", "%"),
        ("ratio", "q", ""),
        ("count", "l", None),
        ("level", "q", "%"),
        ("state", "b", None),
        ("mode", "e", None),
        ("name", "s", None),
    }
    assert told["temperature"].value == "21.38", "as precise as its driver says"
    assert (told["state"].value, told["mode"].value, told["name"].value) == ("false", "eco", "<'ü\"&>")
    assert {(row.thing, row.agent) for row in rows} == {("tank", "shed")}
    assert {row.flags for row in rows} == {frozenset()}, "nothing is late, and what can be set is not said here"
    counts = follower.rows("tank.count")
    assert [int(row.value) for row in counts] == list(range(int(counts[0].value), int(counts[0].value) + len(counts)))
    assert len({row.time for row in rows}) == len({row.time for row in counts}), "an instant is one <ts>"
    assert_gapless(follower.batches())
    assert all(len(batch.rows) <= 50 + 7 for batch in follower.batches())


async def test_the_state_node_comes_first_has_everything_and_says_what_can_be_set(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    file = write_config(tmp_path, pi, owner(alice), things=EVERYTHING)
    follower = Follower(alice, f"{pi.jid}/agent", now=True)
    async with following(follower):
        async with running_app(file, QUICK):
            await follower.hears("tank.count", 5)
            items = await fetch(follower, pi.jid)
        await follower.follows(lambda it: len(it.items(NOW_NODE)) >= 2)  # the second at sign-off
        told = follower.items()
        left = await fetch(follower, pi.jid)
    assert [item.node for item in told[:2]] == [NOW_NODE, NODE]
    assert [item.id for item in items] == ["agent/1"]
    rows = {row.name: row for row in items[0].rows}
    names = ("temperature", "humidity", "ratio", "count", "level", "state", "mode", "name")
    assert set(rows) == {f"tank.{name}" for name in names}
    controls = {name for name, row in rows.items() if "ctr" in row.flags}
    assert controls == {"tank.temperature", "tank.state", "tank.mode", "tank.name"}
    # what the device told last is what its account tells after it is gone
    last = {row.name: row.value for row in follower.rows()}
    assert {row.name: row.value for row in left[0].rows} == last


async def test_both_nodes_are_configured_as_they_should_be(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(write_config(tmp_path, pi, owner(alice), things=METER)):
        await follower.hears("meter.count", 1)
        async with Keeper(pi) as keeper:
            stream, state = await keeper.configuration(NODE), await keeper.configuration(NOW_NODE)
    assert stream["persist_items"] in ("0", "false")
    assert state["persist_items"] in ("1", "true")
    assert state["max_items"] == "64"
    assert (stream["access_model"], state["access_model"]) == ("presence", "presence")


async def test_many_things_are_spread_over_items_that_are_small_enough(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    file = write_config(tmp_path, pi, owner(alice), things=many(60, 20))
    async with following(follower):
        async with running_app(file):
            await follower.follows(lambda it: len(it.rows()) == 1200)
            items = await fetch(follower, pi.jid)
            assert sorted(item.id for item in items) == [f"agent/{n}" for n in range(1, len(items) + 1)]
            assert len(items) >= 2
            assert {row.name for item in items for row in item.rows} == {row.name for row in follower.rows()}
            assert max(map(_size, items)) <= 32 * 1024
        assert_gapless(follower.batches())
        # another life with less to tell takes the rest away
        file = write_config(tmp_path, pi, owner(alice), things=many(2, 20))
        async with running_app(file):
            before = len(follower.batches())
            await follower.follows(lambda it: len(it.batches()) > before)
            items = await fetch(follower, pi.jid)
            assert [item.id for item in items] == ["agent/1"]
            assert len(items[0].rows) == 40


async def test_one_thing_with_very_much_to_tell_is_spread_too(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(write_config(tmp_path, pi, owner(alice), things=many(1, 120, 1000))):
        await follower.follows(lambda it: len(it.rows()) == 120)
        items = await fetch(follower, pi.jid)
    assert len(items) >= 4
    assert max(map(_size, items)) <= 32 * 1024
    assert max(map(_size, follower.batches())) <= 66 * 1024, "an instant goes together unless it is huge"
    assert len({row.name for item in items for row in item.rows}) == 120


def _size(item: Item) -> int:
    return len(ET.tostring(item.payload, "utf-8").replace(b"ns0:", b""))  # a prefix that only Python writes


async def test_only_who_is_on_the_access_list_is_told(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    mallory = account(server, "mallory")
    follower, stranger = Follower(alice, f"{pi.jid}/agent"), Follower(mallory, f"{pi.jid}/agent", now=True)
    async with following(follower, stranger), running_app(write_config(tmp_path, pi, owner(alice), things=METER)):
        stranger.xmpp.send_presence_subscription(pto=pi.jid)
        await follower.hears("meter.count", 30)
        with pytest.raises(Refused) as refusal:
            await fetch(stranger, pi.jid)
        assert refusal.value.condition in ("forbidden", "not-authorized")
        assert not stranger.items()


# ---- what becomes of them ------------------------------------------------------------------------------------------


@pytest.fixture
def written_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have agents write their current values every moment instead of every minute, and look at their nodes."""
    monkeypatch.setattr("jidget.readings.now.LEAST_INTERVAL", 0.2)
    monkeypatch.setattr("jidget.xmpp.pep.LOOK_AGAIN", 0.3)


@pytest.mark.parametrize("node", [NODE, NOW_NODE])
@pytest.mark.usefixtures("written_often")
async def test_a_node_that_another_client_deletes_is_made_anew_and_nothing_is_lost(
    server: XmppServer, account: Accounts, tmp_path: Path, node: str
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), Keeper(pi) as keeper:
        async with running_app(write_config(tmp_path, pi, owner(alice), things=METER)):
            await follower.hears("meter.count", 10)
            right = await keeper.configuration(node)
            for _ in range(2):
                await keeper.delete(node)
                await _until_configured(keeper, node, right)
                await follower.hears("meter.count", len(follower.rows("meter.count")) + 10)
            items = await fetch(follower, pi.jid)
        await _assert_complete(follower, keeper)
    assert [row.name for item in items for row in item.rows] == ["meter.count"]


@pytest.mark.parametrize("node", [NODE, NOW_NODE])
@pytest.mark.usefixtures("written_often")
async def test_nothing_is_published_on_a_node_that_somebody_opened_to_the_world(
    server: XmppServer, account: Accounts, tmp_path: Path, node: str
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), Keeper(pi) as keeper:
        with watching_log() as log:
            async with running_app(write_config(tmp_path, pi, owner(alice), things=METER)):
                await follower.hears("meter.count", 10)
                right = await keeper.configuration(node)
                await keeper.configure(node, access_model="open", persist_items="1", max_items="7")
                await _until_configured(keeper, node, right)
                await follower.hears("meter.count", len(follower.rows("meter.count")) + 20)
            assert not log.troubles
        await _assert_complete(follower, keeper)


@pytest.mark.usefixtures("written_often")
async def test_current_values_that_somebody_retracts_come_back(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), Keeper(pi) as keeper:
        async with running_app(write_config(tmp_path, pi, owner(alice), things=METER)):
            await follower.hears("meter.count", 10)
            await keeper.retract(NOW_NODE, "agent/1")
            async with asyncio.timeout(15):
                while not await fetch(follower, pi.jid):  # noqa: ASYNC110  # nobody tells of it
                    await asyncio.sleep(0.05)
            await follower.hears("meter.count", len(follower.rows("meter.count")) + 10)
        await _assert_complete(follower, keeper)


@pytest.mark.usefixtures("written_often")
async def test_on_a_persons_account_the_whitelist_comes_back_with_the_node(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    file = write_config(tmp_path, pi, owner(alice), things=METER, kind="person")
    async with following(follower), Keeper(pi) as keeper, running_app(file):
        await follower.hears("meter.count", 10)
        assert (await keeper.configuration(NODE))["access_model"] == "whitelist"
        await keeper.delete(NODE)
        await follower.hears("meter.count", len(follower.rows("meter.count")) + 10)
        assert (await keeper.configuration(NODE))["access_model"] == "whitelist"


async def test_an_item_that_the_server_refuses_holds_up_nothing_else(
    ejabberd: Ejabberd, account: Accounts, tmp_path: Path
) -> None:
    """Prosody has no setting that makes it refuse an item."""
    pi, alice = household(ejabberd, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    things = METER.replace("20ms", "200ms") + PUMP + many(1, 1, 10)
    async with following(follower), Keeper(pi) as keeper:
        with watching_log() as log:
            async with running_app(write_config(tmp_path, pi, owner(alice), things=things)) as agent:
                await follower.hears("meter.count", 2)
                await keeper.configure(NODE, max_payload_size="600")
                thing = agent.app.directory.get("t0")
                assert thing is not None
                await thing.write({"property_0": "y" * 1000})
                await log.says("the server refuses readings .*payload-too-big")
                await follower.hears("meter.count", len(follower.rows("meter.count")) + 10)
            assert len(log.matching("refuses readings")) == 1
        batches = [batch_of(batch.id)[1] for batch in follower.batches()]
        assert len(set(range(min(batches), max(batches))) - set(batches)) == 1, "one is missing and told by its number"
        assert not [row for row in follower.rows("t0.property_0") if row.value.startswith("y")]


async def _until_configured(keeper: Keeper, node: str, right: dict[str, str]) -> None:
    """Wait until a node is there and configured so; nobody is told of that, so it is asked again and again."""
    names = ("persist_items", "access_model", *(["max_items"] if node == NOW_NODE else []))
    wanted = {name: right[name] for name in names}
    current: dict[str, str] = {}
    try:
        async with asyncio.timeout(15):
            while current != wanted:
                await asyncio.sleep(0.05)
                try:
                    configuration = await keeper.configuration(node)
                except Refused as refusal:
                    assert refusal.condition == "item-not-found"
                else:
                    current = {name: configuration.get(name, "") for name in wanted}
    except TimeoutError:
        raise AssertionError(f"{node} is {current}, not {wanted}") from None


async def _assert_complete(follower: Follower, keeper: Keeper) -> None:
    """Check that nothing is missing of the counter of an agent that is gone: its last value is in the state node."""
    (state,) = await fetch(keeper, keeper.bare)
    last = int(state.rows[0].value)
    await follower.follows(lambda it: any(int(row.value) == last for row in it.rows("meter.count")))
    counts = [int(row.value) for row in follower.rows("meter.count")]
    assert sorted(counts) == list(range(min(counts), last + 1))
    assert min(counts) <= 2
    assert_gapless(follower.batches())
