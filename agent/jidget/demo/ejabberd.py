"""A private ejabberd, 23.01 or later, from the distribution's package.

Not through `ejabberdctl`: that accepts no user but root and its own, and starts epmd. The Erlang machine is started
directly and without distribution, so there are no ports but ours and any number of them live side by side.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from jidget.demo.loopback import LOOPBACK
from jidget.demo.pki import Certificate
from jidget.demo.process import ProgramMissing, ServerError, find_program
from jidget.demo.xmpp_server import SCRAM, XmppServer

_MODULES: Mapping[str, Mapping[str, Any]] = {
    "mod_adhoc": {},
    "mod_admin_extra": {},
    "mod_blocking": {},
    "mod_caps": {},
    "mod_carboncopy": {},
    "mod_client_state": {},
    "mod_disco": {},
    "mod_http_api": {},
    "mod_last": {},
    "mod_offline": {},
    "mod_ping": {},
    "mod_privacy": {},
    "mod_private": {},
    "mod_pubsub": {"plugins": ["flat", "pep"], "last_item_cache": False, "access_createnode": "pubsub_createnode"},
    "mod_roster": {"versioning": True},
    "mod_time": {},
    "mod_vcard": {"search": False},
    "mod_version": {},
}
_API_LIMIT = 10.0
_CONFLICT = 409
_MULTIARCH = Path("/usr/lib")
# One scheduler and no busy waiting: a private server must not take the machine from what is being shown or measured.
_ERL_FLAGS = ("+S", "1:1", "+SDio", "1", "+A", "1", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")


class Ejabberd(XmppServer):
    """One ejabberd process with one domain. Accounts and rosters go in through its HTTP API, open to this machine.

    A crash (`kill`) loses what it was told in about the last second; the accounts are there again after a start.

    Args:
        root: its directory.
        domain: what it serves.
        users: passwords by user name; more with `add_user`.
        certificate: default: one for the domain, by an authority of its own.
        pep: offer XEP-0163.
        scram: offer SCRAM; otherwise PLAIN alone.
        hibernation: seconds for which a broken stream can be resumed (XEP-0198).
        rate: kilobytes (1000 bytes) a second that a client may send; None for no limit. Debian's configuration says 3.
        burst: seconds' worth of `rate` that may come at once.
        web: serve BOSH and WebSocket, by https on `https_port`.
        modules: further modules, or other options for one.
        without: modules to leave out.
        options: further top-level options; they win.
        log_level: "debug", "info" (which writes passwords into the log), "warning" or "error".
    """

    name: ClassVar[str] = "ejabberd"
    programs: ClassVar[Mapping[str, str]] = {"erl": "ejabberd", "openssl": "openssl"}
    start_limit: ClassVar[float] = 60.0

    def __init__(
        self,
        root: Path,
        domain: str = "localhost",
        users: Mapping[str, str] | None = None,
        *,
        certificate: Certificate | None = None,
        pep: bool = True,
        scram: bool = True,
        hibernation: int = 60,
        rate: int | None = None,
        burst: int = 2,
        web: bool = False,
        modules: Mapping[str, Mapping[str, Any]] | None = None,
        without: Collection[str] = (),
        options: Mapping[str, Any] | None = None,
        log_level: str = "warning",
    ) -> None:
        super().__init__(root, domain, users, certificate=certificate, more_ports=("api", "https") if web else ("api",))
        self.log = self.root / "ejabberd.log"
        resume = {"resume_timeout": f"{hibernation} sec", "max_resume_timeout": f"{hibernation} sec"}
        wanted = {**_MODULES, "mod_stream_mgmt": resume, **({"mod_bosh": {}} if web else {}), **(modules or {})}
        unwanted = {*without, *(() if pep else ("mod_pubsub",))}
        self._modules = {module: each for module, each in wanted.items() if module not in unwanted}
        self._options: dict[str, Any] = {
            "loglevel": log_level,
            "hosts": [domain],
            "auth_method": "internal",
            "auth_password_format": "plain",  # so that it can offer every SCRAM
            "disable_sasl_mechanisms": ["digest-md5", "X-OAUTH2", *(() if scram else SCRAM)],
            "acl": {"local": {"user_regexp": ""}},
            "access_rules": {"pubsub_createnode": {"allow": "local"}, "nobody": {"deny": "all"}},
            "s2s_access": "nobody",
            "api_permissions": {"this machine": {"who": {"ip": "127.0.0.1/8"}, "what": "*"}},
            "shaper": {"limit": {"rate": 1000 * rate, "burst_size": 1000 * rate * burst}} if rate else {},
            "shaper_rules": {"c2s_shaper": "limit" if rate else "none"},
            **(options or {}),
        }

    @classmethod
    def find(cls) -> dict[str, str]:
        """Return the path of each program it needs; its own code has to be there too.

        Raises:
            ProgramMissing: one is not there.
        """
        _libraries()
        return super().find()

    def add_user(self, name: str, password: str) -> None:
        """Make an account, or give it another password. Before a start it is only noted for then."""
        self._enrol(name, password)
        if self.running:
            self._register(name)

    def add_roster(self, name: str, *contacts: str) -> None:
        """Subscribe a user and others of this server both ways. Before a start it is only noted for then."""
        self._befriend(name, contacts)
        if self.running:
            for contact in contacts:
                self._subscribe(name, contact)
                self._subscribe(contact, name)

    def settle(self) -> None:
        """Tell it about the accounts and rosters that it has not, or not any more."""
        for name in self.users:
            self._register(name)
        for name, contacts in self._contacts.items():
            for contact in sorted(contacts):
                self._subscribe(name, contact)

    def prepare(self) -> None:
        """Write ejabberd.yml, as JSON: every JSON text is YAML."""
        client = {"module": "ejabberd_c2s", "ip": LOOPBACK, "shaper": "c2s_shaper", "max_stanza_size": 262144}
        http = {"module": "ejabberd_http", "ip": LOOPBACK}
        web = {"/http-bind": "mod_bosh", "/xmpp-websocket": "ejabberd_http_ws"}
        listen: list[dict[str, Any]] = [
            {**client, "port": self.port, "starttls_required": True},
            {**client, "port": self.tls_port, "tls": True},
            {**http, "port": self.ports["api"], "request_handlers": {"/api": "mod_http_api"}},
        ]
        if "https" in self.ports:
            listen.append({**http, "port": self.https_port, "tls": True, "request_handlers": web})
        settings = {
            **self._options,
            "certfiles": [str(self.certificate.both)],
            "listen": listen,
            "modules": self._modules,
        }
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        (self.root / "database").mkdir(exist_ok=True)
        # Host names of this machine only; without it every name starts a resolver process.
        (self.root / "inetrc").write_text(
            '{lookup, ["file"]}.\n{host, {127,0,0,1}, ["localhost"]}.\n', encoding="ascii"
        )

    def command(self) -> list[str]:
        """Return the command line of the foreground process."""
        # Mnesia reads its directory as an Erlang term: a string in quotes.
        database = json.dumps(str(self.root / "database"))
        return [find_program("erl", "ejabberd"), "-noinput", *_ERL_FLAGS, "-mnesia", "dir", database, "-s", "ejabberd"]

    def environment(self) -> dict[str, str]:
        """Return the variables it gets in addition to ours."""
        return {
            **super().environment(),
            "ERL_LIBS": _libraries(),
            "ERL_INETRC": str(self.root / "inetrc"),
            "ERL_CRASH_DUMP": str(self.root / "erl_crash.dump"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_MAX_PORTS": "1024",
            "EJABBERD_CONFIG_PATH": str(self._config),
            "EJABBERD_LOG_PATH": str(self.log),
        }

    @property
    def _config(self) -> Path:
        return self.root / "ejabberd.yml"

    def _register(self, name: str) -> None:
        account = {"user": name, "host": self.domain}
        password = self.users[name]
        status = self._call("register", {**account, "password": password}, accepted=(_CONFLICT,))
        if status == _CONFLICT:
            self._call("change_password", {**account, "newpass": password})

    def _subscribe(self, name: str, contact: str) -> None:
        item = {
            "localuser": name,
            "localhost": self.domain,
            "user": contact,
            "host": self.domain,
            "nick": contact,
            "subs": "both",
        }
        # 23.01 has one group, later ones a list; each refuses the other's argument.
        if self._call("add_rosteritem", {**item, "group": ""}, accepted=(400,)) == 400:
            self._call("add_rosteritem", {**item, "groups": []})

    def _call(self, command: str, arguments: Mapping[str, Any], accepted: Collection[int] = ()) -> int:
        """Call the HTTP API and return the status.

        Raises:
            ServerError: it refused, with another status than the accepted ones, or did not answer.
        """
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self.ports['api']}/api/{command}",
            json.dumps(arguments).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_API_LIMIT) as answer:  # noqa: S310  # our own http address
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                if error.code in accepted:
                    return error.code
                text = error.read().decode(errors="replace")
            raise ServerError(f"ejabberd refused {command}: {error.code} {text}") from error
        except OSError as error:
            raise ServerError(f"ejabberd does not answer {command}: {error}") from error


def _libraries() -> str:
    """Return the directory of ejabberd's Erlang libraries, which Debian keeps by architecture.

    The package's own ejabberdctl names it (also where several architectures are installed side by side); other builds
    keep them below the architecture's directory or in /usr/lib.

    Raises:
        ProgramMissing: there is none.
    """
    try:
        script = Path(find_program("ejabberdctl", "ejabberd")).read_text(encoding="utf-8", errors="replace")
    except (ProgramMissing, PermissionError):  # Debian lets everybody read it; others may not
        script = ""
    named = re.search(r"^(?:export )?ERL_LIBS=['\"]?([^'\"\n]+)", script, re.MULTILINE)
    candidates = [Path(named[1])] if named else []
    candidates += [_MULTIARCH, _MULTIARCH / "erlang" / "lib", *sorted(_MULTIARCH.glob("*-linux-*"))]
    for directory in candidates:
        if any(directory.glob("ejabberd-*/ebin/ejabberd.app")):
            return str(directory)
    raise ProgramMissing("ejabberd", "ejabberd")
