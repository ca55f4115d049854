"""What all I²C drivers share: errors that say what to check, and a bus that nobody can keep from the others."""

import asyncio
import ctypes
import errno
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import smbus2.smbus2
from tests.support import hardware_i2c_known as known
from tests.support.hardware_i2c import FakeBus, bus_error
from tests.support.hardware_i2c_ports import Ads1115Chip, Mcp23017Chip

from jidget_drivers import DeviceUnavailable, Driver, MissingLibrary, bh1750, i2c, i2c_adapter, i2c_errors
from jidget_drivers.ads1115 import Ads1115
from jidget_drivers.bh1750 import Bh1750
from jidget_drivers.bme280 import Bme280
from jidget_drivers.ina219 import Ina219
from jidget_drivers.mcp23017 import Mcp23017
from jidget_drivers.sht3x import Sht3x


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    chips = {0x76: known.bme280(), 0x44: known.sht3x(), 0x40: known.ina219(), 0x23: known.bh1750()}
    return FakeBus(dict(chips)).install(monkeypatch)


def made(cls: type[Driver[Any]], **options: Any) -> Any:
    return cls(cls.options_type.model_validate(options))


# ---- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "texts"),
    [
        (errno.ENOENT, ("no I²C bus 1", "dtparam=i2c_arm=on", "There are: i2c-0, i2c-7")),
        (errno.EACCES, ("no access to /dev/i2c-1", "usermod -aG i2c")),
        (errno.ENOTTY, ("/dev/i2c-1 is no I²C bus",)),
        (errno.EMFILE, ("cannot open /dev/i2c-1: Too many open files",)),
    ],
)
async def test_a_bus_that_cannot_be_opened(
    bus: FakeBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, texts: tuple[str, ...]
) -> None:
    for name in ("i2c-7", "i2c-0"):
        (tmp_path / name).touch()
    monkeypatch.setattr(i2c_errors, "DEVICES", tmp_path)
    bus.opening = number
    with pytest.raises(DeviceUnavailable) as caught:
        await made(Bme280).open()
    assert all(text in str(caught.value) for text in texts), str(caught.value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EREMOTEIO, "nothing answers at address 0x76 on I²C bus 1. Check wiring, power and address; `i2cdetect"),
        (errno.ENXIO, "nothing answers at address 0x76"),
        (errno.ETIMEDOUT, "the bus timed out. Something holds SDA or SCL low"),
        (errno.EIO, "the transfer was disturbed (Input/output error). Check cable length"),
        (errno.EAGAIN, "the transfer was disturbed"),
        (errno.EOPNOTSUPP, "only speaks SMBus"),
        (errno.ENODEV, "the bus has gone"),
        (errno.ENOMEM, "address 0x76 on I²C bus 1: Cannot allocate memory"),
    ],
)  # fmt: skip
async def test_a_transfer_that_fails(bus: FakeBus, number: int, text: str) -> None:
    async with made(Bme280) as driver:
        before = await driver.read()
        bus.failing[0x76] = number
        with pytest.raises(DeviceUnavailable) as caught:
            await driver.read()
        assert text in str(caught.value)
        bus.failing.clear()
        assert await driver.read() == before


async def test_an_address_that_the_kernel_has(bus: FakeBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(i2c_errors, "KERNEL_DEVICES", tmp_path)
    bus.kernel.add(0x76)
    with pytest.raises(DeviceUnavailable, match=r"a driver of the kernel has address 0x76.*hwmon or iio"):
        await made(Bme280).open()
    (tmp_path / "drivers" / "bmp280").mkdir(parents=True)
    (tmp_path / "1-0076").mkdir()
    (tmp_path / "1-0076" / "driver").symlink_to(tmp_path / "drivers" / "bmp280")
    with pytest.raises(DeviceUnavailable, match="the kernel's driver bmp280 has address 0x76 on I²C bus 1"):
        await made(Bme280).open()
    assert bus.log == [], "and nothing was sent"
    assert bus.open_adapters == 0


async def test_a_driver_that_is_not_open_says_so(bus: FakeBus) -> None:
    for cls, options in ((Bme280, {}), (Sht3x, {}), (Mcp23017, {"outputs": {"pump": "A0"}})):
        driver = made(cls, **options)
        with pytest.raises(DeviceUnavailable, match="not open"):
            await driver.read()
        await driver.close()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i2c, "find_spec", lambda name: None if name == "smbus2" else find_spec(name))
    with pytest.raises(MissingLibrary, match=r"bme280 needs smbus2, which the extra jidget\[i2c\] brings"):
        made(Bme280)


