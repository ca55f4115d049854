"""All that a soak is made of, started and stopped together."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.accounts import Accounts
from tests.support.agents import write_config
from tests.support.proxy import ChaosProxy
from tests.support.soak.agent import SoakAgent
from tests.support.soak.commander import Commander
from tests.support.soak.consumer import Consumer
from tests.support.soak.disk import CannotMount, SmallDisk
from tests.support.soak.ledger import LIFE
from tests.support.soak.orders import Orders
from tests.support.soak.outputs import Output
from tests.support.soak.record import Record
from tests.support.soak.resident import Resident
from tests.support.soak.switcher import Switcher
from tests.support.soak.wall_clock import WallClock

from jidget.demo.xmpp_server import XmppServer

RESOURCE = "agent"
COUNTERS = {"fast": ("100ms", ("a", "b")), "slow": ("250ms", ("a",))}
"""The sensors: interval and properties of each Thing. Together 24 readings a second."""
VALVE = "valve"
COMMAND_INTERVAL = 0.5
"""Seconds between commands of one commander."""
RELAY, FAN = "pump", "fan"
RELAY_MAX_ON, FAN_MAX_ON = 3.0, 5.0
"""Seconds that these outputs may be on: `max_on`."""
SWITCH_INTERVAL = 1.5
"""Seconds between commands to one of them."""
_SETTLE = 30.0
_LOOK = 0.25


@dataclass(kw_only=True)
class Rig:
    """What a fault is inflicted on, and who sees what comes of it.

    Attributes:
        server: the XMPP server.
        proxy: the network between it and the agent; the others are connected directly.
        agent: the agent.
        config: its configuration.
        store: its store's file.
        disk: what the store is on, where it can be filled.
        no_disk: why there is no such disk.
        clock: the agent's wall clock.
        liveness: the agent's, in seconds.
        consumer: follows the readings.
        commanders: send commands.
        switcher: switches the outputs on that may not stay on.
        records: follow what the actuators do.
        orders: the commands.
        outputs: what became of the outputs that may not stay on.
        lives: how often the agent was started.
    """

    server: XmppServer
    proxy: ChaosProxy
    agent: SoakAgent
    config: Path
    store: Path
    disk: SmallDisk | None
    no_disk: str
    clock: WallClock
    liveness: float
    consumer: Consumer
    commanders: list[Commander]
    switcher: Switcher
    records: list[Record]
    orders: Orders
    outputs: list[Output]
    lives: int = 0

    @property
    def residents(self) -> list[Resident]:
        """Return everybody who is always logged in."""
        return [self.consumer, *self.commanders, self.switcher]

    async def start_agent(self) -> None:
        """Start the agent, with counters that begin where no earlier life has been."""
        self.lives += 1
        before, after = f"low = {(self.lives - 1) * LIFE} ", f"low = {self.lives * LIFE} "
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text.replace(before, after), encoding="utf-8")
        await self.agent.begin()

    def keep_store(self) -> None:
        """Copy the store of an agent that has ended to beside the disk, which does not outlive the soak."""
        if self.disk is not None:
            for file in self.store.parent.glob(f"{self.store.name}*"):
                shutil.copy(file, self.config.parent)

    async def durable(self, within: float) -> None:
        """Wait until the agent keeps its readings on the disk, as far as its log tells.

        Raises:
            TimeoutError: it does not.
        """
        try:
            async with asyncio.timeout(within):
                while not self.agent.durable:  # noqa: ASYNC110  # a log has no events
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            text = f"{within:.0f} s after there was room on the disk the agent does not use it: see {self.agent.output}"
            raise TimeoutError(text) from None

    def dialled_since(self, moment: float) -> float | None:
        """Return when the agent, from a moment on, first made a connection."""
        return next((at for at in self.proxy.accepted_at if at >= moment), None)

    def lost_since(self, moment: float) -> float | None:
        """Return when the agent, from a moment on, first took its link for lost: it says so, or it makes another."""
        moments = (self.agent.offline_since(moment), self.dialled_since(moment))
        return min((at for at in moments if at is not None), default=None)


@asynccontextmanager
async def rigged(root: Path, server: XmppServer, *, seed: int, liveness: float) -> AsyncIterator[Rig]:
    """Set everything up around a running server, with readings and commands flowing."""
    account = Accounts()
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    jid = f"{pi.jid}/{RESOURCE}"
    async with AsyncExitStack() as stack:
        store, disk, no_disk = root / "store", None, ""
        store.mkdir()
        try:
            disk = stack.enter_context(SmallDisk(store))
        except CannotMount as problem:
            no_disk = str(problem)
        proxy = await stack.enter_async_context(ChaosProxy(server.host, server.port))
        config = write_config(
            root / "config",
            pi,
            {alice.jid: '"owner"', bob.jid: f'{{ role = "operator", things = ["{VALVE}"] }}'},
            things=_things(root, store / "jidget.db"),
            resource=RESOURCE,
            port=proxy.port,
            liveness=f"{liveness:g}s",
        )
        clock = WallClock(root / "clock")
        agent = SoakAgent(root / "agent", config, clock)
        orders = Orders()
        relay = Output(name=f"{RELAY}.state", max_on=RELAY_MAX_ON)
        fan = Output(name=f"{FAN}.speed", max_on=FAN_MAX_ON)
        rig = Rig(
            server=server,
            proxy=proxy,
            agent=agent,
            config=config,
            store=store / "jidget.db",
            disk=disk,
            no_disk=no_disk,
            clock=clock,
            liveness=liveness,
            consumer=Consumer(alice, jid, COUNTERS),
            commanders=[
                Commander(who, jid, f"commander{number}", target=VALVE, orders=orders, rng=Random(f"{seed} {number}"))
                for number, who in enumerate((alice, bob))
            ],
            switcher=Switcher(alice, jid, relay=relay, fan=fan, rng=Random(f"{seed} switcher")),
            records=[
                Record(root / f"{VALVE}.record", "level", lambda line: orders.executed(line.value, line.seen)),
                Record(root / f"{RELAY}.record", "state", relay.lines.append),
                Record(root / f"{FAN}.record", "speed", fan.lines.append),
            ],
            orders=orders,
            outputs=[relay, fan],
        )
        stack.push_async_callback(agent.end)
        yield rig


async def come_up(rig: Rig) -> None:
    """Start the agent and wait until readings arrive; everybody else must be logged in already."""
    async with asyncio.timeout(_SETTLE):
        for resident in rig.residents:
            await resident.changed.until(lambda resident=resident: resident.here)  # type: ignore[misc]
        await rig.start_agent()
        await rig.consumer.news.until(lambda: len(rig.consumer.ledger.readings) > 0)


def now() -> float:
    """Return the time that all here is measured by, in monotonic seconds."""
    return time.monotonic()


def _things(root: Path, store: Path) -> str:
    parts = [f'[store]\npath = "{store}"\n']
    for thing, (interval, names) in COUNTERS.items():
        parts.append(f'[things.{thing}]\ndriver = "simulated"\ninterval = "{interval}"')
        parts += [
            f"[things.{thing}.options.properties.{name}]\n"
            f'type = "integer"\nwaveform = "counter"\nlow = 0 # of this life\nhigh = {10**12}'
            for name in names
        ]
    parts.append(_actuator(root, VALVE, "level", "integer"))
    parts.append(_actuator(root, RELAY, "state", "boolean") + _limits(RELAY, "false", RELAY_MAX_ON))
    parts.append(_actuator(root, FAN, "speed", "integer") + _limits(FAN, "0", FAN_MAX_ON))
    return "\n".join(parts)


def _actuator(root: Path, thing: str, prop: str, kind: str) -> str:
    """Return a Thing that keeps what it was set to through a crash, as a relay board does, and records it."""
    most = f"\nhigh = {10**9}" if kind == "integer" else ""
    return (
        f'[things.{thing}]\ndriver = "simulated"\ninterval = "5s"\n'
        f'[things.{thing}.options]\nrecord = "{root / thing}.record"\nstate_file = "{root / thing}.state"\n'
        f'[things.{thing}.options.properties.{prop}]\ntype = "{kind}"\nwritable = true{most}\n'
    )


def _limits(thing: str, safe: str, max_on: float) -> str:
    """Return rules by which only a deadline that was stored can switch it off after a crash."""
    return f'[things.{thing}.safety]\nsafe = {safe}\nmax_on = "{max_on:g}s"\non_start = "restore"\n'
