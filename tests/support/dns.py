"""A name server on loopback that knows a few SRV and A records (RFC 1035, RFC 2782), asked by the real resolver."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import aiodns
import pytest

_A, _SRV, _IN = 1, 33, 1
_ANSWER, _NO_SUCH_NAME = 0x8580, 0x8583  # a response, authoritative, recursion available; RCODE 0 or 3
_QUESTION_AT = 12


class Srv(NamedTuple):
    """One SRV record."""

    priority: int
    weight: int
    port: int
    target: str


class Zone(asyncio.DatagramProtocol):
    """Answers from `srv`, by full name, and gives 127.0.0.1 for every name of `hosts`.

    Attributes:
        asked: the names that were asked for.
    """

    def __init__(self, srv: Mapping[str, Sequence[Srv]], hosts: Sequence[str]) -> None:
        self._srv = srv
        self._hosts = hosts
        self._transport: asyncio.DatagramTransport | None = None
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        (query_id,) = struct.unpack_from(">H", data)
        name, end = _read_name(data, _QUESTION_AT)
        (kind,) = struct.unpack_from(">H", data, end)
        self.asked.append(name)
        records = self._records(name, kind)
        known = bool(records) or name in self._hosts
        header = struct.pack(">6H", query_id, _ANSWER if known else _NO_SUCH_NAME, 1, len(records), 0, 0)
        body = b"".join(
            struct.pack(">3HIH", 0xC000 | _QUESTION_AT, kind, _IN, 60, len(record)) + record for record in records
        )
        assert self._transport is not None
        self._transport.sendto(header + data[_QUESTION_AT : end + 4] + body, addr)

    def _records(self, name: str, kind: int) -> list[bytes]:
        if kind == _SRV:
            found = self._srv.get(name, ())
            return [struct.pack(">3H", each.priority, each.weight, each.port) + _name(each.target) for each in found]
        if kind == _A and name in self._hosts:
            return [bytes((127, 0, 0, 1))]
        return []


def _name(text: str) -> bytes:
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """Read the name of a question, which is never compressed; return it and where it ends."""
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode().lower())
        at += 1 + data[at]
    return ".".join(labels), at + 1


@asynccontextmanager
async def name_server(
    monkeypatch: pytest.MonkeyPatch, srv: Mapping[str, Sequence[Srv]], hosts: Sequence[str]
) -> AsyncIterator[Zone]:
    """Have slixmpp's resolver ask a name server of the test's own for the time of the context."""
    loop = asyncio.get_running_loop()
    transport, zone = await loop.create_datagram_endpoint(lambda: Zone(srv, hosts), ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    resolvers: list[aiodns.DNSResolver] = []

    def resolver(loop: asyncio.AbstractEventLoop) -> aiodns.DNSResolver:
        made = aiodns.DNSResolver([f"127.0.0.1:{port}"], loop=loop, tries=1, timeout=1.0)
        resolvers.append(made)
        return made

    monkeypatch.setattr("slixmpp.xmlstream.xmlstream.default_resolver", resolver)
    try:
        yield zone
    finally:
        for made in resolvers:
            await made.close()
        transport.close()
