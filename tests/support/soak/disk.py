"""A small disk that can be filled: a tmpfs of its own for the store."""

import errno
import subprocess
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE = 64 * 1024 * 1024
_PIECE = bytes(1024 * 1024)


class CannotMount(Exception):
    """This user may not mount anything here; the text is what mount(8) said."""


class SmallDisk:
    """A tmpfs at a path, for the time of the context; whatever uses it must have ended before."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)
        self._size = size

    def __enter__(self) -> Self:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size},mode=700", "tmpfs", str(self.path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise CannotMount(str(error)) from None
        if done.returncode != 0:
            raise CannotMount(done.stderr.strip() or f"mount ended with {done.returncode}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", str(self.path)], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("wb", buffering=0) as file:
            for piece in (_PIECE, b"0"):
                _write_until_full(file, piece)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


def _write_until_full(file: RawIOBase, piece: bytes) -> None:
    try:
        while True:
            file.write(piece)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
