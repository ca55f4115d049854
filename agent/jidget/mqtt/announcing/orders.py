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
from jidget.commands.actuation import Do
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
"""Commands to one Thing that wait: of what is sent faster than it can move the oldest are left out."""
LARGEST = 1024
"""Bytes of a command."""
PAUSE = 0.05
"""Seconds between two commands to one Thing: nobody's hand is quicker, and each is written to the disk."""

Answered = Callable[[Order, Result], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """What was told on a command topic.

    Attributes:
        order: what it is about.
        payload: what was told, not more of it than shows that it is too long.
        since: when it was sent to us at the earliest, in seconds of CLOCK_BOOTTIME; None if nobody knows.
        stops: how often the Thing had been stopped when it came.
    """

    order: Order
    payload: bytes
    since: float | None
    stops: int


class Orders:
    """Carries out what comes on command topics.

    Attributes:
        on_problem: called with a topic and what is wrong with how it is used; with an empty text when it no longer is.
    """

    def __init__(self, commands: Commands, asker: str, orders: Mapping[str, Order], answered: Answered) -> None:
        """Take the commands, who asks for the audit, what each topic is about, and who is told what came of it."""
        self.on_problem: Callable[[str, str], None] = lambda _t, _p: None
        self._commands = commands
        self._asker = asker
        self._orders = orders
        self._answered = answered
        self._waiting: dict[str, deque[_Command]] = {}
        self._dropped: dict[str, int] = {}
        self._kept: set[str] = set()
        self._arrived = asyncio.Event()

    def end(self) -> None:
        """Hear that the connection is over: what the broker keeps it tells again in the next one."""
        for topic in self._kept:
            self.on_problem(topic, "")
        self._kept.clear()

    def receive(self, message: Message, since: float | None) -> None:
        """Take a message on a command topic. Never raises."""
        order = self._orders.get(message.topic)
        if order is None:
            return
        if message.retained:
            self._refuse_kept(message)
        elif message.payload or not self._clears(order, message.topic):
            self._take(order, message.payload, since)

    def _refuse_kept(self, message: Message) -> None:
        """Refuse what the broker keeps, or is to keep from now on; an empty message clears it."""
        if message.payload:
            self._kept.add(message.topic)
            text = (
                "a retained command is never carried out: nobody knows how old it is. Publish commands without retain, "
                "and clear this one by an empty retained message"
            )
        else:
            self._kept.discard(message.topic)
            text = ""
        self.on_problem(message.topic, text)

    def _clears(self, order: Order, topic: str) -> bool:
        """Whether an empty message that is not said to be retained clears what was kept, rather than being a text.

        Before MQTT 5 nobody says what is to be retained to who is there already.
        """
        if topic in self._kept:
            self._kept.remove(topic)
            self.on_problem(topic, "")
            return True
        return not (order.prop and order.thing.properties[order.prop].kind is Kind.STRING)

    def _take(self, order: Order, payload: bytes, since: float | None) -> None:
        waiting = self._waiting.setdefault(order.thing.id, deque())
        if len(waiting) >= MOST_WAITING:  # the last wish is the one that counts
            self._drop(waiting.popleft())
        stops = self._commands.stops(order.thing)
        waiting.append(_Command(order=order, payload=payload[: LARGEST + 1], since=since, stops=stops))
        self._arrived.set()

    def _drop(self, command: _Command) -> None:
        """Refuse a command for which there was no time; of many in a row only the first is told, and how many more."""
        thing_id = command.order.thing.id
        if thing_id not in self._dropped:
            text = f"{thing_id} is sent commands faster than it can move, so this one was left out"
            result = refused(Refusal(Reason.BUSY, text))
            audit(self._request(command.since), command.order.target, result)
            self._answered(command.order, result)
        self._dropped[thing_id] = self._dropped.get(thing_id, -1) + 1

    async def run(self) -> NoReturn:
        """Carry out what comes, until cancelled: then what has begun stays in the journal as interrupted."""
        under_way: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                for thing_id, waiting in self._waiting.items():
                    if waiting and (thing_id not in under_way or under_way[thing_id].done()):
                        name = f"mqtt commands to {thing_id}"
                        under_way[thing_id] = tasks.create_task(self._work_off(thing_id), name=name)
        raise AssertionError("it runs for ever")

    async def _work_off(self, thing_id: str) -> None:
        waiting = self._waiting[thing_id]
        while waiting:
            command = waiting.popleft()
            self._answered(command.order, await self._carry_out(command))
            await asyncio.sleep(PAUSE)
        if more := self._dropped.pop(thing_id, 0):
            log.warning("mqtt: %d more commands to %s came faster than it can move and were left out", more, thing_id)

    async def _carry_out(self, command: _Command) -> Result:
        order = command.order
        request = self._request(command.since)
        try:
            text = _text(command.payload, only=PRESS if order.action else "")
            self._require_no_stop(command)
        except Refusal as refusal:
            result = refused(refusal)
            audit(request, order.target, result)
            return result
        if order.action:
            return await self._commands.run(request, Do.name, {"target": order.target})
        return await self._commands.write(request, order.thing.id, {order.prop: text})

    def _require_no_stop(self, command: _Command) -> None:
        thing = command.order.thing
        if command.stops != self._commands.stops(thing):
            raise Refusal(Reason.NOT_ACCEPTABLE, f"{thing.id} was stopped meanwhile")

    def _request(self, since: float | None) -> Request:
        age = None if since is None else boottime() - since
        return Request(jid=THE_BROKER, asker=self._asker, face=Face.MQTT, key=None, age=age)


def _text(payload: bytes, only: str) -> str:
    """Return what a command says; `only` is the one thing that it may say, if there is but one.

    Raises:
        Refusal: it is too long, no text, or something else.
    """
    if len(payload) > LARGEST:
        raise Refusal(Reason.BAD_VALUE, f"a command has at most {LARGEST} bytes, and this one more")
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
