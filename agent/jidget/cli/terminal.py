"""What a terminal is shown: colour where it is wanted, marks, wrapped text, lines that replace each other."""

import shutil
import textwrap
from typing import TextIO

from jidget.log import use_colour

_RESET = "\x1b[0m"
_ERASE_LINE = "\r\x1b[K"
MARK_WIDTH = 4


class Painter:
    """Paints text for one stream; leaves it as it is where the stream shows no colours (NO_COLOR, FORCE_COLOR)."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.coloured = use_colour(stream)

    def ok(self, text: str) -> str:
        """Paint what went well."""
        return self._paint("32", text)

    def warn(self, text: str) -> str:
        """Paint what is doubtful."""
        return self._paint("33", text)

    def fail(self, text: str) -> str:
        """Paint what went wrong."""
        return self._paint("1;31", text)

    def dim(self, text: str) -> str:
        """Paint what matters less."""
        return self._paint("2", text)

    def bold(self, text: str) -> str:
        """Paint what matters more: headings, names."""
        return self._paint("1", text)

    def value(self, text: str) -> str:
        """Paint a value that was read."""
        return self._paint("36", text)

    def mark(self, good: bool | None) -> str:
        """Return OK, FAIL, or WARN for None, all of one width."""
        if good is None:
            return self.warn("WARN")
        return self.ok("OK  ") if good else self.fail("FAIL")

    def verdict(self, good: bool | None, title: str, detail: str = "") -> str:
        """Return a line that begins with a mark; further lines of `detail` stand below its first."""
        first, *more = detail.splitlines() or [""]
        lines = [f"{self.mark(good)} {title}{': ' if first and title else ''}{first}"]
        return "\n".join((*lines, *(" " * (MARK_WIDTH + 1) + line for line in more)))

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self.coloured and text else text


class Progress:
    """One line on a terminal that says what is going on and is replaced by the next; nothing anywhere else."""

    def __init__(self, stream: TextIO) -> None:
        self._painter = Painter(stream)
        self._shown = False

    def show(self, text: str) -> None:
        """Replace the line."""
        stream = self._painter.stream
        if stream.isatty():
            line = text.splitlines()[0] if text else ""
            stream.write(_ERASE_LINE + self._painter.dim(line[: width() - 1]))
            stream.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        if self._shown:
            self._painter.stream.write(_ERASE_LINE)
            self._painter.stream.flush()
            self._shown = False


def width() -> int:
    """Return how many characters fit on a line, at least 40."""
    return max(40, shutil.get_terminal_size().columns)


def wrap(text: str, indent: str = "") -> str:
    """Break a paragraph to the terminal's width, at most 100 characters."""
    return textwrap.fill(
        text, min(width(), 100), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
