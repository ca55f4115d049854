"""Devices on a real broker as Things: found, read, switched with a confirmed answer, gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import RunningApp, running_app, until, write_config
from tests.support.mqtt_device import MqttDevice
from tests.support.people import Person, friends

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

PLUG = {
    "name": None,
    "unique_id": "0x01_switch",
    "object_id": "kitchen_plug",
    "state_topic": "z/plug",
    "command_topic": "z/plug/set",
    "value_template": "{{ value_json.state }}",
    "payload_on": '{"state": "ON"}',
    "payload_off": '{"state": "OFF"}',
    "state_on": "ON",
    "state_off": "OFF",
    "availability_topic": "z/plug/availability",
    "device": {"identifiers": ["0x01"], "name": "Kitchen plug", "model": "Plug"},
}
POWER = {
    "name": "Power",
    "unique_id": "0x01_power",
    "object_id": "kitchen_plug_power",
    "state_topic": "z/plug",
    "value_template": "{{ value_json.power }}",
    "device_class": "power",
    "unit_of_measurement": "W",
    "availability_topic": "z/plug/availability",
    "device": {"identifiers": ["0x01"], "name": "Kitchen plug", "model": "Plug"},
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as server:
        yield server


def obey(payload: str) -> dict[str, str]:
    return {"z/plug": payload.replace("}", ', "power": 12.5}')}


async def plugged(device: MqttDevice, *, power: float = 0.0) -> None:
    """Announce the plug, and that it is there and off."""
    await device.announces("homeassistant/switch/0x01/switch/config", PLUG)
    await device.announces("homeassistant/sensor/0x01/power/config", POWER)
    await device.says("z/plug/availability", "online", retain=True)
    await device.says("z/plug", f'{{"state": "OFF", "power": {power}}}', retain=True)


def config(
    tmp_path: Path, account: Accounts, server: XmppServer, broker: Mosquitto, more: str = "", **grants: str
) -> tuple[Path, str]:
    """Write a configuration with a bridge and return it, and the agent's full JID."""
    pi = account(server, "pi")
    table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n{more}'
    return write_config(tmp_path, pi, grants, things=table), f"{pi.jid}/agent"


async def found(agent: RunningApp, thing_id: str = "kitchen_plug") -> None:
    """Wait until a Thing was discovered and can be reached."""

    def there() -> bool:
        thing = agent.app.directory.get(thing_id)
        return thing is not None and thing.availability.available

    await until(there)


