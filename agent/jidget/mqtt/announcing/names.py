"""Under which topics and names Things are announced, told and commanded. Pure."""

import hashlib
import re

_UNIQUE = re.compile(r"jidget-[0-9a-z]+-[0-9a-f]{6}")
"""Client ids that were made from a JID, which no other agent has."""
_NO_LEVEL = re.compile(r"[^a-zA-Z0-9_-]")


class Names:
    """The topics of one agent: all but the announcements begin with its own root, which nothing is bridged from."""

    def __init__(self, client_id: str, prefix: str) -> None:
        """Take what the broker calls us, and the first levels of the topics of discovery."""
        mark = hashlib.sha256(client_id.encode()).hexdigest()[:6]
        self.agent = client_id if _UNIQUE.fullmatch(client_id) else f"{_NO_LEVEL.sub('_', client_id)}-{mark}"
        self._prefix = prefix
        self.root = f"jidget/{client_id}/"
        self.things = f"{self.root}things/"
        self.status = f"{self.root}status"

    def device(self, thing_id: str) -> str:
        """Return what names a Thing on the broker, whoever else announces one of this id."""
        return f"{self.agent}_{thing_id}"

    def discovery(self, device: str) -> str:
        """Return where a device is announced."""
        return f"{self._prefix}/device/{device}/config"

    def state(self, thing_id: str) -> str:
        """Return where all values of a Thing are told, as one JSON object."""
        return f"{self.things}{thing_id}/state"

    def availability(self, thing_id: str) -> str:
        """Return where it is told whether a Thing can be reached: `online` or `offline`."""
        return f"{self.things}{thing_id}/availability"

    def answer(self, thing_id: str) -> str:
        """Return where it is told what became of a command that was not simply done."""
        return f"{self.things}{thing_id}/answer"

    def set(self, thing_id: str, name: str) -> str:
        """Return where a property is set."""
        return f"{self.things}{thing_id}/set/{name}"

    def do(self, thing_id: str, name: str) -> str:
        """Return where an action is invoked."""
        return f"{self.things}{thing_id}/do/{name}"
