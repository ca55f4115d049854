"""Which certificates are trusted, and telling a person which one was not and what to do about it."""

import asyncio
import hashlib
import os
import ssl
from pathlib import Path
from typing import NamedTuple

from jidget.errors import LinkError
from jidget.xmpp.login import Login

LOOK_TIMEOUT = 5.0


def trust(login: Login) -> ssl.SSLContext:
    """Return what certificates are verified with: the system's authorities, and the one that the login names.

    Raises:
        LinkError: the authority's file cannot be used any more; it was right when the configuration was read.
    """
    directory = _hashed_directory()
    context = ssl.create_default_context(capath=directory)
    if login.ca_file is not None:
        try:
            context.load_verify_locations(cafile=login.ca_file)
        except OSError as error:
            raise LinkError(f"xmpp.ca_file {login.ca_file} cannot be used: {error.strerror or error}") from error
    return context


def _hashed_directory() -> str | None:
    """Return the directory of the system's authorities, if OpenSSL can find each by its name (openssl-rehash(1)).

    Then only those that are asked for are loaded, rather than all of them, which takes 2 MB and 40 ms.
    """
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or paths.capath is None:
        return None
    return paths.capath if any(Path(paths.capath).glob("*.0")) else None


class Address(NamedTuple):
    """Where a connection was tried; `direct` is TLS from the first byte (XEP-0368)."""

    host: str
    port: int
    direct: bool


class CertificateUntrusted(LinkError):
    """The server's certificate does not verify. Tried again, slowly: a server's certificate may be renewed.

    Attributes:
        where: the address whose certificate it is, where known.
    """

    def __init__(self, text: str, where: Address | None = None) -> None:
        super().__init__(text)
        self.where = where


async def explain(error: CertificateUntrusted, login: Login) -> CertificateUntrusted:
    """Return `error` with the certificate named by its fingerprint and the ways out.

    Looks at the certificate over a second connection, over which nothing of ours is sent.
    """
    fingerprint = ""
    if error.where is not None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                fingerprint = await _fingerprint(error.where, login.domain)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            fingerprint = ""
    named = f" (SHA-256 {fingerprint})" if fingerprint else ""
    return CertificateUntrusted(
        f"the certificate of {login.address} for {login.domain}{named} is not trusted: {error}. "
        "If the server uses its own CA, name the CA's PEM file in xmpp.ca_file; "
        f"if the certificate is for another name or has expired, it must be renewed for {login.domain}",
        error.where,
    )


async def _fingerprint(where: Address, domain: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to look only: nothing is sent over this connection
    if where.direct:
        reader, writer = await asyncio.open_connection(where.host, where.port, ssl=context, server_hostname=domain)
    else:
        reader, writer = await asyncio.open_connection(where.host, where.port)
    try:
        if not where.direct:
            writer.write(
                f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
                "xmlns:stream='http://etherx.jabber.org/streams'>".encode()
            )
            await reader.readuntil(b"</stream:features>")
            writer.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            await reader.readuntil(b">")
            await writer.start_tls(context, server_hostname=domain)
        peer = writer.get_extra_info("ssl_object")
        der = peer.getpeercert(binary_form=True) if peer is not None else None
        if not der:
            return ""
        digest = hashlib.sha256(der).hexdigest().upper()
        return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
    finally:
        writer.transport.abort()
