"""A roster as the server has it, seen by another client of the same account."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.accounts import Account
from tests.support.asking import Asker

LIMIT = 20.0
_ROSTER = "{jabber:iq:roster}"


@dataclass(frozen=True, slots=True)
class Contact:
    """A roster item (RFC 6121 2.1.2)."""

    subscription: str = "none"
    asked: bool = False
    name: str = ""
    groups: frozenset[str] = frozenset()


class Book:
    """Reads and changes the roster of the account that `client` is logged in to."""

    def __init__(self, account: Account, client: Asker) -> None:
        self._account = account
        self._client = client

    async def contacts(self) -> dict[str, Contact]:
        """Return all contacts by bare JID."""
        query = await self._client.ask("get", f"<query xmlns='{_ROSTER.strip('{}')}'/>", to=self._account.jid)
        assert query is not None
        return {
            item.get("jid", ""): Contact(
                item.get("subscription", "none"),
                item.get("ask") == "subscribe",
                item.get("name", ""),
                frozenset(group.text or "" for group in item.iterfind(f"{_ROSTER}group")),
            )
            for item in query.iterfind(f"{_ROSTER}item")
        }

    async def until(self, wanted: Callable[[dict[str, Contact]], bool]) -> dict[str, Contact]:
        """Wait until the roster is as wanted, and return it."""
        contacts: dict[str, Contact] = {}
        try:
            async with asyncio.timeout(LIMIT):
                while not wanted(contacts := await self.contacts()):  # noqa: ASYNC110  # pushes come before others see it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"the roster did not become so: {contacts}") from None
        return contacts

    async def until_both(self, *accounts: Account) -> dict[str, Contact]:
        """Wait until these are subscribed both ways."""
        return await self.until(
            lambda found: all(found.get(account.jid, Contact()).subscription == "both" for account in accounts)
        )

    async def put(self, jid: str, *, name: str = "", groups: tuple[str, ...] = ()) -> None:
        """Add or change a contact."""
        listed = "".join(f"<group>{group}</group>" for group in groups)
        item = f"<item jid='{jid}' name='{name}'>{listed}</item>"
        await self._client.ask("set", f"<query xmlns='{_ROSTER.strip('{}')}'>{item}</query>", to=self._account.jid)


@asynccontextmanager
async def roster_of(account: Account) -> AsyncIterator[Book]:
    """Look into an account's roster for the time of the context, by a client that is not available to anybody.

    Its resource comes before all others: by what the last one knows ejabberd decides who gets the account's PEP events.
    """
    async with Asker(account, account.jid, "-book") as client:
        yield Book(account, client)
