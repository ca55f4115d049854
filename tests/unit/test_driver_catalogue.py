"""The catalogue: which drivers there are, what is said of them, and how README.md gets it."""

import subprocess
import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from jidget_drivers import (
    DriverOptions,
    Duration,
    EventSource,
    Kind,
    NoOptions,
    Property,
    Scalar,
    Sensor,
    Unit,
    action,
    catalogue,
)
from jidget_drivers.catalogue import (
    ActionInfo,
    DriverInfo,
    describe,
    installed,
    own_catalogue,
    put_between_markers,
    to_markdown,
)
from jidget_drivers.option_fields import FieldInfo, fields_of
from jidget_drivers.simulated import Simulated
from jidget_drivers.system import System

README = Path(__file__).parents[2] / "drivers" / "README.md"


class Zone(DriverOptions):
    """A nested table."""

    size: float = Field(description="How large.")


class LampOptions(DriverOptions):
    """All sorts of options."""

    address: int = Field(ge=0, le=127, description="Its address | in hex.")
    name: str = Field(default="lamp", description="Its name.")
    order: Literal["rgb", "bgr"] = Field(default="rgb", description="Order of its colours.")
    fade: Duration = Field(default=0.5, description="Time of a change.")
    port: int | str | None = Field(default=None, description="Where.")
    inverted: bool = Field(default=False, description="Upside down.")
    zones: dict[str, Zone] = Field(default={}, description="Parts.")
    steps: tuple[float, ...] = Field(default=(), description="Levels.")


class Lamp(Sensor[LampOptions]):
    """A lamp with colours.

    It can blink.
    """

    properties = (
        Property(name="level", unit=Unit.PERCENT, writable=True, description="Brightness."),
        Property(name="mode", kind=Kind.ENUM, options=("eco", "party")),
    )
    extra = "lamps"
    wiring = "Red to red."

    async def read(self) -> dict[str, Scalar]:
        return {}

    @action
    async def blink(
        self, times: Annotated[int, Field(ge=1, le=9, description="How often.")], hard: bool = False
    ) -> None:
        """Blink a few times."""


class Bell(EventSource[NoOptions]):
    """A bell."""


def test_a_driver_is_described_without_constructing_it() -> None:
    info = describe("lamp", Lamp)
    assert info == DriverInfo(
        name="lamp",
        summary="A lamp with colours.",
        details="It can blink.",
        tells=False,
        extra="lamps",
        wiring="Red to red.",
        options=(
            field("address", "whole number from 0 to 127", required=True, description="Its address | in hex."),
            field("name", "text", '"lamp"', description="Its name."),
            field("order", 'one of "rgb", "bgr"', '"rgb"', description="Order of its colours."),
            field("fade", "duration", '"500ms"', description="Time of a change."),
            field("port", "whole number or text", description="Where."),
            field("inverted", "true or false", "false", description="Upside down."),
            field("zones", "table", description="Parts."),
            field("zones.NAME.size", "number", required=True, description="How large."),
            field("steps", "list of number", description="Levels."),
        ),
        properties=Lamp.properties,
        actions=(
            ActionInfo(
                name="blink",
                summary="Blink a few times.",
                parameters=(
                    field("times", "whole number from 1 to 9", required=True, description="How often."),
                    field("hard", "true or false", "false"),
                ),
            ),
        ),
    )
    assert describe("bell", Bell).tells


def field(key: str, kind: str, default: str = "", *, required: bool = False, description: str = "") -> FieldInfo:
    return FieldInfo(key=key, type=kind, default=default, required=required, description=description)


@pytest.mark.parametrize(
    ("low", "high", "default", "says"),
    [
        (50, 4_000_000, 9600, ("whole number from 50 to 4000000", "9600")),
        (0.5, 2_500_000.5, 1_000_000.0, ("number from 0.5 to 2500000.5", "1000000")),
        (0.0, 1.0, 0.1 + 0.2, ("number from 0 to 1", "0.3")),
    ],
)
def test_numbers_are_written_as_people_write_them(
    low: float, high: float, default: float, says: tuple[str, str]
) -> None:
    kind = "integer" if isinstance(low, int) else "number"
    schema = {"properties": {"x": {"type": kind, "minimum": low, "maximum": high, "default": default}}}
    assert list(fields_of(schema)) == [field("x", *says)]


def test_markdown_has_a_table_and_a_section_and_survives_bars() -> None:
    text = to_markdown([describe("lamp", Lamp)])
    assert "| [`lamp`](#lamp) | A lamp with colours. | `level`, `mode` | `pip install 'jidget[lamps]'` |" in text
    assert "### lamp\n\nA lamp with colours.\n\nIt can blink.\n\nWiring: Red to red.\n" in text
    assert "| `level` | number in % | yes | Brightness. |" in text
    assert "| `mode` | one of eco, party |  |  |" in text
    assert "| `address` | whole number from 0 to 127 | **required** | Its address \\| in hex. |" in text
    assert "Action `blink`: Blink a few times." in text


def test_the_built_in_drivers_are_found_by_their_entry_points() -> None:
    found = installed()
    assert {"system", "simulated", "gpio-input", "gpio-output"} <= set(found)
    assert found["system"].load() is System
    assert found["simulated"].load() is Simulated


def test_listing_imports_no_driver() -> None:
    script = (
        "import sys; from jidget_drivers.catalogue import installed; assert installed();"
        "sys.exit(any(m.startswith(('psutil', 'jidget_drivers.system', 'jidget_drivers.gpio')) for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


class FakeDistribution(Distribution):
    """Knows only its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


@pytest.mark.parametrize("strangers_first", [True, False])
def test_a_stranger_cannot_take_the_name_of_a_driver_of_ours(
    monkeypatch: pytest.MonkeyPatch, strangers_first: bool
) -> None:
    ours, theirs = (
        EntryPoint("gpio-output", f"{package}:Driver", catalogue.GROUP)._for(FakeDistribution(package))  # type: ignore[attr-defined]  # as importlib.metadata makes them
        for package in ("jidget", "evil")
    )
    found = [theirs, ours] if strangers_first else [ours, theirs]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: found)
    assert installed() == {"gpio-output": ours}


def test_the_catalogue_in_the_readme_is_up_to_date() -> None:
    text = README.read_text("utf-8")
    assert text == put_between_markers(text, own_catalogue()), (
        "run: python -m jidget_drivers.catalogue drivers/README.md"
    )


def test_the_command_prints_the_catalogue() -> None:
    command = [sys.executable, "-W", "error", "-m", "jidget_drivers.catalogue"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (own_catalogue(), "")


def test_the_command_puts_the_catalogue_between_the_markers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{catalogue.BEGIN}\nold\n{catalogue.END}\nafter\n")
    assert catalogue.main([str(file)]) == 0
    assert file.read_text("utf-8") == f"before\n{catalogue.BEGIN}\n\n{own_catalogue()}\n{catalogue.END}\nafter\n"
    file.write_text("no markers")
    assert catalogue.main([str(file)]) == 1
    assert capsys.readouterr().err == f"{file}: it has no lines {catalogue.BEGIN} and {catalogue.END}\n"
