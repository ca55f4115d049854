"""Our own Things on a real broker: announced, told, commanded with the rights given, and taken back."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import PUMP as PUMP_THING
from tests.support.agents import running_app, until, write_config
from tests.support.mqtt import Watched, at, running
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget.mqtt import command_topics
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.connection import Connection
from jidget.mqtt.model import Message, Publish
from jidget.safety.memory import boottime

THINGS = f"""
{PUMP_THING}
[things.pump.safety]
safe = false
MORE
[things.air]
driver = "simulated"
interval = "100ms"
[things.air.options.properties]
temperature = {{ unit = "Cel", writable = true, initial = 20 }}
"""
ROOT = "jidget/jidget-pi/"
NAMES = Names("jidget-pi", "homeassistant")
PUMP, AIR, LAMP = (NAMES.discovery(NAMES.device(thing)) for thing in ("pump", "air", "lamp"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as server:
        yield server


def config(
    directory: Path,
    account: Accounts,
    server: Prosody,
    broker: Mosquitto,
    grants: dict[str, str] | None = None,
    *,
    announce: bool = True,
    rules: str = "",
    port: int | None = None,
    client_id: str = "jidget-pi",
    things: str = THINGS,
    own: Account | None = None,
) -> Path:
    """Write the configuration of an agent that announces its Things; `own` is its account, a new one if left out."""
    table = f'[mqtt]\nhost = "{broker.host}"\nport = {port or broker.port}\nclient_id = "{client_id}"\nbirth = false\n'
    table += f"announce = {str(announce).lower()}\n"
    return write_config(directory, own or account(server, "pi"), grants, things=things.replace("MORE", rules) + table)


class Onlooker:
    """Somebody else on the broker: what is kept there, and what is said."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def said(self, topic: str) -> list[str]:
        return [payload.decode() for payload in self._watched.payloads(topic)]

    def last(self, topic: str) -> Any:
        said = self.said(topic)
        return json.loads(said[-1]) if said and said[-1] else None

    @property
    def kept(self) -> set[str]:
        """Return on which topics something is kept, as far as was heard."""
        newest = {message.topic: message for message in self._watched.messages}
        return {topic for topic, message in newest.items() if message.payload}

    async def commands(self, what: str, payload: str, *, retain: bool = False) -> None:
        await self._watched.session.publish(
            Publish(topic=f"{ROOT}things/{what}", payload=payload, qos=1, retain=retain)
        )

    async def says(self, topic: str, payload: str) -> None:
        await self._watched.session.publish(Publish(topic=topic, payload=payload, qos=1, retain=True))


@asynccontextmanager
async def onlooker(broker: Mosquitto) -> AsyncIterator[Onlooker]:
    async with running(at(broker, "onlooker"), "homeassistant/#", "jidget/#") as watched:
        await watched.connects()
        await watched.subscribed()
        yield Onlooker(watched)


async def shown(seen: Onlooker, thing_id: str, **values: Any) -> None:
    """Wait until a Thing is told of with these values."""

    def told() -> bool:
        state = seen.last(f"{ROOT}things/{thing_id}/state")
        return state is not None and values.items() <= state.items()

    await until(told)


