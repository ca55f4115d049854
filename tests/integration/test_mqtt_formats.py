"""Devices that do not speak Home Assistant's discovery, on a real broker: found, read, set and confirmed, gone."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import running_app, until, write_config
from tests.support.mqtt_device import MqttDevice, Obey
from tests.support.mqtt_home import House
from tests.support.mqtt_sources import native
from tests.support.people import Person, friends

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

MAC = "00000049A3BC"
SHELLY = "shellyplus1pm-a8032abe54dc"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as server:
        yield server


Open = Callable[..., Any]


@pytest.fixture
def house(prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opened(obeys: Mapping[str, Obey], more: str = "") -> AsyncIterator[House]:
        alice, pi = account(prosody, "alice"), account(prosody, "pi")
        table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nclient_id = "me"\n{more}'
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=table)
        async with (
            MqttDevice(broker, obeys) as device,
            running_app(file) as agent,
            friends(person := Person(alice, f"{pi.jid}/agent")),
        ):
            yield House(agent, person, device)

    return opened


async def test_zigbee2mqtt(house: Open) -> None:
    state = {"type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF"}
    power = {"type": "numeric", "name": "power", "property": "power", "access": 1, "unit": "W"}
    exposes = [{"type": "switch", "features": [state]}, power]
    plug = {"ieee_address": "0x01", "friendly_name": "kitchen_plug", "definition": {"exposes": exposes}}
    padding = {"ieee_address": "0x02", "type": "Coordinator", "friendly_name": "x" * 300_000}
    info = {"coordinator": {"ieee_address": "0xff"}, "config": {"availability": {"enabled": True}}}
    obeys = {
        "zigbee2mqtt/kitchen_plug/set/state": lambda text: {"zigbee2mqtt/kitchen_plug": json.dumps({"state": text})}
    }
    async with house(obeys) as home:
        device = home.device
        await device.says("zigbee2mqtt/bridge/info", json.dumps(info), retain=True)
        await device.says("zigbee2mqtt/bridge/devices", json.dumps([padding, plug]), retain=True)
        await device.says("zigbee2mqtt/bridge/state", '{"state": "online"}', retain=True)
        await device.says("zigbee2mqtt/kitchen_plug/availability", '{"state": "online"}', retain=True)
        await device.says("zigbee2mqtt/kitchen_plug", '{"state": "OFF", "power": 2.5}', retain=True)
        await home.found("kitchen_plug", state=False, power=2.5)
        assert await home.asks("kitchen_plug on") == "kitchen_plug.state: on (confirmed)"
        assert device.heard == [("zigbee2mqtt/kitchen_plug/set/state", "ON")]
        await device.says("zigbee2mqtt/kitchen_plug/availability", '{"state": "offline"}', retain=True)
        await home.lost("kitchen_plug")
        assert "offline, as the device says" in await home.asks("kitchen_plug off")
        assert "Remove it in Zigbee2MQTT" in await home.confirms("forget kitchen_plug")
        await device.says("zigbee2mqtt/bridge/devices", "[]", retain=True)
        await until(lambda: home.agent.app.directory.get("kitchen_plug") is None)


async def test_home_assistants_discovery_takes_over_and_names_stay(house: Open) -> None:
    power = {"type": "numeric", "name": "power", "property": "power", "access": 1, "unit": "W"}
    plug = {"ieee_address": "0x01", "friendly_name": "plug", "definition": {"exposes": [power]}}
    announced = {
        "unique_id": "0x01_power_zigbee2mqtt",
        "object_id": "other",
        "state_topic": "zigbee2mqtt/plug",
        "value_template": "{{ value_json.power }}",
        "unit_of_measurement": "kW",
        "device": {"identifiers": ["zigbee2mqtt_0x01"], "name": "plug"},
    }
    async with house({}) as home:
        device = home.device
        await device.says("zigbee2mqtt/bridge/info", '{"coordinator": {}}', retain=True)
        await device.says("zigbee2mqtt/bridge/devices", json.dumps([plug]), retain=True)
        await device.says("zigbee2mqtt/bridge/state", "online", retain=True)
        await device.says("zigbee2mqtt/plug", '{"power": 2.5}', retain=True)
        await home.found("plug", power=2.5)
        await device.announces("homeassistant/sensor/0x01/power/config", announced)
        await until(lambda: "kW" in str(home.agent.app.directory.get("plug").properties["power"].unit))
        assert set(home.agent.app.directory.get("plug").properties) == {"power"}


async def test_tasmota(house: Open) -> None:
    config = {
        "dn": "Sink",
        "fn": ["Sink"],
        "ft": "%prefix%/%topic%/",
        "t": "sink",
        "tp": ["cmnd", "stat", "tele"],
        "state": ["OFF", "ON", "TOGGLE", "HOLD"],
        "rl": [1],
    }
    sensors = {"sn": {"DS18B20": {"Temperature": 1.0}, "TempUnit": "C"}}
    readings = {"StatusSNS": {"DS18B20": {"Temperature": 20.5}}}
    obeys = {
        "cmnd/sink/STATE": lambda _: {"stat/sink/RESULT": '{"POWER": "OFF"}'},
        "cmnd/sink/STATUS": lambda _: {"stat/sink/STATUS10": json.dumps(readings)},
        "cmnd/sink/POWER1": lambda text: {"stat/sink/RESULT": json.dumps({"POWER": text}), "stat/sink/POWER": text},
    }
    async with house(obeys) as home:
        device = home.device
        await device.says("tele/sink/LWT", "Online", retain=True)
        await device.says(f"tasmota/discovery/{MAC}/config", json.dumps(config), retain=True)
        await device.says(f"tasmota/discovery/{MAC}/sensors", json.dumps(sensors), retain=True)
        await home.found("sink", state=False, ds18b20_temperature=20.5)
        assert await home.asks("sink.state on") == "sink.state: on (confirmed)"
        assert ("cmnd/sink/POWER1", "ON") in device.heard
        await device.says("tele/sink/SENSOR", '{"DS18B20": {"Temperature": 21.5}}')
        await home.found("sink", state=True, ds18b20_temperature=21.5)
        await device.says("tele/sink/LWT", "Offline", retain=True)
        await home.lost("sink")
        assert "is forgotten" in await home.confirms("forget sink")
        await until(lambda: home.agent.app.directory.get("sink") is None)


async def test_homie_4(house: Open) -> None:
    tree = {
        "$homie": "4.0.0",
        "$name": "Car",
        "$nodes": "engine",
        "engine/$name": "Engine",
        "engine/$properties": "on,speed",
        "engine/on/$name": "On",
        "engine/on/$datatype": "boolean",
        "engine/on/$settable": "true",
        "engine/speed/$datatype": "float",
        "engine/on": "false",
        "engine/speed": "12.5",
        "$state": "ready",
    }
    async with house({"homie/car/engine/on/set": lambda text: {"homie/car/engine/on": text}}) as home:
        for name, payload in tree.items():
            await home.device.says(f"homie/car/{name}", payload, retain=True)
        await home.found("car", engine_on=False, engine_speed=12.5)
        assert await home.asks("set car.engine_on on") == "car.engine_on: on (confirmed)"
        await home.device.says("homie/car/$state", "lost", retain=True)
        await home.lost("car")


async def test_homie_5(house: Open) -> None:
    target = {"datatype": "float", "settable": True, "format": "5:30:0.5", "unit": "°C"}
    told = {"homie": "5.0", "name": "Thermo", "nodes": {"room": {"properties": {"target": target}}}}
    async with house({"homie/5/t1/room/target/set": lambda text: {"homie/5/t1/room/target": text}}) as home:
        await home.device.says("homie/5/t1/$state", "ready", retain=True)
        await home.device.says("homie/5/t1/$description", json.dumps(told), retain=True)
        await home.device.says("homie/5/t1/room/target", "20", retain=True)
        await home.found("thermo", room_target=20)
        assert "21.5 °C (confirmed)" in await home.asks("set thermo.room_target 21.5")
        assert home.device.heard == [("homie/5/t1/room/target/set", "21.5")]
        await home.device.says("homie/5/t1/$state", "disconnected", retain=True)
        await home.lost("thermo")


async def test_shelly(house: Open) -> None:
    status: dict[str, Any] = {"switch:0": {"id": 0, "output": False, "apower": 1.5}}

    def serve(text: str) -> Mapping[str, str]:
        request = json.loads(text)
        answer, notice = {}, {}
        if request["method"] == "Switch.Set":
            status["switch:0"]["output"] = request["params"]["on"]
            notice = {
                "src": SHELLY,
                "method": "NotifyStatus",
                "params": {"switch:0": {"output": request["params"]["on"]}},
            }
        elif request["method"] == "Shelly.GetStatus":
            answer = status
        elif request["method"] == "Shelly.GetDeviceInfo":
            answer = {"id": SHELLY, "name": "Boiler"}
        reply = {"id": request["id"], "src": SHELLY, "dst": request["src"], "result": answer}
        told = {f"{request['src']}/rpc": json.dumps(reply)}
        return {**told, f"{SHELLY}/events/rpc": json.dumps(notice)} if notice else told

    async with house({f"{SHELLY}/rpc": serve}) as home:
        await home.device.says(f"{SHELLY}/online", "true", retain=True)
        await home.found("boiler", state=False, power=1.5)
        assert await home.asks("set boiler.state on") == "boiler.state: on (confirmed)"
        await home.device.says(f"{SHELLY}/online", "false", retain=True)
        await home.lost("boiler")


async def test_plain_topics(house: Open) -> None:
    table = """
