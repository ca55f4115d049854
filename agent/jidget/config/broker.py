"""The table `[mqtt]` as the bridge uses it: its files checked, and what was left out filled in."""

import hashlib
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from jidget.config.document import MqttTable
from jidget.config.model import XmppConfig
from jidget.config.mqtt import MqttConfig
from jidget.config.notation import show_value
from jidget.config.problems import Problem
from jidget.config.secrets import Password
from jidget.config.values import expand_home

PORT = 1883
TLS_PORT = 8883
_LOCAL = ("localhost", "::1")
_ROOM = 9
"""Characters of the resource in a client id: with them it has 23, which every broker takes (MQTT 3.1.1 3.1.3.1)."""


def complete(table: MqttTable, account: XmppConfig, secret: Password) -> MqttConfig:
    """Return the table with port, client id and password."""
    given = {name: getattr(table, name) for name in MqttTable.model_fields if name != "password_file"}
    return MqttConfig(
        **{
            **given,
            "port": table.port or (TLS_PORT if table.tls else PORT),
            "client_id": table.client_id or client_id(account.jid, account.resource),
            "password": SecretStr(secret.secret),
        }
    )


def client_id(jid: str, resource: str) -> str:
    """Return what the broker calls us: readable, the same at every start, another one for every full JID."""
    mark = hashlib.sha256(f"{jid}/{resource}".encode()).hexdigest()[:6]
    readable = re.sub(r"[^0-9a-z]+", "", resource.casefold())[:_ROOM] or "agent"
    return f"jidget-{readable}-{mark}"


def identity(mqtt: Mapping[str, Any], base: Path) -> Iterator[Problem]:
    """Yield what is wrong with the files of the client certificate."""
    if "cert_file" not in mqtt:
        return
    files = {name: base / expand_home(Path(mqtt[name])) for name in ("cert_file", "key_file") if name in mqtt}
    for name, path in files.items():
        try:
            path.open("rb").close()
        except OSError as error:
            text = f"{path} cannot be read: {error.strerror}. Make it readable for the user that runs jidget"
            yield Problem(key=("mqtt", name), value=show_value(mqtt[name]), text=text)
            return
    try:
        # with a passphrase of our own OpenSSL never asks for one at the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            files["cert_file"], files.get("key_file"), password=lambda: ""
        )
    except (ssl.SSLError, ValueError) as error:
        name = "key_file" if "key_file" in files else "cert_file"
        yield Problem(key=("mqtt", name), value=show_value(mqtt[name]), text=_why_not(error, files))


def _why_not(error: Exception, files: Mapping[str, Path]) -> str:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return f"it is not the private key of {files['cert_file']}. Name the one that belongs to it"
    missing = "" if "key_file" in files else ", or name the key in mqtt.key_file"
    return (
        "it and the certificate cannot be used. Both must be in PEM form (-----BEGIN …), the key without a passphrase"
        f"{missing}"
    )


def doubts(config: MqttConfig) -> Iterator[Problem]:
    """Yield what is allowed but hardly meant."""
    if config.tls:
        return
    if config.port == TLS_PORT:
        yield Problem(key=("mqtt", "port"), value=str(TLS_PORT), text="the usual port for TLS. Write tls = true")
    elif config.password.get_secret_value() and not _is_local(config.host):
        yield Problem(
            key=("mqtt", "host"),
            value=show_value(config.host),
            text="the password goes over the network for everybody to read. Write tls = true",
        )


def _is_local(host: str) -> bool:
    return host in _LOCAL or bool(re.fullmatch(r"127(\.\d+){3}", host))
