"""Our pins on lgpio, down to its calls: the chip behind them is made up, as there is none without the hardware."""

from collections.abc import Iterator
from typing import Any

import pytest

from jidget_drivers import DeviceUnavailable
from jidget_drivers import gpio as gpio_module
from jidget_drivers.gpio_output import GpioOutput, GpioOutputOptions
from jidget_drivers.gpio_pwm import GpioPwm, GpioPwmOptions

pytest.importorskip("gpiozero")
_lgpio_pins = gpio_module._import_lgpio()
lgpio = _lgpio_pins.lgpio

INPUT, OUTPUT = 0, _lgpio_pins.LgpioPin.GPIO_IS_OUT


class Chip:
    """One gpiochip: answers as lgpio 0.2.2 does (lgGpio.c, lgPthTx.c) and notes what each pin did, in order."""

    def __init__(self) -> None:
        self.modes: dict[int, int] = {}
        self.levels: dict[int, int] = {}
        self.pulses: dict[int, tuple[float, float]] = {}
        self.did: list[tuple[Any, ...]] = []

    def gpio_claim_input(self, _handle: int, gpio: int, _flags: int = 0) -> None:
        self.modes[gpio] = INPUT
        self.did.append(("input", gpio))

    def gpio_claim_output(self, _handle: int, gpio: int, level: int = 0, _flags: int = 0) -> None:
        if self.modes.get(gpio) != OUTPUT:
            self.levels[gpio] = level
            self.did.append(("output", gpio, level))
        self.modes[gpio] = OUTPUT

    def gpio_get_mode(self, _handle: int, gpio: int) -> int:
        return self.modes[gpio]

    def gpio_read(self, _handle: int, gpio: int) -> int:
        return self.levels[gpio]

    def gpio_write(self, _handle: int, gpio: int, level: int) -> None:
        assert self.modes[gpio] == OUTPUT
        assert gpio not in self.pulses, "the thread that makes the pulses would overwrite it"
        if self.levels[gpio] != level:
            self.did.append(("level", gpio, level))
        self.levels[gpio] = level

    def tx_pwm(self, _handle: int, gpio: int, frequency: float, duty: float) -> int:
        if frequency:
            self.pulses[gpio] = (frequency, duty)
            self.did.append(("pulses", gpio, frequency, duty))
        elif self.pulses.pop(gpio, None) is None:
            raise lgpio.error("bad PWM micros")
        else:
            self.levels[gpio] = 1  # where the cycle just was
            self.did.append(("stopped", gpio))
        return 1

    def tx_busy(self, _handle: int, gpio: int, _kind: int) -> int:
        return int(gpio in self.pulses)


@pytest.fixture(autouse=True)
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    made = Chip()
    for name in dir(Chip):
        if not name.startswith("_"):
            monkeypatch.setattr(lgpio, name, getattr(made, name))
    monkeypatch.setattr(lgpio, "gpiochip_open", lambda _number: 0)
    monkeypatch.setattr(lgpio, "gpiochip_close", lambda _handle: None)
    monkeypatch.setattr("gpiozero.pins.local.LocalPiFactory.pins", {})
    monkeypatch.setattr(_lgpio_pins.LGPIOFactory, "_get_revision", lambda _self: 0xA02082)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "LGPIO")  # chosen by name, it is ours all the same
    monkeypatch.setattr("gpiozero.Device.pin_factory", None)
    yield made


@pytest.mark.parametrize("active_low", [False, True])
async def test_an_output_has_its_level_from_the_first_moment(chip: Chip, active_low: bool) -> None:
    async with GpioOutput(GpioOutputOptions(pin=17, active_low=active_low)) as driver:
        assert await driver.read() == {"state": False}
    assert chip.did == [("input", 17), ("output", 17, int(active_low))]


async def test_an_output_stays_one(chip: Chip) -> None:
    driver = GpioOutput(GpioOutputOptions(pin=17))
    async with driver:
        await driver.write("state", True)
    async with driver:
        assert await driver.read() == {"state": True}
    assert chip.did == [("input", 17), ("output", 17, 0), ("level", 17, 1)]


@pytest.mark.parametrize("active_low", [False, True])
async def test_pulses_begin_with_their_own_duty_cycle_and_end_in_off(chip: Chip, active_low: bool) -> None:
    async with GpioPwm(GpioPwmOptions(pin=18, active_low=active_low, frequency=200)) as driver:
        await driver.write("level", 12.5)
        assert await driver.read() == {"level": 12.5}
    duty = 87.5 if active_low else 12.5
    begun = [("input", 18), ("output", 18, int(active_low)), ("pulses", 18, 200, duty), ("stopped", 18)]
    assert chip.did == begun + ([] if active_low else [("level", 18, 0)])
    assert chip.levels[18] == int(active_low)


async def test_a_servo_has_more_than_five_positions(chip: Chip) -> None:
    options = GpioPwmOptions.model_validate({"pin": 18, "min_pulse": "1ms", "max_pulse": "2ms"})
    async with GpioPwm(options) as driver:
        microseconds = []
        for level in (0, 1, 2, 50.1, 100):
            await driver.write("level", level)
            frequency, duty = chip.pulses[18]
            microseconds.append(round(duty / 100 * 1_000_000 / frequency))
            assert await driver.read() == {"level": level}
        assert microseconds == [1000, 1010, 1020, 1501, 2000]


async def test_pulses_that_cannot_be_made_leave_the_pin_off(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise lgpio.error("bad PWM micros")

    async with GpioPwm(GpioPwmOptions(pin=18)) as driver:
        monkeypatch.setattr(lgpio, "tx_pwm", refuse)
        with pytest.raises(DeviceUnavailable, match=r"pin 18: GPIO18 cannot do 50.0% at 100 Hz: .*bad PWM micros"):
            await driver.write("level", 50)
        assert await driver.read() == {"level": 0}
        await driver.write("level", 100)
        assert await driver.read() == {"level": 100}
    assert chip.levels[18] == 1
