"""What the simulated hardware holds: the written values, kept in a file and recorded if asked for.

Nothing is fsynced: the files stand in for hardware that outlives a crash of the agent, not of the machine.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.properties import Property, Scalar, misfit


class Memory:
    """The values of the writable properties. Its methods block on files: call them in a thread."""

    def __init__(
        self,
        writable: Mapping[str, Property],
        initial: Mapping[str, Scalar],
        *,
        state_file: Path | None,
        record: Path | None,
        now: Callable[[], datetime],
    ) -> None:
        self.values = dict(initial)
        self._writable = writable
        self._state_file = state_file
        self._record = record
        self._now = now

    def load(self) -> None:
        """Take up the values that an earlier life left.

        Raises:
            DeviceUnavailable: the state file is there but does not hold them.
        """
        if self._state_file is None or not self._state_file.exists():
            return
        try:
            kept = json.loads(self._state_file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DeviceUnavailable(f"state_file {self._state_file} cannot be read: {error}. Delete it") from error
        if not isinstance(kept, dict):
            raise DeviceUnavailable(f"state_file {self._state_file} holds no values by name. Delete it")
        for name, prop in self._writable.items():
            if name not in kept:
                continue
            problem = misfit(prop, kept[name])
            if problem:
                raise DeviceUnavailable(f"state_file {self._state_file}: {name}: {problem}. Delete it")
            self.values[name] = kept[name]

    def write(self, name: str, value: Scalar) -> None:
        """Let the hardware move: hold `value`, keep it, record it. From here on there is no way back."""
        self.values[name] = value
        if self._state_file is not None:
            # Beside it, so that the rename is atomic; of its own name, so that two files never meet.
            fresh = self._state_file.with_name(f"{self._state_file.name}.new")
            try:
                fresh.write_text(json.dumps(self.values), "utf-8")
                fresh.replace(self._state_file)
            except OSError as error:
                raise DeviceUnavailable(f"state_file {self._state_file} cannot be written: {error}") from error
        self.note(name, value)

    def note(self, what: str, value: Scalar) -> None:
        """Append a line to the record: UTC time in milliseconds, what was set or done, and the value as JSON."""
        if self._record is None:
            return
        time = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            with self._record.open("a", encoding="utf-8") as file:
                file.write(f"{time} {what} {json.dumps(value, ensure_ascii=False)}\n")
        except OSError as error:
            raise DeviceUnavailable(f"record {self._record} cannot be written: {error}") from error
