"""The particulate matter sensors on the serial port, over real pseudo-terminals."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError
from tests.support.hardware_serial import SDS011_FRAME, SerialDevice, every_port_is_a_talking_device, pms5003_frame

from jidget_drivers import DeviceUnavailable
from jidget_drivers.pms5003 import Pms5003, Pms5003Options
from jidget_drivers.sds011 import ATTEMPTS, Sds011, Sds011Options, command
from jidget_drivers.testing import check_driver

PMS = pms5003_frame(7, 11, 13)
PMS_VALUES = {"pm1": 7, "pm25": 11, "pm10": 13}
SDS_VALUES = {"pm25": 123.6, "pm10": 261.8}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SerialDevice]:
    with SerialDevice(tmp_path / "usb-sensor") as plugged:
        yield plugged


@asynccontextmanager
async def watching(driver: Sds011 | Pms5003) -> AsyncIterator[AsyncIterator[Any]]:
    async with driver, aclosing(cast("Any", driver.watch())) as events:
        yield events


def sds(device: SerialDevice, **options: Any) -> Sds011:
    return Sds011(Sds011Options.model_validate({"port": str(device.path), **options}))


def pms(device: SerialDevice, **options: Any) -> Pms5003:
    return Pms5003(Pms5003Options.model_validate({"port": str(device.path), **options}))


def sds_frame(*data: int, kind: int = 0xC0) -> bytes:
    body = bytes(data)
    assert len(body) == 6
    return bytes((0xAA, kind)) + body + bytes((sum(body) & 0xFF, 0xAB))


@pytest.mark.parametrize(("cls", "options"), [(Sds011, {"working_period": 0}), (Pms5003, {})])
def test_they_keep_the_contract(
    cls: type[Any], options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with every_port_is_a_talking_device(tmp_path, monkeypatch):
        check_driver(cls, {"port": "/dev/serial/by-id/usb-sensor", **options})


async def test_the_sds011_tells_what_its_document_says(device: SerialDevice) -> None:
    async with watching(sds(device)) as told:
        await device.send(SDS011_FRAME)
        assert await anext(told) == SDS_VALUES


async def test_the_pms5003_tells_the_values_for_atmospheric_environment(device: SerialDevice) -> None:
    async with watching(pms(device)) as told:
        await device.send(PMS)
        assert await anext(told) == PMS_VALUES


@pytest.mark.parametrize(
    "garbage",
    [
        PMS[7:],
        PMS[:20],
        b"BMBMBM",
        b"B" * 40,
        PMS[:-1] + bytes((PMS[-1] ^ 1,)),
        PMS[:12] + b"\xff" + PMS[13:],
        b"\x42\x4d\x00\x14" + PMS[4:],
        bytes(range(256)) * 40,
    ],
    ids=["end", "beginning", "starts", "near starts", "checksum", "value", "length", "noise"],
)
async def test_the_pms5003_is_understood_again_after_garbage(garbage: bytes, device: SerialDevice) -> None:
    async with watching(pms(device)) as told:
        await device.send(garbage + PMS + pms5003_frame(1, 2, 3))
        assert await anext(told) == PMS_VALUES
        assert await anext(told) == {"pm1": 1, "pm25": 2, "pm10": 3}


@pytest.mark.parametrize(
    "garbage",
    [
        SDS011_FRAME[3:],
        SDS011_FRAME[:5],
        SDS011_FRAME[:-2] + b"\x1e\xab",
        SDS011_FRAME[:-1] + b"\xaa",
        b"\xaa" * 9,
        sds_frame(1, 0, 2, 0, 0, 0, kind=0xC1),
    ],
    ids=["end", "beginning", "checksum", "tail", "heads", "kind"],
)
async def test_the_sds011_is_understood_again_after_garbage(garbage: bytes, device: SerialDevice) -> None:
    async with watching(sds(device)) as told:
        await device.send(garbage + SDS011_FRAME)
        assert await anext(told) == SDS_VALUES


@pytest.mark.parametrize("size", [1, 7, 31])
async def test_frames_may_come_in_pieces(size: int, device: SerialDevice) -> None:
    frames = PMS * 3
    async with watching(pms(device)) as told:
        for at in range(0, len(frames), size):
            await device.send(frames[at : at + size])
        assert [await anext(told) for _ in range(3)] == [PMS_VALUES] * 3


async def test_what_the_sds011_cannot_measure_is_no_reading(device: SerialDevice) -> None:
    async with watching(sds(device)) as told:
        await device.send(sds_frame(0x10, 0x27, 1, 0, 0, 0) + sds_frame(0x0F, 0x27, 0, 0, 0, 0))
        assert await anext(told) == {"pm25": 999.9, "pm10": 0.0}


@pytest.mark.parametrize(
    ("sent", "says"),
    [(b"", "not one byte"), (PMS[:-1] + b"\0", "32 bytes came, the last was a frame with a wrong checksum")],
)
async def test_silence_and_endless_garbage_make_it_unavailable_and_say_what_to_check(
    sent: bytes, says: str, device: SerialDevice
) -> None:
    async with watching(pms(device, silence="300ms")) as told:
        await device.send(sent)
        with pytest.raises(DeviceUnavailable, match=f"no reading for 0.3 s.*{says}.*active mode"):
            await anext(told)


async def test_the_working_period_is_asked_for_after_a_measurement_and_set_once(device: SerialDevice) -> None:
    ask, to_five = command(8), command(8, 1, 5)
    assert to_five == bytes.fromhex("aab408010500000000000000000000ffff0cab")
    async with watching(sds(device, working_period=5)) as told:
        await device.send(SDS011_FRAME)
        assert await anext(told) == SDS_VALUES
        assert await device.receive(19) == ask
        await device.send(sds_frame(8, 0, 0, 0, 0xA1, 0x60, kind=0xC5))
        assert await device.receive(19) == to_five
        await device.send(sds_frame(8, 1, 5, 0, 0xA1, 0x60, kind=0xC5) + SDS011_FRAME)
        assert await anext(told) == SDS_VALUES
    async with watching(sds(device, working_period=5)) as told:  # it remembers: nothing is written again
        await device.send(SDS011_FRAME + sds_frame(8, 0, 5, 0, 0xA1, 0x60, kind=0xC5) + SDS011_FRAME)
        assert [await anext(told) for _ in range(2)] == [SDS_VALUES] * 2
        assert await device.receive(19) == ask


async def test_a_sensor_that_does_not_hear_is_not_asked_for_ever(
    device: SerialDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jidget_drivers")
    async with watching(sds(device, working_period=0)) as told:
        for _ in range(ATTEMPTS + 3):
            await device.send(SDS011_FRAME)
            await anext(told)
        assert await device.receive(ATTEMPTS * 19) == command(8) * ATTEMPTS
        assert device.received_at_once() == b""
    assert [r.message for r in caplog.records if "RXD" in r.message]


def test_a_working_period_makes_it_wait_longer() -> None:
    for period, silence in ((None, 30), (0, 30), (5, 330)):
        options = {"port": "/dev/ttyUSB0", "working_period": period}
        driver = Sds011(Sds011Options.model_validate(options))
        assert driver._silence == silence


def test_a_working_period_has_limits() -> None:
    with pytest.raises(ValidationError, match="working_period"):
        Sds011Options.model_validate({"port": "/dev/ttyUSB0", "working_period": 31})
