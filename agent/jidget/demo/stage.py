"""What the demo plays on: a private server with three accounts, a broker, an agent, and a simulated greenhouse."""

import secrets
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from jidget.demo.agent_process import AgentProcess
from jidget.demo.ejabberd import Ejabberd
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.xmpp.login import Login

DEVICE, OWNER, STRANGER = "pi", "alice", "mallory"
SERVERS: dict[str, type[Prosody] | type[Ejabberd]] = {"prosody": Prosody, "ejabberd": Ejabberd}

CONFIG = """\
[xmpp]
jid = "{device}"
password_file = "pi.password"
host = "{host}"
port = {port}
security = "starttls"
ca_file = "{ca_file}"

[access]
"{owner}" = "owner"
{more_access}

[report]
max_interval = "30s"

[mqtt]
host = "{broker_host}"
port = {broker_port}

[things.machine]
driver = "system"
label = "This machine"
interval = "2s"
[things.machine.report]
max_interval = "2s"

[things.greenhouse]
driver = "simulated"
label = "Greenhouse"
interval = "1s"
[things.greenhouse.options.properties]
temperature = {{ type = "number", unit = "Cel", waveform = "sine", period = "60s", low = 17.0, high = 26.0 }}
humidity = {{ type = "number", unit = "%RH", waveform = "walk", low = 40.0, high = 70.0 }}
[things.greenhouse.properties.temperature]
precision = 1
[things.greenhouse.properties.humidity]
precision = 0

[things.pump]
driver = "simulated"
label = "Water pump"
interval = "1s"
[things.pump.options]
record = "pump.record"
{more_pump}
[things.pump.options.properties]
state = {{ type = "boolean", writable = true }}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One of the demo's accounts."""

    jid: str
    password: str
    password_file: Path


class Stage:
    """Sets the stage in a directory of its own, and clears it away. Attributes are there inside the context."""

    server: XmppServer
    broker: Mosquitto
    agent: AgentProcess
    root: Path

    def __init__(self, server: str = "prosody", *, more_access: str = "", more_pump: str = "") -> None:
        """Take what to play on.

        Args:
            server: the name of the server.
            more_access: further lines of `[access]`, such as one that spoils the show.
            more_pump: further options of the simulated pump, likewise.
        """
        self._more = {"more_access": more_access, "more_pump": more_pump}
        self._server_class = SERVERS[server]
        self._stack = ExitStack()
        self._passwords = {name: secrets.token_urlsafe(9) for name in (DEVICE, OWNER, STRANGER)}

    def __enter__(self) -> Self:
        try:
            self.root = Path(tempfile.mkdtemp(prefix="jidget-demo-"))
            self._stack.callback(shutil.rmtree, self.root, ignore_errors=True)
            self.server = self._stack.enter_context(self._server_class(self.root / "server", users=self._passwords))
            self.broker = self._stack.enter_context(Mosquitto(self.root / "broker"))
            for name, password in self._passwords.items():
                file = self.root / f"{name}.password"
                file.touch(mode=0o600)
                file.write_text(password + "\n")
            self.config = self.root / "jidget.toml"
            self.config.write_text(
                CONFIG.format(
                    device=self.account(DEVICE).jid,
                    owner=self.account(OWNER).jid,
                    host=self.server.host,
                    port=self.server.port,
                    ca_file=self.server.ca_file,
                    broker_host=self.broker.host,
                    broker_port=self.broker.port,
                    **self._more,
                )
            )
            self.agent = self._stack.enter_context(AgentProcess(self.root / "agent", self.config))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def record(self) -> Path:
        """Return the file in which the simulated pump notes every write."""
        return self.root / "pump.record"

    def account(self, name: str) -> Account:
        """Return one of the accounts."""
        return Account(self.server.jid(name), self._passwords[name], self.root / f"{name}.password")

    def login(self, name: str) -> Login:
        """Return the login of an account on a resource of its own."""
        account = self.account(name)
        return Login(
            jid=account.jid,
            resource=f"demo-{secrets.token_hex(3)}",
            password=account.password,
            host=self.server.host,
            port=self.server.port,
            security="starttls",
            ca_file=self.server.ca_file,
        )
