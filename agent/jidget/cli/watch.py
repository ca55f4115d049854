"""`jidget watch JID`: follow an agent's readings as they arrive, and ask for those that did not."""

import argparse
import asyncio
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

from jidget.cli.account import add_account_arguments, agent_jid, client_login
from jidget.cli.watch_display import Display
from jidget.cli.watch_gaps import Gaps
from jidget.cli.watch_session import Remarks, Session
from jidget.cli.watch_state import State, StateFile, known_generations
from jidget.durations import parse_duration
from jidget.errors import Exit
from jidget.xmpp.client import Client
from jidget.xmpp.recall import Recall
from jidget.xmpp.stream_reader import StreamReader
from jidget.xmpp.xml import SENSOR_DATA

HELP = "follow an agent's readings as they arrive"
EPILOG = """\
It connects again when the link is lost, and asks the agent for readings that did not arrive. With --state FILE it goes
on where it left off, also after a crash: what was read meanwhile comes first, as far as the agent still has it. Each
reading is shown at least once; the one at which it was killed perhaps twice. One FILE for each agent and each watch.

examples:
  jidget watch pi@example.org
  jidget watch pi@example.org --json --count 10
  jidget watch pi@example.org --json --state pi.state >> readings.jsonl
  jidget watch pi@example.org/barn --as alice@example.org --password-file alice.password --for 1h

exit codes: 0 all that was asked for, 1 readings missing in the end or no link, 77 login refused"""

MOST_WAITING = 1000
"""Items that wait to be shown. More are left out: they are asked for when it is their turn."""
TERMINATED = 143
"""Exit code after SIGTERM: 128 + 15, as shells count."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    parser.add_argument("jid", type=agent_jid, metavar="JID", help="the agent; a bare JID means its resource /agent")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, units in SenML")
    parser.add_argument("--count", type=_count, metavar="N", help="end after N readings")
    parser.add_argument("--for", dest="duration", type=_duration, metavar="10s", help="end after this time")
    parser.add_argument("--state", type=Path, metavar="FILE", help="go on where the last run with this FILE left off")
    add_account_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Follow until enough; return the exit code."""
    return asyncio.run(_Watch(args).run())


class _Watch:
    """One run of the verb. Readings go to stdout; what there is to say about them to stderr."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._remarks = Remarks()
        self._terminated = False
        self._file = None if args.state is None else StateFile(args.state, args.jid.full)
        login = client_login(args)
        state = None if self._file is None else self._file.read()
        resumes = state is not None and bool(state.newest)
        self._display = Display(args.jid.bare, as_json=args.json, count=args.count)
        if state is not None:
            self._display.restore(state.reached, state.readings, state.unfinished)
        self._reader = StreamReader(args.jid.resource, None if state is None else state.progress)
        self._arrived: asyncio.Queue[tuple[str, ET.Element]] = asyncio.Queue(MOST_WAITING)
        client = Client(login, args.jid, nodes=(SENSOR_DATA,), on_item=self._on_item)
        self._gaps = Gaps(
            Recall(client),
            self._reader,
            self._display,
            is_there=lambda: client.agent_is_there,
            on_change=self._on_change,
            resumes=resumes,
        )
        self._session = Session(
            client,
            self._remarks,
            on_there=self._gaps.look,
            show_now=None if args.json or resumes else self._display.show_now,
        )

    async def run(self) -> int:
        self._save()  # what cannot be written should be known before it is needed
        work = asyncio.create_task(self._work(), name="watch")
        connected = asyncio.create_task(self._session.connected.wait(), name="connected")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate, work)
        try:
            await asyncio.wait((work, connected), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait((work,), timeout=self._args.duration)
        finally:
            work.cancel()
            connected.cancel()
            await asyncio.wait((work, connected))
            failed = not work.cancelled() and work.exception() is not None
            self._save()
            if self._file is None and not failed:
                self._display.show_gaps(self._reader.progress.gaps())
        if not work.cancelled():
            work.result()
        return TERMINATED if self._terminated else self._verdict()

    def _terminate(self, work: "asyncio.Task[None]") -> None:
        self._terminated = True
        work.cancel()

    def _verdict(self) -> int:
        """Say what did not come in the time that was given."""
        if self._display.left:
            self._remarks.say(f"{self._display.left} of {self._args.count} readings did not come in time")
            return Exit.FAILED
        if self._session.trouble and not self._display.enough.is_set():
            self._remarks.say(f"there is no link in the end: {self._session.trouble}")
            return Exit.FAILED
        return Exit.OK

    async def _work(self) -> None:
        """Follow until that was enough."""
        try:
            async with asyncio.TaskGroup() as tasks:
                parts = [
                    tasks.create_task(self._session.run(), name="session"),
                    tasks.create_task(self._gaps.run(), name="gaps"),
                    tasks.create_task(self._follow(), name="follow"),
                ]
                if self._file is not None:
                    parts.append(tasks.create_task(self._file.run(self._state), name="state"))
                await self._display.enough.wait()
                for part in parts:
                    part.cancel()
        except BaseExceptionGroup as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    # ---- readings -----------------------------------------------------------------------------------------------

    def _on_item(self, _jid: str, _node: str, item: str, payload: ET.Element) -> None:
        try:
            self._arrived.put_nowait((item, payload))
        except asyncio.QueueFull:
            self._gaps.look()

    async def _follow(self) -> None:
        """Show what arrives, after current values, and after what was published before it."""
        progress = self._reader.progress
        await self._session.connected.wait()
        while True:
            item, payload = await self._arrived.get()
            delivery = self._reader.open(item, payload)
            if delivery is None:
                continue
            if delivery.gen:
                self._gaps.hear(delivery)
                await self._gaps.before_others()
                if progress.has(delivery.gen, delivery.seq):
                    continue  # it was among what was asked for
            self._gaps.show(delivery)

    # ---- where it left off --------------------------------------------------------------------------------------

    def _on_change(self) -> None:
        if self._file is not None:
            self._file.changed()

    def _save(self) -> None:
        if self._file is not None:
            self._file.write(self._state())

    def _state(self) -> State:
        self._display.secure()
        progress, display = self._reader.progress, self._display
        return State(
            agent=self._args.jid.full,
            generations=known_generations(progress),
            newest=progress.newest,
            unfinished=display.unfinished,
            reached=display.reached,
            readings=display.readings,
        )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
