"""Answers every IQ over a raw XMPP connection with an empty result, until it is told to go.

Job: the account.
"""

import asyncio
import re

from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.raw_xmpp import Job, connect

_ID, _FROM = re.compile(rb"\bid='([^']+)'"), re.compile(rb"\bfrom='([^']+)'")
_END = b"</iq>"


async def run(job: Job) -> None:
    """Answer."""
    client = await connect(job, "responder")
    rest = b""

    def take(data: bytes) -> None:
        nonlocal rest
        *questions, rest = (rest + data).split(_END)
        for question in questions:
            stanza_id, asker = _ID.search(question), _FROM.search(question)
            if stanza_id and asker:
                client.transport.write(b"<iq type='result' id='%b' to='%b'/>" % (stanza_id[1], asker[1]))

    client.receive = take
    say(ready=True)
    await asyncio.to_thread(wait_for_go)
    client.transport.close()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
