"""Somebody who sends commands all the time, by every face, and some of them again."""

import asyncio
import re
import time
from random import Random
from xml.etree import ElementTree as ET

from tests.support.accounts import Account
from tests.support.adhoc import COMMANDS, command, form, note
from tests.support.asking import CLIENT
from tests.support.soak.orders import Answer, Order, Orders
from tests.support.soak.payload import JIDGET
from tests.support.soak.resident import Resident

FACES = ("chat", "set", "form")
AGAIN = 0.3
"""How many of the commands are sent again."""
_OUTCOME = re.compile(rf"\{{{JIDGET}\}}(done|unconfirmed|refused|failed)")
_CONFIRMED = re.compile(r"\.level: (\d+) \(confirmed\)")


class Commander(Resident):
    """One person's client.

    Every command has a value of its own. A repetition has the id of the first sending, so that it must not move
    anything a second time.
    """

    def __init__(
        self, account: Account, agent: str, resource: str, *, target: str, orders: Orders, rng: Random
    ) -> None:
        """`target` is the Thing to set; its property is `level`."""
        super().__init__(account, agent, resource)
        self._target = target
        self._orders = orders
        self._rng = rng
        self._sent: dict[str, Order] = {}

    async def command(self, interval: float) -> None:
        """Send commands, about one each `interval` seconds, until cancelled."""
        async with asyncio.TaskGroup() as repeating:
            while True:
                await asyncio.sleep(self._rng.uniform(0.5, 1.5) * interval)
                await self.changed.until(lambda: self.here)
                order = self._orders.new()
                text = self._write(order, self._rng.choice(FACES))
                self._transmit(order, text)
                if self._rng.random() < AGAIN:
                    pauses = [self._rng.choice((0.0, 0.5, 3.0, 8.0)) for _ in range(self._rng.randint(1, 2))]
                    repeating.create_task(self._repeat(order, text, pauses))

    def hear(self, stanza: ET.Element) -> None:
        """Take answers."""
        if stanza.tag == f"{CLIENT}message" and stanza.get("type") != "error":
            for value in _CONFIRMED.findall(stanza.findtext(f"{CLIENT}body") or ""):
                if (order := self._orders.all.get(int(value))) is not None:
                    order.answered(Answer.DONE)
        elif stanza.tag == f"{CLIENT}iq" and (order := self._sent.get(stanza.get("id", ""))) is not None:
            order.answered(*read_answer(stanza))

    async def _repeat(self, order: Order, text: str, pauses: list[float]) -> None:
        for pause in pauses:
            await asyncio.sleep(pause)
            self._transmit(order, text)

    def _transmit(self, order: Order, text: str) -> None:
        if self.send(text):
            order.sent.append(time.monotonic())

    def _write(self, order: Order, face: str) -> str:
        stanza_id = f"{self.resource}-{order.value}"
        self._sent[stanza_id] = order
        if face == "chat":
            bare = self.agent.partition("/")[0]
            body = f"<body>set {self._target}.level {order.value}</body>"
            return f"<message type='chat' id='{stanza_id}' to='{bare}'>{body}</message>"
        if face == "form":
            payload = command(f"set/{self._target}", form(level=str(order.value)), action="execute")
        else:
            parameter = f"<l n='level' v='{order.value}'/>"
            payload = f"<set xmlns='urn:nf:iot:ctr:1.0'><nd id='{self._target}'/>{parameter}</set>"
        return f"<iq type='set' id='{stanza_id}' to='{self.agent}'>{payload}</iq>"


def read_answer(iq: ET.Element) -> tuple[Answer, str]:
    """Return what an answer to a form or a `<set/>` says.

    An error without an outcome is not known to be the agent's own: a server that cannot deliver writes in its name.
    """
    error = iq.find(f"{CLIENT}error")
    if error is not None:
        found = _OUTCOME.search(" ".join(child.tag for child in error))
        words = " ".join(child.text or "" for child in error)
        return (_answer(found[1]), words) if found else (Answer.BOUNCED, words)
    done = iq.find(f"{COMMANDS}command")
    if done is None:
        return Answer.DONE, ""
    fields = {
        field.get("var"): field.findtext("{jabber:x:data}value", "") for field in done.iter("{jabber:x:data}field")
    }
    return _answer(fields.get("outcome", "")), note(done)[1]


def _answer(outcome: str) -> Answer:
    return {"done": Answer.DONE, "refused": Answer.REFUSED}.get(outcome, Answer.UNSURE)
