"""`jidget watch JID`: follow an agent's readings as they arrive."""

import argparse
import asyncio
import json
import sys
from xml.etree import ElementTree as ET

from jidget.cli.account import add_account_arguments, agent_jid, client_login
from jidget.cli.terminal import Painter
from jidget.durations import parse_duration
from jidget.errors import Exit, LinkError, StanzaError
from jidget.xmpp.client import Client
from jidget.xmpp.payload import Field, read_fields, show_field, write_time
from jidget.xmpp.stream_reader import Arrived, Gap, StreamReader
from jidget.xmpp.xml import SENSOR_DATA, SENSOR_DATA_NOW

HELP = "follow an agent's readings as they arrive"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("jid", type=agent_jid, metavar="JID", help="the agent; a bare JID means its resource /agent")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, units in SenML")
    parser.add_argument("--count", type=_count, metavar="N", help="end after N readings")
    parser.add_argument("--for", dest="duration", type=_duration, metavar="10s", help="end after this time")
    add_account_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Follow until enough; return the exit code."""
    return asyncio.run(_Watch(args).run())


class _Watch:
    """One run of the verb."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._paint = Painter(sys.stdout)
        self._left = args.count
        self._enough = asyncio.Event()
        self._reader = StreamReader(args.jid.resource)
        nodes = (SENSOR_DATA,)
        self._client = Client(client_login(args), args.jid, nodes=nodes, on_item=self._on_item)

    async def run(self) -> int:
        async with self._client.online() as lost:
            try:
                await self._client.befriend()
                if not self._args.json:
                    await self._show_now()
            except StanzaError as error:
                raise LinkError(f"{self._args.jid.bare}: {error}") from error
            enough = asyncio.create_task(self._enough.wait(), name="enough")
            done, _ = await asyncio.wait(
                (enough, lost), timeout=self._args.duration, return_when=asyncio.FIRST_COMPLETED
            )
            enough.cancel()
            if lost in done:
                raise await lost
        if self._left:  # the time was over before the readings were
            print(f"{self._left} of {self._args.count} readings did not come in time", file=sys.stderr)
            return Exit.FAILED
        return Exit.OK

    async def _show_now(self) -> None:
        """Show the current values that the agent keeps for late joiners."""
        try:
            items = await self._client.items(SENSOR_DATA_NOW)
        except StanzaError as error:
            print(self._paint.dim(f"(no current values: {error})"), file=sys.stderr)
            return
        for _, payload in items:
            for field in read_fields(payload):
                if field.agent == self._args.jid.resource:
                    print(self._line(field, "now"), flush=True)

    def _on_item(self, jid: str, _node: str, item: str, payload: ET.Element) -> None:
        for event in self._reader.take(item, payload):
            if self._enough.is_set():
                return
            match event:
                case Gap(first, last):
                    self._show_gap(first, last)
                case Arrived(seq, field):
                    print(self._json(jid, seq, field) if self._args.json else self._line(field, ""), flush=True)
                    if self._left is not None:
                        self._left -= 1
                        if self._left == 0:
                            self._enough.set()

    def _show_gap(self, first: str, last: str) -> None:
        if self._args.json:
            print(json.dumps({"event": "gap", "from": first, "to": last}), flush=True)
        else:
            print(self._paint.warn(f"missing: batches {first} to {last}"), flush=True)

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

    def _line(self, field: Field, remark: str) -> str:
        name = f"{field.thing}.{field.property}"
        notes = " ".join(part for part in (remark, *field.flags) if part)
        when = self._paint.dim(write_time(field.time)[11:23])
        return (
            f"{when}  {name:<32} {self._paint.value(show_field(field))}{'  ' + self._paint.dim(notes) if notes else ''}"
        )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
