"""Requests over HTTP with a limit to everything: time, size, redirections. Imports aiohttp."""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from jidget_drivers.errors import DeviceUnavailable, InvalidReading

MOST_CONTENT = 1 << 20
"""Bytes that a page may have, unpacked."""
MOST_REDIRECTIONS = 5
_REDIRECTIONS = (301, 302, 303, 307, 308)


class Unanswered(Exception):
    """A request was sent and no whole answer came: what it asked for may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered; `location` is where it sends us on to, if it does."""

    status: int
    reason: str
    text: str
    location: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        return 200 <= self.status < 300


class HttpClient:
    """Asks one server, one request at a time.

    Args:
        timeout: seconds for a request with all its redirections.
        authorization: header that says who asks; sent to the host of the first address alone.
        context: which certificates are trusted.
    """

    def __init__(self, *, timeout: float, authorization: str | None, context: ssl.SSLContext) -> None:
        self._timeout = timeout
        self._authorization = authorization
        self._session = aiohttp.ClientSession(
            # On a connection that was kept aiohttp sends some requests twice, and small devices have few to spare.
            # And only the system's resolver knows the names of a home: mDNS, the hosts file.
            connector=aiohttp.TCPConnector(ssl=context, force_close=True, resolver=aiohttp.ThreadedResolver()),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json, */*;q=0.1", "User-Agent": "jidget"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)  # asyncio closes a socket one round later

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        redirect: bool = True,
    ) -> Answer:
        """Ask and return the answer, whatever its status.

        Args:
            method: of HTTP.
            url: where.
            body: what is sent along.
            content_type: what the body is.
            redirect: whether to go on where the server says; only for what changes nothing.

        Raises:
            DeviceUnavailable: nobody was asked: no connection, or not a trusted one.
            Unanswered: the server did not answer in time, or hung up.
            InvalidReading: the answer is longer than it may be, or no text.
        """
        start = url
        try:
            async with asyncio.timeout(self._timeout):
                for _ in range(MOST_REDIRECTIONS + 1):
                    headers = {} if body is None else {"Content-Type": content_type}
                    if self._authorization is not None and _origin(url) == _origin(start):
                        headers["Authorization"] = self._authorization
                    answer = await self._ask(method, url, headers, body, wanted=redirect)
                    if answer.location is None or not redirect:
                        return answer
                    url = _redirected(url, answer.location)
        except TimeoutError:
            raise Unanswered(f"no answer within {self._timeout:g} s") from None
        raise DeviceUnavailable(f"it sends us on more than {MOST_REDIRECTIONS} times")

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes | None, *, wanted: bool) -> Answer:
        """Send one request and return the answer, its content only if that is wanted."""
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                location = response.headers.get("Location") if response.status in _REDIRECTIONS else None
                text = await _text_of(response) if wanted and location is None else ""
                reason = "".join(filter(str.isprintable, response.reason or ""))[:60]
                return Answer(status=response.status, reason=reason, text=text, location=location)
        except aiohttp.InvalidURL as error:
            raise DeviceUnavailable("it is no address that can be asked: check url") from error
        except aiohttp.ClientConnectionError as error:
            remedy = _remedy(error)
            if remedy:
                raise DeviceUnavailable(remedy) from error
            raise Unanswered("the connection broke before the answer came") from error
        except aiohttp.ClientError as error:
            raise Unanswered(f"its answer makes no sense ({type(error).__name__})") from error


async def _text_of(response: aiohttp.ClientResponse) -> str:
    content = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        content += chunk
        if len(content) > MOST_CONTENT:
            raise InvalidReading(f"the page has more than {MOST_CONTENT} bytes")
    return content.decode("utf-8-sig", "replace")


def _redirected(url: str, location: str) -> str:
    """Return where to go on.

    Raises:
        DeviceUnavailable: not to a web page, or to one that anybody can read along and forge.
    """
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in ("http", "https") or (url.startswith("https:") and scheme == "http"):
        raise DeviceUnavailable(f"it sends us on to {scheme}:, which is less safe: check url")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _remedy(error: aiohttp.ClientConnectionError) -> str:
    """Say why there was no connection and what to check; nothing if there was one."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        return (
            f"its certificate is not trusted: {why}. Is it the right host, and the clock right? A device with a "
            "certificate of its own needs ca_file"
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no such host: {error.host}. Check url"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no TLS with it ({error.os_error.strerror or error.os_error}): is it http:// after all?"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return f"nobody listens at {error.host} port {error.port}. Is it on, and is this its port?"
        return f"{error.host} cannot be reached ({error.os_error.strerror or error.os_error}). Is it on?"
    return ""
