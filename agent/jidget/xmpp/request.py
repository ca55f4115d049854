"""An IQ that asks for a command, as the commands know it: who asks, how old it is, and what it would repeat."""

from collections.abc import Iterator
from hashlib import sha256
from xml.etree import ElementTree as ET

from jidget.commands.keys import iq_key
from jidget.commands.model import Face, Request
from jidget.xmpp.router import Incoming


def request_of(incoming: Incoming, face: Face) -> Request:
    """Return who asks by this IQ, and the key under which the same IQ is recognised."""
    sender = incoming.sender
    key = iq_key(sender.full, incoming.id, digest(incoming.payload))
    return Request(jid=sender.bare, asker=sender.full, face=face, key=key, age=incoming.age_now())


def digest(payload: ET.Element) -> bytes:
    """Return a hash that two payloads share only if they say the same."""
    hashed = sha256()
    for part in _parts(payload):
        hashed.update(part.encode(errors="surrogatepass"))
    return hashed.digest()


def _parts(payload: ET.Element) -> Iterator[str]:
    """Yield all of an element in its order. Not by recursion: how deep it goes is the peer's choice."""
    left: list[ET.Element | None] = [payload]
    while left:
        element = left.pop()
        if element is None:
            yield "/"
        else:
            yield repr((element.tag, sorted(element.attrib.items()), element.text, element.tail))
            left.append(None)
            left.extend(reversed(element))
