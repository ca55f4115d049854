"""`jidget watch JID`: follow an agent's readings as they arrive."""

import argparse
import asyncio
import json
import sys
from xml.etree import ElementTree as ET

from jidget.cli.account import add_account_arguments, agent_jid, client_login
from jidget.cli.reading_lines import ReadingLines
from jidget.cli.terminal import Painter
from jidget.durations import parse_duration
from jidget.errors import Exit, LinkError, StanzaError
from jidget.xmpp.client import PRESENCE_WAIT, Client
from jidget.xmpp.payload import Field, read_fields, write_time
from jidget.xmpp.stream_reader import Arrived, Gap, StreamReader
from jidget.xmpp.xml import SENSOR_DATA, SENSOR_DATA_NOW

HELP = "follow an agent's readings as they arrive"
EPILOG = """\
examples:
  jidget watch pi@example.org
  jidget watch pi@example.org --json --count 10
  jidget watch pi@example.org/barn --as alice@example.org --password-file alice.password --for 1h

exit codes: 0 all that was asked for, 1 readings missing in the end, 77 login refused"""

_NOT_OURS = frozenset(("forbidden", "not-authorized", "not-allowed", "service-unavailable"))
"""What servers say to who may not see a node; the last one also where there is no such account."""
_EMPTY = frozenset(("item-not-found", "feature-not-implemented"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    parser.add_argument("jid", type=agent_jid, metavar="JID", help="the agent; a bare JID means its resource /agent")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, units in SenML")
    parser.add_argument("--count", type=_count, metavar="N", help="end after N readings")
    parser.add_argument("--for", dest="duration", type=_duration, metavar="10s", help="end after this time")
    add_account_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Follow until enough; return the exit code."""
    return asyncio.run(_Watch(args).run())


class _Watch:
    """One run of the verb. Readings go to stdout; what there is to say about them to stderr."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._agent = args.jid
        self._paint = Painter(sys.stdout)
        self._remarks = Painter(sys.stderr)
        self._lines = ReadingLines(self._paint)
        self._left: int | None = args.count
        self._reader = StreamReader(args.jid.resource)
        self._arrived: asyncio.Queue[tuple[str, str, ET.Element]] = asyncio.Queue()
        self._shown: set[tuple[str, str, int]] = set()
        self._known_away = False
        self._patience = PRESENCE_WAIT
        self._client = Client(client_login(args), args.jid, nodes=(SENSOR_DATA,), on_item=self._on_item)
        self._client.on_presence = self._on_presence

    async def run(self) -> int:
        async with self._client.online() as lost:
            try:
                await self._client.befriend()
                if not self._args.json:
                    await self._show_now()
            except StanzaError as error:
                raise LinkError(f"{self._agent.bare} cannot be asked: {error}") from error
            following = asyncio.create_task(self._follow(), name="following")
            explaining = asyncio.create_task(self._explain_absence(), name="explaining")
            try:
                await asyncio.wait((following, lost), timeout=self._args.duration, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (following, explaining):
                    task.cancel()
                await asyncio.wait((following, explaining))
            if not following.cancelled():
                following.result()
            elif lost.done():
                raise lost.result()
        if self._left:  # the time was over before the readings were
            self._say(f"{self._left} of {self._args.count} readings did not come in time")
            return Exit.FAILED
        return Exit.OK

    # ---- readings -----------------------------------------------------------------------------------------------

    def _on_item(self, jid: str, _node: str, item: str, payload: ET.Element) -> None:
        self._arrived.put_nowait((jid, item, payload))

    async def _follow(self) -> None:
        """Show what arrives until that was enough."""
        while self._left != 0:
            jid, item, payload = await self._arrived.get()
            events = list(self._reader.take(item, payload))
            self._lines.widen(event.field for event in events if isinstance(event, Arrived))
            for event in events:
                match event:
                    case Gap(first, last):
                        self._show_gap(first, last)
                    case Arrived(seq, field) if self._left != 0 and _key(field) not in self._shown:
                        print(self._json(jid, seq, field) if self._args.json else self._lines.line(field), flush=True)
                        if self._left is not None:
                            self._left -= 1

    async def _show_now(self) -> None:
        """Show the current values that the agent keeps for late joiners."""
        try:
            items = await self._client.items(SENSOR_DATA_NOW)
        except StanzaError as error:
            if error.condition not in _NOT_OURS | _EMPTY:
                raise
            if error.condition in _EMPTY or not await self._appears():
                return
            items = await self._client.items(SENSOR_DATA_NOW)  # we were let in this moment
        fields = [
            field for _, payload in items for field in read_fields(payload) if field.agent == self._agent.resource
        ]
        self._lines.widen(fields)
        for field in fields:
            print(self._lines.line(field, "now"), flush=True)
        self._shown = {_key(field) for field in fields}  # a server may bring the last of them once more

    def _show_gap(self, first: str, last: str) -> None:
        if self._args.json:
            print(json.dumps({"event": "gap", "from": first, "to": last}), flush=True)
        else:
            which = f"batch {first} is" if first == last else f"batches {first} to {last} are"
            print(self._paint.warn(f"{which} missing"), flush=True)

    @staticmethod
    def _json(jid: str, seq: str, field: Field) -> str:
        record = {
            "jid": jid,
            "agent": field.agent,
            "thing": field.thing,
            "property": field.property,
            "value": field.value,
            "unit": field.unit,
            "time": write_time(field.time),
            "flags": list(field.flags),
            "seq": seq,
        }
        return json.dumps(record, ensure_ascii=False)

    # ---- remarks ------------------------------------------------------------------------------------------------

    async def _explain_absence(self) -> None:
        """Say why nothing comes, where the agent is not there for us; what then comes is shown as ever."""
        if await self._appears():
            return
        self._known_away = True
        try:
            offline = await self._client.subscribed()
        except (LinkError, StanzaError):  # without a link `run` has something else to say
            return
        if offline:
            self._say(f"{self._agent} is offline; its readings come when it is back")
        else:
            me = self._client.link.login.jid
            self._say(
                f"{self._agent.bare} does not show {me} its readings: its owner has to put {me} on its access list. "
                "They come as soon as that is done"
            )

    async def _appears(self) -> bool:
        """Return whether the agent is there, after waiting for it once."""
        wait, self._patience = self._patience, 0.0
        return await self._client.appears(wait)

    def _on_presence(self, there: bool) -> None:
        if there is self._known_away:
            self._say(f"{self._agent} is {'there' if there else 'offline'}")
        self._known_away = not there

    def _say(self, text: str) -> None:
        print(self._remarks.warn(text), file=sys.stderr, flush=True)


def _key(field: Field) -> tuple[str, str, int]:
    return field.thing, field.property, field.time


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
