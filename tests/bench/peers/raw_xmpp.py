"""An XMPP client without a library: a TLS socket, string templates, no XML parser. The floor for any client in Python.

It trusts the private server it talks to and understands just that server's answers. Only the standard library.
"""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import Any, cast

Job = dict[str, Any]
LIMIT = 30.0
_TAIL = 4096


class RawClient(asyncio.Protocol):
    """One connection. Log in with `connect`; afterwards all bytes go to `receive`.

    Attributes:
        receive: given the bytes that arrive.
        transport: where to write.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.receive: Callable[[bytes], None] = self._collect
        self._collected = bytearray()
        self._arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where to write."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrives."""
        self.receive(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Wake who waits."""
        self._arrived.set()

    @property
    def socket(self) -> Any:
        """Return the socket, to be asked about."""
        return self.transport.get_extra_info("socket")

    async def ask(self, text: str, *answers: str) -> str:
        """Write and wait until one of `answers` has arrived; return all that has since the last question.

        Raises:
            TimeoutError: none of them arrives.
            ConnectionError: the server hung up.
        """
        self.receive = self._collect
        self._collected.clear()
        self.transport.write(text.encode())
        async with asyncio.timeout(LIMIT):
            while not any(answer.encode() in self._collected for answer in answers):
                self._arrived.clear()
                await self._arrived.wait()
                if self.transport.is_closing():
                    raise ConnectionError(f"the server hung up: {self._collected[-_TAIL:].decode()}")
        return self._collected.decode()

    async def request(self, stanza_id: str, text: str) -> str:
        """Send an IQ whose id is `stanza_id` and return what arrived up to its result.

        Raises:
            ConnectionError: the answer is an error.
        """
        answer = await self.ask(text, f"id='{stanza_id}'", f'id="{stanza_id}"')
        if "type='error'" in answer or 'type="error"' in answer:
            raise ConnectionError(f"refused: {answer}")
        return answer

    def _collect(self, data: bytes) -> None:
        self._collected += data
        self._arrived.set()


async def connect(job: Job, resource: str, *, presence: bool = True) -> RawClient:
    """Log in by direct TLS and SASL PLAIN.

    Args:
        job: `jid`, `password`, `host`, `tls_port` and `ca_file`.
        resource: as which resource.
        presence: whether to be available.
    """
    user, _, domain = job["jid"].partition("@")
    context = ssl.create_default_context(cafile=job["ca_file"])
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        RawClient, job["host"], job["tls_port"], ssl=context, server_hostname=domain
    )
    header = (
        f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
        " xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    await client.ask(header, "</stream:features>")
    secret = base64.b64encode(f"\0{user}\0{job['password']}".encode()).decode()
    await client.ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>", "<success")
    await client.ask(header, "</stream:features>")
    bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>"
    await client.request("bind", f"<iq type='set' id='bind'>{bind}</iq>")
    if presence:
        client.transport.write(b"<presence/>")
        await client.request("ping", f"<iq type='get' id='ping' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    return client