# ---- several chips on one bus -------------------------------------------------------------------------------------


async def test_transactions_of_several_chips_are_not_mixed(bus: FakeBus) -> None:
    bus.chips[0x20] = Mcp23017Chip()
    bus.seconds_per_byte = 90e-6
    async with (
        made(Bh1750, resolution="4lx", sensitivity=0.45) as light,
        made(Ina219, samples=1) as meter,
        made(Mcp23017, outputs={"pump": "A0"}) as relays,
    ):
        bus.log.clear()

        async def many(driver: Any) -> None:
            for turn in range(20):
                if driver is relays:
                    await driver.write("pump", turn % 2 == 0)
                else:
                    await driver.read()

        await asyncio.gather(*(many(driver) for driver in (light, meter, relays)))
    assert bus.collisions == 0
    orders = [index for index, (address, data, _) in enumerate(bus.log) if (address, data) == (0x23, b"\x01")]
    assert len(orders) == 20
    for index in orders:  # power on, two halves of the time, measure
        assert [address for address, _, _ in bus.log[index : index + 4]] == [0x23] * 4
    switched = [index for index, (address, data, _) in enumerate(bus.log) if address == 0x20 and data[:1] == b"\x14"]
    assert len(switched) == 20
    for index in switched:  # what is written was read just before
        assert bus.log[index - 1] == (0x20, b"\x00", 0x16)


async def test_a_chip_that_hangs_the_bus_keeps_nobody_waiting(bus: FakeBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i2c, "BUS_WAIT", 0.05)
    async with made(Sht3x) as good:
        before = await good.read()
        bad = made(Bme280)
        await bad.open()
        bus.hanging[0x76] = threading.Event()
        reading = asyncio.create_task(bad.read())
        await asyncio.to_thread(bus.began.wait, 10)
        async with asyncio.timeout(5):
            with pytest.raises(DeviceUnavailable, match="bus busy: bme280 at 0x76 has not let go of it"):
                await good.read()
        reading.cancel()  # as the agent does at its timeout
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(5):
            await bad.close()
            with pytest.raises(DeviceUnavailable, match="not answered the previous call"):
                await bad.open()
        assert bus.open_adapters == 2, "its descriptor stays open while the kernel uses it"
        bus.hanging.pop(0x76).set()
        async with asyncio.timeout(10):
            await recovers(bad)
            await recovers(good)
        assert await good.read() == before
        await bad.close()
        assert bus.open_adapters == 1
    assert bus.open_adapters == 0


async def recovers(driver: Any) -> None:
    """Open and read it, as often as it takes, as the agent does."""
    while True:
        try:
            await driver.open()
            await driver.read()
        except DeviceUnavailable:
            await asyncio.sleep(0)
        else:
            return


