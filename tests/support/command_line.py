"""`jidget` as a person or a script runs it: a process of its own, its output, its exit code."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.accounts import Account

LIMIT = 30.0
"""Seconds for a whole run; its start alone takes half a one."""
_OURS = ("JIDGET_CONFIG", "JIDGET_CLIENT_JID", "JIDGET_CLIENT_PASSWORD", "JIDGET_XMPP_PASSWORD", "FORCE_COLOR")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the output of `--json`."""
        return [json.loads(line) for line in self.lines]


def password_file(directory: Path, account: Account, password: str | None = None) -> Path:
    """Write a password file and return its path."""
    file = directory / f"{account.name}.password"
    file.touch(mode=0o600)
    file.write_text((password or account.password) + "\n")
    return file


def login(account: Account, directory: Path, *, port: int | None = None, password: str | None = None) -> list[str]:
    """Return the options by which one logs in as `account`."""
    server = account.server
    return [
        *("--as", account.jid, "--password-file", str(password_file(directory, account, password))),
        *("--host", server.host, "--port", str(port or server.port), "--ca-file", str(server.ca_file)),
    ]


class Running:
    """A run under way; `out` and `err` are what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._more = asyncio.Event()

    async def prints(self, enough: Callable[[str], bool], *, err: bool = False) -> str:
        """Wait until what it printed is enough, and return it."""
        try:
            async with asyncio.timeout(LIMIT):
                while not enough(self.err if err else self.out):
                    if self.process.returncode is not None and self.process.stdout and self.process.stdout.at_eof():
                        raise AssertionError(f"it ended: {self.process.returncode}\n{self.out}\n{self.err}")
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"it printed only:\n{self.out}\nand on stderr:\n{self.err}") from None
        return self.err if err else self.out

    async def prints_lines(self, count: int) -> list[str]:
        """Wait for so many whole lines."""
        return (await self.prints(lambda out: out.count("\n") >= count)).splitlines()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """Press Ctrl-C, or send another signal."""
        self.process.send_signal(number)

    async def ended(self) -> Ended:
        """Wait for its end."""
        async with asyncio.timeout(LIMIT):
            code = await self.process.wait()
            while not self._drained:
                self._more.clear()
                await self._more.wait()
        return Ended(code, self.out, self.err)

    _drained = False

    async def read(self) -> None:
        """Read all it prints."""

        async def follow(stream: asyncio.StreamReader | None, name: str) -> None:
            while stream is not None and (data := await stream.read(65536)):
                setattr(self, name, getattr(self, name) + data.decode())
                self._more.set()

        await asyncio.gather(follow(self.process.stdout, "out"), follow(self.process.stderr, "err"))
        self._drained = True
        self._more.set()


@asynccontextmanager
async def started(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Running]:
    """Run `jidget` for the time of the context."""
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "jidget", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, **(env or {})},
        cwd=cwd,
    )
    running = Running(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.wait((reading,))


async def jidget(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ended:
    """Run `jidget` to its end."""
    async with started(*arguments, env=env, cwd=cwd) as running:
        return await running.ended()
