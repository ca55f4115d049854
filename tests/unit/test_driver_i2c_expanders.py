"""MCP23017 and PCF8574 on the fake bus: no output moves that nobody moved, and none comes back on by itself."""

from typing import Any, TypeVar

import pytest
from pydantic import ValidationError
from tests.support.hardware_i2c import FakeBus, FakeChip
from tests.support.hardware_i2c_ports import Mcp23017Chip, Pcf8574Chip

from jidget_drivers import DeviceUnavailable, pcf8574
from jidget_drivers.mcp23017 import Mcp23017, Mcp23017Options
from jidget_drivers.pcf8574 import Pcf8574, Pcf8574Options

ChipT = TypeVar("ChipT", bound=FakeChip)
RELAYS = {"outputs": {"pump": "A0", "valve": {"pin": "B1", "active_low": True}}, "inputs": {"float": "B3"}}
PUMP, VALVE, FLOAT = 0x0001, 0x0200, 0x0800


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    monkeypatch.setattr(pcf8574, "_latches", {})
    return FakeBus({}).install(monkeypatch)


def on(bus: FakeBus, chip: ChipT) -> ChipT:
    bus.chips[0x20] = chip
    return chip


def mcp(**options: Any) -> Mcp23017:
    return Mcp23017(Mcp23017Options.model_validate(options or RELAYS))


def pcf(**options: Any) -> Pcf8574:
    return Pcf8574(Pcf8574Options.model_validate(options or {"outputs": {"pump": "P0"}, "inputs": {"float": "P3"}}))


# ---- MCP23017 -----------------------------------------------------------------------------------------------------


async def test_outputs_and_inputs_of_an_mcp23017(bus: FakeBus) -> None:
    chip = on(bus, Mcp23017Chip())
    async with mcp() as driver:
        assert [(p.name, p.writable, p.safe) for p in driver.properties] == [
            ("pump", True, False),
            ("valve", True, False),
            ("float", False, None),
        ]
        assert await driver.read() == {"pump": False, "valve": False, "float": False}
        await driver.write("pump", True)
        await driver.write("valve", True)
        chip.world &= ~FLOAT  # the switch closes to ground
        assert await driver.read() == {"pump": True, "valve": True, "float": True}
        assert chip.levels & (PUMP | VALVE) == PUMP
        await driver.write("valve", False)
        assert await driver.read() == {"pump": True, "valve": False, "float": True}
    assert chip.word(0x0C) == FLOAT, "pull-up of the input alone"


async def test_a_new_output_is_never_on_for_a_moment(bus: FakeBus) -> None:
    chip = on(bus, Mcp23017Chip())
    async with mcp():
        pass
    driven = [(levels, ~direction) for direction, levels in chip.history]
    assert any(outputs & VALVE for _, outputs in driven)
    assert not any(levels & PUMP for levels, outputs in driven if outputs & PUMP)
    assert all(levels & VALVE for levels, outputs in driven if outputs & VALVE), "active low: high is off"


async def test_an_output_that_is_driven_stays_as_it_is(bus: FakeBus) -> None:
    chip = on(bus, Mcp23017Chip())
    async with mcp() as driver:
        await driver.write("pump", True)
    assert chip.levels & PUMP, "closing leaves it driven"
    chip.history.clear()
    async with mcp() as again:
        assert (await again.read())["pump"] is True
    assert chip.history == [], "and opening writes nothing"


async def test_pins_of_others_are_never_touched(bus: FakeBus) -> None:
    chip = on(bus, Mcp23017Chip())
    others = 0xFFFF & ~(PUMP | VALVE | FLOAT)
    before = {0x00: 0x5A5A, 0x02: 0x0F0F, 0x0C: 0x3333, 0x14: 0xA5A5}
    for register, value in before.items():
        chip.set_word(register, value)
    async with mcp() as driver:
        await driver.write("pump", True)
        await driver.write("valve", True)
        await driver.write("pump", False)
    for register, value in before.items():
        assert chip.word(register) & others == value & others


async def test_an_mcp23017_that_lost_its_power_comes_back_off(bus: FakeBus) -> None:
    chip = on(bus, Mcp23017Chip())
    async with mcp() as driver:
        await driver.write("pump", True)
        chip.power_cut()
        chip.history.clear()
        with pytest.raises(DeviceUnavailable, match="lost its settings"):
            await driver.read()
        with pytest.raises(DeviceUnavailable, match="lost its settings"):
            await driver.write("pump", True)
        assert chip.history == []
        await driver.open()
        assert await driver.read() == {"pump": False, "valve": False, "float": False}
        assert not any(levels & PUMP & ~direction for direction, levels in chip.history)


async def test_two_things_share_an_mcp23017_but_no_pin(bus: FakeBus) -> None:
    on(bus, Mcp23017Chip())
    async with mcp(outputs={"pump": "A0"}) as one, mcp(outputs={"fan": "A1"}) as two:
        await one.write("pump", True)
        await two.write("fan", True)
        assert (await one.read(), await two.read()) == ({"pump": True}, {"fan": True})
        third = mcp(inputs={"door": "A1"})
        with pytest.raises(DeviceUnavailable, match="another Thing of this configuration has pin A1"):
            await third.open()
        await third.close()
    async with mcp(inputs={"door": "A1"}) as free:
        await free.read()


