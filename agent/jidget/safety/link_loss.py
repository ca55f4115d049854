"""How long the server has been out of reach, for `on_disconnect`. Pure."""

STEADY = 60.0
"""Seconds that the link must hold before its loss is a new one: a link that flaps is one loss."""


class LinkLoss:
    """The link as seen from the outputs. Times in seconds of CLOCK_BOOTTIME.

    Attributes:
        lost: when it was last seen to go away; at first, when the agent started.
    """

    def __init__(self, at: float) -> None:
        self.lost = at
        self._since = at
        self._up: float | None = None

    def changed(self, *, up: bool, at: float) -> bool:
        """Note whether there is a link; return whether that is news."""
        if up == (self._up is not None):
            return False
        if up:
            self._up = at
        else:
            if self._up is not None and at - self._up >= STEADY:
                self._since = at
            self._up, self.lost = None, at
        return True

    def due(self, limit: float) -> float | None:
        """Return when an output with this `on_disconnect` goes to safe; None while there is a link."""
        return None if self._up is not None else max(self.lost, self._since + limit)
