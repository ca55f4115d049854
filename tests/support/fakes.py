"""Drivers whose every move a test decides, the house they stand in, and clocks that only tests move.

They stand in for hardware, never for a protocol. Where plain make-believe will do, tests use the `simulated` driver.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from jidget.commands.access import Access
from jidget.commands.model import Face, Request
from jidget.commands.service import Commands
from jidget.commands.words import Vocabulary
from jidget.config.model import Grant
from jidget.safety.guard import Guard
from jidget.safety.keeper import Keeper
from jidget.safety.memory import OutputMemory
from jidget.store.journal import Journal, MemoryJournal
from jidget.things.calibration import Calibration
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.rules import Rules
from jidget.things.running import ThingSettings
from jidget_drivers import Driver, EventSource, Kind, NoOptions, Property, Scalar, Sensor, Unit, action
from jidget_drivers.simulated import Simulated
from jidget_drivers.simulated_options import SimulatedOptions

ME = "pi@example.org/agent"
PATIENCE = 5.0
"""Seconds that a test waits for what must happen."""


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self.time = start

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class Board(Sensor[NoOptions]):
    """A polled board that holds what was written.

    Attributes:
        held: what it shows at the next read.
        written: every write that took effect.
        opened: how often it was opened.
        reads: how often it was read.
        read_error: raised by reads while set; likewise `write_error`, `open_error`, `close_error`.
        deaf: whether writes are accepted and ignored.
        gate: writes, actions and reads wait while this is not set.
        moving: set as soon as a write or action begins.
    """

    def __init__(self, properties: Sequence[Property], held: Mapping[str, Scalar]) -> None:
        super().__init__(NoOptions())
        self.properties = tuple(properties)
        self.held: dict[str, Any] = dict(held)
        self.written: list[tuple[str, Scalar]] = []
        self.opened = 0
        self.reads = 0
        self.read_error: Exception | None = None
        self.write_error: Exception | None = None
        self.open_error: Exception | None = None
        self.close_error: Exception | None = None
        self.deaf = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.moving = asyncio.Event()
        self.busy = 0

    async def open(self) -> None:
        if self.open_error:
            raise self.open_error
        self.opened += 1

    async def close(self) -> None:
        if self.close_error:
            raise self.close_error

    async def read(self) -> Mapping[str, Scalar]:
        self.reads += 1
        await self._alone()
        if self.read_error:
            raise self.read_error
        return dict(self.held)

    async def write(self, name: str, value: Scalar) -> None:
        self.moving.set()
        await self._alone()
        if self.write_error:
            raise self.write_error
        self.written.append((name, value))
        if not self.deaf:
            self.held[name] = value

    async def _alone(self) -> None:
        """Wait for the gate; two calls at a time break the driver contract."""
        assert not self.busy, "the host let two calls overlap"
        self.busy += 1
        try:
            await self.gate.wait()
        finally:
            self.busy -= 1


class Gate(Board):
    """A board with actions of all kinds of parameters."""

    def __init__(self) -> None:
        super().__init__((Property(name="position", minimum=0, maximum=100, unit=Unit.PERCENT),), {"position": 0.0})
        self.invoked: list[tuple[str, dict[str, object]]] = []

    @action
    async def open_to(
        self,
        position: Annotated[float, Field(ge=0, le=100, description="How far, in percent")],
        pace: Literal["slow", "fast"] = "slow",
        quiet: bool = False,
    ) -> str:
        """Open the gate so far."""
        self.moving.set()
        await self._alone()
        if self.write_error:
            raise self.write_error
        self.invoked.append(("open_to", {"position": position, "pace": pace, "quiet": quiet}))
        self.held["position"] = position
        return f"at {position:g} %"

    @action
    async def ring(self) -> None:
        """Ring the bell."""
        self.invoked.append(("ring", {}))

    @action
    async def unlock(self, code: SecretStr) -> None:
        """Unlock with a code."""
        self.invoked.append(("unlock", {"code": code.get_secret_value()}))


class Line(EventSource[NoOptions]):
    """Hardware that tells: `tell` values, or an exception, or None for the end; writes are told if `echo`."""

    def __init__(self, properties: Sequence[Property]) -> None:
        super().__init__(NoOptions())
        self.properties = tuple(properties)
        self.echo = True
        self.written: list[tuple[str, Scalar]] = []
        self._told: asyncio.Queue[Mapping[str, Scalar] | Exception | None] = asyncio.Queue()

    @property
    def waiting(self) -> bool:
        """Return whether something that was told was not heard yet."""
        return not self._told.empty()

    def tell(self, what: Mapping[str, Scalar] | Exception | None) -> None:
        self._told.put_nowait(what)

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        while (told := await self._told.get()) is not None:
            if isinstance(told, Exception):
                raise told
            yield told

    async def write(self, name: str, value: Scalar) -> None:
        self.written.append((name, value))
        if self.echo:
            self.tell({name: value})


STATE = Property(name="state", kind=Kind.BOOLEAN, writable=True)
TARGET = Property(name="target", unit=Unit.CELSIUS, minimum=5, maximum=30, precision=1, writable=True)
MODE = Property(name="mode", kind=Kind.ENUM, options=("eco", "boost"), writable=True)
LEVEL = Property(name="level", unit=Unit.PERCENT, minimum=0, maximum=100)
TEXT = Property(name="text", kind=Kind.STRING, writable=True)


def relay(*, on: bool = False) -> Board:
    return Board((STATE,), {"state": on})


def tank() -> Board:
    return Board((LEVEL, TARGET, MODE), {"level": 40.0, "target": 20.0, "mode": "eco"})


def simulated(properties: Mapping[str, Any], **options: Any) -> Simulated:
    return Simulated(SimulatedOptions.model_validate({"properties": properties, **options}))


def thing(
    thing_id: str,
    driver: Driver[Any],
    *,
    now: Callable[[], float] | None = None,
    label: str = "",
    aliases: tuple[str, ...] = (),
    timeout: float = 1.0,
    interval: float = 600.0,
    calibrations: Mapping[str, Calibration] | None = None,
    property_aliases: Mapping[str, str] | None = None,
    rules: Mapping[str, Rules] | None = None,
) -> Thing:
    """Host a driver; it is read once at the start and then only when something asks."""
    settings = ThingSettings(
        thing_id=thing_id,
        label=label,
        aliases=aliases,
        interval=interval,
        timeout=timeout,
        calibrations=calibrations or {},
        property_aliases=property_aliases or {},
    )
    one = Thing(settings, driver, now) if now else Thing(settings, driver)
    one.rules.update(rules or {})
    return one


@asynccontextmanager
async def running(*things: Thing) -> AsyncIterator[None]:
    """Run Things, wait until each can be reached, and stop them in the end."""
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(one.run(), name=f"thing {one.id}") for one in things]
        for one in things:
            await until_available(one)
        yield
        for run in runs:
            run.cancel()


async def until_available(one: Thing, available: bool = True) -> None:
    """Wait until a Thing can be reached, or until it cannot."""
    await until(one, lambda: one.availability.available is available)


async def until(one: Thing, holds: Callable[[], bool]) -> None:
    """Wait until something holds that an availability change brings about."""
    changed = asyncio.Event()
    before = one.on_availability

    def notice(which: Thing) -> None:
        before(which)
        changed.set()

    one.on_availability = notice
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await changed.wait()
                changed.clear()
    finally:
        one.on_availability = before


WORDS = Vocabulary(
    commands=frozenset(("help", "status", "read", "set", "do", "stop", "yes", "no", "things")),
    allowed=("status", "read", "set", "do", "stop", "yes", "no", "things", "help"),
    names=frozenset(("pump", "greenhouse", "tank", "desk lamp", "büro", "rain 2.0", "gate")),
    targets=("pump.state", "tank.target", "tank.mode"),
    examples=("status", "read greenhouse", "pump on"),
)

GRANTS: Mapping[str, Mapping[str, Any] | str] = {
    "alice@example.org": "owner",
    "bob@example.org": {"role": "operator", "things": ["pump", "gate*"]},
    "eve@example.org": {"role": "operator", "things": ["gate"], "read": ["gate"]},
    "vera@example.org": "viewer",
    "example.net": "viewer",
    "mqtt": {"role": "operator", "things": ["pump", "tank"]},
}
ALICE, BOB, EVE, VERA = (f"{name}@example.org" for name in ("alice", "bob", "eve", "vera"))
STRANGER = "mallory@example.org"


class Facts:
    """What outlives the process, while `usable`."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.usable = True

    def fact(self, name: str) -> str | None:
        return self.kept.get(name) if self.usable else None

    def keep_fact(self, name: str, text: str) -> bool:
        if self.usable:
            self.kept[name] = text
        return self.usable


