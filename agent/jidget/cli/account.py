"""As whom `watch` and `call` log in: `--as`, the environment, else the configuration's own account."""

import argparse
import os
import ssl
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
    group.add_argument("--port", type=_port, help="its port, if not 5222, or 5223 with direct TLS")
    group.add_argument(
        "--security", choices=("auto", "starttls", "direct-tls"), help="how TLS begins; auto, the default, tries both"
    )
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
    if args.port and not args.host:
        raise ConfigError("--port needs --host")
    who, where = args.as_jid, "--as"
    if not who:
        who, where = os.environ.get("JIDGET_CLIENT_JID", ""), "JIDGET_CLIENT_JID"
    if who:
        login = _given_login(args, who, where, resource)
    else:
        if args.password_file:
            raise ConfigError("--password-file needs --as: whose password is it?")
        login = replace(login_of(load(args.config).xmpp), resource=resource)
    if args.host:
        security = args.security or "auto"
        port = args.port or (5223 if security == "direct-tls" else 5222)
        login = replace(login, host=args.host, port=port, security=security)
    elif args.security:
        login = replace(login, security=args.security)
    return replace(login, ca_file=_authority(args.ca_file)) if args.ca_file else login


def _given_login(args: argparse.Namespace, who: str, where: str, resource: str) -> Login:
    jid = parse_jid(who)
    if jid is None or not jid.user:
        raise ConfigError(f"{where} {who}: not a JID such as alice@example.org")
    password = _password(args.password_file, jid.bare)
    conceal(password)
    return Login(jid=jid.bare, resource=resource, password=password)


def _authority(file: Path) -> Path:
    """Return the file after a look into it."""
    try:
        ssl.create_default_context(cafile=file)
    except FileNotFoundError:
        raise ConfigError(f"--ca-file {file}: no such file") from None
    except OSError as error:  # an SSLError is one
        raise ConfigError(f"--ca-file {file}: no certificates in PEM format can be read from it ({error})") from error
    return file


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 1 to 65535")
    return int(text)


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
