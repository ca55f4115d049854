"""A private Mosquitto, 2.0 or later, from the distribution's package."""

import base64
import hashlib
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from jidget.demo.loopback import LOOPBACK
from jidget.demo.pki import Authority, Certificate
from jidget.demo.process import ServerProcess, find_program

_PROBE_LIMIT = 1.0
# CONNECT of MQTT 3.1.1 (3.1) with a clean session, 60 s keep-alive and the client id "probe"
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe"
_CONNACK = 0x20
_ITERATIONS = 101  # what mosquitto_passwd takes


class Mosquitto(ServerProcess):
    """One Mosquitto process on loopback, without persistence.

    Args:
        root: its directory.
        users: passwords by user name; without any, everybody may connect.
        certificate: default: one for localhost and 127.0.0.1, by an authority of its own.
        mutual: whether TLS wants a certificate of the client's, too: one by the same authority (`issue`).
        access: its access list, in the words of mosquitto.conf(5), acl_file; without one nothing is forbidden.
        extra: lines for the configuration.
    """

    name: ClassVar[str] = "mosquitto"
    programs: ClassVar[Mapping[str, str]] = {"mosquitto": "mosquitto", "openssl": "openssl"}

    def __init__(
        self,
        root: Path,
        users: Mapping[str, str] | None = None,
        *,
        certificate: Certificate | None = None,
        mutual: bool = False,
        access: str = "",
        extra: str = "",
    ) -> None:
        super().__init__(root, "mqtt", "mqtts")
        self.users = dict(users or {})
        self._certificate = certificate
        self._mutual = mutual
        self._access = access
        self._extra = extra

    @property
    def host(self) -> str:
        """The address it listens on."""
        return LOOPBACK

    @property
    def port(self) -> int:
        """The port without TLS."""
        return self.ports["mqtt"]

    @property
    def tls_port(self) -> int:
        """The port for TLS."""
        return self.ports["mqtts"]

    @property
    def certificate(self) -> Certificate:
        """Its certificate; made at first use, by an authority of its own, unless one was given."""
        if self._certificate is None:
            self._certificate = self.issue("localhost", LOOPBACK)
        return self._certificate

    @property
    def ca_file(self) -> Path:
        """The authority that clients have to trust."""
        return self.certificate.ca_file

    def issue(self, *names: str, client: bool = False) -> Certificate:
        """Issue a certificate by its own authority, for servers or for a client."""
        return Authority(self.root / "pki").issue(*names, client=client)

    def prepare(self) -> None:
        """Write mosquitto.conf and the password file."""
        lines = ["persistence false", "log_dest stderr", "log_type all"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it becomes the user mosquitto, who cannot read our files
        if self.users:
            passwords = self.root / "passwords"
            passwords.touch(mode=0o600)
            passwords.write_text(
                "".join(f"{name}:{_hash(password)}\n" for name, password in self.users.items()), encoding="utf-8"
            )
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        if self._access:
            access = self.root / "access"
            access.write_text(self._access, encoding="utf-8")
            access.chmod(0o600)
            lines.append(f"acl_file {access}")
        certificate = self.certificate
        lines += [
            self._extra,
            f"listener {self.port} {LOOPBACK}",
            f"listener {self.tls_port} {LOOPBACK}",
            f"certfile {certificate.certificate}",
            f"keyfile {certificate.key}",
        ]
        if self._mutual:
            lines += [f"cafile {certificate.ca_file}", "require_certificate true"]
        (self.root / "mosquitto.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command line of the foreground process."""
        return [find_program("mosquitto", "mosquitto"), "-c", str(self.root / "mosquitto.conf")]

    def answers(self) -> bool:
        """Say whether it answers a CONNECT, be it with a refusal."""
        try:
            with socket.create_connection((self.host, self.port), _PROBE_LIMIT) as connection:
                connection.settimeout(_PROBE_LIMIT)
                connection.sendall(_CONNECT)
                return connection.recv(1) == bytes([_CONNACK])
        except OSError:  # refused or slow: not yet
            return False


def _hash(password: str) -> str:
    """Hash a password as mosquitto_passwd does: PBKDF2 with SHA-512, kind 7."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
