"""What the demo shows, each claim checked as it is made: readings arrive, the owner commands, a stranger is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from xml.etree import ElementTree as ET

from slixmpp import JID

from jidget.demo.lamp import THING, Lamp
from jidget.demo.stage import DEVICE, OWNER, STRANGER, Stage
from jidget.errors import JidgetError, LinkError, StanzaError
from jidget.xmpp.client import Client
from jidget.xmpp.login import Login
from jidget.xmpp.payload import Field, read_fields
from jidget.xmpp.stream_reader import Arrived, StreamReader
from jidget.xmpp.xml import COMMANDS, DATA, SENSOR_DATA, SENSOR_DATA_NOW, text_of
from jidget_drivers import Scalar

PATIENCE = 20.0
"""Seconds that each claim gets."""
ASK_AGAIN = 0.7
"""Seconds between two questions: who asks more often than every two seconds for long gets no answer any more."""
Say = Callable[[str], None]


class NotShown(JidgetError):
    """A claim of the demo did not come true; the text says what was seen instead."""


class Owner:
    """The owner's client: sees readings arrive, and waits for the ones a claim is about."""

    def __init__(self, login: Login, agent: JID, show: Callable[[Field], None]) -> None:
        self.client = Client(login, agent, nodes=(SENSOR_DATA,), on_item=self._take)
        self.values: dict[str, Scalar] = {}
        self._reader = StreamReader(agent.resource)
        self._show = show
        self._changed = asyncio.Event()

    def _take(self, _jid: str, _node: str, item: str, payload: ET.Element) -> None:
        for event in self._reader.take(item, payload):
            if isinstance(event, Arrived):
                field = event.field
                self.values[f"{field.thing}.{field.property}"] = field.value
                self._show(field)
        self._changed.set()

    async def sees(self, name: str, wanted: Callable[[Scalar], bool] = lambda _: True) -> Scalar:
        """Wait until a reading of `name` arrives that is as wanted."""
        while name not in self.values or not wanted(self.values[name]):
            self._changed.clear()
            await self._changed.wait()
        return self.values[name]


