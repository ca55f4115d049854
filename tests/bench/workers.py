"""Processes of the benchmarks: each does one job, is told when to go, and reports what it measured."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0
_TAIL = 2000


class WorkerFailed(Exception):
    """A worker ended, or said nothing, before it reported."""


class Worker:
    """One process; use it as a context manager, which ends it. A job is given and reports come as JSON lines."""

    def __init__(
        self,
        module: str,
        job: Mapping[str, object],
        *,
        python: Path | None = None,
        around: Sequence[str] = (),
    ) -> None:
        """Start `python -m module` in the repository's root.

        Args:
            module: with `tests.bench.peers.handshake` on its side.
            job: what it reads first.
            python: whose environment; default: ours.
            around: a command that runs the command, such as strace.
        """
        self._module = module
        self._job = job
        self._command = [*around, str(python or sys.executable), "-m", module]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._errors: list[str] = []
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        self._write(json.dumps(self._job))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if error is not None:
            process.kill()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listener.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def go(self) -> None:
        """Tell it to go on."""
        self._write("go")

    def hear(self, limit: float = LIMIT) -> dict[str, Any]:
        """Return its next report.

        Raises:
            WorkerFailed: there is none within `limit` seconds.
        """
        timer = threading.Timer(limit, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout is not None else ""
        finally:
            timer.cancel()
        if not line:
            self._process.kill()
            self._listener.join()
            raise WorkerFailed(f"{self._module} did not report within {limit:g} s:\n{''.join(self._errors)[-_TAIL:]}")
        return dict(json.loads(line))

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def _listen(self, stream: IO[str]) -> None:
        self._errors.extend(stream)
