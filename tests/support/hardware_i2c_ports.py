"""Make-believe chips for the fake bus that switch and meter: INA219, ADS1115, MCP23017, PCF8574."""

import time

from tests.support.hardware_i2c import FakeChip, RegisterChip, WordChip


class Ina219Chip(WordChip):
    """INA219: current and power as its data sheet computes them (SBOS448G, 8.5.1)."""

    def __init__(self, *, shunt: int, bus: int) -> None:
        """Make one that measures these counts: 10 µV and 4 mV."""
        super().__init__()
        self.shunt, self.bus = shunt, bus
        self.overflow = False
        self.endless = False
        self._done = 0.0
        self.power_cut()

    def power_cut(self) -> None:
        self.words = {0: 0x399F, 5: 0}

    def put(self, register: int, value: int) -> None:
        super().put(register, value & 0xFFFE if register == 5 else value)
        if register == 0 and value & 0b111 == 0b011:
            code = value >> 3 & 0b1111
            samples = 2 ** (code & 0b111) if code & 0b1000 else 1
            self._done = time.monotonic() + 2 * 532e-6 * samples

    def get(self, register: int) -> int:
        ready = time.monotonic() >= self._done and not self.endless
        current = int(self.shunt * self.words[5] / 4096)
        overflow = self.overflow or abs(current) > 32767
        match register:
            case 1:
                return self.shunt
            case 2:
                return self.bus << 3 | ready << 1 | overflow
            case 3:
                return int(abs(current) * self.bus / 5000)
            case 4:
                return current
        return super().get(register)


class Ads1115Chip(WordChip):
    """ADS1115 in single-shot mode; `volts` at the inputs."""

    MULTIPLEXER = ("a0_a1", "a0_a3", "a1_a3", "a2_a3", "a0", "a1", "a2", "a3")
    SCALES = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
    RATES = (8, 16, 32, 64, 128, 250, 475, 860)

    def __init__(self, **volts: float) -> None:
        super().__init__()
        self.volts = volts
        self.endless = False
        self._done = 0.0
        self.power_cut()

    def power_cut(self) -> None:
        self.words = {0: 0, 1: 0x0583}

    def convert_for(self, seconds: float) -> None:
        """Be in the middle of a conversion that another program has begun."""
        self._done = time.monotonic() + seconds

    def put(self, register: int, value: int) -> None:
        busy = time.monotonic() < self._done
        super().put(register, value & 0x7FFF if register == 1 else value)
        if register == 1 and value & 0x8000 and not busy:  # the data sheet: "no effect when a conversion is ongoing"
            plus, _, minus = self.MULTIPLEXER[value >> 12 & 7].partition("_")
            volts = self.volts.get(plus, 0.0) - self.volts.get(minus, 0.0)
            counts = round(volts / self.SCALES[value >> 9 & 7] * 32768)
            self.words[0] = min(max(counts, -32768), 32767)
            self._done = time.monotonic() + 1 / self.RATES[value >> 5 & 7]

    def get(self, register: int) -> int:
        done = time.monotonic() >= self._done and not self.endless
        if register == 1:
            return self.words[1] | done << 15
        return super().get(register) if done else 0


class Mcp23017Chip(RegisterChip):
    """MCP23017 with IOCON.BANK = 0. `levels`: what the world puts on the pins that are inputs; port A is the low byte.

    `history` has what the pins that are outputs showed after each write: direction, levels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = 0xFFFF
        self.history: list[tuple[int, int]] = []
        self.power_cut()

    def power_cut(self) -> None:
        self.registers[:0x16] = bytes(0x16)
        self.registers[0:2] = b"\xff\xff"

    def word(self, register: int) -> int:
        return int.from_bytes(self.registers[register : register + 2], "little")

    def set_word(self, register: int, value: int) -> None:
        self.registers[register : register + 2] = value.to_bytes(2, "little")

    @property
    def levels(self) -> int:
        direction = self.word(0x00)
        return self.world & direction | self.word(0x14) & ~direction & 0xFFFF

    def put(self, register: int, value: int) -> None:
        super().put(register, value)
        self.history.append((self.word(0x00), self.levels))

    def get(self, register: int) -> int:
        if register in (0x12, 0x13):
            inverted = self.levels ^ self.word(0x02) & self.word(0x00)
            return inverted >> 8 * (register - 0x12) & 0xFF
        return super().get(register)


class Pcf8574Chip(FakeChip):
    """PCF8574: a pin is high if the latch lets go of it and nothing outside pulls it low."""

    def __init__(self) -> None:
        self.latch = 0xFF
        self.pulled_low = 0
        self.history: list[int] = []

    def power_cut(self) -> None:
        self.latch = 0xFF

    @property
    def levels(self) -> int:
        return self.latch & ~self.pulled_low & 0xFF

    def write(self, data: bytes) -> None:
        self.latch = data[-1]
        self.history.append(self.levels)

    def read(self, count: int) -> bytes:
        return bytes([self.levels] * count)
