"""A house of 250 devices and 2,000 configs on one broker: they are all there soon, and nothing else waits meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import RunningApp, running_app, until, write_config
from tests.support.mqtt_house import ENTITIES, Speaker, house_of, state_of, thing_of, topic_of
from tests.support.people import Person, friends

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody

DEVICES = 250
LONGEST_STALL = 1.0
"""Seconds. It is 0.1 s where nothing else runs, of which most is Python's garbage collection."""
SHORT = 0.005


@dataclass(slots=True)
class Stalls:
    """How long the event loop kept somebody waiting at most."""

    longest: float = 0.0


@asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Measure them for the time of the context."""
    measured = Stalls()
    loop = asyncio.get_running_loop()

    async def measure() -> None:
        while True:
            begun = loop.time()
            await asyncio.sleep(SHORT)
            measured.longest = max(measured.longest, loop.time() - begun - SHORT)

    task = asyncio.create_task(measure())
    try:
        yield measured
    finally:
        task.cancel()
        await asyncio.wait((task,))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", extra="log_type none") as server:
        speaker = Speaker(server)
        speaker.says(house_of(DEVICES), retain=True)
        speaker.close()
        yield server


def config(tmp_path: Path, pi: Account, alice: Account, broker: Mosquitto) -> Path:
    table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
    return write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=table, liveness="2s")


def complete(agent: RunningApp) -> bool:
    """Return whether all devices are there, and all they told."""
    things = list(agent.app.directory)
    return len(things) == DEVICES and all(t.availability.available and len(t.values) == ENTITIES for t in things)


async def test_a_large_house_is_there_soon_and_nothing_else_waits_for_it(
    prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, pi = account(prosody, "alice"), account(prosody, "pi")
    loop = asyncio.get_running_loop()
    async with stalls() as measured, running_app(config(tmp_path, pi, alice, broker)) as agent:
        begun = loop.time()
        await until(lambda: complete(agent))
        took = loop.time() - begun
        async with friends(person := Person(alice, f"{pi.jid}/agent")):
            connected = agent.app.session.since
            speaker = await asyncio.to_thread(Speaker, broker)
            await asyncio.to_thread(speaker.says, ((topic_of(n), state_of(42.5)) for n in range(DEVICES)))
            asked = loop.time()
            assert f"{thing_of(7)}.power: " in await person.asks(f"read {thing_of(7)}.power")
            answered = loop.time() - asked
            await until(lambda: all(thing.values["power"].value == 42.5 for thing in agent.app.directory))
            assert agent.app.session.since == connected
            await asyncio.to_thread(speaker.close)
    with capsys.disabled():
        print(f"\n{DEVICES} devices: {took:.2f} s; longest stall {measured.longest:.3f} s, an answer {answered:.3f} s")
    assert measured.longest < LONGEST_STALL
