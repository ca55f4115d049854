"""Devices with an HTTP interface for tests: a real server on loopback, in a thread of its own."""

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from jidget.demo.pki import Certificate


@dataclass(frozen=True, slots=True)
class Request:
    """What came: headers by name in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered. `promise` is a Content-Length that the body does not keep."""

    body: str | bytes = "{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    promise: int | None = None


class JsonServer:
    """Answers as `answer` says and notes what came.

    Args:
        answer: returns the page for a request; it runs in a thread of the server.
        certificate: makes it speak https.
    """

    def __init__(self, answer: Callable[[Request], Page], certificate: Certificate | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="http", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, as often as one likes."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler_of(server: JsonServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            server.requests.append(request)
            page = server.answer(request)
            content = page.body.encode() if isinstance(page.body, str) else page.body
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if page.promise is None else page.promise))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _respond

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests look at what came."""

    return Handler
