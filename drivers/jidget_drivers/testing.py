"""The conformance check: whether a driver keeps the contract. For our own drivers and for everybody's.

Needs no test framework: call `check_driver` from a plain test function. It opens the hardware, or what the test puts
in its place: a fake sysfs file, gpiozero's mock pins, a pseudo-terminal.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from pydantic import ValidationError

from jidget_drivers.driver import Driver, DriverOptions, EventSource, Sensor
from jidget_drivers.option_fields import fields_of, parameters_schema
from jidget_drivers.properties import Kind, Property, Scalar, misfit
from jidget_drivers.units import Unit

TIMEOUT = 5.0
"""Seconds for each call, as the agent gives them unless the configuration says otherwise."""
PATIENCE = 0.1
"""Seconds to wait for the first values of an `EventSource`, which need not have any."""


def check_driver(
    cls: type[Driver[Any]],
    options: Mapping[str, Any] | DriverOptions | None = None,
    *,
    writes: Mapping[str, Scalar] | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Check that the driver `cls` keeps the contract: declarations, options, opening and closing, reading, writing.

    Args:
        cls: the driver.
        options: its options as in the configuration; nothing for a driver that needs none.
        writes: values to write, by property, and find again when read; nothing is written otherwise.
        timeout: seconds for each call to the driver.

    Raises:
        AssertionError: it does not; the text says what is wrong and what would be right.
    """
    _require(_no_loop(), "call check_driver from a plain function: it runs an event loop of its own")
    _require(isinstance(cls, type) and issubclass(cls, Driver), f"{cls!r} is no driver: derive it from Sensor")
    _require(issubclass(cls, Sensor | EventSource), f"{cls.__name__}: derive it from Sensor or EventSource, not Driver")
    _require_none(cls, _problems_of_class(cls))
    driver = _build(cls, options)
    _require_none(cls, (*_problems_of_properties(driver), *_problems_of_actions(driver)))
    asyncio.run(_check_running(driver, dict(writes or {}), timeout))


def _no_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _require_none(cls: type[Driver[Any]], problems: Iterable[str]) -> None:
    found = [f"{cls.__name__}: {problem}" for problem in problems]
    _require(not found, "\n".join(found))


def _problems_of_class(cls: type[Driver[Any]]) -> Iterator[str]:
    if not (cls.__dict__.get("__doc__") or "").strip():
        yield "it needs a docstring: its first line is what the catalogue says of it"
    if inspect.isabstract(cls):
        yield f"it has no {', '.join(sorted(cls.__abstractmethods__))}()"
    for field in fields_of(cls.options_type.model_json_schema()):
        if not field.description:
            yield (
                f"option {field.key!r} has no description: write it as Field(description=…), or as a docstring under "
                "the field with use_attribute_docstrings"
            )


def _build(cls: type[Driver[Any]], options: Mapping[str, Any] | DriverOptions | None) -> Driver[Any]:
    kind = cls.options_type
    if not isinstance(options, DriverOptions):
        try:
            options = kind.model_validate(dict(options or {}))
        except ValidationError as error:
            hint = "" if options else " Give check_driver the options it needs."
            raise AssertionError(f"{cls.__name__}: its options do not validate.{hint}\n{error}") from error
    _require(
        isinstance(options, kind), f"{cls.__name__} takes {kind.__name__} as its options, not {type(options).__name__}"
    )
    return cls(options)


def _problems_of_properties(driver: Driver[Any]) -> Iterator[str]:
    if not driver.properties:
        yield "it declares no properties: set `properties`, in the class or in __init__"
    names = [prop.name for prop in driver.properties]
    for name in names:
        if names.count(name) > 1:
            yield f"property {name!r} is declared twice"
    for prop in driver.properties:
        if not isinstance(cast("object", prop.unit), Unit | None):
            yield f"property {prop.name!r}: its unit {prop.unit!r} must be a member of Unit, such as Unit.CELSIUS"
        if prop.safe is not None and not prop.writable:
            yield f"property {prop.name!r} has a safe value but is not writable"
        if prop.safe is not None and misfit(prop, prop.safe):
            yield f"property {prop.name!r}: its safe value does not fit: {misfit(prop, prop.safe)}"
        if prop.writable and type(driver).write is Driver.write:
            yield f"property {prop.name!r} is writable, but there is no write()"


def _problems_of_actions(driver: Driver[Any]) -> Iterator[str]:
    for name in driver.actions():
        try:
            parameters_schema(getattr(type(driver), name))
        except TypeError as error:
            yield f"action {name!r}: {error}"


