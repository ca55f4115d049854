"""A command whose output is the reading: a script, a vendor's tool, anything that prints.

The command is a list of arguments, never a line for a shell, so that no value can become a command of its own.
"""

import asyncio
import errno
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading, WriteRefused
from jidget_drivers.extraction import SearchedProperty, extract
from jidget_drivers.option_types import Duration, LocalPath
from jidget_drivers.properties import Scalar
from jidget_drivers.text_values import write_value


def _check_argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("an argument has no NUL")
    return text


Argument = Annotated[str, AfterValidator(_check_argument)]
Arguments = Annotated[tuple[Argument, ...], Field(min_length=1)]

MOST_OUTPUT = 65536
"""Bytes that a command may print; one that prints more is ended."""
_MOST_ERRORS = 4096
"""Bytes of its error messages that are kept; only the first line is told."""
_REAPING = 1.0
"""Seconds that the kernel gets to end what was killed."""
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ExecProperty(SearchedProperty):
    """One property: what it is, where in the output it stands, and what sets it."""

    write: Arguments | None = Field(
        default=None, description="Program and arguments that set it; {value} in one of them becomes the value."
    )

    @model_validator(mode="after")
    def _takes_the_value(self) -> Self:
        if self.write is not None and not any("{value}" in argument for argument in self.write[1:]):
            raise ValueError("write has no argument with {value}, so that every value would do the same")
        if self.write is not None and "{value}" in self.write[0]:
            raise ValueError("write begins with the program: {value} belongs into an argument after it")
        return self


