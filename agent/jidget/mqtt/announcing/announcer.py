"""What this agent tells the broker of its own Things: their announcements, availability and states.

Told is what is the case now, whenever there is a connection, and all of it anew with each one: a broker may have
forgotten what it kept. Nothing waits for a connection, and nothing is ever told because something came in: so nothing
goes round in circles.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from jidget.commands.model import Result
from jidget.mqtt.announcing.ledger import Ledger
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.announcing.orders import said
from jidget.mqtt.announcing.payload import (
    LONGEST_TEXT,
    OFFLINE,
    ONLINE,
    Offer,
    Order,
    announce,
    announce_agent,
    state,
    withdrawn,
)
from jidget.mqtt.failures import MqttRefused, MqttUnavailable
from jidget.mqtt.model import Publish
from jidget.mqtt.session import MqttSession
from jidget.reading import Reading
from jidget.things.host import Thing

log = logging.getLogger(__name__)
T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two states of a Thing: of what changes faster every state but the last is left out."""
RETRY = 5.0
"""Seconds after which what could not be told is tried again."""


class Announcer:
    """Tells the broker of Things.

    Attributes:
        on_problem: called with a topic and why nothing can be told there; with an empty text when it can again.
    """

    def __init__(self, session: MqttSession, names: Names, ledger: Ledger, offers: Sequence[Offer], jid: str) -> None:
        """Take the way to the broker, what is called how, what was announced before, what is now, and who we are."""
        self.on_problem: Callable[[str, str], None] = lambda _t, _p: None
        self._session = session
        self._names = names
        self._ledger = ledger
        self._offers = {made.thing.id: made for made in offers}
        self._jid = jid
        self._connected = False
        self._announced = False
        self._connections = 0
        self._availability: dict[str, None] = {}
        self._states: dict[str, None] = {}
        self._answers: dict[str, str] = {}
        self._began = asyncio.Event()
        self._news = asyncio.Event()

    # ---- what is to be told -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Hear that there is a connection, and that commands come in by it."""
        self._connected, self._announced = True, False
        self._connections += 1
        self._answers.clear()
        self._began.set()
        self._news.set()

    def end(self) -> None:
        """Hear that there is none."""
        self._connected = False

    def again(self) -> None:
        """Have all of it announced anew: there is more to be taken back than was known."""
        self._announced = False
        self._connections += 1
        self._news.set()

    def reported(self, readings: Iterable[Reading]) -> None:
        """Hear what is published of the Things."""
        self._changed(self._states, {reading.thing for reading in readings})

    def availability(self, thing: Thing) -> None:
        """Hear that a Thing can be reached, or no longer."""
        self._changed(self._availability, (thing.id,))

    def answered(self, order: Order, result: Result) -> None:
        """Hear what came of a command: where it was not done, what shows it as done is told better."""
        if text := said(result):
            self._answers[order.thing.id] = text[:LONGEST_TEXT]
        self._changed(self._states, (order.thing.id,))

    def _changed(self, what: dict[str, None], thing_ids: Iterable[str]) -> None:
        what.update((each, None) for each in thing_ids if each in self._offers)
        self._news.set()

    # ---- telling ----------------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Tell until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not self._connected:
                continue
            try:
                if not self._announced:
                    await self._tell_all()
                await self._tell_news()
                await asyncio.sleep(PAUSE)
            except (MqttUnavailable, TimeoutError) as error:  # which mostly is the end of the connection
                log.debug("not announced yet: %s", error)
                await self._rest()

    async def _rest(self) -> None:
        """Have what was not told tried again, after a while or in a new connection."""
        self._began.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY):
                await self._began.wait()
        self._news.set()

    async def _tell_all(self) -> None:
        connection = self._connections
        payloads, kept = self._announcements()
        gone = self._ledger.begin(
            {topic: (list(p["components"]), kept.get(topic, ())) for topic, p in payloads.items()}
        )
        done = [await self._say(topic, "") for topic in gone.topics]
        for topic, payload in payloads.items():
            done.append(await self._say_json(topic, withdrawn(payload, gone.components.get(topic, ()))))
        if all(done):
            self._ledger.end()
        self._announced = connection == self._connections
        self._availability = dict.fromkeys(self._offers)
        self._states = dict.fromkeys(self._offers)

    def _announcements(self) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Sequence[str]]]:
        """Return what is announced by topic, the agent itself first, and on which topics more is kept for each."""
        names = self._names
        if not self._offers:
            return {}, {}
        payloads: dict[str, Mapping[str, Any]] = {names.discovery(names.agent): announce_agent(names, self._jid)}
        kept = {}
        for thing_id, made in self._offers.items():
            topic = names.discovery(names.device(thing_id))
            payloads[topic] = announce(made, names)
            kept[topic] = [names.availability(thing_id), names.state(thing_id)]
        return payloads, kept

    async def _tell_news(self) -> None:
        await self._tell_each(self._availability, self._tell_availability)
        await self._tell_each(self._answers, self._tell_answer)
        await self._tell_each(self._states, self._tell_state)

    async def _tell_each(self, news: dict[str, T], tell: Callable[[str, T], Awaitable[object]]) -> None:
        """Tell what is news by now; what becomes news meanwhile is told in the next round.

        What cannot be told stays news, unless there is something newer.
        """
        for thing_id in list(news):
            if thing_id not in news:
                continue  # there was a new connection meanwhile
            what = news.pop(thing_id)
            try:
                await tell(thing_id, what)
            except (MqttUnavailable, TimeoutError):
                news.setdefault(thing_id, what)
                raise

    async def _tell_availability(self, thing_id: str, _: None) -> None:
        there = self._offers[thing_id].thing.availability.available
        await self._say(self._names.availability(thing_id), ONLINE if there else OFFLINE)

    async def _tell_answer(self, thing_id: str, text: str) -> None:
        await self._say(self._names.answer(thing_id), text, retain=False)

    async def _tell_state(self, thing_id: str, _: None) -> None:
        await self._say_json(self._names.state(thing_id), state(self._offers[thing_id].thing), qos=0)

    async def _say_json(self, topic: str, payload: Mapping[str, Any], *, qos: int = 1) -> bool:
        return await self._say(topic, json.dumps(payload, ensure_ascii=False, separators=(",", ":")), qos=qos)

    async def _say(self, topic: str, payload: str, *, qos: int = 1, retain: bool = True) -> bool:
        """Publish; return whether the broker let us. If not that is told, and the rest goes on."""
        try:
            await self._session.publish(Publish(topic=topic, payload=payload, qos=qos, retain=retain))
        except MqttRefused as error:
            self.on_problem(topic, str(error))
            return False
        self.on_problem(topic, "")
        return True
