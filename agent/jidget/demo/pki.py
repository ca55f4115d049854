"""A certificate authority of our own for servers on loopback, made with the openssl command line."""

import ipaddress
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jidget.demo.process import ServerError, find_program

_CONFIG = """\
[req]
prompt = no
distinguished_name = subject
[subject]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = ours
[ours]
database = {directory}/index.txt
new_certs_dir = {directory}
certificate = {directory}/ca.pem
private_key = {directory}/ca.key
rand_serial = yes
unique_subject = no
default_md = sha256
policy = anything
x509_extensions = server
[anything]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternatives}
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_LIFETIME = timedelta(days=30)
_OPENSSL_LIMIT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files of a certificate of a server or a client, PEM.

    Attributes:
        certificate: the certificate.
        key: its private key.
        both: certificate and key in one file, as ejabberd wants them.
        ca_file: the authority to trust.
    """

    certificate: Path
    key: Path
    both: Path
    ca_file: Path


class Authority:
    """A certificate authority in a directory. Its key is there too: trust it in tests and demos only.

    Attributes:
        ca_file: its certificate.
    """

    def __init__(self, directory: Path) -> None:
        """Open the authority of that directory; make it where there is none.

        Raises:
            ProgramMissing: openssl is not installed.
            ServerError: openssl failed.
        """
        self._directory = Path(directory).resolve()
        self._directory.mkdir(parents=True, exist_ok=True)
        self.ca_file = self._directory / "ca.pem"
        if not self.ca_file.exists():
            config = self._configure("ca", "Jidget private authority")
            days = str(_LIFETIME.days)
            key = str(self._directory / "ca.key")
            (self._directory / "index.txt").touch()
            arguments = ("-config", config, "-extensions", "authority", "-days", days, "-keyout", key)
            _openssl("req", "-x509", *_KEY, *arguments, "-out", str(self.ca_file))

    def issue(self, *names: str, expired: bool = False, client: bool = False) -> Certificate:
        """Issue a certificate for host names and addresses; the first one also names its files.

        Args:
            names: DNS names, which is how XMPP names a domain (RFC 6120 13.7.1.2), or IP addresses.
            expired: make one whose time was over yesterday.
            client: make one for a client of that name, which no server may use.
        """
        stem = self._directory / f"{names[0].replace('*', '_')}{'-expired' if expired else ''}"
        key, request, certificate, both = (Path(f"{stem}.{kind}") for kind in ("key", "csr", "crt", "pem"))
        config = self._configure(stem.name, names[0], names)
        now = datetime.now(UTC)
        end = now - timedelta(days=1) if expired else now + _LIFETIME
        _openssl("req", "-new", *_KEY, "-config", config, "-keyout", str(key), "-out", str(request))
        period = ("-startdate", _asn1(min(now, end) - timedelta(days=1)), "-enddate", _asn1(end))
        use = ("-extensions", "client" if client else "server")
        _openssl(
            "ca", "-batch", "-notext", "-config", config, *use, *period, "-in", str(request), "-out", str(certificate)
        )
        both.touch(mode=0o600)
        both.write_text(certificate.read_text(encoding="ascii") + key.read_text(encoding="ascii"), encoding="ascii")
        return Certificate(certificate=certificate, key=key, both=both, ca_file=self.ca_file)

    def _configure(self, stem: str, name: str, names: tuple[str, ...] = ()) -> str:
        alternatives = ", ".join(_alternative(each) for each in names) or "DNS:unused.invalid"
        path = self._directory / f"{stem}.cnf"
        path.write_text(
            _CONFIG.format(name=name, directory=self._directory, alternatives=alternatives), encoding="utf-8"
        )
        return str(path)


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _asn1(instant: datetime) -> str:
    return instant.strftime("%Y%m%d%H%M%SZ")


def _openssl(*arguments: str) -> None:
    program = find_program("openssl", "openssl")
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_OPENSSL_LIMIT,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"openssl {arguments[0]} failed:\n{done.stderr.strip()}")
