"""time: a time of day that can be set, told and sent as `18:30:00`."""

from datetime import time

from jidget.mqtt.kinds.moments import Moment


class Time(Moment):
    """A time of day."""

    example = "18:30:00"

    def parse(self, text: str) -> str | None:
        """Return a time of day to the second."""
        try:
            return time.fromisoformat(text).replace(tzinfo=None).isoformat(timespec="seconds")
        except ValueError:
            return None