async def test_a_device_is_discovered_read_switched_and_confirmed(
    server: XmppServer, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(server, "alice")
    file, jid = config(tmp_path, account, server, broker, **{alice.jid: '"owner"'})
    async with (
        MqttDevice(broker, {"z/plug/set": obey}) as device,
        running_app(file) as agent,
        friends(person := Person(alice, jid)),
    ):
        await plugged(device)
        await found(agent)
        await until(lambda: "power" in agent.app.directory.get("kitchen_plug").values)  # type: ignore[union-attr]
        assert "kitchen_plug.power: 0 W" in await person.asks("read kitchen plug")
        assert await person.asks("kitchen plug on") == "kitchen_plug.state: on (confirmed)"
        assert device.heard == [("z/plug/set", '{"state": "ON"}')]
        assert "kitchen_plug.power: 12.5 W" in await person.asks("read kitchen_plug.power")
        await person.asks("kitchen_plug off")
        assert "off again at" in await person.asks("kitchen_plug on for 1 s")
        await until(lambda: device.heard[-1] == ("z/plug/set", '{"state": "OFF"}'))


async def test_what_it_tells_is_published(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    file, jid = config(tmp_path, account, prosody, broker, **{alice.jid: '"viewer"'})
    async with (
        MqttDevice(broker) as device,
        running_app(file) as agent,
        friends(person := Person(alice, jid, follows=True)),
    ):
        await plugged(device)
        await found(agent)
        await device.says("z/plug", '{"state": "ON", "power": 42.5}')
        seen = await person.reads("kitchen_plug.power", lambda value: value == "42.5")
        assert seen.name == "kitchen_plug.power"


async def test_a_device_that_is_offline_is_not_published_to(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    file, jid = config(tmp_path, account, prosody, broker, **{alice.jid: '"owner"'})
    async with (
        MqttDevice(broker, {"z/plug/set": obey}) as device,
        running_app(file) as agent,
        friends(person := Person(alice, jid)),
    ):
        await plugged(device)
        await found(agent)
        await device.says("z/plug/availability", "offline", retain=True)
        await until(lambda: not agent.app.directory.get("kitchen_plug").availability.available)  # type: ignore[union-attr]
        assert "offline, as the device says" in await person.asks("kitchen_plug on")
        await device.says("z/plug/availability", "online", retain=True)
        await found(agent)
        assert await person.asks("kitchen_plug on") == "kitchen_plug.state: on (confirmed)"
        assert device.heard == [("z/plug/set", '{"state": "ON"}')]


async def test_a_broker_that_goes_away_takes_its_things_and_nothing_else(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    file, jid = config(tmp_path, account, prosody, broker, **{alice.jid: '"owner"'})
    async with running_app(file) as agent, friends(person := Person(alice, jid)):
        async with MqttDevice(broker) as device:
            await plugged(device)
            await found(agent)
        broker.kill()
        await until(lambda: not agent.app.directory.get("kitchen_plug").availability.available)  # type: ignore[union-attr]
        said = await person.asks("kitchen_plug on")
        assert said.startswith("Refused: kitchen_plug is unavailable since ")
        assert "broker" in said
        broker.start()
        async with MqttDevice(broker) as device:
            await plugged(device)
            await found(agent)


async def test_names_stay_through_renames_and_restarts(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file, _ = config(tmp_path, account, prosody, broker)
    async with MqttDevice(broker) as device:
        async with running_app(file) as agent:
            await plugged(device)
            await found(agent)
            renamed = {**POWER, "name": "Watts", "object_id": "watts", "device": {**PLUG["device"], "name": "Fridge"}}  # type: ignore[dict-item]
            await device.announces("homeassistant/sensor/0x01/power/config", renamed)
            await until(lambda: agent.app.directory.get("kitchen_plug").label == "Fridge")  # type: ignore[union-attr]
        async with running_app(file) as agent:
            await found(agent)
            assert set(agent.app.directory.get("kitchen_plug").properties) == {"state", "power"}  # type: ignore[union-attr]


async def test_rights_name_discovered_things_explicitly(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    bob, carol = account(prosody, "bob"), account(prosody, "carol")
    grants = {bob.jid: '{ role = "operator" }', carol.jid: '{ role = "operator", things = ["mqtt:kitchen*"] }'}
    file, jid = config(tmp_path, account, prosody, broker, **grants)
    async with (
        MqttDevice(broker, {"z/plug/set": obey}) as device,
        running_app(file) as agent,
        friends(any_thing := Person(bob, jid), kitchen := Person(carol, jid)),
    ):
        await plugged(device)
        await found(agent)
        assert await any_thing.asks("kitchen_plug on") == "Refused: you may not act on kitchen_plug"
        assert await kitchen.asks("kitchen_plug on") == "kitchen_plug.state: on (confirmed)"


async def test_the_configuration_may_speak_of_a_device(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    overlay = """
[things.fridge]
match = "0x01"
label = "The fridge"
safety = { state = { safe = true, confirm = true } }
"""
    file, jid = config(tmp_path, account, prosody, broker, overlay, **{alice.jid: '"owner"'})
    async with (
        MqttDevice(broker, {"z/plug/set": obey}) as device,
        running_app(file) as agent,
        friends(person := Person(alice, jid)),
    ):
        await plugged(device)
        await found(agent, "fridge")
        await until(lambda: ("z/plug/set", '{"state": "ON"}') in device.heard)  # its safe value
        await until(lambda: agent.app.keeper.guard.outputs["fridge", "state"].pending is None)  # as the device shows
        assert (await person.asks("fridge off")).startswith("Please confirm")
        assert await person.asks("the fridge on") == "fridge.state: on (confirmed)"


async def test_what_is_not_understood_is_said_once_and_the_rest_goes_on(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    file, jid = config(tmp_path, account, prosody, broker, **{alice.jid: '"owner"'})
    async with MqttDevice(broker) as device, running_app(file) as agent, friends(person := Person(alice, jid)):
        await device.announces("homeassistant/sensor/broken/config", "{not json")
        await device.announces("homeassistant/sensor/bad/config", {"name": "no topic"})
        await device.says("z/plug", b"\xff\xfe\x00")
        await plugged(device)
        await found(agent)
        await device.says("z/plug", b"\xff\xfe\x00")
        await device.says("z/plug", '{"state": 5, "power": "lots"}')
        status = await person.asks("status")
        assert "homeassistant/sensor/broken/config is ignored" in status
        assert "and 1 more" in status
        assert "kitchen_plug" in status


async def test_a_device_that_is_removed_is_gone(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    file, _ = config(tmp_path, account, prosody, broker)
    async with MqttDevice(broker) as device, running_app(file) as agent:
        await plugged(device)
        await found(agent)
        await device.announces("homeassistant/switch/0x01/switch/config", "")
        await until(lambda: set(agent.app.directory.get("kitchen_plug").properties) == {"power"})  # type: ignore[union-attr]
        await device.announces("homeassistant/sensor/0x01/power/config", "")
        await until(lambda: agent.app.directory.get("kitchen_plug") is None)


async def test_a_ghost_is_forgotten_after_a_confirmation(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice, bob = account(prosody, "alice"), account(prosody, "bob")
    grants = {alice.jid: '"owner"', bob.jid: '{ role = "operator", things = ["mqtt:*"] }'}
    file, jid = config(tmp_path, account, prosody, broker, **grants)
    async with MqttDevice(broker) as device:
        await plugged(device)
        async with (
            running_app(file) as agent,
            friends(owner := Person(alice, jid), operator := Person(bob, jid)),
        ):
            await found(agent)
            assert await operator.asks("forget kitchen_plug") == "Refused: you may not use forget here"
            asked = await owner.asks("forget kitchen_plug")
            assert asked.startswith("Please confirm: forget kitchen_plug")
            said = await owner.asks(f"yes {asked.split('yes ')[1].split()[0]}")
            assert said == "kitchen_plug is forgotten: the broker keeps nothing of it any more on 2 topics"
            await until(lambda: agent.app.directory.get("kitchen_plug") is None)
    async with running_app(file) as agent:
        await until(lambda: agent.app.bridge is not None and not agent.app.bridge.bridge.trouble)
        assert agent.app.directory.get("kitchen_plug") is None


async def test_what_others_are_announced_with_is_not_forgotten(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    file, jid = config(tmp_path, account, prosody, broker, **{alice.jid: '"owner"'})
    house = {
        "dev": {"ids": ["hub"], "name": "Hub"},
        "o": {"name": "test"},
        "cmps": {"a": {"p": "switch", "state_topic": "h/a", "command_topic": "h/a/set", "unique_id": "a"}},
        "child_devices": [
            {
                "ids": ["leaf"],
                "name": "Leaf",
                "cmps": {"b": {"p": "switch", "state_topic": "h/b", "command_topic": "h/b/set", "unique_id": "b"}},
            }
        ],
    }
    async with MqttDevice(broker) as device, running_app(file) as agent, friends(owner := Person(alice, jid)):
        await device.announces("homeassistant/device/hub/config", house)
        await found(agent, "leaf")
        asked = await owner.asks("forget leaf")
        said = await owner.asks(f"yes {asked.split('yes ')[1].split()[0]}")
        assert "hub would be forgotten with leaf" in said
        assert agent.app.directory.get("hub") is not None


async def test_an_interlock_of_discovered_devices_holds_both_ways(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    overlays = """
[things.up]
match = "up"
safety = { safe = false, interlock = ["down.down"] }

[things.down]
match = "down"
"""
    file, jid = config(tmp_path, account, prosody, broker, overlays, **{alice.jid: '"owner"'})
    obeys = {f"{name}/set": lambda payload, name=name: {name: payload} for name in ("up", "down")}
    async with (
        MqttDevice(broker, obeys) as device,
        running_app(file) as agent,
        friends(owner := Person(alice, jid)),
    ):
        for name in obeys:
            topic = name.removesuffix("/set")
            keys = {"unique_id": topic, "state_topic": topic, "command_topic": name, "device": {"ids": [topic]}}
            await device.announces(f"homeassistant/switch/{topic}/config", keys)
            await device.says(topic, "OFF", retain=True)
            await found(agent, topic)
        await until(lambda: all(thing.values for thing in agent.app.directory))
        assert await owner.asks("up on") == "up.up: on (confirmed)"
        assert "interlock" in await owner.asks("down on")
        assert ("down/set", "ON") not in device.heard
        await owner.asks("up off")
        assert await owner.asks("down on") == "down.down: on (confirmed)"
        assert "interlock" in await owner.asks("up on")


async def test_safety_rules_that_no_longer_fit_a_device_are_said_in_the_status(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path
) -> None:
    alice = account(prosody, "alice")
    overlay = '[things.plug]\nmatch = "0x01"\nsafety = { max_on = "8h" }\n'
    file, jid = config(tmp_path, account, prosody, broker, overlay, **{alice.jid: '"owner"'})
    async with MqttDevice(broker) as device, running_app(file) as agent, friends(owner := Person(alice, jid)):
        await plugged(device)
        await found(agent, "plug")
        assert "ignored" not in await owner.asks("status")
        await device.announces("homeassistant/switch/0x01/child/config", {**PLUG, "name": "Lock", "unique_id": "2"})
        await until(lambda: len(agent.app.directory.get("plug").properties) == 3)  # type: ignore[union-attr]
        assert "things.plug.safety is ignored: several values can be set" in await owner.asks("status")
        said = await owner.asks("plug.state on")
        assert said.startswith(
            "Refused: plug.state is not set, as its safety rules do not fit it: several values can be"
        )
        assert device.heard == []
