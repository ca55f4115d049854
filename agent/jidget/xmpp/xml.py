"""XML as we need it: namespaces, elements built in one line, and a serialiser that never emits an illegal character."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from slixmpp import JID
from slixmpp.jid import InvalidJID

CLIENT = "jabber:client"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
COMMANDS = "http://jabber.org/protocol/commands"
DATA = "jabber:x:data"
VALIDATE = "http://jabber.org/protocol/xdata-validate"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"
NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"
CAPS = "http://jabber.org/protocol/caps"
PING = "urn:xmpp:ping"
ROSTER = "jabber:iq:roster"
DELAY = "urn:xmpp:delay"
SENSOR_DATA = "urn:nf:iot:sd:1.0"
SENSOR_DATA_NOW = SENSOR_DATA + "#now"
CONTROL = "urn:nf:iot:ctr:1.0"
JIDGET = "urn:jidget:1"

_XML = "http://www.w3.org/XML/1998/namespace"
# XML 1.0 2.2 Char: what may not stand in a document even escaped. A server closes the stream over one of these.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SPECIAL = re.compile("[&<>'\"]")
_UNSAFE = re.compile(_ILLEGAL.pattern.removesuffix("]") + "&<>'\"]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"}


def legal(text: str) -> str:
    """Replace the characters that XML 1.0 cannot carry."""
    return _ILLEGAL.sub("\ufffd", text)


def escape(text: str) -> str:
    """Return `text` fit for character data and for attributes in either quotes."""
    if _UNSAFE.search(text) is None:
        return text
    text = legal(text)
    return _SPECIAL.sub(lambda match: _ENTITIES[match[0]], text)


def element(name: str, attributes: Mapping[str, str | None] | None = None, *children: ET.Element | str) -> ET.Element:
    """Build `{namespace}local` with attributes (None: left out) and children; a `str` child is text."""
    made = ET.Element(name)
    for key, value in (attributes or {}).items():
        if value is not None:
            made.set(key, value)
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + child
        else:
            made.append(child)
    return made


def serialise(root: ET.Element, namespace: str = CLIENT) -> str:
    """Write an element as it goes into a stream whose default namespace is `namespace`."""
    out: list[str] = []
    _write(root, namespace, out)
    return "".join(out)


def _write(node: ET.Element, inherited: str, out: list[str]) -> None:
    namespace, _, local = node.tag.rpartition("}")
    namespace = namespace[1:] if namespace else inherited
    out.append(f"<{local}" if namespace == inherited else f"<{local} xmlns='{escape(namespace)}'")
    prefixes = 0
    for key, value in node.attrib.items():
        space, _, name = key.rpartition("}")
        if not space:
            out.append(f" {name}='{escape(value)}'")
        elif space[1:] == _XML:
            out.append(f" xml:{name}='{escape(value)}'")
        else:
            prefixes += 1
            out.append(f" xmlns:n{prefixes}='{escape(space[1:])}' n{prefixes}:{name}='{escape(value)}'")
    if node.text or len(node):
        out.append(">")
        if node.text:
            out.append(escape(node.text))
        for child in node:
            _write(child, namespace, out)
            if child.tail:
                out.append(escape(child.tail))
        out.append(f"</{local}>")
    else:
        out.append("/>")


def text_of(parent: ET.Element, name: str) -> str | None:
    """Return the text of a child, empty where it has none; None without such a child."""
    child = parent.find(name)
    return None if child is None else (child.text or "")


def parse_jid(text: str | None) -> JID | None:
    """Return the normalised JID (RFC 7622), or None where `text` is not one."""
    if not text:
        return None
    try:
        return JID(text)
    except InvalidJID:
        return None


def error_reply(
    request: ET.Element, condition: str, text: str = "", *, kind: str = "cancel", application: ET.Element | None = None
) -> ET.Element:
    """Build the error answer to an IQ (RFC 6120 8.3): condition, a text for people, an application condition."""
    error = element(f"{{{CLIENT}}}error", {"type": kind}, element(f"{{{STANZAS}}}{condition}"))
    if text:
        error.append(element(f"{{{STANZAS}}}text", {f"{{{_XML}}}lang": "en"}, text))
    if application is not None:
        error.append(application)
    return element(f"{{{CLIENT}}}iq", {"type": "error", "to": request.get("from"), "id": request.get("id")}, error)


def result_reply(request: ET.Element, *payload: ET.Element) -> ET.Element:
    """Build the result of an IQ."""
    return element(f"{{{CLIENT}}}iq", {"type": "result", "to": request.get("from"), "id": request.get("id")}, *payload)
