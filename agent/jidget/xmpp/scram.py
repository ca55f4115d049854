"""Two repairs of slixmpp's SCRAM (RFC 5802), made once at import.

Its `Hi` is a Python loop that holds up the event loop for 10,000 rounds at each login (measured: nine times slower than
hashlib, about a fifth of a second on a Pi), and its nonce comes from a generator that can be predicted.
"""

import hashlib
import secrets

from slixmpp.util.sasl import mechanisms

MECHANISMS = frozenset(
    f"SCRAM-SHA-{size}{plus}" for size in ("1", "224", "256", "384", "512") for plus in ("", "-PLUS")
)
"""What we log in with. PLAIN is not among them: a password is never sent for the server to read."""


_HASHES = {f"SHA-{size}": f"sha{size}" for size in ("1", "224", "256", "384", "512")}


def _hi(self: mechanisms.SCRAM, text: bytes, salt: bytes, iterations: int) -> bytes:
    """Hi() of RFC 5802 2.2 is PBKDF2 with HMAC and one block of output."""
    return hashlib.pbkdf2_hmac(_HASHES[self.hash_name], bytes(text), bytes(salt), iterations)


mechanisms.SCRAM.Hi = _hi  # type: ignore[method-assign,assignment]  # the one seam there is; tested against real servers
vars(mechanisms)["random"] = secrets.SystemRandom()  # its .random() is all that is called
