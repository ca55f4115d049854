"""The base classes of drivers: options found by type argument, actions, the driver's own thread."""

import asyncio
import threading
from collections.abc import Mapping

import pytest

from jidget_drivers import (
    DeviceUnavailable,
    Driver,
    DriverOptions,
    MissingLibrary,
    NoOptions,
    Property,
    Scalar,
    Sensor,
    action,
)


class PlugOptions(DriverOptions):
    port: int = 1


class Plug(Sensor[PlugOptions]):
    properties = (Property(name="power"),)

    def __init__(self, options: PlugOptions) -> None:
        super().__init__(options)
        self.fails_to_open = False
        self.closed = 0

    async def open(self) -> None:
        if self.fails_to_open:
            raise DeviceUnavailable("unplugged")

    async def close(self) -> None:
        self.closed += 1

    async def read(self) -> Mapping[str, Scalar]:
        return {"power": 1.0}

    @action
    async def blink(self, times: int = 1) -> int:
        """Blink the lamp.

        More that nobody lists.
        """
        return times


class BetterPlug(Plug):
    """Inherits everything."""


@pytest.mark.parametrize(
    ("cls", "expected"), [(Plug, PlugOptions), (BetterPlug, PlugOptions), (Sensor[NoOptions], NoOptions)]
)
def test_the_options_class_is_the_type_argument(cls: type[Driver[DriverOptions]], expected: type) -> None:
    assert cls.options_type is expected


async def test_actions_are_listed_with_their_first_line_and_can_be_called() -> None:
    blink = Plug(PlugOptions()).actions()["blink"]
    assert blink.summary == "Blink the lamp."
    assert await blink.method(times=3) == 3


def test_an_action_must_be_async_and_have_a_docstring() -> None:
    async def silent() -> None: ...

    def blocking() -> None:
        """Block."""

    with pytest.raises(TypeError, match="docstring"):
        action(silent)
    with pytest.raises(TypeError, match="async"):
        action(blocking)  # type: ignore[arg-type]  # the mistake under test


async def test_what_fails_to_open_is_closed() -> None:
    plug = Plug(PlugOptions())
    plug.fails_to_open = True
    with pytest.raises(DeviceUnavailable, match="unplugged"):
        await plug.__aenter__()
    assert plug.closed == 1


async def test_a_blocking_call_runs_in_the_drivers_own_thread() -> None:
    async with Plug(PlugOptions()) as plug:
        names = [await plug.in_thread(lambda: threading.current_thread().name) for _ in range(2)]
    assert names == ["driver Plug"] * 2


async def test_an_error_in_the_thread_reaches_the_caller() -> None:
    def fails() -> None:
        raise DeviceUnavailable("no ack")

    def stops() -> object:
        return next(iter(()))

    async with Plug(PlugOptions()) as plug:
        with pytest.raises(DeviceUnavailable, match="no ack"):
            await plug.in_thread(fails)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await plug.in_thread(stops)
        assert await plug.in_thread(int, "5") == 5


def own_threads() -> int:
    return sum(thread.name == "driver Plug" for thread in threading.enumerate())


async def test_a_call_that_hangs_fails_the_next_one_at_once_even_after_opening_anew() -> None:
    let_go = threading.Event()
    plug = Plug(PlugOptions())
    await plug.__aenter__()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await plug.in_thread(let_go.wait)
    with pytest.raises(DeviceUnavailable, match="previous call"):
        await plug.in_thread(int, "5")
    threads = own_threads()
    for _ in range(5):  # as the host does; each opening must not leave one more thread stuck in the hardware
        await plug.__aexit__(None, None, None)
        await plug.__aenter__()
        with pytest.raises(DeviceUnavailable, match="previous call"):
            await plug.in_thread(int, "5")
    assert own_threads() <= threads

    let_go.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await plug.in_thread(int, "5") == 5
                break
            except DeviceUnavailable:
                await asyncio.sleep(0.001)  # the thread tells the loop when it is free; nothing else does
    await plug.__aexit__(None, None, None)


def test_a_missing_library_can_be_caught_as_an_import_error() -> None:
    assert issubclass(MissingLibrary, ImportError)
