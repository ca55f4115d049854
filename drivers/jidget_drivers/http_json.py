"""A web page of JSON as a reading: devices with an HTTP interface, weather services, other programs."""

import base64
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jidget_drivers.driver import Sensor
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading, MissingLibrary, WriteRefused
from jidget_drivers.extraction import extract
from jidget_drivers.http_json_options import HttpJsonOptions, without_query
from jidget_drivers.properties import Scalar
from jidget_drivers.text_values import write_value

EXTRA = "http"
_MOST_SECRET = 4096
"""Characters of a password or token."""

# What a status means for a person (RFC 9110, 15.5 and 15.6).
_REMEDIES = {
    401: "it wants to know who asks: check user and password_file, or token_file",
    403: "it does not allow this: check user and password_file, or token_file",
    404: "there is no such page: check url",
    405: "it does not take this kind of request: check method",
    429: "it is asked too often: lengthen interval",
}


class HttpJson(Sensor[HttpJsonOptions]):
    """A web page of JSON: each property is what stands at its key.

    Certificates are always verified; a device with one of its own needs `ca_file`. Passwords and tokens are read from
    files, are sent to the host of `url` alone, and are in no message. Up to five redirections are followed, never from
    https to http.
    """

    extra = EXTRA

    def __init__(self, options: HttpJsonOptions) -> None:
        super().__init__(options)
        try:
            from jidget_drivers import http_client  # noqa: PLC0415  # imports aiohttp, for who configured it
        except ImportError as error:
            raise MissingLibrary(f"http-json needs aiohttp, which jidget[{EXTRA}] brings") from error
        self._http = http_client
        self._client: http_client.HttpClient | None = None
        self._specs = {
            name: spec if spec.key is not None else spec.model_copy(update={"key": name})
            for name, spec in options.properties.items()
        }
        self.properties = tuple(spec.declared(name, writable=bool(spec.write)) for name, spec in self._specs.items())
        self._declared = {prop.name: prop for prop in self.properties}

    async def open(self) -> None:
        """Read the secret and the certificate; nothing is asked yet."""
        await self.close()
        authorization, context = await self.in_thread(self._credentials)
        self._client = self._http.HttpClient(timeout=self.options.timeout, authorization=authorization, context=context)

    async def close(self) -> None:
        """Close what connections there are."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def read(self) -> Mapping[str, Scalar]:
        """Get the page and take it apart."""
        url = self.options.url
        try:
            answer = await self._ask("GET", url)
        except self._http.Unanswered as error:
            raise DeviceUnavailable(f"{without_query(url)}: {error}") from error
        if not answer.ok:
            raise DeviceUnavailable(f"{without_query(url)}: {_say_status(answer)}")
        try:
            return extract(self._specs, self._declared, answer.text)
        except InvalidReading as error:
            raise InvalidReading(f"{without_query(url)}: {error}") from None

    async def write(self, name: str, value: Scalar) -> None:
        """Send the request that sets a property.

        Raises:
            TimeoutError: it was sent, and nobody knows what became of it.
            DriverError: the server failed; it may have set it.
        """
        spec = self.options.properties[name]
        if spec.write is None:
            raise WriteRefused(f"{name} cannot be set: it has no write")
        prop, words = self._declared[name], spec.words
        text = write_value("{value}", prop, value, words).decode()
        body = None if spec.write.body is None else write_value(spec.write.body, prop, value, words)
        url = spec.write.url.replace("{value}", quote(text, safe=""))
        content_type = spec.write.content_type
        try:
            answer = await self._ask(spec.write.method, url, body=body, content_type=content_type, redirect=False)
        except self._http.Unanswered as error:
            raise TimeoutError(f"{without_query(url)}: {error}; {name} may have changed") from error
        if not answer.ok:
            text = f"{without_query(url)}: {name} was not set: {_say_status(answer)}"
            raise WriteRefused(text) if 300 <= answer.status < 500 else DriverError(text)

    async def _ask(self, method: str, url: str, **more: Any) -> Any:
        """Send a request; errors name the page, but nothing in its address that may be secret."""
        try:
            if self._client is None:
                raise DeviceUnavailable("it is not open")  # noqa: TRY301  # told like the others
            return await self._client.request(method, url, **more)
        except DeviceUnavailable as error:
            raise DeviceUnavailable(f"{without_query(url)}: {error}") from error
        except InvalidReading as error:
            raise InvalidReading(f"{without_query(url)}: {error}") from error

    def _credentials(self) -> tuple[str | None, ssl.SSLContext]:
        """Return the header that says who asks, and what certificates are trusted."""
        options = self.options
        context = ssl.create_default_context()
        if options.ca_file is not None:
            try:
                context.load_verify_locations(cafile=options.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise DeviceUnavailable(
                    f"{options.ca_file}: no certificate can be read from it ({error.strerror or error})"
                ) from error
        file = options.secret_file
        if file is None:
            return None, context
        try:
            secret = file.read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise DeviceUnavailable(f"{file}: the secret cannot be read: {why}") from None
        if not secret or len(secret) > _MOST_SECRET or not secret.isprintable():
            raise DeviceUnavailable(f"{file}: it should have one line with the secret and nothing else")
        if options.user is None:
            if not secret.isascii():
                raise DeviceUnavailable(f"{file}: a token is plain ASCII")
            return f"Bearer {secret}", context
        return "Basic " + base64.b64encode(f"{options.user}:{secret}".encode()).decode(), context


def _say_status(answer: Any) -> str:
    if answer.location:
        return f"it wants to be asked elsewhere (status {answer.status}): write the final address"
    remedy = _REMEDIES.get(answer.status)
    said = f"status {answer.status}{' ' + answer.reason if answer.reason else ''}"
    return f"{remedy} ({said})" if remedy else f"it answers {said}"
