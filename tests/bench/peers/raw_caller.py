"""Asks one question after the other over a raw XMPP connection, and measures how long each answer takes.

Job: the account, `to` (full JID), `question` (name), `count`, `warm_up`.
"""

import asyncio
import secrets
import time
from collections.abc import Callable

from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.raw_xmpp import Job, RawClient, connect

LIMIT = 30.0
_PAUSE = 0.1
BETWEEN = 0.02
"""Seconds between an answer and the next question: what else a command causes is not for the next one to wait for."""
_FORM = (
    "<x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:jidget:1</value></field>{fields}</x>"
)


def _on(number: int) -> str:
    return "true" if number % 2 else "false"


def _field(name: str, value: str) -> str:
    return f"<field var='{name}'><value>{value}</value></field>"


def _command(node: str, fields: str) -> str:
    form = _FORM.format(fields=fields)
    return f"<command xmlns='http://jabber.org/protocol/commands' node='{node}' action='execute'>{form}</command>"


QUESTIONS: dict[str, tuple[str, Callable[[int], str]]] = {
    "ping": ("get", lambda _: "<ping xmlns='urn:xmpp:ping'/>"),
    "read": ("get", lambda n: f"<req xmlns='urn:nf:iot:sd:1.0' id='{n}' m='true'><nd id='pump'/></req>"),
    "set": ("set", lambda n: f"<set xmlns='urn:nf:iot:ctr:1.0'><nd id='pump'/><b n='state' v='{_on(n)}'/></set>"),
    "form read": ("set", lambda _: _command("read", _field("target", "pump.state"))),
    "form set": ("set", lambda n: _command("set/pump", _field("state", _on(n)))),
}
"""By name: the type of IQ and its payload, by the number of the question."""


class Caller:
    """Asks and waits."""

    def __init__(self, client: RawClient, to: str, question: str) -> None:
        self._client = client
        self._to = to
        self._kind, self._payload = QUESTIONS[question]
        self._number = 0
        self._prefix = secrets.token_hex(4)  # an id that was seen before is answered without doing it again
        self._mark = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._collected = b""
        client.receive = self._take

    async def ask(self) -> bytes:
        """Ask the next question and return what came with the answer.

        Raises:
            TimeoutError: there is no answer.
        """
        self._number += 1
        number = self._number
        text = f"<iq type='{self._kind}' id='{self._prefix}-{number}' to='{self._to}'>{self._payload(number)}</iq>"
        self._collected, self._mark = b"", f"id='{self._prefix}-{number}'".encode()
        self._answer = asyncio.get_running_loop().create_future()
        self._client.transport.write(text.encode())
        async with asyncio.timeout(LIMIT):
            return await self._answer

    def _take(self, data: bytes) -> None:
        self._collected += data
        if self._mark in self._collected and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._collected)


async def run(job: Job) -> None:
    """Ask until there is a good answer, then `warm_up` times, then measure."""
    client = await connect(job, "caller")
    caller = Caller(client, job["to"], job["question"])
    async with asyncio.timeout(LIMIT):
        answer = await caller.ask()
        while b"type='error'" in answer or b"type='form'" in answer:  # not there yet, or not sure of the time yet
            await asyncio.sleep(_PAUSE)
            answer = await caller.ask()
    say(ready=True, answer=answer.decode())
    await asyncio.to_thread(wait_for_go)
    for _ in range(job["warm_up"]):
        await caller.ask()
    times = []
    for _ in range(job["count"]):
        await asyncio.sleep(BETWEEN)
        begun = time.perf_counter()
        answer = await caller.ask()
        times.append((time.perf_counter() - begun) * 1e6)
        if b"type='error'" in answer:
            raise RuntimeError(answer.decode())
    say(times=times)
    client.transport.close()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
