"""The private authority: what openssl itself says about its certificates."""

import subprocess
from pathlib import Path

import pytest

from jidget.demo.pki import Authority, Certificate
from jidget.demo.process import ServerError, find_program


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = find_program("openssl", "openssl")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def verify(certificate: Certificate, *arguments: str) -> str:
    done = openssl(
        "verify", "-x509_strict", "-CAfile", str(certificate.ca_file), *arguments, str(certificate.certificate)
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def test_is_good_for_its_names_only(authority: Authority) -> None:
    certificate = authority.issue("home.example", "*.home.example", "127.0.0.1")
    for good in ("home.example", "upload.home.example"):
        assert verify(certificate, "-purpose", "sslserver", "-verify_hostname", good).endswith(": OK\n")
    assert verify(certificate, "-verify_ip", "127.0.0.1").endswith(": OK\n")
    assert "hostname mismatch" in verify(certificate, "-verify_hostname", "example.org").lower()
    assert "ip address mismatch" in verify(certificate, "-verify_ip", "127.0.0.2").lower()


def test_a_clients_is_good_for_clients_only(authority: Authority) -> None:
    certificate = authority.issue("jidget", client=True)
    assert verify(certificate, "-purpose", "sslclient").endswith(": OK\n")
    assert "unsuitable certificate purpose" in verify(certificate, "-purpose", "sslserver").lower()


def test_is_good_for_nothing_else(authority: Authority, tmp_path: Path) -> None:
    certificate = authority.issue("home.example")
    assert "unsuitable certificate purpose" in verify(certificate, "-purpose", "sslclient").lower()
    other = Authority(tmp_path)
    done = openssl("verify", "-CAfile", str(other.ca_file), str(certificate.certificate))
    assert done.returncode != 0


def test_expired(authority: Authority) -> None:
    assert "certificate has expired" in verify(authority.issue("home.example", expired=True)).lower()
    assert verify(authority.issue("home.example")).endswith(": OK\n")  # beside it, for the same name


def test_is_kept_in_its_directory(authority: Authority) -> None:
    again = Authority(authority.ca_file.parent)
    certificate = again.issue("again.example")
    done = openssl("verify", "-CAfile", str(authority.ca_file), str(certificate.certificate))
    assert done.returncode == 0, done.stderr


def test_keys_are_for_their_owner_only(authority: Authority) -> None:
    certificate = authority.issue("home.example")
    for file in (certificate.key, certificate.both, authority.ca_file.parent / "ca.key"):
        assert file.stat().st_mode & 0o077 == 0


def test_says_what_openssl_said(authority: Authority) -> None:
    with pytest.raises(ServerError, match=r"(?s)openssl req failed:.+"):
        authority.issue("x" * 100)  # a common name has at most 64 characters (RFC 5280, appendix A)
