"""Accounts on the servers that many tests share: each test gets users that no other test has."""

import secrets
from dataclasses import dataclass

from jidget.demo.xmpp_server import XmppServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of a running server."""

    server: XmppServer
    name: str
    password: str

    @property
    def jid(self) -> str:
        """The bare JID."""
        return self.server.jid(self.name)


class Accounts:
    """Makes fresh accounts: `account(server, "pi", contacts=[alice])`."""

    def __call__(self, server: XmppServer, name: str = "user", *, contacts: tuple[Account, ...] = ()) -> Account:
        """Make an account whose name begins with `name`, subscribed both ways to `contacts` on the same server.

        Contacts must not have logged in yet (see `XmppServer.add_roster`).
        """
        account = Account(server=server, name=f"{name}-{secrets.token_hex(4)}", password=secrets.token_urlsafe(12))
        server.add_user(account.name, account.password)
        if contacts:
            server.add_roster(account.name, *(contact.name for contact in contacts))
        return account
