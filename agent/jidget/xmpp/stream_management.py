"""Stream management (XEP-0198): what was sent and not acknowledged, what was received, kept beyond one connection.

slixmpp's own plugin loses, repeats and reorders stanzas across a resumption and holds its queue without a bound. This
is only the bookkeeping, without any I/O; the stream does what it says.
"""

from collections import deque
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from jidget.xmpp.xml import element

SM = "urn:xmpp:sm:3"
FEATURE = f"{{{SM}}}sm"
ENABLED, RESUMED, FAILED, REQUEST, ANSWER = (f"{{{SM}}}{name}" for name in ("enabled", "resumed", "failed", "r", "a"))
ASK = f"<r xmlns='{SM}'/>"
WRAP = 2**32
LONGEST_GAP = 120
"""Seconds for which a server is asked to keep the session: as long, people see a device online that lost its power."""
MOST_BYTES = 4 * 1024 * 1024
"""What may wait to be acknowledged; a session with more is not worth resuming."""
ASK_EVERY = 16
"""Stanzas after which an acknowledgement is asked for."""
ASK_AFTER = 16 * 1024
"""Bytes of a stanza after which it is asked for at once."""


class TooMuch(Exception):
    """More waits to be acknowledged than is kept: the session cannot be resumed any more."""


class BadAcknowledgement(Exception):
    """The peer acknowledged stanzas that were never sent (XEP-0198 4)."""


class StreamManagement:
    """The counters and the queue of one session, from `<enable/>` on.

    Attributes:
        id: what a resumption names; empty where the server allows none.
        seconds: how long the server keeps the session without a connection.
        on_acknowledged: called when the queue got shorter.
    """

    def __init__(self) -> None:
        self.id = ""
        self.seconds = 0.0
        self.active = False
        self.on_acknowledged: Callable[[], None] = lambda: None
        self._received = 0
        self._acknowledged = 0
        self._unacknowledged: deque[str] = deque()
        self._bytes = 0
        self._since_asked = 0

    @property
    def resumable(self) -> bool:
        """Whether another connection may take the session over."""
        return bool(self.id)

    def enable(self) -> ET.Element:
        """Build the request to begin; from here on what is sent is counted (XEP-0198 3)."""
        self.active = True
        return element(f"{{{SM}}}enable", {"resume": "true", "max": str(LONGEST_GAP)})

    def enabled(self, stanza: ET.Element) -> None:
        """Take the server's consent; from here on what is received is counted."""
        if stanza.get("resume") in ("true", "1"):
            self.id = stanza.get("id", "")
            maximum = stanza.get("max", "")
            self.seconds = float(maximum) if maximum.isdecimal() else 300.0
        self._received = 0

    def give_up(self) -> None:
        """Let no other connection take the session over."""
        self.id = ""

    def resume(self) -> ET.Element:
        """Build the request to take the session over (XEP-0198 5)."""
        return element(f"{{{SM}}}resume", {"previd": self.id, "h": str(self._received)})

    def sent(self, stanza: str) -> bool:
        """Note a stanza that is being sent; return whether it is time to ask for an acknowledgement.

        Raises:
            TooMuch: the queue is full.
        """
        if not self.active:
            return False
        if self._bytes + len(stanza) > MOST_BYTES:
            raise TooMuch
        self._unacknowledged.append(stanza)
        self._bytes += len(stanza)
        self._since_asked += 1
        if self._since_asked < ASK_EVERY and len(stanza) < ASK_AFTER:
            return False
        self._since_asked = 0
        return True

    def received(self) -> None:
        """Note a stanza that was received."""
        self._received = (self._received + 1) % WRAP

    def answer(self) -> str:
        """Write the answer to the peer's question how many we received."""
        return f"<a xmlns='{SM}' h='{self._received}'/>"

    def acknowledge(self, stanza: ET.Element) -> None:
        """Take an `<a/>`, `<resumed/>` or `<failed/>`: forget what the peer has.

        Raises:
            BadAcknowledgement: it names more than was sent, or nothing at all.
        """
        text = stanza.get("h", "")
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(WRAP)) and int(text) < WRAP):
            raise BadAcknowledgement(f"h={text[:20]!r}")
        count = (int(text) - self._acknowledged) % WRAP
        if count > len(self._unacknowledged):
            raise BadAcknowledgement(f"h={text}, but {self._acknowledged + len(self._unacknowledged)} were sent")
        for _ in range(count):
            self._bytes -= len(self._unacknowledged.popleft())
        self._acknowledged = int(text)
        if count:
            self.on_acknowledged()

    @property
    def acknowledged(self) -> int:
        """Return how many stanzas the peer has, modulo 2^32."""
        return self._acknowledged

    @property
    def size(self) -> int:
        """Return the length of all that was sent and not acknowledged."""
        return self._bytes

    @property
    def largest(self) -> int:
        """Return the length of the longest stanza that was sent and not acknowledged."""
        return max(map(len, self._unacknowledged), default=0)

    @property
    def unacknowledged(self) -> Sequence[str]:
        """Return what was sent and not acknowledged, in order."""
        return tuple(self._unacknowledged)
