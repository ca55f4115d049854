"""The 1-wire thermometers on trees like the kernel's: what is a reading, and all that is none."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.support.hardware_sysfs import PROBE, SCRATCHPAD, add_probe, slave, write

from jidget_drivers import DeviceUnavailable, InvalidReading
from jidget_drivers.ds18b20 import Ds18b20, Ds18b20Options
from jidget_drivers.testing import check_driver

POWER_ON = "50 05 4b 46 7f ff 0c 10 1c"
MEASURED_85 = "50 05 4b 46 7f ff 10 10 c9"


async def reading(root: Path, probe: str = "") -> object:
    async with Ds18b20(Ds18b20Options(id=probe, sysfs=root)) as driver:
        return (await driver.read())["temperature"]


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    add_probe(tmp_path)
    check_driver(Ds18b20, {"sysfs": tmp_path})
    check_driver(Ds18b20, {"sysfs": tmp_path, "id": PROBE.upper()})


@pytest.mark.parametrize(
    ("scratchpad", "thousandths", "celsius"),
    [
        (SCRATCHPAD, 21250, 21.25),
        ("5e ff 4b 46 7f ff 02 10 8c", -10125, -10.125),
        ("f8 ff 4b 46 7f ff 08 10 c4", -500, -0.5),
        ("90 fc 4b 46 7f ff 10 10 71", -55000, -55.0),
        ("d0 07 4b 46 7f ff 10 10 d1", 125000, 125.0),
        ("00 00 4b 46 7f ff 10 10 4b", 0, 0.0),
        ("4f 05 4b 46 7f ff 01 10 77", 84937, 84.937),
    ],
)
async def test_what_the_kernel_says_becomes_degrees(
    tmp_path: Path, scratchpad: str, thousandths: int, celsius: float
) -> None:
    add_probe(tmp_path, text=slave(scratchpad, thousandths))
    assert await reading(tmp_path) == celsius


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (slave(SCRATCHPAD, 21250, crc="NO"), "checksum is wrong.*4.7 kOhm"),
        (slave(POWER_ON, 85000), "its power-on value"),
        (slave("50 05 4b 46 7f ff ff 10 7c", 85000), "its power-on value"),  # a copy whose byte 6 says nothing
        (slave(SCRATCHPAD, 85000), "its power-on value"),
        (slave("00 00 00 00 00 00 00 00 00", 0), "shorted to ground"),
        (slave("ff 07 4b 46 7f ff 0c 10 6b", 127937), "127.937 °C, which it cannot measure"),
        (slave("10 f8 4b 46 7f ff 10 10 6b", -127000), "-127 °C, which it cannot measure"),
        (slave(SCRATCHPAD, 1_000_000), "1000 °C, which it cannot measure"),
        ("54 01 4b 46 7f", "not what the kernel writes"),
        (f"{SCRATCHPAD} : crc=fd YES", "not what the kernel writes"),
        (f"{SCRATCHPAD} : crc=fd YES\n{SCRATCHPAD} t=", "not what the kernel writes"),
        ("\x00\xff binary", "not what the kernel writes"),
    ],
)
async def test_what_is_no_measurement_is_no_reading(tmp_path: Path, text: str, why: str) -> None:
    add_probe(tmp_path, text=text)
    with pytest.raises(InvalidReading, match=why):
        await reading(tmp_path)


async def test_85_degrees_that_the_probe_says_it_measured_are_a_reading(tmp_path: Path) -> None:
    add_probe(tmp_path, text=slave(MEASURED_85, 85000))
    assert await reading(tmp_path) == 85.0


async def test_a_ds18s20_cannot_say_whether_it_measured_85_degrees(tmp_path: Path) -> None:
    probe = add_probe(tmp_path, "10-000801b5a7a6", slave("aa 00 4b 46 ff ff 0c 10 87", 85000))
    with pytest.raises(InvalidReading, match="power-on value"):
        await reading(tmp_path)
    (probe / "w1_slave").write_text(slave("32 00 4b 46 ff ff 0a 10 11", 25125))
    assert await reading(tmp_path) == 25.125


async def test_a_kernel_without_w1_slave_gives_the_temperature_alone(tmp_path: Path) -> None:
    write(tmp_path, {f"bus/w1/devices/{PROBE}/temperature": "-1062"})
    assert await reading(tmp_path) == -1.062
    write(tmp_path, {f"bus/w1/devices/{PROBE}/temperature": "85000"})
    with pytest.raises(InvalidReading, match="power-on value"):
        await reading(tmp_path)
    write(tmp_path, {f"bus/w1/devices/{PROBE}/temperature": ""})
    with pytest.raises(InvalidReading, match="is empty"):
        await reading(tmp_path)


async def test_a_thermocouple_amplifier_of_the_same_family_is_not_taken_for_a_ds1825(tmp_path: Path) -> None:
    add_probe(tmp_path, "3b-0000001921e8", slave("40 01 e0 19 f0 ff ff ff 40", 20000))
    with pytest.raises(InvalidReading, match="MAX31850"):
        await reading(tmp_path)


async def test_a_probe_that_does_not_answer_is_away(tmp_path: Path) -> None:
    probe = add_probe(tmp_path)
    (probe / "w1_slave").write_text("")
    with pytest.raises(DeviceUnavailable, match=r"does not answer, or only with wrong checksums. Check its wiring"):
        await reading(tmp_path)


async def test_a_probe_that_vanishes_is_away_and_comes_back(tmp_path: Path) -> None:
    probe = add_probe(tmp_path)
    driver = Ds18b20(Ds18b20Options(sysfs=tmp_path))
    async with driver:
        assert await driver.read() == {"temperature": 21.25}
        probe.rename(tmp_path / "unplugged")
        with pytest.raises(DeviceUnavailable, match="has gone"):
            await driver.read()
    with pytest.raises(DeviceUnavailable, match=r"Found: none. Check its wiring"):
        await driver.__aenter__()
    (tmp_path / "unplugged").rename(probe)
    async with driver:
        assert await driver.read() == {"temperature": 21.25}


async def test_without_a_bus_the_overlay_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="dtoverlay=w1-gpio"):
        await reading(tmp_path)


async def test_of_several_probes_one_must_be_named(tmp_path: Path) -> None:
    add_probe(tmp_path, "28-000000000002", slave(SCRATCHPAD, 21250))
    add_probe(tmp_path, "22-000000000001", slave("5e ff 4b 46 7f ff 02 10 8c", -10125))
    write(tmp_path, {"bus/w1/devices/29-000000000003/name": "a switch, no thermometer"})
    with pytest.raises(DeviceUnavailable, match=r"there are 2: 22-000000000001, 28-000000000002. Say which .* `id`"):
        await reading(tmp_path)
    assert await reading(tmp_path, "22-000000000001") == -10.125


async def test_a_wrong_id_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    add_probe(tmp_path)
    with pytest.raises(DeviceUnavailable, match=f"28-ffffffffffff: there is none. Found: {PROBE}"):
        await reading(tmp_path, "28-ffffffffffff")


@pytest.mark.parametrize("wrong", ["28.0316A2794EF1", "28-0316", "29-0316a2794ef1", "../etc/passwd", PROBE + "/.."])
def test_an_id_has_the_form_of_the_kernels(wrong: str) -> None:
    with pytest.raises(ValidationError, match="write it as the kernel does, such as 28-0316a2794ef1"):
        Ds18b20Options(id=wrong)
