"""The conformance check finds each fault it promises to find, and says what would be right."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest
from pydantic import Field

from jidget_drivers import (
    DeviceUnavailable,
    Driver,
    DriverOptions,
    EventSource,
    Kind,
    NoOptions,
    Property,
    Scalar,
    Sensor,
    Unit,
    action,
)
from jidget_drivers.testing import check_driver

POWER = Property(name="power", unit=Unit.WATT, minimum=0, maximum=100)
SWITCH = Property(name="on", kind=Kind.BOOLEAN, writable=True, safe=False)


class Good(Sensor[NoOptions]):
    """Does everything right."""

    properties: tuple[Property, ...] = (POWER, SWITCH)

    def __init__(self, options: NoOptions) -> None:
        super().__init__(options)
        self.on = False

    async def read(self) -> Mapping[str, Scalar]:
        return {"power": 1.0, "on": self.on}

    async def write(self, name: str, value: Scalar) -> None:
        self.on = bool(value)

    @action
    async def blink(self, times: int = 1) -> None:
        """Blink."""


class Bell(EventSource[NoOptions]):
    """Tells at once, then nothing."""

    properties = (SWITCH,)

    async def write(self, name: str, value: Scalar) -> None: ...

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        yield {"on": True}
        await asyncio.Event().wait()


class Quiet(Bell):
    """Never tells anything."""

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        await asyncio.Event().wait()
        yield {}


def test_good_drivers_pass() -> None:
    check_driver(Good)
    check_driver(Good, writes={"on": True})
    check_driver(Bell, writes={"on": True})
    check_driver(Quiet)


async def test_it_wants_a_plain_function() -> None:
    with pytest.raises(AssertionError, match="plain function"):
        check_driver(Good)


class SomeOptions(DriverOptions):
    address: int = Field(description="Where.")


class NeedsOptions(Sensor[SomeOptions]):
    """Has an option that must be given."""

    properties = (POWER,)

    async def read(self) -> Mapping[str, Scalar]:
        return {"power": self.options.address}


def test_options_are_validated_as_in_the_configuration() -> None:
    check_driver(NeedsOptions, {"address": 7})
    check_driver(NeedsOptions, SomeOptions(address=7))
    with pytest.raises(AssertionError, match=r"Give check_driver the options it needs\.\n(.|\n)*address"):
        check_driver(NeedsOptions)
    with pytest.raises(AssertionError, match=r"do not validate\.\n(.|\n)*adress"):
        check_driver(NeedsOptions, {"adress": 7})
    with pytest.raises(AssertionError, match="takes SomeOptions as its options, not NoOptions"):
        check_driver(NeedsOptions, NoOptions())


def test_what_is_no_driver_is_said_to_be_none() -> None:
    class Half(Driver[NoOptions]):
        """Derived from the wrong class."""

    with pytest.raises(AssertionError, match="derive it from Sensor or EventSource, not Driver"):
        check_driver(Half)
    with pytest.raises(AssertionError, match="is no driver"):
        check_driver(cast("Any", str))


def faulty(**members: Any) -> type[Sensor[NoOptions]]:
    """Return the good driver with something else in it."""
    return type("Bad", (Good,), {"__doc__": "Bad.", **members})


def reads(values: object) -> type[Sensor[NoOptions]]:
    async def read(self: object) -> object:
        return values

    return faulty(read=read)


def raising(error: Exception) -> Callable[..., Any]:
    async def method(*_: object) -> None:
        raise error

    return method


async def for_ever(*_: object) -> None:
    await asyncio.Event().wait()


class UndescribedOptions(DriverOptions):
    inner: dict[str, SomeOptions] = Field(default={}, description="Described.")
    outer: int = 1


class Undescribed(Sensor[UndescribedOptions]):
    """Has an option without a description."""

    properties = (POWER,)

    async def read(self) -> Mapping[str, Scalar]:
        return {}


@action
async def untyped(self: object, times) -> None:  # type: ignore[no-untyped-def]  # the mistake under test
    """Blink."""


@action
async def variadic(self: object, *times: int) -> None:
    """Blink."""


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (faulty(__doc__=None), "needs a docstring"),
        (faulty(properties=()), "declares no properties"),
        (faulty(properties=(POWER, POWER)), "'power' is declared twice"),
        (faulty(properties=(Property(name="power", unit=cast("Any", "Watt")),)), "'Watt' must be a member of Unit"),
        (faulty(write=Driver.write), "'on' is writable, but there is no write()"),
        (
            faulty(properties=(Property(name="on", kind=Kind.BOOLEAN, writable=True, safe="off"),)),
            "safe value does not fit: 'off' is not a bool",
        ),
        (faulty(properties=(Property(name="power", safe=1.0),)), "has a safe value but is not writable"),
        (faulty(blink=untyped), "'blink': parameter 'times' needs a type hint"),
        (faulty(blink=variadic), "'blink': .*is no field of a form"),
        (Undescribed, "option 'outer' has no description"),
        (reads([1]), r"opened: read\(\) gave list"),
        (reads({"volts": 1.0}), "gave 'volts', which is none of its properties power, on"),
        (reads({"power": 101.0}), "gave power = 101.0: 101.0 is above the maximum 100"),
        (reads({"power": -0.5}), "below the minimum 0"),
        (reads({"power": float("nan")}), "not finite"),
        (reads({"power": True}), "True is not a number"),
        (reads({"on": 1}), "1 is not a bool"),
        (faulty(read=raising(KeyError("x"))), r"read\(\) raised KeyError: 'x'"),
        (faulty(open=raising(DeviceUnavailable("gone"))), r"open\(\) raised DeviceUnavailable: gone"),
        (faulty(close=raising(OSError("stuck"))), r"close\(\) raised OSError: stuck"),
        (faulty(read=for_ever), r"read\(\) took longer than 0.05 s; use in_thread"),
        (faulty(open=for_ever), r"open\(\) took longer"),
        (faulty(close=for_ever), r"close\(\) took longer"),
    ],
)
def test_what_breaks_the_contract_is_named(cls: type[Driver[Any]], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint) as caught:
        check_driver(cls, timeout=0.05)
    assert cls.__name__ in str(caught.value)


def test_all_that_is_wrong_with_the_declarations_is_said_at_once() -> None:
    cls = faulty(properties=(POWER, POWER, SWITCH), write=Driver.write)
    with pytest.raises(AssertionError, match=r"declared twice(.|\n)*no write\(\)"):
        check_driver(cls)


def test_a_driver_that_opens_only_once_is_found_out() -> None:
    class Once(Good):
        """Cannot be opened again."""

        opened = False

        async def open(self) -> None:
            if self.opened:
                raise RuntimeError("already")
            self.opened = True

    with pytest.raises(AssertionError, match=r"Once, opened again after it was closed: open\(\) raised"):
        check_driver(Once)


def test_closing_twice_must_do_no_harm() -> None:
    class Fragile(Good):
        """Cannot be closed twice."""

        handle: object = None

        async def open(self) -> None:
            self.handle = object()

        async def close(self) -> None:
            if self.handle is None:
                raise ValueError("not open")
            self.handle = None

    with pytest.raises(AssertionError, match=r"Fragile: close\(\) of what is closed raised ValueError"):
        check_driver(Fragile)


def test_tasks_left_behind_are_found() -> None:
    class Leaky(Good):
        """Starts a task and forgets it."""

        async def open(self) -> None:
            self.task = asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="poll")

    with pytest.raises(AssertionError, match=r"tasks are left after close\(\): poll"):
        check_driver(Leaky)


def test_a_written_value_must_be_read_back() -> None:
    async def forget(self: object, name: str, value: Scalar) -> None: ...

    with pytest.raises(AssertionError, match=r"on was set to True; read\(\) then gave False"):
        check_driver(faulty(write=forget), writes={"on": True})
    with pytest.raises(AssertionError, match="'power' is none of its writable properties"):
        check_driver(Good, writes={"power": 1.0})
    with pytest.raises(AssertionError, match="would write on = 1"):
        check_driver(Good, writes={"on": 1})


def test_a_number_may_come_back_rounded_to_its_precision() -> None:
    class Dimmer(Good):
        """Has tenths."""

        properties = (Property(name="level", writable=True, precision=1),)
        level = 0.0

        async def read(self) -> Mapping[str, Scalar]:
            return {"level": round(self.level, 1)}

        async def write(self, name: str, value: Scalar) -> None:
            self.level = float(value)

    check_driver(Dimmer, writes={"level": 0.52})
    Dimmer.properties = (Property(name="level", writable=True, precision=2),)
    with pytest.raises(AssertionError, match=r"level was set to 0.52; read\(\) then gave 0.5"):
        check_driver(Dimmer, writes={"level": 0.52})


class Ends(Bell):
    """Stops telling."""

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        yield {"on": True}


class Tells(Bell):
    """Tells what it has not."""

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        yield {"off": True}
        await asyncio.Event().wait()


class Breaks(Bell):
    """Fails at once."""

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        values: Mapping[str, Scalar] = {}
        if not values:
            raise DeviceUnavailable("gone")
        yield values


class Clings(Bell):
    """Cannot be stopped."""

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        try:
            yield {"on": True}
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()


class Plain(Bell):
    """Is not a generator."""

    def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        return cast("Any", [{"on": True}])  # type: ignore[no-any-return]  # the mistake under test


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (Ends, r"watch\(\) ended; it must go on until it is stopped"),
        (Clings, r"watch\(\) did not stop within 0.05 s"),
        (Tells, r"watch\(\) gave 'off'"),
        (Breaks, r"watch\(\) raised DeviceUnavailable: gone"),
        (Plain, "must be an async generator"),
    ],
)
def test_what_is_wrong_with_watching_is_named(cls: type[Driver[Any]], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_driver(cls, timeout=0.05)
