"""Finding, reading and checking the configuration file: all that is wrong with it at once."""

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from jidget import log as logs
from jidget.config import broker
from jidget.config.contradictions import contradictions, doubts
from jidget.config.document import Document, StoreTable, XmppTable
from jidget.config.model import Config, StoreConfig, XmppConfig
from jidget.config.notation import Key, show_value
from jidget.config.problems import Problem, problems_of
from jidget.config.secrets import MQTT, XMPP, NoPassword, Password, Source, find_password, is_there
from jidget.config.syntax import LONGEST, parse_toml
from jidget.config.things import Overlay, ThingConfig
from jidget.config.values import expand_home, parse_jid
from jidget.errors import ConfigError

log = logging.getLogger(__name__)

VARIABLE = "JIDGET_CONFIG"
HERE = Path("jidget.toml")
SYSTEM = Path("/etc/jidget/jidget.toml")
STORE = Path("jidget.db")
RESOURCE = "agent"
"""The resource of a JID written without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration, and what is allowed in it but hardly meant: one line each."""

    config: Config
    warnings: tuple[str, ...]


def load(path: Path | None = None, environ: Mapping[str, str] | None = None, *, password: bool = True) -> Config:
    """Read the configuration and log what is doubtful about it. See `read`."""
    loaded = read(path, environ, password=password)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return loaded.config


def read(path: Path | None = None, environ: Mapping[str, str] | None = None, *, password: bool = True) -> Loaded:
    """Find, read and check the configuration.

    Args:
        path: the file; None to search for it.
        environ: the environment; the process's own if left out.
        password: whether the passwords are wanted. What never logs in can do without.

    Raises:
        ConfigError: one line for each thing wrong: file, key, value, remedy.
    """
    environ = os.environ if environ is None else environ
    file = find(path, environ).absolute()
    raw = parse_toml(_content(file), file)
    problems: list[Problem] = []
    document: Document | None = None
    try:
        document = Document.model_validate(raw, context={"base": file.parent})
    except ValidationError as error:
        problems += problems_of(error, Document)
    valid = _without(raw, [problem.key for problem in problems])
    problems += contradictions(valid)
    problems += _directory(valid.get("store", {}).get("path"), file.parent)
    secrets = dict.fromkeys((XMPP, MQTT), Password(secret=""))
    for source in (XMPP, MQTT):
        table = valid.get(source.table)
        if table is None:
            continue
        problems += _authority(source.table, table.get("ca_file"), file.parent)
        if password and source.wanted(table) and not any(_about_password(problem, source) for problem in problems):
            try:
                secrets[source] = find_password(table.get("password_file"), file.parent, environ, source)
            except NoPassword as error:
                problems.append(error.problem)
            logs.conceal(secrets[source].secret)
    problems += broker.identity(valid.get("mqtt", {}), file.parent)
    if problems or document is None:
        problems.sort(key=lambda problem: _position(problem.key, raw))
        raise ConfigError("\n".join(problem.say(file) for problem in problems))
    account = _account(document.xmpp, secrets[XMPP])
    config = Config(
        file=file,
        xmpp=account,
        access=document.access,
        store=_store(document.store, file.parent, environ),
        report=document.report,
        things={name: thing for name, thing in document.things.items() if isinstance(thing, ThingConfig)},
        overlays={name: thing for name, thing in document.things.items() if isinstance(thing, Overlay)},
        mqtt=document.mqtt and broker.complete(document.mqtt, account, secrets[MQTT]),
    )
    lying = (doubt for secret in secrets.values() for doubt in secret.doubts)
    doubtful = (*lying, *doubts(config), *_no_directory(document.store))
    return Loaded(config=config, warnings=tuple(problem.say(file) for problem in doubtful))