class House:
    """Commands over a few Things, with clocks that a test moves: an owner, operators, a viewer, and nobody else."""

    def __init__(self, *things: Thing, journal: Journal | None = None) -> None:
        self.now = Clock()
        self.clock = Clock(1000.0)
        self.directory = Directory(things)
        self.access = Access({jid: Grant.model_validate(grant) for jid, grant in GRANTS.items()}, "pi@example.org")
        self.journal = MemoryJournal(now=self.now, clock=self.clock) if journal is None else journal
        self.facts = Facts()
        self.keeper = Keeper(
            Guard(self.directory, OutputMemory(self.facts, boot=lambda: "this boot"), clock=self.clock, now=self.now),
            things,
        )
        self.commands = Commands(
            self.directory, self.access, self.journal, self.keeper, me=lambda: ME, now=self.now, clock=self.clock
        )

    async def say(self, line: str, jid: str = ALICE, *, key: str | None = None, age: float | None = 0.0) -> str:
        """Say a line in chat and return the answer, which there must be."""
        answer = await self.commands.chat(request(jid, key=key, age=age), line)
        assert answer is not None
        return answer


def request(jid: str = ALICE, *, key: str | None = None, age: float | None = 0.0, face: Face = Face.CHAT) -> Request:
    return Request(jid=jid, asker=f"{jid}/phone", face=face, key=key, age=age)
