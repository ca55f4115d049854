"""A network that comes back is noticed by what the kernel tells, not by waiting (rtnetlink(7))."""

import asyncio
import os
import shutil
import socket
import sys
from asyncio.subprocess import PIPE

import pytest
from tests.support.strict_skips import ABSENT

from jidget.xmpp.network import Network

LIMIT = 20.0
WAITER = """
import asyncio
from jidget.xmpp.network import Network

async def main():
    network = Network()
    with network.listening():
        print("waits", flush=True)
        await network.pause(600)
        print("woken", flush=True)

asyncio.run(main())
"""


async def test_a_wait_ends_when_the_machine_gets_an_address() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip(f"{ABSENT}a network of the test's own needs root, unshare and ip")
    command = f"{sys.executable} -c '{WAITER}' & read _; ip link set lo up; wait"
    shell = await asyncio.create_subprocess_exec("unshare", "--net", "sh", "-c", command, stdin=PIPE, stdout=PIPE)
    assert shell.stdin is not None
    assert shell.stdout is not None
    async with asyncio.timeout(LIMIT):
        assert await shell.stdout.readline() == b"waits\n"
        shell.stdin.write(b"go\n")
        assert await shell.stdout.readline() == b"woken\n"
        assert await shell.wait() == 0


async def test_where_the_kernel_tells_nothing_waits_just_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> socket.socket:
        raise PermissionError(13, "as in some containers")

    monkeypatch.setattr("jidget.xmpp.network._subscribe", refused)
    network = Network()
    with network.listening():
        await network.pause(0.01)


async def test_without_news_a_wait_lasts() -> None:
    network, loop = Network(), asyncio.get_running_loop()
    began = loop.time()
    with network.listening():
        await network.pause(0.2)
    await network.pause(0.2)
    assert loop.time() - began >= 0.4