def find(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the configuration file to use: the one named, else $JIDGET_CONFIG, else here, else the system's.

    Raises:
        ConfigError: there is none in any of these places.
    """
    if path is not None:
        return path.expanduser()
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE]).expanduser()
    for candidate in (HERE, SYSTEM):
        if is_there(candidate):
            return candidate
    raise ConfigError(
        f"there is no configuration: neither {HERE.absolute()} nor {SYSTEM}, and ${VARIABLE} is not set. "
        "Name one with --config FILE, or write one: the README begins with ten lines that will do"
    )


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LONGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file. Name the right one with --config or ${VARIABLE}") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: a directory, not a file. Name the file in it: {file / HERE.name}") from None
    except PermissionError:
        raise ConfigError(
            f"{file}: user {os.geteuid()} may not read it. Change its owner or mode, or run as another user"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}. Check the path") from None


def _about_password(problem: Problem, source: Source) -> bool:
    """Whether something about the password is wrong already, so that looking for it would only add noise."""
    return problem.key[:1] == (source.table,) and "pass" in str(problem.key[-1]).casefold()


def _position(key: Key, raw: Mapping[str, Any]) -> tuple[float, ...]:
    """Return where in the file a key stands, for sorting; what is missing comes last."""
    position: list[float] = []
    level: Any = raw
    for part in key:
        names = list(level) if isinstance(level, Mapping) else []
        position.append(names.index(part) if part in names else part if isinstance(part, int) else float("inf"))
        level = level.get(part) if isinstance(level, Mapping) else None
    return tuple(position)


def _without(raw: Mapping[str, Any], keys: list[Key]) -> dict[str, Any]:
    """Return the file's contents without the values at `keys`; of a list with a wrong item nothing is left."""
    wrong = {next((key[:i] for i, part in enumerate(key) if isinstance(part, int)), key) for key in keys}

    def rest(table: Mapping[str, Any], prefix: Key) -> dict[str, Any]:
        return {
            name: rest(value, (*prefix, name)) if isinstance(value, Mapping) else value
            for name, value in table.items()
            if (*prefix, name) not in wrong
        }

    return rest(raw, ())


def _authority(table: str, ca_file: str | None, base: Path) -> Iterator[Problem]:
    """Yield what is wrong with the file of the extra CA."""
    if ca_file is None:
        return
    path = base / expand_home(Path(ca_file))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        text = f"{path} is no certificate in PEM form. It begins with -----BEGIN CERTIFICATE-----"
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}. Name the PEM file with the CA's certificate"
    else:
        return
    yield Problem(key=(table, "ca_file"), value=show_value(ca_file), text=text)


def _account(table: XmppTable, secret: Password) -> XmppConfig:
    local, domain, resource = parse_jid(table.jid)
    port = table.port
    if table.host and port is None:
        port = 5223 if table.security == "direct-tls" else 5222
    return XmppConfig(
        jid=f"{local}@{domain}",
        resource=resource or RESOURCE,
        password=SecretStr(secret.secret),
        host=table.host,
        port=port,
        security=table.security,
        ca_file=table.ca_file,
        account=table.account,
        liveness=table.liveness,
    )


def _store(table: StoreTable, base: Path, environ: Mapping[str, str]) -> StoreConfig:
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5): there may be several
    path = table.path or (Path(state) if state else base) / STORE
    return StoreConfig(path=path, **table.model_dump(exclude={"path"}))


def _directory(path: str | None, base: Path) -> Iterator[Problem]:
    """Yield that the store's path is a directory, if it is."""
    if path is not None and os.path.isdir(full := base / expand_home(Path(path))):  # noqa: PTH112  # never raises
        text = f'a directory. Name a file in it: "{full / STORE}"'
        yield Problem(key=("store", "path"), value=show_value(path), text=text)


def _no_directory(table: StoreTable) -> Iterator[Problem]:
    """Yield that the store's directory is not there, if it is not: it may be on a disk that is mounted later."""
    if table.path is not None and not os.path.isdir(table.path.parent):  # noqa: PTH112  # never raises
        text = (
            f"there is no directory {table.path.parent}, so readings would be kept in memory only. Make it, or mount "
            "its disk"
        )
        yield Problem(key=("store", "path"), value=show_value(str(table.path)), text=text)
