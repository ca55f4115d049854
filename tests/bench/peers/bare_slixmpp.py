"""A client on bare slixmpp with the plugins that an agent would want, idle: what an agent's memory is compared with.

Job: the account. It imports nothing of ours but the handshake.
"""

import asyncio
from pathlib import Path
from typing import Any

from slixmpp import ClientXMPP
from tests.bench.peers.handshake import read_job, say, wait_for_go

PLUGINS = ("xep_0030", "xep_0050", "xep_0060", "xep_0115", "xep_0163", "xep_0199", "xep_0198")
LIMIT = 30.0


async def run(job: dict[str, Any]) -> None:
    """Log in and idle until told to go."""
    client = ClientXMPP(f"{job['jid']}/bare", job["password"])
    client.ca_certs = Path(job["ca_file"])
    client.enable_direct_tls = False
    for plugin in PLUGINS:
        client.register_plugin(plugin)
    started = asyncio.Event()
    client.add_event_handler("session_start", lambda _: started.set())
    await client.connect(job["host"], job["port"])
    async with asyncio.timeout(LIMIT):
        await started.wait()
    client.send_presence()
    say(ready=True)
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, told.set)  # standard input; without a thread, which would be measured
    await told.wait()
    wait_for_go()
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
