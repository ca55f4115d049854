"""`jidget demo`: the whole of it on a private server, with nothing to set up and nothing left behind."""

import argparse
import asyncio
import contextlib
import signal
import sys

from jidget.cli.terminal import Painter
from jidget.demo.stage import DEVICE, OWNER, SERVERS, STRANGER, Stage
from jidget.demo.story import Story
from jidget.errors import Exit
from jidget.xmpp.payload import Field, show_field, write_time

HELP = "show everything on a private server, then stay up to be tried"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--once", action="store_true", help="end after the script; exit 0 only if all of it happened")
    parser.add_argument("--server", choices=sorted(SERVERS), default="prosody", help="the server to play on")


def run(args: argparse.Namespace) -> int:
    """Play the demo; return the exit code."""
    with contextlib.suppress(asyncio.CancelledError):
        return asyncio.run(_play(args))
    return Exit.OK


async def _play(args: argparse.Namespace) -> int:
    paint = Painter(sys.stdout)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # we are in one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    loop.add_signal_handler(signal.SIGINT, task.cancel)

    def say(line: str) -> None:
        painted = paint.ok(line) if line.startswith("OK") else paint.fail(line)
        print(painted, flush=True)

    def show(field: Field) -> None:
        name = f"{field.thing}.{field.property}"
        print(f"  {paint.dim(write_time(field.time)[11:19])}  {name:<24} {paint.value(show_field(field))}", flush=True)

    print(paint.bold(f"A private {args.server} on loopback, a device with a Jabber ID, its owner, and a stranger"))
    with Stage(args.server) as stage:
        print(paint.dim(f"{stage.account(DEVICE).jid}/agent runs; everything is in {stage.root}"), flush=True)
        story = Story(stage, say=say, show=show)
        happened = await story.play()
        if args.once or not happened:
            if not happened:
                print(stage.agent.tail(), file=sys.stderr)
            return Exit.OK if happened else Exit.FAILED
        _invite(stage, paint)
        await story.go_on()
    return Exit.OK


def _invite(stage: Stage, paint: Painter) -> None:
    """Say how to try it with any client."""
    server, owner, device = stage.server, stage.account(OWNER), stage.account(DEVICE)
    account = f"--as {owner.jid} --password-file {owner.password_file}"
    where = f"{account} \\\n    --host {server.host} --port {server.port} --ca-file {server.ca_file}"
    jidget = "jidget" if not sys.executable.endswith(".venv/bin/python") else ".venv/bin/jidget"
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
