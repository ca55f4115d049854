"""As whom `watch` and `call` log in: `--as`, the environment, else the configuration's own account."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from slixmpp import JID

from jidget.config import load
from jidget.errors import ConfigError
from jidget.log import conceal
from jidget.xmpp.client import random_resource
from jidget.xmpp.login import Login, login_of
from jidget.xmpp.xml import parse_jid

AGENT_RESOURCE = "agent"


def add_account_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say as whom and where to log in."""
    group = parser.add_argument_group("account", "without --as or JIDGET_CLIENT_JID: the account of the configuration")
    group.add_argument("--as", dest="as_jid", metavar="JID", help="log in as this account (or JIDGET_CLIENT_JID)")
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with its password (or JIDGET_CLIENT_PASSWORD)"
    )
    group.add_argument("--host", help="server to connect to, where SRV records do not tell")
    group.add_argument("--port", type=int, help="its port")
    group.add_argument("--security", choices=("auto", "starttls", "direct-tls"), default="auto")
    group.add_argument("--ca-file", type=Path, metavar="PEM", help="an extra CA to trust")


def agent_jid(text: str) -> JID:
    """Return the full JID of the agent that a person means; a bare JID means its resource `agent`.

    Raises:
        argparse.ArgumentTypeError: it is not a JID.
    """
    jid = parse_jid(text)
    if jid is None or not jid.user:
        raise argparse.ArgumentTypeError(f"{text!r} is not a JID such as pi@example.org or pi@example.org/agent")
    return jid if jid.resource else JID(f"{jid.bare}/{AGENT_RESOURCE}")


def client_login(args: argparse.Namespace, resource: str = "") -> Login:
    """Return the login that the options, the environment or the configuration ask for.

    Raises:
        ConfigError: something is missing or makes no sense.
    """
    resource = resource or random_resource()
    who = args.as_jid or os.environ.get("JIDGET_CLIENT_JID")
    if not who:
        return _own_login(args, resource)
    jid = parse_jid(who)
    if jid is None or not jid.user:
        raise ConfigError(f"--as {who}: not a JID such as alice@example.org")
    if args.port and not args.host:
        raise ConfigError("--port needs --host")
    port = args.port or (5223 if args.security == "direct-tls" else 5222)
    if args.ca_file is not None and not args.ca_file.is_file():
        raise ConfigError(f"--ca-file {args.ca_file}: no such file")
    password = _password(args.password_file, jid.bare)
    conceal(password)
    return Login(
        jid=jid.bare,
        resource=resource,
        password=password,
        host=args.host,
        port=port if args.host else None,
        security=args.security,
        ca_file=args.ca_file,
    )


def _own_login(args: argparse.Namespace, resource: str) -> Login:
    login = replace(login_of(load(args.config).xmpp), resource=resource)
    if args.host:
        login = replace(login, host=args.host, port=args.port or 5222, security=args.security)
    return replace(login, ca_file=args.ca_file) if args.ca_file else login


def _password(file: Path | None, jid: str) -> str:
    if file is None:
        password = os.environ.get("JIDGET_CLIENT_PASSWORD", "")
        if not password:
            raise ConfigError(f"no password for {jid}: give --password-file FILE or set JIDGET_CLIENT_PASSWORD")
        return password
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file {file}: {error}") from error
    if not password:
        raise ConfigError(f"--password-file {file}: the file is empty")
    return password
