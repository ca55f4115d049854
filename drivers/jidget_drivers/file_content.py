"""A file whose content is the reading: of sysfs, of another program, of a RAM disk."""

import errno
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, InvalidReading, WriteRefused
from jidget_drivers.extraction import SearchedProperty, extract
from jidget_drivers.option_types import Duration, LocalPath, write_duration
from jidget_drivers.properties import Scalar
from jidget_drivers.text_values import write_value

MOST_CONTENT = 65536
"""Bytes that a file may have."""


class FileProperty(SearchedProperty):
    """One property: what it is, and where in the file it stands."""

    writable: bool = Field(
        default=False, description="Whether it can be set: the file then has the value, and no more."
    )


class FileOptions(DriverOptions):
    """Which file, and what is in it."""

    path: LocalPath = Field(description="The file.")
    properties: dict[str, FileProperty] = Field(min_length=1, description="Its properties by name.")
    max_age: Duration | None = Field(
        default=None, gt=0, description="A file that was last written longer ago is no reading. Left out: any age."
    )
    replace: bool = Field(
        default=True,
        description="Whether setting makes a new file that takes the place of the old one at once; false for files of "
        "/sys and /proc, which cannot be replaced, and for files that others hold open.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, spec in self.properties.items():
            spec.declared(name)
            if spec.writable and (len(self.properties) > 1 or spec.key or spec.pattern):
                raise ValueError(f"{name}: only a property that is the whole file can be set, and the only one")
        return self


class FileContent(Sensor[FileOptions]):
    """A file whose content is the reading: a number, a text, JSON, or lines in which patterns are searched.

    It is read anew for each reading. Who writes it should replace it in one step (write a new file, then rename it),
    or half of it may be read; such a half is refused as JSON, but not as a number.
    """

    def __init__(self, options: FileOptions) -> None:
        super().__init__(options)
        self.properties = tuple(
            spec.declared(name, writable=spec.writable) for name, spec in options.properties.items()
        )
        self._declared = {prop.name: prop for prop in self.properties}

    async def read(self) -> Mapping[str, Scalar]:
        """Read the file; in a thread, because it may be on a network share that hangs."""
        text = await self.in_thread(_read_text, self.options.path, self.options.max_age)
        try:
            return extract(self.options.properties, self._declared, text)
        except InvalidReading as error:
            raise InvalidReading(f"{self.options.path}: {error}") from None

    async def write(self, name: str, value: Scalar) -> None:
        """Make the value the content of the file."""
        spec = self.options.properties[name]
        if not spec.writable:
            raise WriteRefused(f"{name} cannot be set: it is not writable")
        data = write_value("{value}\n", self._declared[name], value, spec.words)
        await self.in_thread(_replace if self.options.replace else _overwrite, self.options.path, data)


def _read_text(path: Path, max_age: float | None) -> str:
    try:
        # Not to wait for somebody to write into a named pipe.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            regular = stat.S_ISREG(status.st_mode)
            data = file.read(MOST_CONTENT + 1) if regular else b""
    except OSError as error:
        raise DeviceUnavailable(_say_error(path, error)) from error
    if not regular:
        raise DeviceUnavailable(f"{path}: it is not a file that has a content")
    age = time.time() - status.st_mtime
    if max_age is not None and age > max_age:
        raise InvalidReading(
            f"{path}: it was last written {write_duration(round(age))} ago, and max_age is {write_duration(max_age)}. "
            "Does what writes it still run?"
        )
    if len(data) > MOST_CONTENT:
        raise InvalidReading(f"{path}: it has more than {MOST_CONTENT} bytes")
    return data.decode("utf-8", "replace")


def _overwrite(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, data)  # one call: what sysfs takes for one value
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal(path, error) from error


def _replace(path: Path, data: bytes) -> None:
    """Write a new file beside the old one, with its rights, and let it take its place; a link stays one."""
    target = Path(os.path.realpath(path))
    try:
        descriptor, new = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no Path
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            Path(new).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(new).unlink()
            raise
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> WriteRefused | DeviceUnavailable:
    """Tell a value that the kernel does not take from a file that cannot be written."""
    if error.errno in (errno.EINVAL, errno.ERANGE):
        return WriteRefused(f"{path}: the kernel does not take this value ({error.strerror})")
    return DeviceUnavailable(_say_error(path, error))


def _say_error(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is no such file. Has what makes it run yet?"
    if isinstance(error, PermissionError):
        return f"{path}: no permission. Which group may use it: ls -l {path}"
    return f"{path}: {error.strerror or error}"
