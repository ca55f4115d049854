"""The bridge while devices come, go and misbehave: what one publisher does harms nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.fakes import Facts

from jidget.config.mqtt import MqttConfig
from jidget.mqtt import bridge as bridging
from jidget.mqtt.bridge import Bridge
from jidget.mqtt.choice import Choice
from jidget.mqtt.device import BridgedDevice
from jidget.mqtt.devices import Devices
from jidget.mqtt.ids import Ids
from jidget.mqtt.kinds.switch import Switch
from jidget.mqtt.model import Device, Message, Publish
from jidget.mqtt.session import MqttSession
from jidget.mqtt.sources import sources_of
from jidget.mqtt.sources.precedence import Sources
from jidget.readings.household import Household
from jidget.readings.policy import ReportPolicy
from jidget.readings.sampler import Sampler
from jidget.safety.guard import Guard
from jidget.safety.keeper import Keeper
from jidget.safety.memory import OutputMemory
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.rules import Rules
from jidget.things.running import ThingSettings


class Home:
    """A bridge whose messages a test brings, and the house behind it."""

    def __init__(self, rules: Mapping[str, Rules], **settings: Any) -> None:
        config = MqttConfig(host="127.0.0.1", port=1, **settings)
        self.directory = Directory(())
        self.keeper = Keeper(Guard(self.directory, OutputMemory(Facts(), boot=lambda: "boot")), ())
        self.sampler = Sampler((), {}, lambda _: None)
        self.rules = rules
        house = Household(self.directory, self.keeper, self.sampler, lambda _: ReportPolicy())
        self.published: list[Publish] = []
        self.devices = Devices(Ids(_Facts(), config.topics), house, self._make, self._publish)
        sources = Sources(sources_of(config))
        self.bridge = Bridge(MqttSession(config), self.devices, sources=sources, choice=Choice(config, {}))

    def _make(self, thing_id: str, device: Device, driver: BridgedDevice) -> Thing:
        one = Thing(ThingSettings(thing_id=thing_id, label=device.name, timeout=0.3, discovered=True), driver)
        one.rules.update(self.rules)
        return one

    async def _publish(self, publish: Publish) -> None:
        self.published.append(publish)

    def says(self, topic: str, payload: Any, *, retained: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.bridge.receive(Message(topic=topic, payload=raw, retained=retained))

    def announces(self, name: str, /, **keys: Any) -> None:
        config = {"state_topic": name, "command_topic": f"{name}/set", "device": {"ids": [name], "name": name}}
        self.says(f"homeassistant/switch/{name}/config", config | {"unique_id": name, "name": None} | keys)

    def thing(self, name: str) -> Thing:
        found = self.directory.get(name)
        assert found is not None
        return found

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not done():  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.005)


class _Facts(dict[str, str]):
    def facts(self, prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): text for name, text in self.items() if name.startswith(prefix)}

    def fact(self, name: str) -> str | None:
        raise AssertionError(f"{name} is not to be looked up alone")

    def drop_fact(self, name: str) -> None:
        raise AssertionError(f"{name} is not to be forgotten")

    def keep_fact(self, name: str, text: str) -> bool:
        self[name] = text
        return True


@asynccontextmanager
async def home(
    monkeypatch: pytest.MonkeyPatch, rules: Mapping[str, Rules] | None = None, **settings: Any
) -> AsyncIterator[Home]:
    """Run a bridge that has a link and no broker."""
    monkeypatch.setattr(bridging, "SETTLE", 0.02)
    one = Home(rules or {}, **settings)

    async def forever() -> None:
        one.devices.link("")
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(one.bridge._session, "run", forever)
    jobs = [asyncio.create_task(job) for job in (one.keeper.run(), one.sampler.run(), one.bridge.run())]
    await asyncio.sleep(0)
    try:
        yield one
        assert not any(job.done() for job in jobs), [job for job in jobs if job.done()]
    finally:
        for job in reversed(jobs):
            job.cancel()
            await asyncio.wait((job,))


async def test_deeply_nested_announcements_harm_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with home(monkeypatch) as house:
        for depth in range(200, 1000, 50):
            nested = "[" * depth + "]" * depth
            payload = (
                f'{{"dev":{{"ids":["q"]}},"o":{{"name":"x"}},"availability":{nested},"cmps":{{"a":{{"p":"scene"}}}}}}'
            )
            house.says("homeassistant/device/q/config", payload.encode())
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))


async def test_what_a_kind_fails_at_is_said_once_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Switch.receive

    def receive(self: Switch, message: Message) -> bool:
        if message.topic == "bad":
            raise LookupError("a defect")
        return take(self, message)

    monkeypatch.setattr(Switch, "receive", receive)
    async with home(monkeypatch) as house:
        house.announces("bad")
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))
        house.says("bad", b"ON")
        house.says("bad", b"ON")
        house.says("lamp", b"ON")
        await house.until(lambda: "state" in house.thing("lamp").values)
        assert [where for where in house.bridge.ignored if "bad" in where] == ["a message on bad"]


async def test_a_device_that_comes_anew_while_it_goes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with home(monkeypatch) as house:
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))
        found = house.devices.get("lamp")
        assert found is not None
        house.says("homeassistant/switch/lamp/config", b"")
        await house.until(lambda: house.devices.get("lamp") is None)
        house.announces("lamp")
        again = house.devices.get("lamp")
        assert again is not found
        await house.devices.build(found)  # news of the old one that came while it was let go
        assert house.devices.get("lamp") is again


async def test_a_device_that_comes_while_the_agent_stops_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with home(monkeypatch) as house:
        sampler = house.sampler
        running = asyncio.create_task(sampler.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait((running,))
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))
        await asyncio.sleep(0)
        assert not house.bridge.ignored


async def test_what_is_on_when_its_thing_is_built_anew_is_on_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with home(monkeypatch, {"state": Rules(safe=False, max_on=0.2)}) as house:
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))
        before = house.thing("lamp")
        await house.until(lambda: before.availability.available)
        house.says("lamp", b"OFF")
        await house.until(lambda: "state" in before.values)
        house.published.clear()
        house.announces("lamp", icon="mdi:lamp", sw="2")
        house.says("lamp", b"ON", retained=True)
        await house.until(lambda: house.thing("lamp") is not before)
        await house.until(lambda: [each.payload for each in house.published][:1] == ["OFF"])


async def test_a_device_has_only_so_many_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "MOST_OF_A_DEVICE", 3)
    async with home(monkeypatch) as house:
        for number in range(5):
            house.announces(f"lamp{number}", device={"ids": ["it"], "name": "it"}, name=f"n{number}")
        await house.until(lambda: house.directory.get("it"))
        assert len(house.thing("it").properties) == 3
        assert len(house.bridge.ignored) == 2


@pytest.mark.parametrize("first", ["lamp", "firmware"])
async def test_firmware_has_no_say_in_what_a_device_shows(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """It is announced when the rest has its names already, or together with it."""
    about: dict[str, Any] = {"device": {"ids": ["lamp"], "name": "lamp"}, "name": None, "object_id": "lamp"}
    lamp = {"schema": "json", "brightness": True, "command_topic": "lamp/set", "unique_id": "1"}
    firmware = {"state_topic": "lamp", "command_topic": "ota", "unique_id": "2", "entity_category": "config"}
    announcements = (("light", about | lamp), ("update", about | firmware))
    async with home(monkeypatch) as house:
        for kind, config in announcements if first == "lamp" else reversed(announcements):
            house.says(f"homeassistant/{kind}/lamp/config", config)
            await house.until(lambda: house.directory.get("lamp") is not None)
        await house.until(lambda: len(house.thing("lamp").properties) > 4)
        assert {"on", "brightness", "update_state", "update_installed"} <= house.thing("lamp").properties.keys()


async def test_what_the_broker_had_kept_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with home(monkeypatch) as house:
        house.announces("lamp")
        house.says("lamp", b"ON", retained=True)
        await house.until(lambda: house.directory.get("lamp"))
        lamp = house.thing("lamp")
        await house.until(lambda: lamp.availability.available)
        assert lamp.values["state"].value is True
        result = await lamp.write({"state": True})
        assert (result.confirmed, result.values) == (False, {"state": None})
        house.says("lamp", b"ON")
        assert (await lamp.write({"state": True})).confirmed
        house.says("lamp", b"ON", retained=True)
        assert (await lamp.write({"state": True})).confirmed, "it had told so before"


async def test_what_the_broker_repeats_for_another_does_not_take_the_place_of_what_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with home(monkeypatch) as house:
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp"))
        lamp = house.thing("lamp")
        house.says("lamp", b"ON")
        await house.until(lambda: "state" in lamp.values)
        house.says("lamp", b"OFF", retained=True)
        assert lamp.values["state"].value is True
        house.devices.link("gone")
        house.devices.link("")
        house.says("lamp", b"OFF", retained=True)
        assert lamp.values["state"].value is False


BOILER = {"properties": {"heating": {"type": "boolean", "topic": "b/heating", "set_topic": "b/heating/set"}}}


@pytest.mark.parametrize(
    "told",
    [
        {"device": {"ids": ["mqtt.topics.boiler"], "name": "Evil"}},
        {"device": {"ids": ["other"], "name": "Evil"}, "unique_id": "mqtt.topics.boiler"},
        {"device": {"ids": ["other", "mqtt.topics.boiler"], "name": "Evil"}},
    ],
)
async def test_nobody_takes_the_place_of_a_thing_that_the_configuration_describes(
    told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home(monkeypatch, topics={"boiler": BOILER}) as house:
        house.announces("evil", **told)
        house.announces("lamp")
        await house.until(lambda: house.directory.get("lamp") and house.directory.get("boiler"))
        assert set(house.thing("boiler").properties) == {"heating"}
        await house.until(lambda: house.thing("boiler").availability.available)
        await house.thing("boiler").write({"heating": True})
        assert [each.topic for each in house.published] == ["b/heating/set"]
