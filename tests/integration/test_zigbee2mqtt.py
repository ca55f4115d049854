"""A real Zigbee2MQTT with a simulated radio: its devices as Things, in both of the ways in which it tells of them."""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import running_app, until, write_config
from tests.support.mqtt_device import MqttDevice
from tests.support.mqtt_home import House
from tests.support.people import Person, friends
from tests.support.strict_skips import ABSENT
from tests.support.zigbee2mqtt.house import (
    BLIND,
    CELLAR,
    DOOR,
    LAMP,
    LOCK,
    PLUG,
    RADIATOR,
    REMOTE,
    SMOKE,
    SWITCHES,
    WASHER,
)
from tests.support.zigbee2mqtt.program import WANTED, Zigbee2Mqtt

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

pytestmark = pytest.mark.skipif(
    os.environ.get(WANTED) != "1", reason=f"{ABSENT}Zigbee2MQTT and its Node.js. {WANTED}=1 fetches them by npm"
)
BOTH_WAYS = pytest.mark.parametrize("announces", [True, False], ids=["home-assistant", "exposes"])
THINGS = {
    "plug",
    "washer",
    "hall_lamp",
    "buro_licht",
    "blind",
    "radiator",
    "cellar",
    "front_door",
    "remote",
    "switches",
}
THINGS |= {"lock", "ceiling_fan", "smoke"}
DIFFERENT = {
    "buro_licht": {"color_temp_startup"},
    "hall_lamp": {"color_temp_startup", "level_config"},
    "lock": {"action", "lock_state"},
    "remote": {"action"},
    "switches": {"action"},
    "ceiling_fan": {"fan_percentage"},
}
"""What only one of both ways has. To Home Assistant Zigbee2MQTT does not tell all settings; it announces an action when
it first happens, and makes percents of a fan's modes."""
ALARM = {"zonestatus": 1, "extendedstatus": 0, "zoneID": 0, "delay": 0}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as server:
        yield server


Zigbee = Callable[..., Zigbee2Mqtt]


@pytest.fixture
def zigbee(broker: Mosquitto, tmp_path: Path) -> Iterator[Zigbee]:
    """Start Zigbee2MQTT; once for a test."""
    started: list[Zigbee2Mqtt] = []

    def start(announces: bool = False) -> Zigbee2Mqtt:
        server = Zigbee2Mqtt(tmp_path / "zigbee2mqtt", broker, announces=announces)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path) -> Open:
    """Run the agent on a store, with its owner and a client of the broker."""
    alice, pi = account(prosody, "alice"), account(prosody, "pi")

    @asynccontextmanager
    async def opened(store: str = "store") -> AsyncIterator[House]:
        tables = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n[store]\npath = "{tmp_path / store}.db"\n'
        file = write_config(tmp_path / "agent", pi, {alice.jid: '"owner"'}, things=tables)
        person = Person(alice, f"{pi.jid}/agent", follows=True)
        async with MqttDevice(broker) as client, running_app(file) as agent, friends(person):
            yield House(agent, person, client)

    return opened


def known(home: House) -> dict[str, set[str]]:
    """Return the ids of all properties, by Thing."""
    return {thing.id: set(thing.properties) for thing in home.agent.app.directory}


async def settled(home: House) -> None:
    """Wait until all devices are there with all that they have; what is told of the last one's firmware comes last."""
    await until(lambda: known(home).keys() >= THINGS)
    await until(lambda: "update_state" in known(home)["smoke"])


async def request(home: House, what: str, **arguments: Any) -> None:
    """Ask Zigbee2MQTT for something."""
    await home.device.says(f"zigbee2mqtt/bridge/request/{what}", json.dumps(arguments))


def label(home: House, thing_id: str) -> str:
    thing = home.agent.app.directory.get(thing_id)
    return "" if thing is None else thing.label


@BOTH_WAYS
async def test_its_devices_are_read(zigbee: Zigbee, house: Open, announces: bool) -> None:
    radio = zigbee(announces=announces)
    async with house() as home:
        await settled(home)
        radio.reports(CELLAR, "msTemperatureMeasurement", measuredValue=2153)
        assert (await home.person.reads("cellar.temperature")).value == "21.53"
        assert "cellar.temperature: 21.53 °C" in await home.asks("read cellar")
        radio.reports(WASHER, "haElectricalMeasurement", activePower=425)
        radio.reports(RADIATOR, "hvacThermostat", localTemp=1950, occupiedHeatingSetpoint=2000, systemMode=4)
        radio.reports(SWITCHES, "genOnOff", 2, onOff=1)
        radio.reports(BLIND, "closuresWindowCovering", currentPositionLiftPercentage=100)
        radio.commands(SMOKE, "ssIasZone", "statusChangeNotification", **ALARM)
        await home.found("washer", power=42.5)
        await home.found("radiator", current=19.5, target=20.0, mode="heat")
        await home.found("switches", right=True)
        await home.found("blind", position=0, state="closed")
        await home.found("smoke", smoke=True)
        radio.commands(REMOTE, "genOnOff", "toggle")
        if announces:  # it is announced when it first happens, and that once nobody hears it
            await until(lambda: "action_toggle" in known(home)["remote"])
            radio.commands(REMOTE, "genOnOff", "toggle")
        assert (await home.person.reads("remote.action_toggle" if announces else "remote.action")).value


