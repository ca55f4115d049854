"""The session with the broker: connected whenever that is possible, subscribed to what is wanted, for ever."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from jidget.config.mqtt import MqttConfig
from jidget.mqtt.command_topics import CommandTopics
from jidget.mqtt.connection import KEEPALIVE, Connection
from jidget.mqtt.failures import ConnectFailed, MqttError, MqttRefused, MqttUnavailable
from jidget.mqtt.inbox import Inbox
from jidget.mqtt.model import LARGEST_PAYLOAD, Message, Publish
from jidget.mqtt.subscriptions import Subscriptions
from jidget.mqtt.topics import filter_problem, matches, topic_problem
from jidget.mqtt.wire import MQTT_3_1_1, MQTT_5
from jidget.supervise import Backoff

log = logging.getLogger(__name__)

BIRTH = ("homeassistant/status", "online")
"""What Home Assistant says when it starts, whatever its discovery prefix: devices announce themselves again."""
EXPIRY = 30
"""Seconds after which a broker of MQTT 5 no longer delivers what we published: a late command is worse than none."""


_SLICE = 0.005
"""Seconds of handling messages after which everybody else gets a turn."""
_READ_AHEAD = 200
"""Messages read before some are handled again, while more of them come than can be handled."""
_STABLE = 60.0
"""Seconds after which a connection counts as one that works."""
_SHORT = 5.0
"""Seconds: a connection that was lost sooner was hardly lost by chance."""
_SUSPICIOUS = 3
_GOODBYE = 2.0
_MOST_TOLD = 500


def _ignore(_: object) -> None:
    """Take no notice."""


class MqttSession:
    """What keeps us connected to the broker of a configuration.

    Several filters may match one topic; whether its messages then come once or once for each is up to the broker
    (MQTT 5 3.3.4). A message is told while the connection is up, or right after it was lost; then comes `on_link`.

    Attributes:
        on_message: gets every message, one at a time, in the order in which they came. An error of its ends `run`.
        on_link: gets None when we are connected, and why not when we are not; once per change. We log that already.
        on_ready: called when all that was wanted is subscribed to on a new connection.
        largest: filters of topics whose payloads may be larger than others, and how many bytes they may have.
        beginning: whether there is a connection, and the broker has not yet heard of all that was wanted before.
        commands: which topics of commands to us are listened to.
    """

    def __init__(
        self,
        config: MqttConfig,
        on_message: Callable[[Message], None] = _ignore,
        on_link: Callable[[str | None], None] = _ignore,
        *,
        keepalive: int = KEEPALIVE,
    ) -> None:
        self.on_message = on_message
        self.on_link = on_link
        self.on_ready: Callable[[], None] = lambda: None
        self.largest: Mapping[str, int] = {}
        self.beginning = False
        self.commands = CommandTopics(config.client_id)
        self._config = config
        self._keepalive = keepalive
        self._status = f"jidget/{config.client_id}/status"
        self._versions = [MQTT_5, MQTT_3_1_1]
        self._connection: Connection | None = None
        self._inbox = Inbox()
        self._trouble: str | None = "not connected yet"
        self._subscriptions = Subscriptions()
        self._told: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether something can be published now."""
        return self._connection is not None and self._connection.open

    @property
    def protocol(self) -> str:
        """What is spoken with the broker, for people; empty while we are not connected."""
        return self._connection.protocol if self._connection is not None else ""

    @property
    def refused(self) -> Mapping[str, str]:
        """Filters that the broker does not let us subscribe to, and why."""
        return self._subscriptions.refused

    @property
    def skipped(self) -> int:
        """How many messages of this connection were given up because they came faster than they were handled."""
        return self._inbox.skipped

    @property
    def waiting(self) -> int:
        """How many messages came and were not handed out yet."""
        return len(self._inbox)

    async def run(self) -> NoReturn:
        """Connect, and connect again whenever the connection is lost; cancel it to leave the broker for good."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        short = 0
        while True:
            since = loop.time()
            try:
                await self._serve()
            except ConnectFailed as error:
                short = 0
                self._tell(str(error))
            except MqttUnavailable as error:
                short = short + 1 if loop.time() - since < _SHORT else 0
                self._tell(str(error) if short < _SUSPICIOUS else f"{error}, again and again. {self._suspicion}")
            if loop.time() - since > _STABLE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    @property
    def _suspicion(self) -> str:
        return f"Another client may log in as {self._config.client_id}, too: give each its own mqtt.client_id"

    def subscribe(self, filters: Mapping[str, int]) -> None:
        """Want the messages of these filters, with their QoS: at once if connected, and after each new connection.

        What is asked for again is subscribed to again: the broker then repeats its retained messages, for those who
        were not there the first time. What no broker accepts is left out, and told once.

        QoS 0 loses least: with QoS 1 mosquitto queues what it has kept, and of more than 1,020 messages it throws the
        rest away, whereas those of QoS 0 come before its answer, and the next request waits for that.
        """
        problems = {
            each: problem for each in filters if (problem := filter_problem(each) or self.commands.objection(each))
        }
        for each, problem in problems.items():
            self._once(each, f"mqtt: {each[:100]!r} is not subscribed to: {problem}")
        self._subscriptions.add({each: qos for each, qos in filters.items() if each not in problems})

    def unsubscribe(self, filters: Iterable[str]) -> None:
        """Want no more messages of these filters. Those that are on their way still come."""
        self._subscriptions.remove(filters)

    async def subscribed(self) -> None:
        """Wait until there is a connection, and the broker has heard of all filters that are wanted by then."""
        await self._subscriptions.settled()

    async def publish(self, publish: Publish) -> None:
        """Publish now or not at all: nothing waits for a connection, and nothing is sent twice.

        Unless it is to be retained, a broker of MQTT 5 gives it up if nobody took it within `EXPIRY`.

        Raises:
            MqttUnavailable: there is no connection; nothing was sent. (A `DeviceUnavailable`.)
            MqttRefused: it cannot be published, or the broker does not let us. (A `WriteRefused`.)
            OutcomeUnknown: it was sent, but not confirmed. (A `TimeoutError`.)
        """
        if problem := topic_problem(publish.topic):
            raise MqttRefused(f"nobody can publish to {publish.topic[:100]!r}: {problem}")
        if self._connection is None:
            raise MqttUnavailable(self._trouble or "not connected")
        expiry = None if publish.retain else EXPIRY
        await self._connection.publish(
            publish.topic, publish.payload, qos=publish.qos, retain=publish.retain, expiry=expiry
        )

    # ---- one connection ---------------------------------------------------------------------------------------------

    async def _serve(self) -> NoReturn:
        """Serve one connection, from its beginning to its end."""
        self._inbox = inbox = Inbox()
        connection = await self._connect()
        try:
            self._connection, self.beginning = connection, True
            self._tell(None)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._deliver(inbox), name="mqtt delivery")
                others = [tasks.create_task(self._keep_subscribed(connection), name="mqtt subscriptions")]
                if self.commands:
                    others.append(tasks.create_task(self.commands.keep_proved(connection), name="mqtt proofs"))
                why = await connection.until_ended()
                for other in others:
                    other.cancel()
                inbox.close()
        finally:
            self._connection, self.beginning = None, False
            await self._leave(connection)
        raise MqttUnavailable(why)

    async def _connect(self) -> Connection:
        """Return a connection of the newest protocol that the broker speaks.

        Raises:
            ConnectFailed: there is none.
        """
        for version in self._versions:
            connection = Connection(self._config, self._take_in, version)
            try:
                await connection.connect(will=(self._status, "offline"), keepalive=self._keepalive)
            except ConnectFailed as error:
                if not error.too_new or version == self._versions[-1]:
                    raise
                if error.certain:  # else it may have had other reasons to hang up
                    self._versions = [MQTT_3_1_1]
                log.debug("trying MQTT 3.1.1: %s", error)
            else:
                return connection
        raise AssertionError("the last version raises or returns")

    async def _leave(self, connection: Connection) -> None:
        try:
            if connection.open:
                async with asyncio.timeout(_GOODBYE):
                    await connection.publish(self._status, "offline", qos=1, retain=True)
        except (MqttError, TimeoutError) as error:
            log.debug("the broker could not be told that we leave: %s", error)
        finally:
            await connection.close()

    async def _deliver(self, inbox: Inbox) -> None:
        """Hand out what came in, with pauses for everybody else, until nothing is left of a connection that is over."""
        clock = asyncio.get_running_loop().time
        while await inbox.wait():
            end = clock() + _SLICE
            while clock() < end and (message := inbox.take()) is not None:
                self.on_message(message)
            await _read_ahead(inbox)

    def _most(self, topic: str) -> int:
        """Return how many bytes a payload on a topic may have."""
        return max((most for each, most in self.largest.items() if matches(each, topic)), default=LARGEST_PAYLOAD)

    def _take_in(self, message: Message) -> None:
        if self.commands.take(message, self._connection):
            return
        size = len(message.payload)
        if size > LARGEST_PAYLOAD and size > (most := self._most(message.topic)):
            self._once(message.topic, f"mqtt: {message.topic} is ignored: {size} bytes, more than {most}")
            return
        skipped = self._inbox.put(message)
        if skipped:
            self._once(
                skipped, f"mqtt: {skipped} is published faster than we can follow: of what waits the newest is kept"
            )

    # ---- subscriptions ----------------------------------------------------------------------------------------------

    async def _keep_subscribed(self, connection: Connection) -> None:
        self._subscriptions.begin()
        try:
            await self.commands.listen(connection)
            await self._apply(connection)
            self.beginning = False
            await self._say(connection, self._status, "online", retain=True)
            self.on_ready()
            if self._config.birth:
                await self._say(connection, *BIRTH)
            while True:
                await self._subscriptions.change()
                await self._apply(connection)
        except MqttUnavailable:  # which ends the connection, too
            return

    async def _apply(self, connection: Connection) -> None:
        refused = await self._subscriptions.apply(connection)
        if refused:
            first, why = next(iter(refused.items()))
            more = f" and {len(refused) - 1} more topics" if len(refused) > 1 else ""
            self._once(
                f"refused {first}",
                f"the MQTT broker {self._config.address} does not let us read {first}{more} ({why}). "
                "Check its access list",
            )

    async def _say(self, connection: Connection, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish something of our own, which nobody waits for."""
        try:
            await connection.publish(topic, payload, qos=1 if retain else 0, retain=retain)
        except (MqttRefused, TimeoutError) as error:
            log.info("%s", error)

    # ---- telling ----------------------------------------------------------------------------------------------------

    def _tell(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            log.info("connected to the MQTT broker %s by %s", self._config.address, self.protocol)
        else:
            log.warning("%s", trouble)
        self.on_link(trouble)

    def _once(self, about: str, text: str) -> None:
        if about not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(about)
            log.warning("%s", text)


async def _read_ahead(inbox: Inbox) -> None:
    """Give everybody else a turn, and go on with that for as long as messages come in, but not for ever.

    The event loop takes one message from the socket in each pass. Were one handled for each, too, those that are
    superseded would wait inside the broker, where nobody can skip them.
    """
    quiet = 0  # passes: in each we have our turn before the socket has its own
    for _ in range(_READ_AHEAD):
        came = inbox.came
        await asyncio.sleep(0)
        quiet = 0 if inbox.came != came else quiet + 1
        if quiet == 2:
            return
