"""What keeps one Thing running: opens its driver, reads or watches it, and says whether it can be reached.

Whatever a driver does (raise, hang, answer nonsense) stays here: the Thing becomes unavailable with a reason, that is
logged once and once again on recovery, and the driver is tried again; no other Thing notices.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from jidget.reading import Reading
from jidget.things.calibration import Calibration
from jidget.things.overseer import Overseer
from jidget.things.rules import Rules
from jidget.things.state import Availability, Observed
from jidget.things.values import BadValue, check_value
from jidget_drivers import (
    Action,
    DeviceUnavailable,
    Driver,
    DriverError,
    EventSource,
    InvalidReading,
    Property,
    Scalar,
    Sensor,
    WriteRefused,
)

log = logging.getLogger(__name__)

RETRY_LONGEST = 60.0
"""Seconds between attempts to open a driver that keeps failing, at most."""
RETRY_URGENT = 2.0
"""Seconds likewise, where an output of it is to be made safe."""
NOT_YET = "not read yet"
CLOCK_STEP_BACK = 60_000
"""Milliseconds: a clock set back further than this is believed; smaller steps keep timestamps rising."""
SILENT_START = 1.0
"""Seconds after which an `EventSource` that is open and has told nothing yet counts as available."""
STEADY = 10.0
"""Seconds that a Thing must have been available before its next failure is a first one again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingSettings:
    """What the host knows of a Thing besides its driver. Times in seconds."""

    thing_id: str
    label: str = ""
    aliases: tuple[str, ...] = ()
    interval: float = 10.0
    timeout: float = 5.0
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    property_aliases: Mapping[str, str] = field(default_factory=dict)
    discovered: bool = False
    forgettable: bool = False
    area: str = ""
    quiet: frozenset[str] = frozenset()


