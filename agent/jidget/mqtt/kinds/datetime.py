"""datetime: a moment that can be set, told and sent as `2026-05-31T18:30:00+00:00`."""

from datetime import UTC

from jidget.mqtt.kinds.moments import Moment
from jidget.mqtt.kinds.sensor import parse_instant


class DateTime(Moment):
    """A date and time with its offset from UTC; nobody here guesses a time zone."""

    example = "2026-05-31T18:30:00+00:00"

    def parse(self, text: str) -> str | None:
        """Return a moment in UTC, to the second."""
        instant = parse_instant(text)
        if instant is None or instant.tzinfo is None:
            return None
        try:
            return instant.astimezone(UTC).isoformat(timespec="seconds")
        except OverflowError:
            return None
