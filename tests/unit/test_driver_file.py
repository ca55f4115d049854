"""The file driver on real files, those of /proc among them."""
# ruff: noqa: ASYNC240  # files of a few bytes in a loop that has nothing else to do

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import DeviceUnavailable, InvalidReading, WriteRefused
from jidget_drivers.file_content import MOST_CONTENT, FileContent, FileOptions
from jidget_drivers.testing import check_driver


def reading(path: Path, **more: Any) -> FileContent:
    return FileContent(FileOptions.model_validate({"path": path, "properties": {"x": {}}, **more}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "value"
    path.write_text("21.5\n")
    return path


@pytest.mark.parametrize("replace", [True, False])
def test_it_keeps_the_contract(file: Path, replace: bool) -> None:
    options = {"path": file, "replace": replace, "properties": {"x": {"writable": True, "precision": 1}}}
    check_driver(FileContent, options, writes={"x": -3.5})
    assert file.read_text() == "-3.5\n"


async def test_each_reading_is_of_the_file_as_it_is_now(file: Path) -> None:
    async with reading(file) as driver:
        assert await driver.read() == {"x": 21.5}
        file.write_text("22")
        assert await driver.read() == {"x": 22}
        file.unlink()
        with pytest.raises(DeviceUnavailable, match=r"value: there is no such file. Has what makes it run yet?"):
            await driver.read()
        file.write_text("23")
        assert await driver.read() == {"x": 23}


async def test_several_values_come_from_one_file(file: Path) -> None:
    properties = {
        "total": {"pattern": r"^MemTotal:\s+(\d+) kB", "type": "integer", "unit": "KiB"},
        "free": {"pattern": r"^MemFree:\s+(\d+) kB", "type": "integer", "unit": "KiB"},
    }
    async with reading(Path("/proc/meminfo"), properties=properties) as driver:
        values = await driver.read()
    assert 0 < int(values["free"]) < int(values["total"])
    file.write_text('{"wind": {"speed": 3.4}}')
    async with reading(file, properties={"wind": {"key": "wind.speed", "unit": "m/s"}}) as driver:
        assert await driver.read() == {"wind": 3.4}


async def test_a_file_that_nobody_writes_any_more_is_no_reading(file: Path) -> None:
    async with reading(file, max_age="10m") as driver:
        assert await driver.read() == {"x": 21.5}
        hours_ago = time.time() - 3 * 3600
        os.utime(file, (hours_ago, hours_ago))
        with pytest.raises(InvalidReading, match=r"was last written .* ago, and max_age is 10m. Does what writes it"):
            await driver.read()
        os.utime(file)
        assert await driver.read() == {"x": 21.5}


async def test_what_is_no_value_is_no_reading(file: Path) -> None:
    async with reading(file) as driver:
        for content, says in (
            (b"", "value: x: '' is not a number"),
            (b"21.5 22", "is not a number"),
            (b"\xff", "is not a number"),
            (b"1" * (MOST_CONTENT + 1), f"it has more than {MOST_CONTENT} bytes"),
        ):
            file.write_bytes(content)
            with pytest.raises(InvalidReading, match=says):
                await driver.read()


async def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        async with reading(path) as driver:
            with pytest.raises(DeviceUnavailable, match="it is not a file that has a content"):
                await driver.read()
    async with reading(tmp_path) as driver:
        with pytest.raises(DeviceUnavailable, match=r"not a file that has a content|Is a directory"):
            await driver.read()


@pytest.fixture
def shut(file: Path) -> Iterator[Path]:
    """A file that may not be read, not by root either: it becomes somebody else for as long."""
    file.chmod(0)
    user = os.geteuid()
    os.seteuid(user or 65534)
    yield file
    os.seteuid(user)


async def test_a_file_that_may_not_be_read_is_said(shut: Path) -> None:
    async with reading(shut) as driver:
        with pytest.raises(DeviceUnavailable, match=r"no permission. Which group may use it"):
            await driver.read()


# ---- setting ------------------------------------------------------------------------------------------------------


async def test_a_new_file_takes_the_place_of_the_old_one_at_once(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(file)
    before = file.stat().st_ino
    with file.open() as held:
        async with reading(link, properties={"x": {"writable": True}}) as driver:
            await driver.write("x", 7)
            assert await driver.read() == {"x": 7}
        assert held.read() == "21.5\n", "who has the old one open still sees all of it"
    assert (link.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == (True, 0o640)
    assert file.stat().st_ino != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "value"]


async def test_a_file_of_the_kernel_is_written_where_it_is(file: Path) -> None:
    before = file.stat().st_ino
    properties = {"x": {"type": "boolean", "writable": True, "on": "255", "off": "0"}}
    async with reading(file, replace=False, properties=properties) as driver:
        await driver.write("x", True)
        assert await driver.read() == {"x": True}
    assert (file.read_text(), file.stat().st_ino) == ("255\n", before)


async def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(file: Path, tmp_path: Path) -> None:
    async with reading(file, properties={"x": {"writable": True}}) as driver:
        file.unlink()
        with pytest.raises(DeviceUnavailable, match="there is no such file"):
            await driver.write("x", 1)
    assert list(tmp_path.iterdir()) == []
    async with reading(file, properties={"x": {}}) as driver:
        with pytest.raises(WriteRefused, match="x cannot be set"):
            await driver.write("x", 1)


async def test_a_value_that_the_kernel_refuses_moved_nothing() -> None:
    path = Path("/proc/self/oom_score_adj")
    before = path.read_text()
    async with reading(path, replace=False, properties={"x": {"type": "integer", "writable": True}}) as driver:
        with pytest.raises(WriteRefused, match="the kernel does not take this value"):
            await driver.write("x", 4711)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"properties": {"x": {"writable": True}, "y": {}}}, "x: only a property that is the whole file"),
        ({"properties": {"x": {"writable": True, "key": "a"}}}, "x: only a property that is the whole file"),
        ({"properties": {}}, "at least 1 item"),
        ({"max_age": "0s"}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        FileOptions.model_validate({"path": "x", "properties": {"x": {}}, **settings})
