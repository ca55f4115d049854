"""XMPP streams by hand, as far as the first features: for tests of what a server offers."""

import socket
import ssl

from jidget.demo.xmpp_server import XmppServer

_LIMIT = 10.0


def read_features(connection: socket.socket, domain: str) -> str:
    """Open a stream and return its `<stream:features>`."""
    connection.sendall(
        f"<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
        " xmlns:stream='http://etherx.jabber.org/streams'>".encode()
    )
    received = b""
    while b"</stream:features>" not in received:
        data = connection.recv(4096)
        assert data, f"the server closed the stream after {received!r}"
        received += data
    return received.decode().partition("<stream:features")[2]


def plain_features(server: XmppServer) -> str:
    """Return what the server offers before TLS."""
    with socket.create_connection((server.host, server.port), _LIMIT) as connection:
        return read_features(connection, server.domain)


def tls_features(server: XmppServer) -> str:
    """Return what the server offers within direct TLS, verified for its domain with its CA alone."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with (
        socket.create_connection((server.host, server.tls_port), _LIMIT) as connection,
        context.wrap_socket(connection, server_hostname=server.domain) as encrypted,
    ):
        return read_features(encrypted, server.domain)
