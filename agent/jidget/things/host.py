"""The host of one Thing: opens its driver, reads or watches it, writes to it, and says whether it can be reached.

Whatever a driver does (raise, hang, answer nonsense) stays here: the Thing becomes unavailable with a reason, that is
logged once and once again on recovery, and the driver is tried again; no other Thing notices.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from jidget.reading import Reading
from jidget.things.calibration import Calibration
from jidget.things.overseer import Overseer
from jidget.things.rules import Rules
from jidget.things.state import Availability, Observed, ThingUnavailable, WriteFailed, WriteResult
from jidget.things.values import BadValue, check_value, same_value
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


class Thing:
    """One device as seen outside.

    Attributes:
        id: its slug.
        label: what people call it; the id if nobody gave it a name.
        aliases: other names people gave it.
        properties: by id, as seen outside (labels, precision and calibration applied).
        property_aliases: casefolded alias to property id.
        actions: by name.
        rules: safety rules of each writable property.
        values: last known value of each property.
        availability: whether it can be reached.
        on_readings: called with the readings of one instant, in the event loop.
        overseer: watches over its outputs.
        on_availability: called after `availability` changed.
    """

    def __init__(self, settings: ThingSettings, driver: Driver[Any], now: Callable[[], float] = time.time) -> None:
        self.id = settings.thing_id
        self.label = settings.label or settings.thing_id
        self.aliases = settings.aliases
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
        self.on_readings: Callable[[Sequence[Reading]], None] = lambda _: None
        self.on_availability: Callable[[Thing], None] = lambda _: None
        self.overseer = Overseer()
        self._open = False
        self._last_time = 0
        self._failures = 0
        self._up_since: float | None = None
        self._reads = 0
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def writable(self) -> tuple[Property, ...]:
        """Return the properties that can be set."""
        return tuple(p for p in self.properties.values() if p.writable)

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the driver open and its values coming, for ever; failures are retried with growing, jittered pauses."""
        while True:
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
            pause = min(retry_pause(self._failures), RETRY_URGENT if self.overseer.urgent(self) else RETRY_LONGEST)
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
            self._open = False
            try:
                async with self.lock, asyncio.timeout(self.timeout):
                    await driver.__aexit__(None, None, None)
            except (DriverError, TimeoutError, OSError) as error:
                log.warning("%s: closing it failed: %s", self.id, str(error) or "timeout")
            except Exception:
                log.exception("%s: its driver failed in a way it should not while it was being closed", self.id)

    async def _set_first(self) -> None:
        """Set what must not wait until the hardware has been read."""
        for name, value in self.overseer.first(self).items():
            try:
                async with self.lock:
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
            try:
                async with aclosing(cast("Any", self.driver.watch())) as events:
                    async for values in events:
                        self._observe(values)
            finally:
                silent.cancel()
            raise DeviceUnavailable("it stopped telling")
        due = loop.time()
        while True:
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

    async def _rest(self, seconds: float) -> bool:
        """Wait so long, or until there is a hurry; return whether there is."""
        self._hurry.clear()
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
        self._changed.set()
        self.overseer.observed(self, values)
        self.on_readings([Reading(self.id, self.properties[name], value, now) for name, value in values.items()])

    def _lost(self, error: BaseException) -> bool:
        """Note that the Thing is away; return whether that is news."""
        reason = str(error) or type(error).__name__
        was = self.availability
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
        self.overseer.changed(self)
        self.on_availability(self)

    # ---- being asked ------------------------------------------------------------------------------------------

    async def read_now(self) -> Mapping[str, Observed]:
        """Return fresh values: read now, or for an `EventSource` the last ones told.

        However many ask at the same time, the hardware is read once for all who began to wait before that.

        Raises:
            ThingUnavailable: it cannot be reached.
        """
        if isinstance(self.driver, Sensor):
            asked = self._reads
            async with self.lock:
                if self._open and self._reads == asked:
                    await self._try_to_read()
        self._require_available()
        return self.values

    async def _try_to_read(self) -> bool:
        """Read a `Sensor` whose failing is no news to the caller; the lock is held. Return whether it told."""
        try:
            await self._read()
        except (DriverError, OSError) as error:
            self._lost(error)
        except Exception as error:
            if self._lost(error):
                log.exception("%s: its driver failed in a way it should not", self.id)
        else:
            return True
        return False

    async def write(self, values: Mapping[str, Scalar], check: Callable[[], None] = lambda: None) -> WriteResult:
        """Set properties, checked by the caller, then read them back. Only the safety guard calls this.

        Args:
            values: by property.
            check: called when all else was waited for, right before the first value is set; may raise to stop it.

        Raises:
            ThingUnavailable: nothing was moved: it cannot be reached.
            WriteRefused: nothing was moved: the driver refused the first value.
            WriteFailed: something may have moved; the text says what is known.
        """
        async with self.lock:
            self._require_available()
            begun = False
            self._changed.clear()
            for name, value in values.items():
                if not begun:
                    check()
                try:
                    await self._write_one(name, value)
                except (WriteRefused, DeviceUnavailable) as error:
                    self._raise_after(begun, name, error)
                except TimeoutError:
                    raise WriteFailed(
                        f"{self.id}.{name}: no answer within {self.timeout:g} s; it may have moved", timed_out=True
                    ) from None
                except Exception as error:
                    if not isinstance(error, DriverError | OSError):
                        log.exception("%s: writing %s failed in a way it should not", self.id, name)
                    raise WriteFailed(f"{self.id}.{name}: its driver failed ({error}); it may have moved") from error
                begun = True
            return await self._read_back(values)

    async def _write_one(self, name: str, value: Scalar) -> None:
        async with asyncio.timeout(self.timeout):
            await self.driver.write(name, self._calibrations[name].to_raw(self._raw[name], value))

    def _raise_after(self, begun: bool, name: str, error: WriteRefused | DeviceUnavailable) -> None:
        if begun:
            raise WriteFailed(f"{self.id}.{name}: {error}; what came before it was set") from error
        if isinstance(error, WriteRefused):
            raise error
        self._lost(error)
        raise ThingUnavailable(self.say_away()) from error

    async def _read_back(self, wanted: Mapping[str, Scalar]) -> WriteResult:
        """Learn what the hardware did; the lock is held. Never raises for a device that does not tell."""
        before = dict(self.values)
        if isinstance(self.driver, Sensor):
            await self._try_to_read()
        else:
            before.clear()  # it tells of changes only: what it told last still holds
            with suppress(TimeoutError):
                async with asyncio.timeout(self.timeout):
                    while not self._as_wanted(self._told(wanted, before), wanted):
                        await self._changed.wait()
                        self._changed.clear()
        told = self._told(wanted, before)
        return WriteResult(values=told, confirmed=self._as_wanted(told, wanted))

    def _told(self, names: Iterable[str], before: Mapping[str, Observed]) -> dict[str, Scalar | None]:
        """Return what the device told since `before` was all that was known."""
        known = {name: self.values.get(name) for name in names}
        return {name: None if seen is None or seen is before.get(name) else seen.value for name, seen in known.items()}

    def _as_wanted(self, told: Mapping[str, Scalar | None], wanted: Mapping[str, Scalar]) -> bool:
        return all(
            seen is not None and same_value(self.properties[name], seen, wanted[name]) for name, seen in told.items()
        )

    async def invoke(self, name: str, arguments: Mapping[str, Any], check: Callable[[], None] = lambda: None) -> Any:
        """Invoke an action with checked arguments and return what it returns; `check` as in `write`.

        Raises:
            ThingUnavailable: nothing was moved: it cannot be reached.
            WriteRefused: nothing was moved: the driver refused.
            WriteFailed: it was begun and failed.
        """
        async with self.lock:
            self._require_available()
            check()
            try:
                async with asyncio.timeout(self.timeout):
                    answer = await self.actions[name].method(**arguments)
            except WriteRefused:
                raise
            except TimeoutError:
                raise WriteFailed(
                    f"{self.id} {name}: no answer within {self.timeout:g} s; it may have begun", timed_out=True
                ) from None
            except Exception as error:
                if not isinstance(error, DriverError):
                    log.exception("%s: action %s failed", self.id, name)
                raise WriteFailed(f"{self.id} {name}: {str(error) or type(error).__name__}") from error
            if isinstance(self.driver, Sensor):
                await self._try_to_read()  # the action is done, whatever this says
            return answer

    def _require_available(self) -> None:
        if not (self._open and self.availability.available):
            raise ThingUnavailable(self.say_away())

    def say_away(self) -> str:
        """Say to a person that it cannot be reached, why and since when."""
        away = self.availability
        since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(away.since))
        return f"{self.id} is unavailable since {since}: {away.reason or 'it is being opened'}"


def retry_pause(failures: int) -> float:
    """Return the seconds to wait at most after so many failures in a row, before jitter."""
    return min(RETRY_LONGEST, 2.0 ** (min(failures, 16) - 1))


def _shown_to(precision: int | None, calibration: Calibration) -> Calibration:
    """Return the calibration, with the driver's own precision where the configuration says none."""
    return calibration if calibration.precision is not None else replace(calibration, precision=precision)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
