"""The driver contract: what an author writes and what the host promises.

The host calls `open` before anything else and `close` after everything else; between them calls never overlap: one
`read`, `write` or action at a time. After a failure it closes the driver and opens the same object again, as often as
it takes. Every call is under a timeout; a call that is cancelled must leave the hardware usable. The host stamps time,
Thing id and unit, so a driver returns plain values.
"""

import asyncio
import inspect
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.option_types import DURATION_FORMAT, write_duration
from jidget_drivers.properties import Property, Scalar

CLOSE_LIMIT = 5.0
"""Seconds that letting go of hardware gets that could not be taken hold of."""

P = ParamSpec("P")
T = TypeVar("T")


class DriverOptions(BaseModel):
    """Base of a driver's own settings, `[things.NAME.options]`, and of the tables in them.

    Unknown keys are errors; values never change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Write the defaults of durations as people write durations; pydantic would write what it holds: seconds."""
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            if field.get("format") == DURATION_FORMAT and isinstance(field.get("default"), int | float):
                field["default"] = write_duration(field["default"])
        return schema


class NoOptions(DriverOptions):
    """For a driver that has nothing to set."""


OptionsT = TypeVar("OptionsT", bound=DriverOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action of a driver: its name and first docstring line; the method's signature is its schema."""

    name: str
    summary: str
    method: Callable[..., Awaitable[Any]]


def action(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Mark an async method as an action people can invoke. Its typed parameters become the form's fields."""
    if not inspect.iscoroutinefunction(method):
        raise TypeError(f"@action {method.__qualname__} must be an async method")
    if not inspect.getdoc(method):
        raise TypeError(f"@action {method.__qualname__} needs a docstring: it is what people read in the form")
    method.__jidget_action__ = True  # type: ignore[attr-defined]  # functions carry attributes; mypy cannot say so
    return method


class Driver(ABC, Generic[OptionsT]):
    """Base of all drivers. Do not derive from it directly: derive from `Sensor` or `EventSource`.

    Class attributes:
        properties: what it shows. A driver whose properties depend on its options sets them in `__init__`.
        extra: name of the pip extra of `jidget` that brings its libraries, for a clear message when they are missing.
        wiring: what a person connects to what, for the catalogue; empty where there is nothing to wire.

    Attributes:
        kept: what outlives the process: the total of a meter, the time it was read last. The host puts a mapping backed
            by its store here before `open`; without a host it is a dict, as old as the driver. What is assigned is on
            disk with the store's next commit, so a crash may lose the last second's. Cheap enough for each read.

    Constructing one touches no hardware; it may raise `MissingLibrary`.
    """

    options_type: ClassVar[type[DriverOptions]] = NoOptions
    properties: tuple[Property, ...] = ()
    extra: ClassVar[str] = ""
    wiring: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Find the options class from the type argument: `class Relay(Sensor[RelayOptions])`."""
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Driver):
                (argument,) = get_args(base)
                if isinstance(argument, type) and issubclass(argument, DriverOptions):
                    cls.options_type = argument

    def __init__(self, options: OptionsT) -> None:
        self.options = options
        self.kept: MutableMapping[str, Scalar] = {}
        self._worker: _Worker | None = None

    async def open(self) -> None:
        """Take hold of the hardware. Raise `DeviceUnavailable` if it is not there: the host tries again."""
        return

    async def close(self) -> None:
        """Let go of the hardware. Also called when `open` failed half-way; closing what is closed does nothing."""
        return

    async def write(self, name: str, value: Scalar) -> None:
        """Set the writable property `name`. The host has checked type, range and options; it reads back afterwards.

        Raises:
            WriteRefused: the hardware cannot take this value; nothing moved.
            DeviceUnavailable: the hardware cannot be reached.
        """
        raise NotImplementedError(f"{type(self).__name__} declares {name!r} writable but has no write()")

    def actions(self) -> dict[str, Action]:
        """Return this driver's actions by name."""
        found: dict[str, Action] = {}
        for name in dir(type(self)):
            member = getattr(type(self), name, None)
            if getattr(member, "__jidget_action__", False):
                summary = (inspect.getdoc(member) or "").splitlines()[0]
                found[name] = Action(name=name, summary=summary, method=getattr(self, name))
        return found

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in this driver's own thread and wait for it.

        One call at a time: while an earlier one hangs in the hardware, later ones fail at once instead of piling up.

        Raises:
            DeviceUnavailable: an earlier call has not come back yet.
        """
        if self._worker is None:
            self._worker = _Worker(type(self).__name__)
        return await self._worker.run(lambda: function(*args, **kwargs))

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            with suppress(Exception):  # the error of open() is the one that matters, also if closing hangs
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.close()
        finally:
            # A worker stuck in the hardware is kept: opening again must find it stuck, not start a thread beside it.
            if self._worker is not None and not self._worker.busy:
                self._worker.stop()
                self._worker = None


class Sensor(Driver[OptionsT]):
    """Hardware that is asked: the host calls `read` every `interval` and after each write."""

    @abstractmethod
    async def read(self) -> Mapping[str, Scalar]:
        """Read the hardware once and return all properties it has a value for, by name, in their units.

        Raises:
            DeviceUnavailable: it cannot be reached.
            InvalidReading: it answered nonsense (checksum, power-on value, out of physical range).
        """


class EventSource(Driver[OptionsT]):
    """Hardware that tells: a button, a serial line, a device on a bus."""

    @abstractmethod
    def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        """Yield values as they come; first, where they can be known, the current ones.

        Write it as an async generator. Ending or raising makes the Thing unavailable and the host opens it anew.

        Raises:
            DeviceUnavailable: it went away.
            InvalidReading: it told nonsense.
        """

    def tells(self, _name: str) -> bool:
        """Return whether it tells what became of a write to this property; if not, nobody waits for that."""
        return True


class _Worker:
    """One daemon thread that runs blocking calls, so that hung hardware keeps neither the loop nor the exit waiting."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.busy = False
        threading.Thread(target=self._loop, name=f"driver {name}", daemon=True).start()

    def _loop(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    async def run(self, function: Callable[[], T]) -> T:
        if self.busy:
            raise DeviceUnavailable("the hardware has not answered the previous call yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            self.busy = False
            if answer.done():  # cancelled meanwhile: nobody waits any more
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]  # a result of None is a T of None

        def call() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = function()
            except StopIteration as caught:  # a future takes any exception but this one
                error = RuntimeError(f"the driver let {caught!r} escape")
            except BaseException as caught:
                error = caught
            with suppress(RuntimeError):  # the loop is gone: the process is ending
                loop.call_soon_threadsafe(finish, result, error)

        self.busy = True
        self._calls.put(call)
        return await answer

    def stop(self) -> None:
        self._calls.put(None)