async def _check_running(driver: Driver[Any], writes: dict[str, Scalar], timeout: float) -> None:
    name = type(driver).__name__
    before = asyncio.all_tasks()
    for opening in ("opened", "opened again after it was closed"):
        where = f"{name}, {opening}"
        await _within(timeout, driver.__aenter__(), f"{where}: open()")
        try:
            await _check_values(driver, where, timeout)
            if writes:
                await _check_writes(driver, writes, where, timeout)
        finally:
            await _within(timeout, driver.__aexit__(None, None, None), f"{where}: close()")
        await _within(timeout, driver.close(), f"{name}: close() of what is closed")
    left = [task.get_name() for task in asyncio.all_tasks() - before]
    _require(not left, f"{name}: tasks are left after close(): {', '.join(left)}")


async def _check_values(driver: Driver[Any], where: str, timeout: float) -> None:
    if isinstance(driver, Sensor):
        for _ in range(2):
            values = await _within(timeout, driver.read(), f"{where}: read()")
            _check_fit(driver, values, f"{where}: read()")
        return
    for values in await _told_at_once(cast("EventSource[Any]", driver), where, timeout):
        _check_fit(driver, values, f"{where}: watch()")


async def _told_at_once(driver: EventSource[Any], where: str, timeout: float) -> list[object]:
    """Return what `watch` tells at once, if anything; check that it goes on, and stops when it is stopped."""
    events: AsyncIterator[Mapping[str, Scalar]] = driver.watch()
    _require(
        isinstance(events, AsyncIterator) and hasattr(events, "aclose"),
        f"{where}: watch() must be an async generator: `async def` with `yield`",
    )
    told: list[object] = []

    async def listen() -> None:
        async with aclosing(cast("Any", events)):
            async for values in events:
                told.append(values)  # noqa: PERF401  # extend() would lose them all when it is cancelled

    listening = asyncio.create_task(listen(), name=f"watch {type(driver).__name__}")
    await asyncio.wait({listening}, timeout=PATIENCE)
    ended = listening.done()
    listening.cancel()
    done, _ = await asyncio.wait({listening}, timeout=timeout)
    _require(bool(done), f"{where}: watch() did not stop within {timeout:g} s when it was cancelled")
    if ended:
        error = listening.exception()
        what = "ended" if error is None else f"raised {type(error).__name__}: {error}"
        raise AssertionError(f"{where}: watch() {what}; it must go on until it is stopped") from error
    return told


def _check_fit(driver: Driver[Any], values: object, where: str) -> None:
    if not isinstance(values, Mapping):
        text = f"{where} gave {type(values).__name__}; it must give values by property name"
        raise AssertionError(text)  # noqa: TRY004  # every failed check is an AssertionError
    declared = {prop.name: prop for prop in driver.properties}
    for key, value in values.items():
        _require(key in declared, f"{where} gave {key!r}, which is none of its properties {', '.join(declared)}")
        problem = misfit(declared[key], value)
        _require(not problem, f"{where} gave {key} = {value!r}: {problem}")


async def _check_writes(driver: Driver[Any], writes: dict[str, Scalar], where: str, timeout: float) -> None:
    declared = {prop.name: prop for prop in driver.properties}
    for key, value in writes.items():
        _require(key in declared and declared[key].writable, f"{where}: {key!r} is none of its writable properties")
        problem = misfit(declared[key], value)
        _require(not problem, f"{where}: the check itself would write {key} = {value!r}: {problem}")
        await _within(timeout, driver.write(key, value), f"{where}: write({key!r}, {value!r})")
        if isinstance(driver, Sensor):
            seen = (await _within(timeout, driver.read(), f"{where}: read() after write()")).get(key)
            _require(
                _same(declared[key], seen, value), f"{where}: {key} was set to {value!r}; read() then gave {seen!r}"
            )


def _same(prop: Property, seen: object, wanted: Scalar) -> bool:
    if prop.kind is Kind.NUMBER and isinstance(seen, int | float) and isinstance(wanted, int | float):
        return abs(seen - wanted) <= 10.0 ** -(6 if prop.precision is None else prop.precision)
    return seen == wanted


async def _within(timeout: float, call: Awaitable[Any], what: str) -> Any:
    """Wait for a call to the driver, no longer than the agent would."""
    try:
        async with asyncio.timeout(timeout):
            return await call
    except TimeoutError:
        raise AssertionError(f"{what} took longer than {timeout:g} s; use in_thread() for calls that block") from None
    except Exception as error:
        raise AssertionError(f"{what} raised {type(error).__name__}: {error}") from error
