"""A bridged device as its Thing sees it: in reach the moment it is, whatever it tells when."""

import asyncio
from typing import Any

import pytest
from tests.support.fakes import running, thing, until
from tests.support.mqtt_entities import COMMAND, TOPIC, entity_of

from jidget.mqtt.availability import Availability
from jidget.mqtt.device import BridgedDevice, Member
from jidget.mqtt.model import Publish
from jidget.mqtt.templates import Templates
from jidget.things import running as hosting


async def publish(_: Publish) -> None:
    """Publish nowhere."""


def device() -> BridgedDevice:
    entity = entity_of("switch", state_topic=TOPIC, command_topic=COMMAND)
    availability = Availability(entity.config, Templates())
    return BridgedDevice([Member(entity, availability, properties={"": "state"})], publish)


async def test_it_is_in_reach_before_it_has_told_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "SILENT_START", 3600.0)
    one = thing("plug", device())
    async with running(one):
        assert one.values == {}


async def test_who_is_back_before_it_was_let_go_of_is_not_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "RETRY_LONGEST", 3600.0)
    monkeypatch.setattr(hosting, "retry_pause", lambda _: 3600.0)
    plug = device()
    closing, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    monkeypatch.setattr(plug, "close", close)
    one = thing("plug", plug)
    async with running(one):
        seen: list[bool] = []
        one.on_availability = lambda it: seen.append(it.availability.available)
        plug.lose("offline, as the device says")
        async with asyncio.timeout(5.0):
            await closing.wait()
        plug.lose("")
        one.hurry()
        closed.set()
        await until(one, lambda: seen == [False, True])


async def test_of_several_events_each_is_told_and_of_other_values_the_last() -> None:
    event = entity_of("event", state_topic=TOPIC, event_types=["press"])
    power = entity_of("sensor", state_topic=TOPIC)
    members = [
        Member(each, Availability(each.config, Templates()), properties={"": name})
        for name, each in (("button", event), ("power", power))
    ]
    device = BridgedDevice(members, publish)
    watching: Any = device.watch()
    assert await anext(watching) == {}
    for told in ({"power": "1"}, {"button": "press"}, {"power": "2"}, {"button": "press"}, {"power": "3"}):
        device.tell(told)
    assert [await anext(watching), await anext(watching)] == [
        {"power": "2", "button": "press"},
        {"button": "press", "power": "3"},
    ]
    await watching.aclose()
