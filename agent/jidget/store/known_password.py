"""The password that once worked, known across restarts: a refusal of it is the server's trouble, not a slip of ours.

DESIGN 3: a refused password that never worked ends the agent, as trying again cannot help; one that worked is tried
again now and then while sampling goes on. What is kept is a salted hash: a password that a person has changed in the
configuration since has not worked yet.
"""

import asyncio
import secrets
from hashlib import pbkdf2_hmac

from jidget.store.store import Store

ROUNDS = 50_000
"""Some 20 ms: the file is as private as the password's own, this is for copies of it that end up elsewhere."""
_NAME = "password"


class KnownPassword:
    """Whether an account's present password was ever accepted."""

    def __init__(self, store: Store, jid: str, password: str) -> None:
        """Take the store, the account's bare JID and its password."""
        self._store = store
        self._jid = jid
        self._password = password
        self._mark = ""
        self._noted = False

    async def look(self) -> bool:
        """Return whether the password has worked, as far as the store knows. To be awaited before `note`."""
        kept = self._store.fact(_NAME) or ""
        salt = kept.partition(":")[0] or secrets.token_hex(16)
        secret = f"{self._jid}\0{self._password}".encode()
        digest = await asyncio.to_thread(pbkdf2_hmac, "sha256", secret, salt.encode(), ROUNDS)
        self._mark = f"{salt}:{digest.hex()}"
        self._noted = secrets.compare_digest(kept, self._mark)
        return self._noted

    def note(self) -> None:
        """Note that it works, unless that is known; where the store cannot take it, the next call tries again."""
        if self._mark and not self._noted:
            self._noted = self._store.keep_fact(_NAME, self._mark)
