"""Medians of repeats, targets and what was reached, as a table for people and as JSON for programs."""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jidget.cli.terminal import Painter, Progress

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was asked for and what was reached.

    Attributes:
        title: what it is about.
        reached: the median of the ratios of the repeats, or of the figures; None where it could not be measured.
        limit: what it must not exceed; or fall below, where `at_least`.
        unit: behind the figures.
    """

    title: str
    reached: float | None
    limit: float
    at_least: bool = False
    unit: str = "×"  # noqa: RUF001

    @property
    def met(self) -> bool | None:
        """Whether it is met; None where nobody knows."""
        if self.reached is None:
            return None
        return self.reached >= self.limit if self.at_least else self.reached <= self.limit


def parser(description: str | None, *, quick: str) -> argparse.ArgumentParser:
    """Return a parser of what all benchmarks know; `quick` says what that option leaves."""
    known = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("--repeats", type=int, default=5, help="interleaved repeats; the median of them counts")
    known.add_argument("--quick", action="store_true", help=f"{quick}, to see it work")
    known.add_argument("--json", metavar="FILE", help="write the figures there too; - for standard output alone")
    return known


def missed(targets: Sequence[Target]) -> bool:
    """Whether a target is not met; what could not be measured is no miss."""
    return any(target.met is False for target in targets)


class Samples:
    """Figures of interleaved repeats, by row and column."""

    def __init__(self) -> None:
        self._samples: dict[str, list[dict[str, float]]] = {}

    def add(self, row: str, figures: Row) -> None:
        """Take what one repeat gave for a row."""
        self._samples.setdefault(row, []).append(dict(figures))

    def set(self, row: str, column: str, figure: float) -> None:
        """Take a figure that is the same for all repeats of a row."""
        for sample in self._samples[row]:
            sample[column] = figure

    @property
    def rows(self) -> dict[str, dict[str, float]]:
        """Return the median of every figure."""
        return {
            row: {name: statistics.median(sample[name] for sample in taken) for name in taken[0]}
            for row, taken in self._samples.items()
        }

    def ratio(self, row: str, other: str, column: str) -> float | None:
        """Return the median over the repeats of what `row` has in a column by what `other` has in the same repeat."""
        pairs = zip(self._samples.get(row, ()), self._samples.get(other, ()), strict=False)
        ratios = [one[column] / another[column] for one, another in pairs if another.get(column)]
        return statistics.median(ratios) if ratios else None

    def figure(self, row: str, column: str) -> float | None:
        """Return a median."""
        return self.rows.get(row, {}).get(column)

    def as_json(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return median, least and greatest of every figure."""
        return {
            row: {
                name: {
                    "median": statistics.median(sample[name] for sample in taken),
                    "min": min(sample[name] for sample in taken),
                    "max": max(sample[name] for sample in taken),
                    "repeats": len(taken),
                }
                for name in taken[0]
            }
            for row, taken in self._samples.items()
        }


def machine() -> dict[str, object]:
    """Say where the figures are from."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def show(title: str, columns: Mapping[str, str], rows: Mapping[str, Row], *, notes: Sequence[str] = ()) -> None:
    """Print a table; `columns` maps a figure's name to its heading."""
    paint = Painter(sys.stdout)
    label = max(map(len, rows), default=0)
    print(paint.bold(title))
    print(" " * label + "".join(f"{heading:>{_width(heading)}}" for heading in columns.values()))
    for name, row in rows.items():
        cells = (_cell(row.get(column), _width(heading)) for column, heading in columns.items())
        print(f"{name:{label}}" + "".join(cells))
    for note in notes:
        print(paint.dim(note))
    print()


def show_targets(targets: Sequence[Target]) -> None:
    """Print what was asked for and what was reached."""
    paint = Painter(sys.stdout)
    width = max((len(target.title) for target in targets), default=0)
    print(paint.bold("Targets"))
    for target in targets:
        sign = "≥" if target.at_least else "≤"
        reached = "not measured" if target.reached is None else f"{_round(target.reached)} {target.unit}"
        print(f"{paint.mark(target.met)} {target.title:{width}}  {reached:>14}  {sign} {target.limit:g} {target.unit}")
    print()


def write_json(where: str, samples: Samples, targets: Sequence[Target], **more: object) -> None:
    """Write everything to a file, or to standard output for `-`."""
    document = {
        "machine": machine(),
        **more,
        "figures": samples.as_json(),
        "targets": [asdict(target) | {"met": target.met} for target in targets],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if where == "-":
        print(text)
    else:
        Path(where).write_text(f"{text}\n", encoding="utf-8")


def progress() -> Progress:
    """Return a line on the terminal, if there is one, that says what is going on."""
    return Progress(sys.stderr)


def _width(heading: str) -> int:
    return len(heading) + 3


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else _round(value):>{width}}"


def _round(value: float) -> str:
    """Show three digits, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
