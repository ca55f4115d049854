"""date: a day that can be set, told and sent as `2026-05-31`."""

from jidget.mqtt.kinds.moments import Moment
from jidget.mqtt.kinds.sensor import parse_instant


class Date(Moment):
    """A day."""

    example = "2026-05-31"

    def parse(self, text: str) -> str | None:
        """Return a day; of a date with a time, its day."""
        instant = parse_instant(text)
        return instant.date().isoformat() if instant else None
