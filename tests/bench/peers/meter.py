"""What a worker measures of itself. Only the standard library."""

import socket
import struct
import time
from pathlib import Path
from typing import Any

_BYTES_ACKED = 120
"""Offset of tcpi_bytes_acked in struct tcp_info (linux/tcp.h)."""
_TCP_INFO_SIZE = 136


def bytes_up(connection: Any) -> int:
    """Return how many bytes of a TCP connection the other side's kernel has, TLS and all (TCP_INFO, tcp(7))."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    return int(struct.unpack_from("Q", info, _BYTES_ACKED)[0])


def bytes_written() -> int:
    """Return how many bytes this process has had written to storage (`write_bytes` of /proc/self/io, proc(5))."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


class Meter:
    """Measures from its making on.

    Attributes:
        begun: when, in nanoseconds of the clock that all processes share.
    """

    def __init__(self, connection: Any = None) -> None:
        """`connection` is the socket whose bytes are counted."""
        self._connection = connection
        self._up = bytes_up(connection) if connection is not None else 0
        self._written = bytes_written()
        self._cpu = time.process_time()
        self.begun = time.monotonic_ns()

    def read(self) -> dict[str, float]:
        """Return `begun` (ns), `seconds`, `cpu` (s), `up` (bytes sent) and `written` (bytes to storage) since."""
        ended, cpu = time.monotonic_ns(), time.process_time()
        return {
            "begun": self.begun,
            "seconds": (ended - self.begun) / 1e9,
            "cpu": cpu - self._cpu,
            "up": bytes_up(self._connection) - self._up if self._connection is not None else 0,
            "written": bytes_written() - self._written,
        }