@BOTH_WAYS
async def test_its_devices_are_switched(zigbee: Zigbee, house: Open, announces: bool) -> None:
    radio = zigbee(announces=announces)
    async with house() as home:
        await settled(home)
        assert await home.asks("plug on") == "plug.state: on (confirmed)"
        assert radio.sent(PLUG, "genOnOff")[-1][0] == "on"
        assert await home.asks("plug off") == "plug.state: off (confirmed)"
        assert radio.sent(PLUG, "genOnOff")[-1][0] == "off"
        assert await home.asks("hall_lamp.brightness 50") == "hall_lamp.brightness: 50 % (confirmed)"
        assert radio.sent(LAMP, "genLevelCtrl")[-1][1]["level"] == 127
        assert "(confirmed)" in await home.asks("hall_lamp.color_temp 3000")
        assert radio.sent(LAMP, "lightingColorCtrl")[-1][1]["colortemp"] == 333
        assert await home.asks("blind.position 30") == "blind.position: 30 % (confirmed)"
        assert radio.sent(BLIND, "closuresWindowCovering")[-1] == ("goToLiftPercentage", {"percentageliftvalue": 70})
        assert await home.asks("radiator.target 22.5") == "radiator.target: 22.5 °C (confirmed)"
        assert radio.sent(RADIATOR, "hvacThermostat")[-1][1][0]["attrData"] == 2250
        assert await home.asks("switches.right on") == "switches.right: on (confirmed)"
        assert "on" in [name for name, _ in radio.sent(SWITCHES, "genOnOff")]
        assert await home.asks("washer on") == "washer.state: on (confirmed)"  # its other switches are settings
        assert await home.asks("washer.child_lock on") == "washer.child_lock: on (confirmed)"
        assert await home.asks("do lock unlock") == "lock unlock: done"
        assert await home.asks("do lock lock") == "lock lock: done"
        await until(lambda: len(radio.sent(LOCK, "closuresDoorLock")) == 2)
        assert {name for name, _ in radio.sent(LOCK, "closuresDoorLock")} == {"unlockDoor", "lockDoor"}


@BOTH_WAYS
async def test_what_is_not_there_is_told(zigbee: Zigbee, house: Open, announces: bool) -> None:
    radio = zigbee(announces=announces)
    async with house() as home:
        await settled(home)
        await home.lost("front_door")  # nobody has heard it for two days
        radio.reports(DOOR, "genOnOff", onOff=1)
        await home.found("front_door", contact=True)
        radio.silences(PLUG)
        assert (await home.asks("plug on")).startswith("plug.state: on sent, unconfirmed")
        radio.kill()  # the broker says so, for Zigbee2MQTT
        await home.lost("cellar")
        assert (await home.asks("plug on")).startswith("Refused: plug is unavailable since ")
        radio.start()
        await home.found("cellar")
        assert await home.asks("plug on") == "plug.state: on (confirmed)"
        await request(home, "device/remove", id="plug", force=True)
        await until(lambda: "plug" not in known(home))
        assert known(home).keys() >= THINGS - {"plug"}


@pytest.mark.parametrize(
    ("announces", "forgets"), [(True, False), (True, True), (False, False)], ids=["discovery", "rediscovery", "exposes"]
)
async def test_a_renamed_device_keeps_its_names(zigbee: Zigbee, house: Open, announces: bool, forgets: bool) -> None:
    radio = zigbee(announces=announces)
    async with house() as home:
        await settled(home)
        before = known(home)
        await request(home, "device/rename", **{"from": "plug", "to": "fridge", "homeassistant_rename": forgets})
        await until(lambda: label(home, "plug") == "fridge")
        await until(lambda: known(home) == before)
        assert await home.asks("plug on") == "plug.state: on (confirmed)"
        assert radio.sent(PLUG, "genOnOff")[-1][0] == "on"


async def test_its_devices_are_the_same_by_both_of_its_ways(zigbee: Zigbee, house: Open) -> None:
    radio = zigbee()
    async with house() as home:
        await settled(home)
        exposed = known(home)
        await home.found("plug", state=False)  # nobody has told how they stand: they were asked
        await home.found("hall_lamp", on=False, brightness=50)
        await home.found("blind", position=60, tilt=80)
        await request(home, "options", options={"homeassistant": {"enabled": True}})
        await until(lambda: "bridge/response/options" in radio.said)
        radio.stop()
        radio.start()
        await until(lambda: f"homeassistant/update/{SMOKE.ieee}/update/config" in radio.said)
        with suppress(TimeoutError):
            await until(lambda: differences(known(home), exposed) == DIFFERENT)
        assert differences(known(home), exposed) == DIFFERENT
        assert await home.asks("plug on") == "plug.state: on (confirmed)"
    async with house("another_store") as home:
        await settled(home)
        assert differences(known(home), exposed) == DIFFERENT


def differences(some: dict[str, set[str]], others: dict[str, set[str]]) -> dict[str, set[str]]:
    return {thing: found for thing in THINGS if (found := some.get(thing, set()) ^ others.get(thing, set()))}