class RunningThing:
    """One device as seen outside.

    Attributes:
        id: its slug.
        label: what people call it; the id if nobody gave it a name.
        aliases: other names people gave it.
        discovered: whether nobody wrote it into the configuration: rights that name no discovered Things leave it out.
        forgettable: whether it comes from an announcement that can be taken back.
        area: where it is, as far as anybody said.
        quiet: properties that are left out where all of them are shown.
        properties: by id, as seen outside (labels, precision and calibration applied).
        property_aliases: casefolded alias to property id.
        actions: by name.
        rules: safety rules of each writable property.
        values: last known value of each property.
        availability: whether it can be reached.
        garbled: whether that is for want of a reading that makes sense only: its driver is open, and takes writes.
        on_readings: called with the readings of one instant, in the event loop.
        overseer: watches over its outputs.
        on_availability: called after `availability` changed.
    """

    def __init__(self, settings: ThingSettings, driver: Driver[Any], now: Callable[[], float] = time.time) -> None:
        self.id = settings.thing_id
        self.label = settings.label or settings.thing_id
        self.aliases = settings.aliases
        self.discovered = settings.discovered
        self.forgettable = settings.discovered or settings.forgettable
        self.area = settings.area
        self.quiet = settings.quiet
        self.interval = settings.interval
        self.timeout = settings.timeout
        self.driver = driver
        self.lock = asyncio.Lock()
        self._now = now
        none = Calibration()
        self._raw = {p.name: p for p in driver.properties}
        self._calibrations = {
            name: _shown_to(prop.precision, settings.calibrations.get(name, none)) for name, prop in self._raw.items()
        }
        self.properties: dict[str, Property] = {
            name: self._calibrations[name].applied_to(prop) for name, prop in self._raw.items()
        }
        self.property_aliases = dict(settings.property_aliases)
        self.actions: dict[str, Action] = driver.actions()
        self.rules: dict[str, Rules] = {p.name: Rules(safe=p.safe) for p in self.writable}
        self.values: dict[str, Observed] = {}
        self.availability = Availability(False, now(), NOT_YET)
        self.garbled = False
        self.on_readings: Callable[[Sequence[Reading]], None] = lambda _: None
        self.on_availability: Callable[[Any], None] = lambda _: None
        self.overseer = Overseer()
        self._open = False
        self._last_time = 0
        self._failures = 0
        self._up_since: float | None = None
        self._reads = 0
        self._recalled: set[str] = set()
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._watching: asyncio.Timeout | None = None

    @property
    def writable(self) -> tuple[Property, ...]:
        """Return the properties that can be set."""
        return tuple(p for p in self.properties.values() if p.writable)

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the driver open and its values coming, for ever; failures are retried with growing, jittered pauses."""
        while True:
            self._hurry.clear()
            try:
                async with self._opened():
                    await self._set_first()
                    await self._observe_for_ever()
            except Exception as error:
                if _being_cancelled():  # a driver that fails while letting go must not keep us
                    log.warning("%s: its driver failed while it was being stopped: %r", self.id, error)
                    raise asyncio.CancelledError from error
                if self._lost(error) and not isinstance(error, DriverError | OSError):
                    log.exception("%s: its driver failed in a way it should not", self.id)
            self._failures += 1
            pause = min(retry_pause(self._failures), RETRY_URGENT if self.overseer.urgent(self.id) else RETRY_LONGEST)
            await self._rest(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        driver = self.driver
        try:
            async with asyncio.timeout(self.timeout):
                await driver.__aenter__()
        except TimeoutError:
            raise DeviceUnavailable(f"opening it took longer than {self.timeout:g} s") from None
        self._open = True
        try:
            yield
        finally:
            self._open = self.garbled = False
            try:
                async with self.lock, asyncio.timeout(self.timeout):
                    await driver.__aexit__(None, None, None)
            except (DriverError, TimeoutError, OSError) as error:
                log.warning("%s: closing it failed: %s", self.id, str(error) or "timeout")
            except Exception:
                log.exception("%s: its driver failed in a way it should not while it was being closed", self.id)

    async def _set_first(self) -> None:
        """Set what must not wait until the hardware has been read."""
        async with self.lock:  # nobody comes between these
            for name, value in self.overseer.first(self.id).items():
                try:
                    await self._write_one(name, value)
                except TimeoutError:
                    raise DeviceUnavailable(f"setting {name} at first took longer than {self.timeout:g} s") from None
                except WriteRefused as error:
                    raise DeviceUnavailable(f"setting {name} at first was refused: {error}") from error

    async def _observe_for_ever(self) -> None:
        """Poll or watch until something fails that needs the driver to be opened anew."""
        loop = asyncio.get_running_loop()
        if isinstance(self.driver, EventSource):
            # It is open; when it has something to tell is its own affair, unless watching fails at once.
            silent = loop.call_later(SILENT_START, self._recovered)
            watching = asyncio.timeout(None)
            try:
                async with watching as self._watching, aclosing(cast("Any", self.driver.watch())) as events:
                    async for values in events:
                        self._observe(values)
            except TimeoutError:
                if not watching.expired():
                    raise
                raise DeviceUnavailable(self.availability.reason) from None
            finally:
                self._watching = None
                silent.cancel()
            raise DeviceUnavailable("it stopped telling")
        due = loop.time()
        while True:
            self._hurry.clear()
            try:
                async with self.lock:
                    await self._read()
            except InvalidReading as error:  # the next reading may be right: no need to open it anew
                self._lost(error)
            due = max(due + self.interval, loop.time())
            if await self._rest(due - loop.time()):
                due = loop.time()

    def hurry(self) -> None:
        """Look after the hardware now rather than when it is its time."""
        self._hurry.set()

    def renew(self) -> None:
        """Have the driver opened anew that was found to be away: what only tells may not tell of that itself."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.reschedule(asyncio.get_running_loop().time())
        self.hurry()

    async def _rest(self, seconds: float) -> bool:
        """Wait so long, or until there is a hurry, be it since the last attempt began; return whether there is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._hurry.wait()
        return False

    async def _read(self) -> None:
        """Read a `Sensor` once; the lock is held."""
        driver = cast("Sensor[Any]", self.driver)
        self._reads += 1
        try:
            async with asyncio.timeout(self.timeout):
                values = await driver.read()
        except TimeoutError:
            raise DeviceUnavailable(f"no answer within {self.timeout:g} s") from None
        self._observe(values)

    def _observe(self, raw: Mapping[str, Scalar]) -> None:
        values: dict[str, Scalar] = {}
        if not isinstance(raw, Mapping):
            raise InvalidReading(f"its driver answered {type(raw).__name__} instead of values by name")
        for name, value in raw.items():
            prop = self._raw.get(name)
            if prop is None:
                raise InvalidReading(f"its driver answered a property it has not: {name!r}")
            try:
                values[name] = self._calibrations[name].from_raw(check_value(prop, value))
            except BadValue as error:
                raise InvalidReading(str(error)) from None
        if values:
            self._stamp(values)
        self._recovered()

    def _recovered(self) -> None:
        self.garbled = False
        if not self.availability.available:
            away = self.availability
            self._up_since = asyncio.get_running_loop().time()
            self.availability = Availability(True, self._now())
            if away.reason != NOT_YET:
                log.info("%s: available again", self.id)
            self._tell_availability()

    def _stamp(self, values: Mapping[str, Scalar]) -> None:
        now = int(self._now() * 1000)
        if now <= self._last_time < now + CLOCK_STEP_BACK:
            now = self._last_time + 1
        self._last_time = now
        for name, value in values.items():
            self.values[name] = Observed(value, now)
        self._recalled.difference_update(values)
        self._changed.set()
        self.overseer.observed(self.id, values)
        self.on_readings([Reading(self.id, self.properties[name], value, now) for name, value in values.items()])

    def _lost(self, error: BaseException) -> bool:
        """Note that the Thing is away; return whether that is news."""
        reason = str(error) or type(error).__name__
        was = self.availability
        self.garbled = self._open and isinstance(error, InvalidReading)
        if self._up_since is not None and asyncio.get_running_loop().time() - self._up_since >= STEADY:
            self._failures = 0
        self._up_since = None
        news = was.available or was.reason != reason
        if was.available or was.reason == NOT_YET:
            self.availability = Availability(False, self._now(), reason)
            log.warning("%s: unavailable: %s", self.id, reason)
            self._tell_availability()
        elif news:
            self.availability = Availability(False, was.since, reason)
        return news

    def _tell_availability(self) -> None:
        self.overseer.changed(self.id, available=self.availability.available)
        self.on_availability(self)

    async def _write_one(self, name: str, value: Scalar) -> None:
        async with asyncio.timeout(self.timeout):
            await self.driver.write(name, self._calibrations[name].to_raw(self._raw[name], value))


def retry_pause(failures: int) -> float:
    """Return the seconds to wait at most after so many failures in a row, before jitter."""
    return min(RETRY_LONGEST, 2.0 ** (min(failures, 16) - 1))


def _shown_to(precision: int | None, calibration: Calibration) -> Calibration:
    """Return the calibration, with the driver's own precision where the configuration says none."""
    return calibration if calibration.precision is not None else replace(calibration, precision=precision)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
