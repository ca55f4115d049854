"""`jidget demo`: the whole of it on a private server, with nothing to set up and nothing left behind."""

import argparse
import asyncio
import shlex
import shutil
import signal
import sys
from pathlib import Path

from jidget.cli.reading_lines import ReadingLines
from jidget.cli.terminal import Painter
from jidget.demo.stage import DEVICE, OWNER, SERVERS, STRANGER, Stage
from jidget.demo.story import Story
from jidget.errors import Exit
from jidget.xmpp.payload import Field

HELP = "show everything on a private server, then stay up to be tried"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--once", action="store_true", help="end after the script; exit 0 only if all of it happened")
    parser.add_argument("--server", choices=sorted(SERVERS), default="prosody", help="the server to play on")


def run(args: argparse.Namespace) -> int:
    """Play the demo; return the exit code."""
    return asyncio.run(_Demo(args).run())


class _Demo:
    """One run of the verb."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._paint = Painter(sys.stdout)
        self._lines = ReadingLines(self._paint)
        self._ended_by: signal.Signals | None = None
        self._unread: BrokenPipeError | None = None
        self._invited = False
        self._playing: asyncio.Task[object] | None = None

    async def run(self) -> int:
        """Play until the end, or until somebody ends it."""
        self._playing = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            return await self._play()
        except asyncio.CancelledError:
            if self._unread is not None:
                raise self._unread from None
            if self._ended_by is None:
                raise
            # Once all was shown, ending it is what is expected of whoever watches.
            return Exit.OK if self._invited else 128 + self._ended_by

    def _end(self) -> None:
        if self._playing is not None:
            self._playing.cancel()

    def _interrupt(self, number: signal.Signals) -> None:
        if self._ended_by is None:  # a second one must not disturb the clearing away
            self._ended_by = number
            self._end()

    async def _play(self) -> int:
        args, paint = self._args, self._paint
        print(paint.bold(f"A private {args.server} on loopback, a device with a Jabber ID, its owner, and a stranger"))
        with Stage(args.server) as stage:
            print(paint.dim(f"{stage.account(DEVICE).jid}/agent runs; everything is in {stage.root}"), flush=True)
            story = Story(stage, say=self._say, show=self._show)
            happened = await story.play()
            if not happened:
                print(stage.agent.tail(), file=sys.stderr)
                return Exit.FAILED
            if args.once:
                return Exit.OK
            _invite(stage, paint)
            self._invited = True
            await story.go_on()
        return Exit.OK

    def _say(self, line: str) -> None:
        print(self._paint.ok(line) if line.startswith("OK") else self._paint.fail(line), flush=True)

    def _show(self, field: Field) -> None:
        if self._unread is None:
            try:
                print(f"  {self._lines.line(field)}", flush=True)
            except BrokenPipeError as error:  # told to `run`: here we are in the middle of a stanza
                self._unread = error
                self._end()


def _invite(stage: Stage, paint: Painter) -> None:
    """Say how to try it with any client."""
    server, owner, device = stage.server, stage.account(OWNER), stage.account(DEVICE)
    account = f"--as {owner.jid} --password-file {shlex.quote(str(owner.password_file))}"
    where = f"{account} \\\n    --host {server.host} --port {server.port} --ca-file {shlex.quote(str(server.ca_file))}"
    jidget = _command()
    print(
        f"""
{paint.bold("It stays up. Log in with any XMPP client on this machine:")}
  server    {server.host}, port {server.port} (STARTTLS), CA {server.ca_file}
  owner     {owner.jid}      password {owner.password}
  stranger  {stage.account(STRANGER).jid}    password {stage.account(STRANGER).password}
  device    {device.jid}/agent: say "help" to it, or run its commands

{paint.bold("or from another terminal:")}
  {jidget} watch {device.jid} {where}
  {jidget} call {device.jid} set target=pump.state value=on {where}

{paint.bold("Ctrl-C ends it and leaves nothing behind. Readings as the owner sees them:")}""",
        flush=True,
    )


def _command() -> str:
    """Return how to call us from another terminal, in whatever directory that is."""
    beside = Path(sys.executable).with_name("jidget")
    if shutil.which("jidget") and Path(str(shutil.which("jidget"))).resolve() == beside.resolve():
        return "jidget"
    return shlex.quote(str(beside)) if beside.exists() else f"{shlex.quote(sys.executable)} -m jidget"
