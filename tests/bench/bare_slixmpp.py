"""What the agent is measured against: a client on bare slixmpp, written the way its documentation shows.

Run by cost.py: bare_slixmpp.py idle|publish JID PASSWORD HOST PORT CA_FILE READINGS. It imports nothing
of ours, so that its memory and start are slixmpp's own.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP

SETTLE = 2.0
IDLE_PLUGINS = ("xep_0030", "xep_0050", "xep_0060", "xep_0115", "xep_0163", "xep_0199", "xep_0198")
PUBLISH_PLUGINS = ("xep_0030", "xep_0060", "xep_0163")


async def login(account: tuple[str, str, str, int, str], plugins: tuple[str, ...]) -> Any:
    """Log in and be available."""
    jid, password, host, port, ca_file = account
    client = ClientXMPP(f"{jid}/bench", password)
    client.ca_certs = Path(ca_file)
    client.enable_direct_tls = False
    for plugin in plugins:
        client.register_plugin(plugin)
    started = asyncio.Event()
    client.add_event_handler("session_start", lambda _: started.set())
    await client.connect(host, port)
    async with asyncio.timeout(30):
        await started.wait()
    client.send_presence()
    return client


async def idle(account: tuple[str, str, str, int, str]) -> dict[str, float]:
    """Idle with the plugins an agent would want."""
    client = await login(account, IDLE_PLUGINS)
    await asyncio.sleep(SETTLE)
    status = Path("/proc/self/status").read_text()  # noqa: ASYNC240  # the kernel answers at once
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    times = os.times()
    await client.disconnect()
    return {"rss_mib": rss / 1024, "start_cpu_ms": (times.user + times.system) * 1000}


async def publish(account: tuple[str, str, str, int, str], count: int) -> dict[str, float]:
    """Publish one JSON reading an item with xep_0060, eight in flight."""
    client = await login(account, PUBLISH_PLUGINS)
    gate = asyncio.Semaphore(8)

    async def one(number: int) -> None:
        payload = ET.Element("{urn:xmpp:json:0}json")
        payload.text = json.dumps({"n": "temperature", "v": 20 + number % 1000 / 100, "t": time.time(), "u": "Cel"})
        async with gate:
            await client.plugin["xep_0060"].publish(None, "urn:bench:readings", payload=payload)

    await one(0)
    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one(number) for number in range(count)))
    result = {
        "readings_per_s": count / (time.perf_counter() - begun),
        "cpu_us_per_reading": (time.process_time() - cpu) * 1e6 / count,
    }
    await client.disconnect()
    return result


def main() -> None:
    """Run what the command line asks for and print the figures as JSON."""
    what, jid, password, host, port, ca_file, count = sys.argv[1:]
    account = (jid, password, host, int(port), ca_file)
    print(json.dumps(asyncio.run(idle(account) if what == "idle" else publish(account, int(count)))))


if __name__ == "__main__":
    main()
