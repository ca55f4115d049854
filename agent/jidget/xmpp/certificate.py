"""Telling a person which certificate was not trusted, and what to do about it."""

import asyncio
import hashlib
import ssl

from jidget.errors import LinkError
from jidget.xmpp.login import Login

LOOK_TIMEOUT = 5.0
_PORTS = {True: 5223, False: 5222}


class CertificateUntrusted(LinkError):
    """The server's certificate does not verify. Tried again, slowly: a server's certificate may be renewed."""


async def explain(error: CertificateUntrusted, login: Login, *, direct: bool) -> CertificateUntrusted:
    """Return `error` with the certificate named by its fingerprint and the ways out.

    Looks at the certificate over a second connection, over which nothing of ours is sent.
    """
    fingerprint = ""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT):
            host = login.host or login.domain
            fingerprint = await _fingerprint(host, login.port or _PORTS[direct], login.domain, direct=direct)
    except (OSError, TimeoutError, ssl.SSLError, asyncio.IncompleteReadError):
        fingerprint = ""
    named = f" (SHA-256 {fingerprint})" if fingerprint else ""
    return CertificateUntrusted(
        f"the certificate of {login.address} for {login.domain}{named} is not trusted: {error}. "
        "If the server uses its own CA, name the CA's PEM file in xmpp.ca_file; "
        f"if the certificate is for another name or has expired, it must be renewed for {login.domain}"
    )


async def _fingerprint(host: str, port: int, domain: str, *, direct: bool) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to look only: nothing is sent over this connection
    if direct:
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=domain)
    else:
        reader, writer = await asyncio.open_connection(host, port)
    try:
        if not direct:
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
