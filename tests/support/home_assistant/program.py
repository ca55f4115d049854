"""Home Assistant as a process of the test's own."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.support.home_assistant.installation import interpreter
from tests.support.home_assistant.seeds import plant, write_configuration

from jidget.demo.loopback import LOOPBACK
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.process import ServerProcess

_ENTRY = re.compile(r"(?m)^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_COMPLAINT = re.compile(r"\S+ \S+ (WARNING|ERROR|CRITICAL) (?!.*\[(homeassistant\.bootstrap|aiohttp_fast_zlib)\])")
"""What those two say is how we start it and what we did not install for it."""
_BIRTH = "homeassistant/status: 'online'"


class HomeAssistant(ServerProcess):
    """One Home Assistant on a private broker.

    Args:
        root: its directory; what it keeps is in `config`.
        broker: the broker.

    Attributes:
        token: what the user shows it.
    """

    name: ClassVar[str] = "home-assistant"
    programs: ClassVar[Mapping[str, str]] = {}
    start_limit: ClassVar[float] = 120.0
    stop_limit: ClassVar[float] = 30.0

    def __init__(self, root: Path, broker: Mosquitto) -> None:
        super().__init__(root, "http")
        self.log = self.root / "config" / "home-assistant.log"
        self.token = ""
        self._python = Path()
        self._broker = broker
        self._logged = ""

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://{LOOPBACK}:{self.ports['http']}"

    @property
    def complaints(self) -> list[str]:
        """Return the warnings and errors in the logs of all its lives."""
        return [each for each in _ENTRY.split(self._logged + self._log_of_now()) if _COMPLAINT.match(each)]

    def forget(self) -> None:
        """Throw away all that it keeps: it begins as one that was just set up. Not while it runs."""
        shutil.rmtree(self.root / "config")

    def prepare(self) -> None:
        """Set it up at the first start."""
        self._python = interpreter()
        self._logged += self._log_of_now()
        self.log.unlink(missing_ok=True)
        if not self.log.parent.exists():
            self.token = plant(self.log.parent, self.ports["http"], self._broker)
        write_configuration(self.log.parent, self.ports["http"])

    def command(self) -> list[str]:
        """Return the command line."""
        launch = Path(__file__).with_name("launch.py")
        return [str(self._python), str(launch), "--config", str(self.log.parent), "--skip-pip", "--log-no-color"]

    def answers(self) -> bool:
        """Say whether it listens to announcements: that is when it tells the broker that it is there."""
        return _BIRTH in self._log_of_now()

    def _log_of_now(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