class ExecOptions(DriverOptions):
    """What to run, and what its output means."""

    command: Arguments = Field(
        description='Program and arguments, each a text of its own: ["sensors", "-j"]. No shell.'
    )
    properties: dict[str, ExecProperty] = Field(min_length=1, description="Its properties by name.")
    timeout: Duration = Field(
        default=4.0,
        gt=0,
        description="Time that it may take; then it and what it started is killed. Below the Thing's.",
    )
    directory: LocalPath = Field(
        default=Path(), validate_default=True, description="Where it runs. Left out: beside the configuration."
    )
    environment: dict[str, Argument] = Field(
        default={}, description="Environment variables besides PATH and LANG; it gets no others."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, spec in self.properties.items():
            spec.declared(name)
        for name in self.environment:
            if not re.fullmatch(r"[^=\0]+", name):
                raise ValueError(f"environment: {name!r} is no name of a variable")
        return self


class Exec(Sensor[ExecOptions]):
    """A command whose output is the reading: a number, a text, JSON, or lines in which patterns are searched.

    It runs as the agent's user, once for each reading. Exit status 0 means that the output counts; with any other the
    Thing is unavailable, and the first line of its error messages says why.
    """

    def __init__(self, options: ExecOptions) -> None:
        super().__init__(options)
        specs = options.properties
        self.properties = tuple(spec.declared(name, writable=bool(spec.write)) for name, spec in specs.items())
        self._declared = {prop.name: prop for prop in self.properties}

    async def read(self) -> Mapping[str, Scalar]:
        """Run the command and take its output apart."""
        options = self.options
        try:
            run = await self._run(options.command)
        except TimeoutError as error:
            raise DeviceUnavailable(str(error)) from None
        if run.overflow:
            raise InvalidReading(f"{options.command[0]} printed more than {MOST_OUTPUT} bytes and was ended")
        if run.status != 0:
            raise DeviceUnavailable(f"{options.command[0]} {run.say_failure()}")
        try:
            return extract(options.properties, self._declared, run.output.decode("utf-8", "replace"))
        except InvalidReading as error:
            raise InvalidReading(f"{options.command[0]}: {error}") from None

    async def write(self, name: str, value: Scalar) -> None:
        """Run the command that sets a property.

        Raises:
            TimeoutError: it was ended; it may have set it.
            DriverError: it failed; it may have set it.
        """
        spec = self.options.properties[name]
        if spec.write is None:
            raise WriteRefused(f"{name} cannot be set: it has no write")
        words = spec.words
        arguments = [write_value(argument, self._declared[name], value, words).decode() for argument in spec.write[1:]]
        for before, after in zip(spec.write[1:], arguments, strict=True):
            if isinstance(value, str) and after.startswith("-") and not before.startswith("-"):
                raise WriteRefused(f"{name}: {spec.write[0]} would take {value!r} for an option")
        run = await self._run((spec.write[0], *arguments))
        if run.overflow:
            raise DriverError(f"{spec.write[0]} printed more than {MOST_OUTPUT} bytes and was ended")
        if run.status != 0:
            raise DriverError(f"{spec.write[0]} {run.say_failure()}")

    async def _run(self, command: Sequence[str]) -> "_Run":
        """Run a command to its end.

        Raises:
            DeviceUnavailable: it cannot be started.
            TimeoutError: it took too long, and has been killed with all it started.
        """
        try:
            transport, run = await self._start(command)
        except OSError as error:
            raise DeviceUnavailable(_say_start(command[0], self.options.directory, error)) from error
        finished = False
        try:
            async with asyncio.timeout(self.options.timeout):
                await run.ended.wait()
            finished = not run.overflow
        except TimeoutError:
            limit = f"{self.options.timeout:g} s, and was killed"
            if run.exited.is_set():
                raise TimeoutError(f"{command[0]} ended, but what it started held its output for {limit}") from None
            raise TimeoutError(f"{command[0]} has not ended within {limit}") from None
        finally:
            await _let_go(transport, run, kill=not finished)
        run.status = transport.get_returncode()
        return run

    async def _start(self, command: Sequence[str]) -> "tuple[asyncio.SubprocessTransport, _Run]":
        loop = asyncio.get_running_loop()
        making = loop.subprocess_exec(
            _Run,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            cwd=self.options.directory,
            env={"PATH": os.environ.get("PATH", _USUAL_PATH), "LANG": "C.UTF-8", **self.options.environment},
            start_new_session=True,  # a group of its own: what it starts can be ended with it
        )
        starting = asyncio.create_task(making, name=f"start {command[0]}")
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled half-way, asyncio waits for pipes that it never connects. Starting takes no time: let it end.
            with suppress(OSError):
                await _let_go(*await starting, kill=True)
            raise


class _Run(asyncio.SubprocessProtocol):
    """What one run of a command printed, no more than may be."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.overflow = False
        self.exited = asyncio.Event()
        self.status: int | None = None
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self.errors += data[: _MOST_ERRORS - len(self.errors)]
            return
        self.output += data
        if len(self.output) > MOST_OUTPUT:
            self.overflow = True
            self.ended.set()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # ended is ended
        self.ended.set()
        self.gone.set()

    def say_failure(self) -> str:
        """Say how it failed and the first thing it said about it."""
        if self.status is not None and self.status < 0:
            how = f"was ended by {signal.Signals(-self.status).name}"
        else:
            how = f"failed with exit status {self.status}"
        lines = (line.strip() for line in self.errors.decode("utf-8", "replace").splitlines())
        first = next((line for line in lines if line), "")
        return f"{how}: {first[:200]}" if first else how


async def _let_go(transport: asyncio.SubprocessTransport, run: _Run, *, kill: bool) -> None:
    """Close what is left of a run, after killing its group if it has not come to its end."""
    if kill:
        with suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        await _briefly(run.exited)
    transport.close()
    await _briefly(run.gone)


async def _briefly(event: asyncio.Event) -> None:
    """Wait for the end of what was killed, but not for a process that is stuck in the kernel."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAPING):
            await event.wait()


def _say_start(program: str, directory: Path, error: OSError) -> str:
    if not directory.is_dir():
        return f"{program}: there is no directory {directory}. Check option `directory`"
    if isinstance(error, FileNotFoundError):
        return f"{program}: no such program. Is it installed? Else write its whole path, or the interpreter before it"
    if isinstance(error, PermissionError):
        return f"{program}: it may not be run. Is it executable: chmod +x {program}?"
    if error.errno == errno.ENOEXEC:
        return f"{program}: it cannot be run: does it begin with a line such as #!/bin/sh?"
    return f"{program}: {error.strerror or error}"
