"""Where and as whom to log in."""

from dataclasses import dataclass
from pathlib import Path

from slixmpp import JID

from jidget.config.model import XmppConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom to log in. `security` is auto, starttls or direct-tls; without `host` SRV records decide."""

    jid: str
    resource: str
    password: str
    host: str | None = None
    port: int | None = None
    security: str = "auto"
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"Login({self.jid}/{self.resource})"

    @property
    def domain(self) -> str:
        """Return the domain that the server's certificate must name."""
        return JID(self.jid).domain

    @property
    def address(self) -> str:
        """Say which server is meant."""
        return f"{self.host}:{self.port}" if self.host else self.domain


def login_of(xmpp: XmppConfig) -> Login:
    """Return where and as whom the configuration logs in."""
    return Login(
        jid=xmpp.jid,
        resource=xmpp.resource,
        password=xmpp.password.get_secret_value(),
        host=xmpp.host,
        port=xmpp.port,
        security=xmpp.security,
        ca_file=xmpp.ca_file,
    )
