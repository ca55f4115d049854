"""Keys by which a repetition of the same request is recognised (DESIGN 4.5). Pure.

A key begins with its kind, which decides how long the journal remembers it, and holds nothing of the content but a
hash: it has the same size whatever was sent.
"""

from hashlib import sha256

MESSAGE = "message"
IQ = "iq"


def message_key(bare_jid: str, stanza_id: str, content: bytes) -> str:
    """Return the key of a message: any client of the same person may have sent it again."""
    return _key(MESSAGE, bare_jid, stanza_id, content)


def iq_key(full_jid: str, stanza_id: str, content: bytes) -> str:
    """Return the key of an IQ: its id is unique within the sender's stream only (RFC 6120 8.1.3)."""
    return _key(IQ, full_jid, stanza_id, content)


def _key(kind: str, sender: str, stanza_id: str, content: bytes) -> str:
    parts = (sender.encode(), stanza_id.encode(errors="surrogatepass"), content)
    digest = sha256(b"".join(len(part).to_bytes(8) + part for part in parts))
    return f"{kind}:{digest.hexdigest()}"
