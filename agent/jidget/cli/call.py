"""`jidget call JID COMMAND [field=value …]`: run a command of an agent, for people and scripts."""

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from xml.etree import ElementTree as ET

from jidget.cli.account import add_account_arguments, agent_jid, client_login
from jidget.cli.terminal import Painter
from jidget.commands.model import CONFIRM
from jidget.errors import ConfigError, Exit, JidgetError, LinkError, LoginRefused, StanzaError
from jidget.things.values import clean_text
from jidget.xmpp.client import Client, quiet_resource
from jidget.xmpp.forms import form_name
from jidget.xmpp.xml import COMMANDS, DATA, text_of

HELP = "run a command of an agent"
EPILOG = """\
examples:
  jidget call pi@example.org status
  jidget call pi@example.org set target=pump.state value=on
  jidget call pi@example.org set/pump state=on --id evening-1
  jidget call pi@example.org do target=greenhouse.calibrate arguments='offset=0.5'

exit codes: 0 done, 2 usage, 3 refused, 4 not sent, 5 outcome unknown, 77 login refused"""

_CODES = {"done": Exit.OK, "refused": Exit.REFUSED, "unconfirmed": Exit.UNKNOWN, "failed": Exit.UNKNOWN}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    parser.add_argument("jid", type=agent_jid, metavar="JID", help="the agent; a bare JID means its resource /agent")
    parser.add_argument("command", metavar="COMMAND", help="status, read, set, do, things, set/THING …")
    parser.add_argument("fields", nargs="*", type=_field, metavar="field=value", help="the form's fields")
    parser.add_argument("--id", metavar="KEY", help="the same KEY makes a retry safe: it is never done twice")
    parser.add_argument("--json", action="store_true", help='print {"outcome", "note", "fields"}')
    add_account_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    return asyncio.run(_call(args))


async def _call(args: argparse.Namespace) -> int:
    resource, key = "", ""
    if args.id:  # the agent recognises a repetition by full JID and id, so both must be the same again
        digest = hashlib.sha256(args.id.encode()).hexdigest()[:16]
        resource, key = quiet_resource(f"call-{digest}"), f"call-{digest}"
    client = Client(client_login(args, resource), args.jid)
    fields: dict[str, list[str]] = {}
    for name, value in args.fields:
        fields.setdefault(name, []).append(value)
    sent = False
    try:
        async with client.online():
            await client.look()
            sent = True
            try:
                answer = await client.execute(args.command, fields or None, key=key)
            except StanzaError as error:
                return await _refused(args, client, error)
            if answer.get("status") == "executing":
                with suppress(LinkError):  # then it ends by itself
                    await client.cancel(answer)
                return _unfinished(args, answer, submitted=bool(fields))
            return _finished(args, answer)
    except (LoginRefused, ConfigError):
        raise
    except JidgetError as error:
        if sent:
            return _say(args, "unknown", f"{error}; whether it was done is not known", {}, Exit.UNKNOWN)
        return _say(args, "not sent", f"{error}; nothing was sent", {}, Exit.NOT_SENT)


async def _refused(args: argparse.Namespace, client: Client, error: StanzaError) -> int:
    unreachable = error.condition in ("remote-server-not-found", "remote-server-timeout", "recipient-unavailable")
    if client.was_there and (unreachable or error.condition == "service-unavailable"):
        # Servers send back what an agent that is gone has not acknowledged, done or not (XEP-0198 5). One that is there
        # has answered us before, so it does not take us for a stranger.
        note = f"{args.jid} went offline before it answered; whether it was done is not known"
        return _say(args, "unknown", note, {}, Exit.UNKNOWN)
    if unreachable:
        return _say(args, "not sent", f"{args.jid} cannot be reached: {error}", {}, Exit.NOT_SENT)
    if error.condition == "internal-server-error":
        return _say(args, "unknown", f"{args.jid} failed at it ({error}); it may have moved", {}, Exit.UNKNOWN)
    if error.condition == "service-unavailable":  # the agent to a stranger, or the server where nobody is
        if await client.agent_is_away():
            return _say(args, "not sent", f"{args.jid} is offline", {}, Exit.NOT_SENT)
        note = f"Refused: {args.jid} does not answer you: you are not in its access list, or it is not there"
        return _say(args, "refused", note, {}, Exit.REFUSED)
    return _say(args, "refused", f"Refused: {error.text or error.condition}", {}, Exit.REFUSED)


def _unfinished(args: argparse.Namespace, answer: ET.Element, *, submitted: bool) -> int:
    """Say what is missing: the agent showed a form where we wanted a result."""
    form = answer.find(f"{{{DATA}}}x")
    if form is not None and form_name(form) == CONFIRM:
        text = "a person must confirm this with a code. Say it in chat, or execute the form in a chat program"
        return _say(args, "refused", f"Refused: {args.command}: {text}", {}, Exit.REFUSED)
    hint = (text_of(form, f"{{{DATA}}}instructions") if form is not None else None) or ""
    if submitted:
        return _say(args, "refused", f"Refused: {hint}", {}, Exit.REFUSED)
    wanted = dict(_wanted(form)) if form is not None else {}
    if args.json:
        note = f"{args.command} needs fields: {', '.join(wanted)}"
        return _say(args, "usage", note, {}, Exit.USAGE)
    width = max(map(len, wanted), default=0)
    listing = [f"  {var + '=…':<{width + 2}}  {about}".rstrip() for var, about in wanted.items()]
    print("\n".join((f"{args.command} needs fields. {clean_text(hint)}".rstrip(), *listing)), file=sys.stderr)
    return Exit.USAGE


def _wanted(form: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form: what to write and what it is about."""
    for field in form.iterfind(f"{{{DATA}}}field"):
        if field.get("var") and field.get("type") not in ("hidden", "fixed"):
            options = [text_of(option, f"{{{DATA}}}value") or "" for option in field.iterfind(f"{{{DATA}}}option")]
            about = field.get("label", "") + (f" [{', '.join(options)}]" if options else "")
            yield clean_text(field.get("var", "")), clean_text(about)


def _finished(args: argparse.Namespace, answer: ET.Element) -> int:
    note = text_of(answer, f"{{{COMMANDS}}}note") or ""
    form = answer.find(f"{{{DATA}}}x")
    fields: dict[str, str] = {}
    for field in form.iterfind(f"{{{DATA}}}field") if form is not None else ():
        if field.get("var"):
            fields[field.get("var", "")] = text_of(field, f"{{{DATA}}}value") or ""
    fields.pop("FORM_TYPE", None)
    outcome = fields.pop("outcome", "done")
    return _say(args, outcome, note, fields, _CODES.get(outcome, Exit.UNKNOWN))


def _say(args: argparse.Namespace, outcome: str, note: str, fields: Mapping[str, str], code: Exit) -> int:
    if args.json:
        print(json.dumps({"outcome": outcome, "note": note, "fields": dict(fields)}, ensure_ascii=False))
    else:
        stream = sys.stdout if code is Exit.OK else sys.stderr
        paint = Painter(stream)
        print(clean_text(note) if code is Exit.OK else paint.fail(clean_text(note)), file=stream)
    return code


def _field(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form field=value")
    return name, value