async def test_things_are_announced_told_and_commanded(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jidget.audit")
    alice = account(prosody, "alice")
    grants = {alice.jid: '"owner"', "mqtt": '{ role = "operator", things = ["pump"] }'}
    file = config(tmp_path, account, prosody, broker, grants)
    async with onlooker(broker) as seen:
        async with running_app(file) as agent, friends(person := Person(alice, f"{agent.app.link.login.jid}/agent")):
            await shown(seen, "pump", state="OFF")
            await shown(seen, "air", temperature=20)
            pump = seen.last(PUMP)["components"]
            assert pump["switch-state"]["command_topic"] == f"{ROOT}things/pump/set/state"
            assert list(seen.last(AIR)["components"]) == ["sensor-temperature"]
            assert seen.said(f"{ROOT}things/pump/availability")[-1] == "online"
            await seen.commands("pump/set/state", "ON")
            await shown(seen, "pump", state="ON")
            assert agent.writes[-1] == "true"
            assert await person.asks("pump off") == "pump.state: off (confirmed)"  # what a person does is told, too
            await shown(seen, "pump", state="OFF")
            await seen.commands("pump/set/state", "perhaps")
            await until(lambda: seen.said(f"{ROOT}things/pump/answer") != [])
            assert seen.said(f"{ROOT}things/pump/answer")[0].startswith('Refused: pump.state: "perhaps" is')
            assert "by mqtt: set pump state=on -> done" in caplog.text
        await until(lambda: seen.said(f"{ROOT}status")[-1] == "offline")


async def test_without_rights_nothing_can_be_commanded(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file = config(tmp_path, account, prosody, broker)
    async with onlooker(broker) as seen, running_app(file) as agent:
        await shown(seen, "pump", state="OFF")
        assert list(seen.last(PUMP)["components"]) == ["binary_sensor-state"]
        before = list(agent.writes)
        await seen.commands("pump/set/state", "ON")
        await asyncio.sleep(0.3)  # that nothing happens cannot be waited for
        assert agent.writes == before


async def test_the_safety_rules_hold_and_a_retained_command_does_nothing(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    grants = {"mqtt": '"operator"'}
    file = config(tmp_path, account, prosody, broker, grants, rules='min_off = "1h"')
    async with onlooker(broker) as seen:
        await seen.commands("pump/set/state", "ON", retain=True)
        async with running_app(file) as agent:
            await shown(seen, "pump", state="OFF")
            await until(lambda: any("never carried out" in remark for remark in agent.app._remarks()))
            assert "true" not in agent.writes
            await seen.commands("pump/set/state", "ON")
            await until(lambda: seen.said(f"{ROOT}things/pump/answer") != [])
            assert "min_off" in seen.said(f"{ROOT}things/pump/answer")[0]
            assert "true" not in agent.writes
            assert seen.last(f"{ROOT}things/pump/state") == {"state": "OFF"}


async def test_what_is_no_longer_announced_is_taken_back(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    own = account(prosody, "pi")
    both = config(tmp_path, account, prosody, broker, {"mqtt": '"operator"'}, own=own)
    async with onlooker(broker) as seen:
        async with running_app(both):
            await shown(seen, "pump", state="OFF")
            await shown(seen, "air", temperature=20)
        fewer = config(tmp_path, account, prosody, broker, things=THINGS.partition("[things.air]")[0], own=own)
        async with running_app(fewer):
            await until(lambda: AIR not in seen.kept)
            await until(lambda: f"{ROOT}things/air/state" not in seen.kept)
            await until(lambda: seen.last(PUMP)["components"].get("switch-state") == {"platform": "switch"})
            assert "command_topic" not in seen.last(PUMP)["components"]["binary_sensor-state"]
        async with running_app(fewer):  # those that follow need not hear that again
            await until(lambda: list(seen.last(PUMP)["components"]) == ["binary_sensor-state"])
        none = config(tmp_path, account, prosody, broker, announce=False, own=own)
        async with running_app(none):
            await until(lambda: seen.kept <= {f"{ROOT}status"})


async def test_a_broker_that_forgot_everything_is_told_again(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file = config(tmp_path, account, prosody, broker, {"mqtt": '"operator"'})
    async with running_app(file):
        async with onlooker(broker) as seen:
            await shown(seen, "pump", state="OFF")
        broker.kill()
        broker.start()  # it keeps nothing
        async with onlooker(broker) as seen:
            await shown(seen, "pump", state="OFF")
            assert "switch-state" in seen.last(PUMP)["components"]
            await seen.commands("pump/set/state", "ON")
            await shown(seen, "pump", state="ON")


async def test_what_an_agent_announces_no_agent_bridges(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    one = config(tmp_path / "one", account, prosody, broker, {"mqtt": '"operator"'})
    two = config(tmp_path / "two", account, prosody, broker, client_id="jidget-two", things="")
    trap = {"name": "Trap", "unique_id": "trap", "command_topic": f"{ROOT}things/pump/set/state"}
    lamp = {"name": "Lamp", "unique_id": "lamp", "state_topic": "lamp", "command_topic": "lamp/set"}
    async with onlooker(broker) as seen, running_app(one) as first, running_app(two) as second:
        await shown(seen, "pump", state="OFF")
        await seen.says("homeassistant/switch/trap/config", json.dumps(trap))
        await seen.says("homeassistant/switch/lamp/config", json.dumps(lamp))
        await until(lambda: first.app.directory.get("lamp") is not None)
        await until(lambda: second.app.directory.get("lamp") is not None)
        assert {thing.id for thing in first.app.directory} == {"pump", "air", "lamp"}
        assert {thing.id for thing in second.app.directory} == {"trap", "lamp"}
        assert any("its topics are this agent's own" in remark for remark in first.app._remarks())
        assert LAMP not in seen.kept


async def test_what_the_broker_does_not_let_us_announce_is_said(
    prosody: Prosody, account: Accounts, fresh_server: FreshServers, tmp_path: Path
) -> None:
    broker = fresh_server(Mosquitto, access="topic readwrite jidget/#\ntopic read homeassistant/#\n")
    file = config(tmp_path, account, prosody, broker)
    async with onlooker(broker) as seen, running_app(file) as agent:
        await shown(seen, "pump", state="OFF")
        (remark,) = agent.app._remarks()
        assert f"does not let us publish to {NAMES.discovery(NAMES.agent)}" in remark


async def test_a_command_that_was_held_up_on_its_way_is_known_to_be_old(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_topics, "PROVING", 0.05)
    heard: list[tuple[Message, float | None]] = []
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port)) as one:
        one.session.commands.obey(["orders/pump"], lambda message, since: heard.append((message, since)))
        await one.connects()
        async with running(at(broker, "other")) as other:
            await other.connects()
            await one.subscribed()
            await other.session.publish(Publish(topic="orders/pump", payload="ON"))
            await until(lambda: len(heard) == 1)
            assert heard[0][1] is not None
            assert boottime() - heard[0][1] < 5
            proxy.stall("down")
            sent = boottime()
            await other.session.publish(Publish(topic="orders/pump", payload="OFF", qos=1))
            await asyncio.sleep(1.0)  # on its way
            proxy.resume()
            await until(lambda: len(heard) == 2)
            assert heard[1][1] is not None
            assert heard[1][1] <= sent


async def test_one_command_is_one_whoever_wants_to_read_it_too(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file = config(tmp_path, account, prosody, broker, {"mqtt": '"operator"'})
    order = f"{ROOT}things/pump/set/state"
    nested = {"state_topic": "spy", "availability": [{"topic": order}]}
    spies: list[dict[str, Any]] = [{"state_topic": "jidget/+/things/#"}, {"state_topic": "#"}, nested]
    async with onlooker(broker) as seen, running_app(file) as agent:
        await shown(seen, "pump", state="OFF")
        for number, spy in enumerate(spies):
            announced = {"name": f"Spy {number}", "unique_id": f"spy{number}", **spy}
            await seen.says(f"homeassistant/sensor/spy{number}/config", json.dumps(announced))
            await until(lambda number=number: agent.app.directory.get(f"spy_{number}") is not None)  # type: ignore[misc]
        await seen.says("homeassistant/sensor/spy2/config", "")  # with which its subscriptions end
        await until(lambda: agent.app.directory.get("spy_2") is None)
        before = len(agent.writes)
        await seen.commands("pump/set/state", "ON")
        await shown(seen, "pump", state="ON")
        await seen.commands("pump/set/state", "OFF")
        await shown(seen, "pump", state="OFF")
        assert agent.writes[before:] == ["true", "false"]


async def test_a_command_that_is_to_be_retained_is_refused_at_once(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file = config(tmp_path, account, prosody, broker, {"mqtt": '"operator"'})
    async with onlooker(broker) as seen, running_app(file) as agent:
        await shown(seen, "pump", state="OFF")
        before = len(agent.writes)
        await seen.commands("pump/set/state", "ON", retain=True)
        await until(lambda: any("never carried out" in remark for remark in agent.app._remarks()))
        assert agent.writes[before:] == []
        await seen.commands("pump/set/state", "", retain=True)
        await until(lambda: agent.app._remarks() == [])


async def test_topics_that_the_broker_does_not_let_us_read_are_said(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Connection.subscribe

    async def picky(self: Connection, filters: Mapping[str, int], *, as_published: bool = False) -> dict[str, str]:
        answer = await real(self, filters, as_published=as_published)
        return answer | ({each: "Not authorized" for each in filters} if as_published else {})

    monkeypatch.setattr(Connection, "subscribe", picky)  # mosquitto lets subscribe to what it lets nobody read
    file = config(tmp_path, account, prosody, broker, {"mqtt": '"operator"'})
    async with onlooker(broker) as seen, running_app(file) as agent:
        await shown(seen, "pump", state="OFF")
        (remark,) = agent.app._remarks()
        assert f"{ROOT}things/" in remark
        assert "nobody can command it" in remark


async def test_a_copied_store_leaves_the_original_in_peace(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    one = config(tmp_path / "one", account, prosody, broker)
    async with onlooker(broker) as seen:
        async with running_app(one):
            await shown(seen, "pump", state="OFF")
        two = config(tmp_path / "two", account, prosody, broker, client_id="jidget-two")
        for file in (tmp_path / "one").glob("jidget.db*"):
            shutil.copy(file, tmp_path / "two" / file.name)
        others = Names("jidget-two", "homeassistant")
        async with running_app(one), running_app(two):
            await until(lambda: others.discovery(others.device("pump")) in seen.kept)
            await until(lambda: others.state("air") in seen.kept)
            assert {PUMP, AIR, NAMES.state("pump")} <= seen.kept
