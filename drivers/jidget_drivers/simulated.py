"""Make-believe hardware, for trying out and for tests: any mix of properties, and faults on purpose."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from jidget_drivers.driver import Action, Sensor, action
from jidget_drivers.errors import DeviceUnavailable, InvalidReading, WriteRefused
from jidget_drivers.properties import Kind, Property, Scalar
from jidget_drivers.simulated_faults import NONSENSE, Call, Fault, FaultKind, nonsense
from jidget_drivers.simulated_memory import Memory
from jidget_drivers.simulated_options import SimulatedOptions, Waveform
from jidget_drivers.simulated_signals import Signal


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulated(Sensor[SimulatedOptions]):
    """Make-believe hardware, to try things out and to test: its properties are what the options say.

    Properties that are not writable move by a waveform. Writable ones hold what was written; with `state_file` they
    hold it through a crash of the agent, and `record` tells afterwards what the hardware really did and when.
    """

    def __init__(
        self,
        options: SimulatedOptions,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        super().__init__(options)
        specs = options.properties
        self.properties = tuple(spec.declared(name) for name, spec in specs.items())
        self._signals = {name: Signal(name, spec) for name, spec in specs.items() if not spec.writable}
        self._memory = Memory(
            {p.name: p for p in self.properties if p.writable},
            {name: spec.first for name, spec in specs.items() if spec.writable},
            state_file=options.state_file,
            record=options.record,
            now=now,
        )
        self._calibrated = {
            p.name: p
            for p in self.properties
            if p.kind is Kind.NUMBER and not p.writable and specs[p.name].moves_by is not Waveform.COUNTER
        }
        self._offset = 0.0
        self._clock = clock
        self._started: float | None = None
        self._calls: Counter[Call] = Counter()
        self._late: dict[str, asyncio.TimerHandle] = {}
        self._unblock = threading.Event()

    async def open(self) -> None:
        """Start the waveforms, the first time, and take up the values of an earlier life."""
        self._unblock.clear()
        await self._misbehave(self._fault(Call.OPEN))
        await self.in_thread(self._memory.load)
        if self._started is None:
            self._started = self._clock()

    async def close(self) -> None:
        """Drop writes that were still on their way, and let a blocked thread go."""
        for timer in self._late.values():
            timer.cancel()
        self._late.clear()
        self._unblock.set()

    async def read(self) -> Mapping[str, Scalar]:
        """Return every property; where a value is nonsense on purpose, without the counters, which then do not rise."""
        fault = self._fault(Call.READ)
        await self._misbehave(fault)
        if self._started is None:
            raise DeviceUnavailable("it is not open")
        spoilt = fault is not None and fault.do in NONSENSE
        elapsed = self._clock() - self._started
        values: dict[str, Scalar] = {}
        for prop in self.properties:
            signal = self._signals.get(prop.name)
            if signal is None:
                values[prop.name] = self._memory.values[prop.name]
            elif not (spoilt and signal.counts):
                values[prop.name] = self._shown(prop, signal.next(elapsed))
        if fault is not None and spoilt:
            name, value = nonsense(fault, self.properties)
            values[name] = value
        return values

    async def write(self, name: str, value: Scalar) -> None:
        """Set a writable property."""
        if name not in self._memory.values:
            raise WriteRefused(f"{name!r} cannot be written")
        fault = self._fault(Call.WRITE, name)
        await self._misbehave(fault)
        superseded = self._late.pop(name, None)
        if superseded is not None:
            superseded.cancel()
        if fault is not None and fault.do is FaultKind.IGNORE:
            return
        if fault is not None and fault.do is FaultKind.LATE:
            loop = asyncio.get_running_loop()
            self._late[name] = loop.call_later(fault.delay, self._move_late, name, value)
            return
        await self.in_thread(self._memory.write, name, value)

    def _move_late(self, name: str, value: Scalar) -> None:
        del self._late[name]
        self._memory.write(name, value)

    def actions(self) -> dict[str, Action]:
        """Return `calibrate` where there is something to calibrate."""
        return super().actions() if self._calibrated else {}

    @action
    async def calibrate(
        self, offset: Annotated[float, Field(ge=-10, le=10, description="Added to what it would otherwise show.")]
    ) -> None:
        """Shift all moving numbers by an offset, until the next calibration or restart."""
        await self._misbehave(self._fault(Call.ACTION))
        self._offset = offset
        await self.in_thread(self._memory.note, "calibrate()", offset)

    def _shown(self, prop: Property, value: Scalar) -> Scalar:
        """Shift a moving number by the calibration, within its limits, and round it."""
        if prop.name not in self._calibrated or not isinstance(value, float):
            return value
        shifted = value + self._offset
        if prop.minimum is not None:
            shifted = max(shifted, prop.minimum)
        if prop.maximum is not None:
            shifted = min(shifted, prop.maximum)
        return shifted if prop.precision is None else round(shifted, prop.precision)

    def _fault(self, call: Call, name: str | None = None) -> Fault | None:
        """Count the call and return the first fault that strikes it."""
        self._calls[call] += 1
        number = self._calls[call]
        return next((fault for fault in self.options.faults if fault.strikes(call, number, name)), None)

    async def _misbehave(self, fault: Fault | None) -> None:
        if fault is None:
            return
        match fault.do:
            case FaultKind.FAIL:
                raise DeviceUnavailable("it does not answer (a fault on purpose)")
            case FaultKind.CRASH:
                raise RuntimeError("its driver has a bug (a fault on purpose)")
            case FaultKind.INVALID:
                raise InvalidReading("wrong checksum (a fault on purpose)")
            case FaultKind.REFUSE:
                raise WriteRefused("the hardware cannot do this (a fault on purpose)")
            case FaultKind.HANG:
                await asyncio.Event().wait()
            case FaultKind.BLOCK:
                await self.in_thread(self._unblock.wait)
            case FaultKind.SLOW:
                await asyncio.sleep(fault.delay)
            case _:  # what spoils an answer or a write is done where that is made
                pass