class Story:
    """Plays the demo on a stage; `claim` is told each claim's outcome, `show` each reading."""

    def __init__(self, stage: Stage, *, say: Say, show: Callable[[Field], None], patience: float = PATIENCE) -> None:
        self._stage = stage
        self._say = say
        self._patience = patience
        self._failures = 0
        agent = JID(f"{stage.account(DEVICE).jid}/agent")
        self._owner = Owner(stage.login(OWNER), agent, show)
        self._stranger = Client(stage.login(STRANGER), agent)
        self._lamp = Lamp(stage.broker.host, stage.broker.port)

    async def play(self) -> bool:
        """Show everything once; return whether all of it really happened."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._owner.client.online())
            await stack.enter_async_context(self._stranger.online())
            await stack.enter_async_context(self._lamp)
            await self._owner.client.befriend()
            for claim, prove in (
                ("the owner sees this machine's real sensors arrive by +notify", self._real_readings),
                ("the owner sees the greenhouse's temperature and humidity arrive", self._greenhouse),
                ("the current values wait for whoever joins late", self._late_joiner),
                ('the owner says "pump on" in chat and the pump reads back on', self._chat_on),
                ("the pump's new state arrives as a reading", self._reading_on),
                ("the owner turns the pump off by form and it reads back off", self._form_off),
                ("a lamp on an MQTT broker is found without a line of configuration", self._lamp_found),
                ('the owner says "desk lamp on" in chat, the lamp obeys and says so itself', self._lamp_on),
                ("a stranger's chat gets no answer and a stranger's command is refused", self._stranger_refused),
                ("a stranger sees no readings", self._stranger_blind),
                ("the pump was driven twice, by its owner, and by nobody else", self._record),
            ):
                await self._check(claim, prove)
            return not self._failures

    async def go_on(self) -> None:
        """Stay logged in as the owner and go on showing readings, until cancelled or the link is lost."""
        async with self._owner.client.online() as lost:
            raise await lost

    async def _check(self, claim: str, prove: Callable[[], Awaitable[str]]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                seen = await prove()
        except TimeoutError:
            self._fail(claim, f"not within {self._patience:g} s")
        except (NotShown, LinkError, StanzaError) as error:
            self._fail(claim, str(error))
        else:
            self._say(f"OK   {claim}: {seen}")

    def _fail(self, claim: str, why: str) -> None:
        self._failures += 1
        self._say(f"FAIL {claim}: {why}")

    # ---- the claims ---------------------------------------------------------------------------------------------

    async def _real_readings(self) -> str:
        load = await self._owner.sees("machine.load")
        memory = await self._owner.sees("machine.memory")
        return f"load {load}, memory {memory} %"

    async def _greenhouse(self) -> str:
        temperature = await self._owner.sees("greenhouse.temperature")
        humidity = await self._owner.sees("greenhouse.humidity")
        return f"{temperature} °C, {humidity} %"

    async def _late_joiner(self) -> str:
        items = await self._owner.client.items(SENSOR_DATA_NOW)
        names = {f"{field.thing}.{field.property}" for _, payload in items for field in read_fields(payload)}
        missing = {"machine.load", "greenhouse.temperature", "pump.state"} - names
        if missing:
            raise NotShown(f"without {', '.join(sorted(missing))}")
        return f"{len(names)} values of {len({name.partition('.')[0] for name in names})} Things"

    async def _chat_on(self) -> str:
        self._owner.client.say("pump on")
        reply = await self._owner.client.replies.get()
        if reply != "pump.state: on (confirmed)":
            raise NotShown(f"the answer was: {reply}")
        return reply

    async def _reading_on(self) -> str:
        await self._owner.sees("pump.state", lambda value: value is True)
        return "pump.state true"

    async def _form_off(self) -> str:
        fields = {"target": ["pump.state"], "value": ["off"]}
        answer = await self._owner.client.execute("set", fields)
        note = text_of(answer, f"{{{COMMANDS}}}note") or ""
        outcome = _field(answer, "outcome")
        if outcome != "done":
            raise NotShown(f"the outcome was {outcome or 'none'}: {note}")
        await self._owner.sees("pump.state", lambda value: value is False)
        return note

    async def _lamp_found(self) -> str:
        while True:
            self._owner.client.say(f"read {THING}")
            said = await self._owner.client.replies.get()
            if f"{THING}.on: off" in said:
                break
            await asyncio.sleep(ASK_AGAIN)  # what the broker had kept is no news, so nobody is told of it
        return said.replace("\n", ", ")

    async def _lamp_on(self) -> str:
        self._owner.client.say("desk lamp on")
        reply = await self._owner.client.replies.get()
        if reply != f"{THING}.on: on (confirmed)":
            raise NotShown(f"the answer was: {reply}")
        if self._lamp.heard != [{"state": "ON"}]:
            raise NotShown(f"the lamp heard: {self._lamp.heard}")
        await self._owner.sees(f"{THING}.on", lambda value: value is True)
        return reply

    async def _stranger_refused(self) -> str:
        self._stranger.say("pump on", to_resource=True)
        try:
            await self._stranger.execute("set", {"target": ["pump.state"], "value": ["on"]})
        except StanzaError as error:
            if error.condition != "service-unavailable":
                raise NotShown(f"the refusal was {error}") from error
            # what the stranger said came in before this refusal went out, so an answer to it would be here by now
            if not self._stranger.replies.empty():
                raise NotShown(f"the stranger was answered: {self._stranger.replies.get_nowait()}") from error
            return "service-unavailable, as if nobody were there"
        raise NotShown("the stranger's command was accepted")

    async def _stranger_blind(self) -> str:
        try:
            items = await self._stranger.items(SENSOR_DATA_NOW)
        except StanzaError as error:
            return f"the server says {error.condition}"
        raise NotShown(f"the stranger was given {len(items)} items")

    async def _record(self) -> str:
        lines = self._stage.record.read_text().splitlines() if self._stage.record.exists() else []
        values = [line.rsplit(maxsplit=1)[-1].casefold() for line in lines]
        if values not in (["true", "false"], ["on", "off"]):
            raise NotShown(f"the pump's own record says: {values}")
        return "on, then off"


def _field(answer: ET.Element, var: str) -> str:
    form = answer.find(f"{{{DATA}}}x")
    for field in form.iterfind(f"{{{DATA}}}field") if form is not None else ():
        if field.get("var") == var:
            return text_of(field, f"{{{DATA}}}value") or ""
    return ""
