"""Commands that come from the broker: the same way as all others, with the rights that `access.mqtt` gives it.

Nobody is behind them but whoever may write to the broker. What the broker has kept (retained) is of any age and never
carried out; what was held up on its way is refused by its age, like everything else (DESIGN 4.5). Of one Thing one is
carried out after the other.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from jidget.commands.access import THE_BROKER
from jidget.commands.audit import audit
from jidget.commands.model import Face, Outcome, Reason, Refusal, Request, Result
from jidget.commands.sentences import refused
from jidget.commands.service import Commands
from jidget.mqtt.announcing.payload import PRESS, Order
from jidget.mqtt.model import Message
from jidget.safety.memory import boottime
from jidget.things.values import shorten
from jidget_drivers import Kind

log = logging.getLogger(__name__)

MOST_WAITING = 16
"""Commands to one Thing that wait: what is sent faster than it can move is refused."""
LARGEST = 1024
"""Bytes of a command."""

Answered = Callable[[Order, Result], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """What was told on a command topic; `since` is when it was sent to us at the earliest, None if nobody knows."""

    order: Order
    payload: bytes
    since: float | None


class Orders:
    """Carries out what comes on command topics.

    Attributes:
        on_problem: called with a topic and what is wrong with how it is used.
    """

    def __init__(self, commands: Commands, asker: str, orders: Mapping[str, Order], answered: Answered) -> None:
        """Take the commands, who asks for the audit, what each topic is about, and who is told what came of it."""
        self.on_problem: Callable[[str, str], None] = lambda _t, _p: None
        self._commands = commands
        self._asker = asker
        self._orders = orders
        self._answered = answered
        self._waiting: dict[str, deque[_Command]] = {}
        self._kept: set[str] = set()
        self._arrived = asyncio.Event()

    def receive(self, message: Message, since: float | None) -> None:
        """Take a message on a command topic. Never raises."""
        order = self._orders.get(message.topic)
        if order is None or (not message.payload and self._says_nothing(order, message.topic)):
            return
        if message.retained:
            self._kept.add(message.topic)
            self.on_problem(
                message.topic,
                "a retained command is never carried out: nobody knows how old it is. Publish commands without retain, "
                "and clear this one by an empty retained message",
            )
            return
        waiting = self._waiting.setdefault(order.thing.id, deque())
        if len(waiting) >= MOST_WAITING:
            text = f"{order.thing.id} is busy with other commands, so nothing was moved"
            self._tell(order, refused(Refusal(Reason.BUSY, text)))
            return
        waiting.append(_Command(order=order, payload=message.payload, since=since))
        self._arrived.set()

    def _says_nothing(self, order: Order, topic: str) -> bool:
        """Whether an empty message clears what was kept; else it is the empty text, where one can be set."""
        if topic in self._kept:
            self._kept.remove(topic)
            self.on_problem(topic, "")
            return True
        return not (order.prop and order.thing.properties[order.prop].kind is Kind.STRING)

    async def run(self) -> NoReturn:
        """Carry out what comes, until cancelled: then what has begun stays in the journal as interrupted."""
        under_way: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                for thing_id in self._waiting:
                    if thing_id not in under_way or under_way[thing_id].done():
                        work = self._work_off(self._waiting[thing_id])
                        under_way[thing_id] = tasks.create_task(work, name=f"mqtt commands to {thing_id}")
        raise AssertionError("it runs for ever")

    async def _work_off(self, waiting: deque[_Command]) -> None:
        while waiting:
            command = waiting.popleft()
            self._answered(command.order, await self._carry_out(command))

    async def _carry_out(self, command: _Command) -> Result:
        order = command.order
        request = self._request(command.since)
        try:
            text = _text(command.payload, only=PRESS if order.action else "")
        except Refusal as refusal:
            result = refused(refusal)
            audit(request, order.target, result)
            return result
        if order.action:
            return await self._commands.run(request, "do", {"target": order.target})
        return await self._commands.write(request, order.thing.id, {order.prop: text})

    def _tell(self, order: Order, result: Result) -> None:
        audit(self._request(None), order.target, result)
        self._answered(order, result)

    def _request(self, since: float | None) -> Request:
        age = None if since is None else boottime() - since
        return Request(jid=THE_BROKER, asker=self._asker, face=Face.MQTT, key=None, age=age)


def _text(payload: bytes, only: str) -> str:
    """Return what a command says; `only` is the one thing that it may say, if there is but one.

    Raises:
        Refusal: it is too long, no text, or something else.
    """
    if len(payload) > LARGEST:
        raise Refusal(Reason.BAD_VALUE, f"{len(payload)} bytes are too many for a command, {LARGEST} are the most")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(Reason.BAD_VALUE, "this is no text in UTF-8") from None
    if only and text != only:
        raise Refusal(Reason.BAD_VALUE, f'"{shorten(text)}" is not {only}')
    return text


def said(result: Result) -> str:
    """Return what is told of a result; nothing where it was simply done: the state tells that."""
    return "" if result.outcome is Outcome.DONE else result.note
