"""A private Prosody, 0.12 or later, from the distribution's package."""

import string
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jidget.demo.loopback import LOOPBACK
from jidget.demo.pki import Certificate
from jidget.demo.process import find_program
from jidget.demo.xmpp_server import SCRAM, XmppServer

LuaValue = (
    bool | int | float | str | Path | Sequence["LuaValue"] | Mapping[str, "LuaValue"] | Mapping[str | bool, "LuaValue"]
)

# What Debian's configuration enables, without administration, registration, federation and limits.
_MODULES = [
    *("roster", "saslauth", "tls", "disco", "posix", "ping", "time", "uptime", "version", "private"),
    *("pep", "smacks", "carbons", "blocklist", "bookmarks", "csi_simple", "vcard4", "vcard_legacy"),
]
_NEED_PEP = {"pep", "bookmarks", "vcard4", "vcard_legacy"}
_PLAIN = string.ascii_letters + string.digits
_LUA_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\000"}


class Prosody(XmppServer):
    """One Prosody process with one domain. Accounts and rosters are files that it reads when it needs them.

    Args:
        root: its directory.
        domain: what it serves.
        users: passwords by user name; more with `add_user`.
        certificate: default: one for the domain, by an authority of its own.
        pep: offer XEP-0163.
        scram: offer SCRAM; otherwise PLAIN alone.
        password_hash: "SHA-1" (the default of Prosody 0.12) or "SHA-256": which SCRAM it offers.
        hibernation: seconds for which a broken stream can be resumed (XEP-0198).
        rate: kilobytes (1000 bytes) a second that a client may send; None for no limit. Debian's configuration says 10.
        burst: seconds' worth of `rate` that may come at once.
        web: serve BOSH and WebSocket, by https on `https_port`.
        modules: further modules.
        without: modules to leave out.
        options: further options of the global part; they win.
        extra: lines for the end of the configuration: in the domain's part, or further components.
        log_level: "debug", "info", "warn" or "error".
    """

    name: ClassVar[str] = "prosody"
    programs: ClassVar[Mapping[str, str]] = {"prosody": "prosody", "openssl": "openssl"}

    def __init__(
        self,
        root: Path,
        domain: str = "localhost",
        users: Mapping[str, str] | None = None,
        *,
        certificate: Certificate | None = None,
        pep: bool = True,
        scram: bool = True,
        password_hash: str = "SHA-1",  # noqa: S107  # the name of a hash
        hibernation: int = 60,
        rate: int | None = None,
        burst: int = 2,
        web: bool = False,
        modules: Collection[str] = (),
        without: Collection[str] = (),
        options: Mapping[str, LuaValue] | None = None,
        extra: str = "",
        log_level: str = "info",
    ) -> None:
        super().__init__(root, domain, users, certificate=certificate, more_ports=("https",) if web else ())
        self.log = self.root / "prosody.log"
        self._data = self.root / "data"
        wanted = [*_MODULES, *modules, *(["bosh", "websocket"] if web else []), *(["limits"] if rate else [])]
        unwanted = {*without, *(() if pep else _NEED_PEP)}
        self._options: dict[str, LuaValue] = {
            "modules_enabled": [module for module in wanted if module not in unwanted],
            "modules_disabled": ["s2s", "s2s_auth_certs"],
            "s2s_ports": [],
            "run_as_root": True,  # only says "even if"; it changes nothing for other users
            "data_path": self._data,
            "log": {log_level: self.log},
            "c2s_require_encryption": True,
            "authentication": "internal_hashed",
            "password_hash": password_hash,
            "disable_sasl_mechanisms": ["DIGEST-MD5", *(() if scram else SCRAM)],
            "smacks_hibernation_time": hibernation,
            # Without this, small stanzas written apart wait up to 40 ms for a delayed TCP acknowledgement. Not with
            # opportunistic_writes: an answer on a TLS connection that the other side has ended without a word (kill -9)
            # then spins in LuaSec's send for ever, and the whole server with it (0.12.3, lua-sec 1.2).
            "network_settings": {"nagle": False},
        }
        if rate:
            # Prosody 0.12 reads "b/s" as ten bytes a second (rate_units in mod_limits): so only in "kb/s".
            self._options["limits"] = {"c2s": {"rate": f"{rate}kb/s", "burst": f"{burst}s"}}
        self._options |= options or {}
        self._extra = extra
        for name, password in self.users.items():
            self.add_user(name, password)

    def add_user(self, name: str, password: str) -> None:
        """Make an account, or give it another password. Prosody hashes it at the first login."""
        self._enrol(name, password)
        self._store("accounts", name, f"return {lua({'password': password})};\n")

    def add_roster(self, name: str, *contacts: str) -> None:
        """Subscribe a user and others of this server both ways. Before any of them logs in for the first time."""
        self._befriend(name, contacts)
        for user in (name, *contacts):
            roster: dict[str | bool, LuaValue] = {False: {"version": 1, "pending": {}}}  # about the roster itself
            for contact in sorted(self._contacts[user]):
                roster[self.jid(contact)] = {"subscription": "both", "groups": {}}
            self._store("roster", user, f"return {lua(roster)};\n")

    def prepare(self) -> None:
        """Write prosody.cfg.lua."""
        certificate = self.certificate
        # Each option only once: Prosody 0.12 fails on the warning about a second one where the path is long.
        options: dict[str, LuaValue] = {
            **self._options,
            "interfaces": [LOOPBACK],
            "c2s_ports": [self.port],
            "c2s_direct_tls_ports": [self.tls_port],
            "certificates": certificate.certificate.parent,
            "ssl": {"certificate": certificate.certificate, "key": certificate.key},
        }
        if "https" in self.ports:
            options |= {
                "http_ports": [],
                "https_ports": [self.https_port],
                "https_interfaces": [LOOPBACK],
                "http_default_host": self.domain,
                "https_certificate": certificate.both,
            }
        lines = [f"{name} = {lua(value)}" for name, value in options.items()]
        lines += [f"VirtualHost {lua(self.domain)}", self._extra, ""]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join(lines), encoding="utf-8")
        self._data.mkdir(exist_ok=True)

    def command(self) -> list[str]:
        """Return the command line of the foreground process."""
        return [find_program("prosody", "prosody"), "-F", "--config", str(self._config)]

    @property
    def _config(self) -> Path:
        return self.root / "prosody.cfg.lua"

    def _store(self, kind: str, name: str, text: str) -> None:
        """Write a file of Prosody's internal storage, at once or not at all: the server may be reading."""
        directory = self._data / encode(self.domain) / kind
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f".{encode(name)}.new"
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        draft.rename(directory / f"{encode(name)}.dat")


def lua(value: LuaValue) -> str:
    """Write a value in Lua, for a configuration or a file of the internal storage."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        entries = [f"[{lua(key)}] = {lua(each)}" for key, each in value.items()]
        return "{ " + "; ".join(entries) + " }"
    if isinstance(value, str | Path):
        return '"' + "".join(_LUA_ESCAPES.get(character, character) for character in str(value)) + '"'
    return "{ " + "; ".join(lua(each) for each in value) + " }"


def encode(name: str) -> str:
    """Spell a file name as Prosody does (util.datamanager): everything but ASCII letters and digits as %xx."""
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02x}" for byte in name.encode())
