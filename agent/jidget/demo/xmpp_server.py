"""What Prosody and ejabberd have in common, as far as the demo and the tests are concerned."""

import re
import socket
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from jidget.demo.loopback import LOOPBACK
from jidget.demo.pki import Authority, Certificate
from jidget.demo.process import ServerProcess

# What a user name has to be so that both servers store it as it is written; XMPP allows more (RFC 7622 3.3).
_USER = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PROBE_LIMIT = 1.0

SCRAM = tuple(f"SCRAM-SHA-{size}{binding}" for size in ("1", "256", "512") for binding in ("", "-PLUS"))


class XmppServer(ServerProcess):
    """A private XMPP server: one domain, on loopback, STARTTLS required, no federation, no registration.

    Attributes:
        domain: what it serves; also the name in its certificate.
        users: passwords by user name.
    """

    def __init__(
        self,
        root: Path,
        domain: str = "localhost",
        users: Mapping[str, str] | None = None,
        *,
        certificate: Certificate | None = None,
        more_ports: Sequence[str] = (),
    ) -> None:
        super().__init__(root, "starttls", "direct-tls", *more_ports)
        self.domain = domain
        self.users: dict[str, str] = {}
        self._contacts: dict[str, set[str]] = {}
        self._certificate = certificate
        for name, password in (users or {}).items():
            self._enrol(name, password)

    @property
    def host(self) -> str:
        """The address it listens on."""
        return LOOPBACK

    @property
    def port(self) -> int:
        """The port for STARTTLS."""
        return self.ports["starttls"]

    @property
    def tls_port(self) -> int:
        """The port for direct TLS (XEP-0368)."""
        return self.ports["direct-tls"]

    @property
    def https_port(self) -> int:
        """The port of /http-bind and /xmpp-websocket, on a server made with `web`."""
        return self.ports["https"]

    @property
    def certificate(self) -> Certificate:
        """Its certificate; made at first use, by an authority of its own, unless one was given."""
        if self._certificate is None:
            self._certificate = Authority(self.root / "pki").issue(self.domain)
        return self._certificate

    @property
    def ca_file(self) -> Path:
        """The authority that clients have to trust."""
        return self.certificate.ca_file

    def jid(self, name: str) -> str:
        """Return the bare JID of a user."""
        return f"{name}@{self.domain}"

    @abstractmethod
    def add_user(self, name: str, password: str) -> None:
        """Make an account, or give it another password. Also while the server runs."""

    @abstractmethod
    def add_roster(self, name: str, *contacts: str) -> None:
        """Subscribe a user and others of this server both ways. Before any of them logs in for the first time."""

    def answers(self) -> bool:
        """Say whether a stream can be opened: a connection alone succeeds on the kernel's backlog."""
        header = (
            f"<?xml version='1.0'?><stream:stream to='{self.domain}' version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        received = b""
        try:
            with socket.create_connection((self.host, self.port), _PROBE_LIMIT) as connection:
                connection.settimeout(_PROBE_LIMIT)
                connection.sendall(header.encode())
                while b"</stream:features>" not in received:
                    data = connection.recv(4096)
                    if not data:
                        return False
                    received += data
                connection.sendall(b"</stream:stream>")
        except OSError:  # refused or slow: not yet
            return False
        return True

    def _enrol(self, name: str, password: str) -> None:
        if not _USER.fullmatch(name):
            raise ValueError(f"user name {name!r}: use lower-case letters, digits and . _ -")
        if not password:
            raise ValueError(f"user {name!r}: the password is empty")
        self.users[name] = password

    def _befriend(self, name: str, contacts: tuple[str, ...]) -> None:
        for user in (name, *contacts):
            if user not in self.users:
                raise ValueError(f"user {user!r} is not on this server: add_user first")
        for contact in contacts:
            self._contacts.setdefault(name, set()).add(contact)
            self._contacts.setdefault(contact, set()).add(name)