@pytest.fixture
def light_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the measurements of a BH1750 take until the event is set."""
    enough = threading.Event()
    monkeypatch.setattr(bh1750, "time", SimpleNamespace(sleep=lambda _seconds: enough.wait(30)))
    return enough


async def test_the_bus_is_free_while_a_chip_measures(bus: FakeBus, light_takes_its_time: threading.Event) -> None:
    async with made(Bh1750) as light, made(Ina219, samples=1) as meter:
        begun = bus.saw(0x23, b"\x20")
        slow = asyncio.create_task(light.read())
        assert await asyncio.to_thread(begun.wait, 10)
        assert (await meter.read())["voltage"] == pytest.approx(11.98)
        assert (0x23, b"", 2) not in bus.log, "the light is still being measured"
        light_takes_its_time.set()
        await slow


async def test_two_things_with_one_chip_do_not_get_each_others_values(bus: FakeBus) -> None:
    bus.chips[0x48] = Ads1115Chip(a0=0.5, a1=2.5)
    async with made(Ads1115, channels={"a0": {}}, rate=860) as one, made(Ads1115, channels={"a1": {}}, rate=860) as two:
        for _ in range(10):
            first, second = await asyncio.gather(one.read(), two.read())
            assert (first["a0"], second["a1"]) == (pytest.approx(0.5, abs=1e-3), pytest.approx(2.5, abs=1e-3))


async def test_a_thing_does_not_wait_for_ever_for_another_on_the_same_chip(
    bus: FakeBus, light_takes_its_time: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i2c, "CHIP_WAIT", 0.02)
    async with made(Bh1750) as one, made(Bh1750) as two:
        begun = bus.saw(0x23, b"\x20")
        slow = asyncio.create_task(one.read())
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(DeviceUnavailable, match="chip at 0x23 busy: bh1750"):
            await two.read()
        light_takes_its_time.set()
        await slow
        await two.read()


# ---- Linux --------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(bus: FakeBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBus:
    """Put the fake bus where the kernel is: behind ioctl, with the real smbus2 above it."""

    def ioctl(descriptor: int, request: int, argument: Any) -> int:
        assert descriptor >= 0
        match request:
            case smbus2.smbus2.I2C_FUNCS:
                argument.value = int(smbus2.I2cFunc.I2C)
            case smbus2.smbus2.I2C_SLAVE:
                if argument in bus.kernel:
                    raise bus_error(errno.EBUSY)
            case smbus2.smbus2.I2C_RDWR:
                messages = [argument.msgs[index] for index in range(argument.nmsgs)]
                sent = b"".join(ctypes.string_at(m.buf, m.len) for m in messages if not m.flags)
                wanted = [m for m in messages if m.flags]
                answer = bus.transfer(messages[0].addr, sent, sum(m.len for m in wanted))
                if wanted:
                    ctypes.memmove(wanted[0].buf, answer, len(answer))
            case _:
                raise bus_error(errno.ENOTTY)
        return 0

    monkeypatch.undo()  # the bus goes below smbus2, not in its place
    monkeypatch.setattr(smbus2.smbus2, "ioctl", ioctl)
    monkeypatch.setattr(i2c_adapter, "ioctl", ioctl)
    monkeypatch.setattr(i2c_adapter, "DEVICES", tmp_path)
    (tmp_path / "i2c-1").touch()
    return bus


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_the_drivers_on_the_real_smbus2(kernel: FakeBus) -> None:
    before = open_files()
    async with made(Bme280) as climate, made(Sht3x) as humid, made(Ina219) as meter:
        assert (await climate.read())["pressure"] == pytest.approx(1006.53, abs=0.01)
        assert (await humid.read())["humidity"] == pytest.approx(50, abs=0.01)
        assert (await meter.read())["voltage"] == pytest.approx(11.98)
        del kernel.chips[0x44]
        with pytest.raises(DeviceUnavailable, match="nothing answers at address 0x44"):
            await humid.read()
    kernel.kernel.add(0x76)
    with pytest.raises(DeviceUnavailable, match="kernel"):
        await made(Bme280).open()
    assert open_files() == before


async def test_what_is_no_bus_is_not_left_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(i2c_adapter, "DEVICES", tmp_path)
    with pytest.raises(DeviceUnavailable, match="no I²C bus 1"):
        await made(Bme280).open()
    (tmp_path / "i2c-1").write_text("a file, no bus")
    before = open_files()
    with pytest.raises(DeviceUnavailable, match="/dev/i2c-1 is no I²C bus"):
        await made(Bme280).open()
    assert open_files() == before
