"""The host of one Thing: runs it (`jidget.things.running`), and reads, writes and invokes when somebody asks."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from jidget.things.running import RunningThing
from jidget.things.state import Observed, ThingUnavailable, WriteFailed, WriteResult
from jidget.things.values import same_value
from jidget_drivers import DeviceUnavailable, DriverError, EventSource, Scalar, Sensor, WriteRefused

log = logging.getLogger(__name__)


class Thing(RunningThing):
    """One device as seen outside; its attributes are those of `RunningThing`."""

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

    async def write(
        self, values: Mapping[str, Scalar], check: Callable[[], None] = lambda: None, *, blind: bool = False
    ) -> WriteResult:
        """Set properties, checked by the caller, then read them back. Only the safety guard calls this.

        Args:
            values: by property.
            check: called when all else was waited for, right before the first value is set; may raise to stop it.
            blind: also while nothing but nonsense is read.

        Raises:
            ThingUnavailable: nothing was moved: it cannot be reached.
            WriteRefused: nothing was moved: the driver refused the first value.
            WriteFailed: something may have moved; the text says what is known.
        """
        async with self.lock:
            if not (blind and self.garbled):
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

    def _raise_after(self, begun: bool, name: str, error: WriteRefused | DeviceUnavailable) -> None:
        if begun:
            raise WriteFailed(f"{self.id}.{name}: {error}; what came before it was set") from error
        if isinstance(error, WriteRefused):
            raise error
        self._lost(error)
        self.renew()
        raise ThingUnavailable(self.say_away()) from error

    async def _read_back(self, wanted: Mapping[str, Scalar]) -> WriteResult:
        """Learn what the hardware did; the lock is held. Never raises for a device that does not tell."""
        before = dict(self.values)
        if isinstance(self.driver, Sensor):
            await self._try_to_read()
        elif not all(cast("EventSource[Any]", self.driver).tells(name) for name in wanted):
            return WriteResult(values=dict.fromkeys(wanted), confirmed=False)
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
        """Return what the device told since `before` was all that was known; what was recalled it did not tell."""
        known = {name: None if name in self._recalled else self.values.get(name) for name in names}
        return {name: None if seen is None or seen is before.get(name) else seen.value for name, seen in known.items()}

    def _as_wanted(self, told: Mapping[str, Scalar | None], wanted: Mapping[str, Scalar]) -> bool:
        return all(
            seen is not None and same_value(self.properties[name], seen, wanted[name]) for name, seen in told.items()
        )

    def recall(self, values: Mapping[str, Scalar | None]) -> None:
        """Take values that were told at an unknown time: they are shown, not reported. None: it is not known any more.

        They are as a person would read them, and fit. They confirm nothing, unless they repeat what was told lately.
        """
        now = int(self._now() * 1000)
        for name, value in values.items():
            if value is None:
                self.values.pop(name, None)
                continue
            before, seen = self.values.get(name), Observed(self._calibrations[name].from_raw(value), now)
            if before is None or before.value != seen.value:
                self._recalled.add(name)
            self.values[name] = seen
        known = {name: self.values[name].value for name in values if name in self.values}
        self.overseer.observed(self.id, known, old=True)

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