[mqtt.topics.heater]
label = "The heater"
available = { topic = "h/status" }

[mqtt.topics.heater.properties.heater_power]
topic = "h/power"

[mqtt.topics.heater.properties.target]
topic = "h/state"
path = "data.target"
unit = "°C"
min = 5
max = 30
set_topic = "h/set"
set_payload = '{"target": {{ value }}}'

[things.heater]
match = "mqtt.topics.heater"
safety = { target = { confirm = true } }
"""
    obeys = {"h/set": lambda text: {"h/state": json.dumps({"data": json.loads(text)})}}
    async with house(obeys, table) as home:
        await home.device.says("h/status", "online", retain=True)
        await home.device.says("h/state", '{"data": {"target": 20}}', retain=True)
        await home.found("heater", target=20)
        heater = home.agent.app.directory.get("heater")
        assert (heater.label, heater.discovered) == ("The heater", False)
        assert set(heater.properties) == {"heater_power", "target"}
        assert "21.50 °C (confirmed)" in await home.confirms("set heater.target 21.5")
        assert home.device.heard == [("h/set", '{"target": 21.5}')]
        await home.device.says("h/status", "offline", retain=True)
        await home.lost("heater")


async def test_formats_that_are_not_wanted_are_not_understood(house: Open) -> None:
    target = {"datatype": "float", "settable": True}
    told = {"homie": "5.0", "name": "Thermo", "nodes": {"room": {"properties": {"target": target}}}}
    async with house({}, "formats = []\n") as home:
        await home.device.says("homie/5/t1/$description", json.dumps(told), retain=True)
        await home.device.announces(
            "homeassistant/sensor/x/config", {"state_topic": "x", "name": "X", "unique_id": "x"}
        )
        await until(lambda: home.agent.app.directory.get("x") is not None)
        assert home.agent.app.directory.get("thermo") is None


async def test_a_real_house_of_zigbee_devices(house: Open) -> None:
    told = dict(native("zigbee2mqtt/bridge/"))
    told["zigbee2mqtt/bridge/info"]["config"]["homeassistant"]["enabled"] = False
    async with house({}) as home:
        for topic, payload in told.items():
            await home.device.says(topic, json.dumps(payload), retain=True)
        things = home.agent.app.directory
        await until(lambda: sum(thing.discovered for thing in things) == 59)
        await home.device.says("zigbee2mqtt/bridge/state", '{"state": "online"}', retain=True)
        await home.device.says("zigbee2mqtt/washer_plug/availability", '{"state": "online"}', retain=True)
        await home.device.says("zigbee2mqtt/washer_plug", '{"state": "ON", "power": 812}')
        await home.found("washer_plug", state=True, power=812)


async def test_what_was_announced_before_is_found(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi = account(prosody, "pi")
    tasmota = {"dn": "Sink", "ft": "%prefix%/%topic%/", "t": "sink", "tp": ["cmnd", "stat", "tele"], "rl": [1]}
    kept = {
        f"tasmota/discovery/{MAC}/config": json.dumps({**tasmota, "state": ["OFF", "ON"]}),
        "tele/sink/LWT": "Online",
        f"{SHELLY}/online": "true",
        "homie/car/$homie": "4.0.0",
        "homie/car/$nodes": "engine",
        "homie/car/$state": "ready",
        "homie/car/engine/$properties": "on",
        "homie/car/engine/on/$datatype": "boolean",
        "homie/car/engine/on": "true",
    }

    def serve(text: str) -> Mapping[str, str]:
        request = json.loads(text)
        result = {"switch:0": {"output": True}} if request["method"] == "Shelly.GetStatus" else {}
        return {f"{request['src']}/rpc": json.dumps({"id": request["id"], "src": SHELLY, "result": result})}

    obeys = {f"{SHELLY}/rpc": serve, "cmnd/sink/STATE": lambda _: {"stat/sink/RESULT": '{"POWER": "ON"}'}}
    with Mosquitto(tmp_path / "broker") as broker:
        table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
        file = write_config(tmp_path, pi, {}, things=table)
        async with MqttDevice(broker, obeys) as device:
            for topic, payload in kept.items():
                await device.says(topic, payload, retain=True)
            for _ in range(2):  # the second time by their names
                async with running_app(file) as agent:
                    things = agent.app.directory

                    def shown(thing_id: str, name: str, things: Any = things) -> bool:
                        thing = things.get(thing_id)
                        return thing is not None and name in thing.values and thing.values[name].value is True

                    await until(lambda: shown("sink", "state"))
                    await until(lambda: shown("car", "engine_on"))
                    await until(lambda: shown("shellyplus1pm_a8032abe54dc", "state"))