@pytest.mark.parametrize("control", [0x80, 0x20])
async def test_an_mcp23017_in_another_mode_is_left_alone(bus: FakeBus, control: int) -> None:
    chip = on(bus, Mcp23017Chip())
    chip.registers[0x0A] = chip.registers[0x0B] = control
    with pytest.raises(DeviceUnavailable, match=f"IOCON {control:#04x}"):
        await mcp().open()
    assert chip.history == []


async def test_a_chip_that_keeps_nothing_is_no_mcp23017(bus: FakeBus) -> None:
    class Deaf(Mcp23017Chip):
        def put(self, register: int, value: int) -> None:
            pass

    on(bus, Deaf())
    with pytest.raises(DeviceUnavailable, match="it is no MCP23017"):
        await mcp().open()


# ---- PCF8574 ------------------------------------------------------------------------------------------------------


async def test_outputs_and_inputs_of_a_pcf8574(bus: FakeBus) -> None:
    chip = on(bus, Pcf8574Chip())
    async with pcf() as driver:
        assert await driver.read() == {"pump": False, "float": False}
        await driver.write("pump", True)
        chip.pulled_low = 0x08  # the switch closes to ground
        assert await driver.read() == {"pump": True, "float": True}
        assert chip.latch == 0xFE, "low is on, and the input is not driven"
        await driver.write("pump", False)
        assert (await driver.read())["pump"] is False
    assert chip.latch == 0xFF


async def test_a_pcf8574_stays_as_it_is_found(bus: FakeBus) -> None:
    chip = on(bus, Pcf8574Chip())
    chip.latch = 0b0101_1110  # P0, P5 and P7 are driven by what was here before; P5 and P7 are not ours
    async with pcf() as driver:
        assert (await driver.read())["pump"] is True
        await driver.write("pump", False)
    assert chip.history == [0b0101_1110, 0b0101_1111]


async def test_an_input_that_is_low_when_it_is_found_is_let_go(bus: FakeBus) -> None:
    chip = on(bus, Pcf8574Chip())
    chip.pulled_low = 0x08
    async with pcf() as driver:
        assert (await driver.read())["float"] is True
        chip.pulled_low = 0
        assert (await driver.read())["float"] is False


async def test_a_pcf8574_that_lost_its_power_comes_back_off(bus: FakeBus) -> None:
    chip = on(bus, Pcf8574Chip())
    high = {"outputs": {"fan": {"pin": "P1", "active_low": False}}}
    async with pcf() as one, pcf(**high) as two:
        await one.write("pump", True)
        await two.write("fan", True)
        await two.write("fan", False)
        chip.power_cut()
        chip.history.clear()
        with pytest.raises(DeviceUnavailable, match="lost its settings"):
            await two.read()
        with pytest.raises(DeviceUnavailable, match="lost its settings"):
            await one.write("pump", True)
        await two.open()
        assert await two.read() == {"fan": False}, "with active_low = false, off has to be driven"
        with pytest.raises(DeviceUnavailable, match="lost its settings"):
            await one.read()
        await one.open()
        assert (await one.read())["pump"] is False
        assert chip.history, "something was written"
        assert all(levels & 0x01 for levels in chip.history), "and the pump was never on again"


async def test_two_things_share_a_pcf8574_but_no_pin(bus: FakeBus) -> None:
    chip = on(bus, Pcf8574Chip())
    async with pcf() as one, pcf(outputs={"fan": "P1"}) as two:
        await one.write("pump", True)
        await two.write("fan", True)
        await one.write("pump", False)
        assert (await one.read())["pump"] is False
        assert (await two.read())["fan"] is True
        assert chip.latch == 0b1111_1101
        with pytest.raises(DeviceUnavailable, match="has pin P0"):
            await pcf(outputs={"other": "P0"}).open()


@pytest.mark.parametrize("make", [mcp, pcf])
async def test_an_expander_that_goes_and_comes_back(bus: FakeBus, make: Any) -> None:
    chip = on(bus, Mcp23017Chip() if make is mcp else Pcf8574Chip())
    async with make() as driver:
        await driver.write("pump", True)
        del bus.chips[0x20]
        for call in (driver.read(), driver.write("pump", False), driver.open()):
            with pytest.raises(DeviceUnavailable, match="nothing answers at address 0x20"):
                await call
        bus.chips[0x20] = chip  # only the wires were loose: its power was never gone
        await driver.open()
        assert (await driver.read())["pump"] is True


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "no pin is named"),
        ({"outputs": {"a": "A0"}, "inputs": {"b": "A0"}}, "A0: named twice"),
        ({"outputs": {"a": "A0"}, "inputs": {"a": "A1"}}, "a: named twice"),
        ({"outputs": {"Pump 1": "A0"}}, "cannot be a property"),
        ({"outputs": {"a": "C0"}}, "A0"),
        ({"address": 0x28, "outputs": {"a": "A0"}}, "address"),
    ],
)
def test_an_mcp23017_that_cannot_be(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Mcp23017Options.model_validate(options)


@pytest.mark.parametrize("address", [0x1F, 0x28, 0x37, 0x40])
def test_addresses_that_no_pcf8574_has(address: int) -> None:
    with pytest.raises(ValidationError, match="address"):
        Pcf8574Options.model_validate({"address": address, "outputs": {"a": "P0"}})
