"""Ports of loopback: free ones, and whose the others are (Linux)."""

import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections (ip_local_port_range, 32768 and up): nothing
# but another server can take one of these between our look and the server's bind.
_PORT_RANGE = range(20000, 32768)
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp (proc_pid_net(5))


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Choose a free loopback port for each name. Nothing holds them: a server must check that it got them."""
    ports: dict[str, int] = {}
    for name in names:
        port = secrets.choice(_PORT_RANGE)
        while port in ports.values() or not is_free(port):
            port = secrets.choice(_PORT_RANGE)
        ports[name] = port
    return ports


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of loopback."""
    with socket.socket() as probe:
        # As servers do: a connection of an earlier server in TIME_WAIT does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listeners() -> dict[int, set[str]]:
    """Return the socket inodes that listen on each IPv4 port."""
    found: dict[int, set[str]] = {}
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN:
            found.setdefault(int(fields[1].rpartition(":")[2], 16), set()).add(fields[9])
    return found


def sockets(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process holds."""
    found = set()
    with suppress(FileNotFoundError, PermissionError):  # it ended, or is ending and no longer ours to look at
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed while we looked
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.add(target[len("socket:[") : -1])
    return found
