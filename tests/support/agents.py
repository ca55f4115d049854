"""Agents for tests of the whole: their configuration, and how to run them, in this process or as one of their own."""

import asyncio
import os
import select
import signal
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.support.accounts import Account

from jidget.app import App
from jidget.config.loader import load
from jidget.demo.agent_process import AgentProcess
from jidget.xmpp.timing import Timing

LIMIT = 20.0
"""Seconds for what should take a fraction of one."""

QUICK = Timing(login=3.0, first_pause=0.1, longest_pause=0.4, replaced=0.2, settle=0.2, rarely=0.5)
"""Waits that suit a network that is this machine."""

PUMP = """
[things.pump]
driver = "simulated"
label = "Water pump"
interval = "100ms"
[things.pump.options]
record = "pump.record"
[things.pump.options.properties]
state = { type = "boolean", writable = true }
"""
"""A relay; its file `pump.record`, beside the configuration, tells what it was really made to do."""

COUNTER = """
[things.meter]
driver = "simulated"
interval = "50ms"
[things.meter.options.properties]
count = { type = "integer", waveform = "counter" }
"""
"""A sensor that shows one more at each reading."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nothing tells of."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.01)


def write_config(
    directory: Path,
    account: Account,
    access: Mapping[str, str] | None = None,
    *,
    things: str = PUMP,
    resource: str = "agent",
    kind: str = "own",
    password: str | None = None,
    **xmpp: str | int | Path | None,
) -> Path:
    """Write a configuration and return its path.

    Args:
        directory: where; made if it is not there.
        account: whose account it uses.
        access: grants, as TOML, by JID or domain.
        things: the `[things]` tables.
        resource: of the agent's JID.
        kind: whose account it is: own, agents or person.
        password: another one than the right one.
        xmpp: keys of `[xmpp]` besides those that reach the account's server by STARTTLS; None leaves one out.
    """
    directory.mkdir(exist_ok=True)
    server = account.server
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(password or account.password, encoding="utf-8")
    keys: dict[str, str | int | Path | None] = {
        "jid": f"{account.jid}/{resource}",
        "password_file": secret,
        "host": server.host,
        "port": server.port,
        "security": "starttls",
        "ca_file": server.ca_file,
        "account": kind,
        **xmpp,
    }
    lines = [
        "[xmpp]",
        *(f"{key} = {value if isinstance(value, int) else _quoted(value)}" for key, value in keys.items() if value),
        "[access]",
        *(f"{_quoted(who)} = {grant}" for who, grant in (access or {}).items()),
        things,
    ]
    text = "\n".join(lines)
    tomllib.loads(text)  # a mistake of the test's own is told as such
    file = directory / "jidget.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _quoted(value: object) -> str:
    return f'"{value}"'


class RunningApp:
    """An agent in this process.

    Attributes:
        app: the agent.
        record: what its simulated pump noted, see `PUMP`.
    """

    def __init__(self, file: Path, timing: Timing) -> None:
        self.app = App(load(file, {}), timing)
        self.record = file.parent / "pump.record"
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self.app.run(self._stop), name="agent")
        self._seen = False

    @property
    def jid(self) -> str:
        """Its full JID."""
        return self.app.link.full

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._running.done()

    @property
    def writes(self) -> list[str]:
        """Return what the pump was made to do, as JSON values."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [line.split(" ", 2)[2] for line in lines]

    def says(self, to: str, line: str) -> None:
        """Have it say something by itself, which it never does."""
        message = ET.Element("{jabber:client}message", {"type": "chat", "id": "unasked", "to": to})
        ET.SubElement(message, "{jabber:client}body").text = line
        self.app.link.send(message)

    def hearing(self) -> list[str]:
        """Return a list that fills with what is said to it."""
        heard: list[str] = []
        receive = self.app.link.receive

        def listen(stanza: ET.Element) -> None:
            body = stanza.findtext("{jabber:client}body")
            if body is not None:
                heard.append(body)
            receive(stanza)

        self.app.link.receive = listen
        return heard

    async def publishes(self) -> None:
        """Wait until its nodes are there and the current values are in."""
        async with asyncio.timeout(LIMIT):
            await self.app.pep.ready()

    async def ended(self) -> None:
        """Wait until it ends by itself; its error is raised here."""
        self._seen = True
        async with asyncio.timeout(LIMIT):
            await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Stop it as a signal does and wait until it has ended; an error nobody has seen is raised here."""
        self._stop.set()
        async with asyncio.timeout(LIMIT):
            await asyncio.wait((self._running,))
        if not self._seen or self._running.cancelled():
            self._running.result()


@asynccontextmanager
async def running_app(file: Path, timing: Timing = QUICK) -> AsyncIterator[RunningApp]:
    """Run an agent in this process for the time of the context."""
    running = RunningApp(file, timing)
    try:
        yield running
    finally:
        await running.stop()


class WatchedAgent(AgentProcess):
    """`jidget run` as a process of its own, and what it tells its service manager.

    Attributes:
        told: the states it told, in order.
    """

    def __init__(self, root: Path, config: Path, **variables: str) -> None:
        super().__init__(root, config, variables=variables)
        self.told: list[str] = []

    def prepare(self) -> None:
        """Forget what it told in an earlier life."""
        super().prepare()
        self.told.clear()

    def answers(self) -> bool:
        """Say whether it has told that it is ready."""
        self._listen(0.2)
        return "READY=1" in self.told

    def _listen(self, seconds: float) -> None:
        if self._notify is not None and select.select((self._notify,), (), (), seconds)[0]:
            self.told += self._notify.recv(4096).decode().splitlines()

    async def tells(self, state: str, *, times: int = 1) -> None:
        """Wait until it told a state so many times."""
        async with asyncio.timeout(LIMIT):
            while self.told.count(state) < times:
                await asyncio.to_thread(self._listen, 0.2)

    async def ends(self, sent: signal.Signals | None = None) -> int:
        """Send it a signal, wait until it ends and return its exit code."""
        if sent is not None:
            os.kill(self.pid, sent)
        code = await asyncio.to_thread(self.wait, LIMIT)
        while self._notify is not None and select.select((self._notify,), (), (), 0)[0]:
            self._listen(0)
        return code

    @property
    def said(self) -> str:
        """Return what it wrote to its terminal."""
        return self.output.read_text(encoding="utf-8")
