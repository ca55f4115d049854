"""One connection to a broker: how it begins, what is asked and published while it lasts, and why it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from jidget.config.mqtt import MqttConfig
from jidget.mqtt import failures
from jidget.mqtt.failures import ConnectFailed, MqttRefused, MqttUnavailable, OutcomeUnknown
from jidget.mqtt.model import Message
from jidget.mqtt.trust import context
from jidget.mqtt.wire import MQTT_5, Version, Wire, WireError
from jidget.safety.memory import boottime

PATIENCE = 10.0
"""Seconds that the broker may take to answer anything."""
KEEPALIVE = 30
"""Seconds of silence after which the broker is asked for a sign of life; it has as long again to give it."""
MOST_UNCONFIRMED = 20
"""Publishes of QoS 1 and 2 under way at once; more would wait inside paho and be sent when nobody expects it."""

_GOODBYE = 2.0
_FAILURE = 0x80  # and above: reason codes (MQTT 5 2.4)


class Connection:
    """A connection to the broker of a configuration, from `connect` to `close`; never used again after that.

    Attributes:
        version: of the protocol.
        why: why it ended; empty while it has not.
        proved: when (CLOCK_BOOTTIME, seconds) the last question that the broker has answered was sent: what comes after
            the answer was sent to us later than that.
        received: gets the messages.
    """

    def __init__(self, config: MqttConfig, on_message: Callable[[Message], None], version: Version) -> None:
        self.version = version
        self.why = ""
        self.proved: float | None = None
        self.received = on_message
        self._config = config
        self._wire: Wire
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusal: ConnectFailed | None = None
        self._unconfirmed: dict[int, asyncio.Future[tuple[int, str]]] = {}
        self._slots = asyncio.Semaphore(MOST_UNCONFIRMED)

    @property
    def open(self) -> bool:
        """Whether it can still be used."""
        return not self._ended.done()

    @property
    def protocol(self) -> str:
        """The protocol's version, for people."""
        return "MQTT 5" if self.version == MQTT_5 else "MQTT 3.1.1"

    async def connect(self, *, will: tuple[str, str] | None = None, keepalive: int = KEEPALIVE) -> None:
        """Connect and log in.

        Args:
            will: topic and payload of what the broker publishes, retained, should it lose us.
            keepalive: seconds; see `KEEPALIVE`.

        Raises:
            ConnectFailed: it did not work; nothing is left to be closed.
        """
        try:
            tls = await asyncio.to_thread(context, self._config) if self._config.tls else None
        except OSError as error:
            raise failures.unusable_files(error) from None
        self._wire = Wire(self._config, self.version, self, tls=tls, will=will, keepalive=keepalive, patience=PATIENCE)
        entering: asyncio.Future[Any] = asyncio.ensure_future(self._wire.enter())
        try:
            await asyncio.wait({entering, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await asyncio.wait({entering, self._wire.sent}, return_when=asyncio.FIRST_COMPLETED)
            await self._give_up(entering)
            raise
        if self._ended.done() and self._refusal is None:
            await self._give_up(entering)
        await asyncio.wait({entering})
        failure = self._failure(entering)
        if failure is not None:
            self._wire.abort()
            raise failure

    async def until_ended(self) -> str:
        """Wait until it is over, for whatever reason, and return the reason."""
        failing: asyncio.Future[Any] = asyncio.ensure_future(self._wire.failure())
        try:
            await asyncio.wait({failing, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failing.cancel()
            await asyncio.wait({failing})
        if not failing.cancelled():
            error = failing.result()
            self._end(f"{self._lost}: {error.__cause__ or error}")
        return self.why

    async def subscribe(self, filters: Mapping[str, int], *, as_published: bool = False) -> dict[str, str]:
        """Subscribe to filters with their QoS, in one request; return those that are refused, and why.

        What we publish ourselves does not come back with MQTT 5. Nor is what comes in said to be retained, unless the
        broker had kept it from before, or `as_published` asks for that.

        Raises:
            MqttUnavailable: the connection is over.
        """
        async with self._answered("subscriptions"):
            return await self._wire.subscribe(filters, as_published=as_published)
        raise AssertionError("returned or raised")

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe from filters, in one request.

        Raises:
            MqttUnavailable: the connection is over.
        """
        async with self._answered("the end of subscriptions"):
            await self._wire.unsubscribe(filters)

    async def publish(
        self, topic: str, payload: str | bytes, *, qos: int = 0, retain: bool = False, expiry: int | None = None
    ) -> None:
        """Publish, and wait until the broker confirms it; with QoS 0 until it is on its way.

        If that takes too long, or the caller stops waiting, the connection is given up: nothing may be sent later.

        Args:
            topic: without wildcards.
            payload: text is sent as UTF-8.
            qos: 0, 1 or 2.
            retain: whether the broker keeps it.
            expiry: seconds after which the broker no longer delivers it (MQTT 5).

        Raises:
            MqttUnavailable: nothing was sent.
            MqttRefused: the broker did not take it, or no broker would.
            OutcomeUnknown: it was sent and not confirmed.
        """
        async with self._slot(qos):
            self._require()
            try:
                number = self._wire.publish(topic, payload, qos, retain, expiry)
            except ValueError as error:
                raise MqttRefused(f"nobody can publish that to {topic}: {error}") from None
            if number is None:
                raise MqttUnavailable(f"nothing can be sent to the MQTT broker {self._config.address}")
            said = await self._confirmation(number)
        if said is None:
            raise OutcomeUnknown(f"{self.why}: what was published to {topic} may have been delivered, or may be yet")
        code, reason = said
        if code >= _FAILURE:
            raise failures.not_published(topic, reason)

    async def close(self) -> None:
        """Say goodbye, if there is still somebody to say it to, and close."""
        if self.open:
            with contextlib.suppress(TimeoutError, WireError):
                async with asyncio.timeout(_GOODBYE):
                    await self._wire.leave()
        self._end("the connection was closed")
        self._wire.abort()

    # ---- what the wire tells ----------------------------------------------------------------------------------------

    def accepted(self, unconfirmed: int | None) -> None:
        """Hear that the broker let us in."""
        self._slots = asyncio.Semaphore(min(unconfirmed or MOST_UNCONFIRMED, MOST_UNCONFIRMED))

    def refused(self, code: int, reason: str) -> None:
        """Hear that the broker did not let us in."""
        self._refusal = failures.refused(self._config, code, reason)

    def ended(self, code: int, reason: str, *, said: bool) -> None:
        """Hear that it is over."""
        self._end(failures.lost(self._config, code, reason, said=said))

    def broke(self, error: Exception) -> None:
        """Hear that it cannot be used any more."""
        self._end(f"{self._lost}: {error}")

    def confirmed(self, publish: int, code: int, reason: str) -> None:
        """Hear what became of a publish."""
        waiting = self._unconfirmed.get(publish)
        if waiting is not None and not waiting.done():
            waiting.set_result((code, reason))

    # ---- beginning and ending ---------------------------------------------------------------------------------------

    async def _give_up(self, entering: "asyncio.Future[None]") -> None:
        entering.cancel()
        await asyncio.wait({entering})
        if not entering.cancelled():
            entering.exception()  # nobody asks for it any more
        self._wire.abort()

    def _failure(self, entering: "asyncio.Future[None]") -> ConnectFailed | None:
        """Return why connecting failed; None if it did not."""
        error = None if entering.cancelled() else entering.exception()
        if self._refusal is not None:
            return self._refusal
        if entering.cancelled():
            return failures.ended_early(self._config)
        if error is None:
            return None
        if not isinstance(error, WireError | UnicodeError):
            raise error
        if self._wire.sent.done():
            return failures.unanswered(self._config)
        return failures.unreachable(self._config, error.__context__ if isinstance(error, WireError) else error)

    @property
    def _lost(self) -> str:
        return f"the connection to the MQTT broker {self._config.address} was lost"

    def _end(self, why: str) -> None:
        if not self._ended.done():
            self.why = why
            self._ended.set_result(None)

    # ---- asking -----------------------------------------------------------------------------------------------------

    def _require(self) -> None:
        if not self.open:
            raise MqttUnavailable(self.why)

    @contextlib.asynccontextmanager
    async def _answered(self, what: str) -> AsyncIterator[None]:
        """Ask the broker for something; who does not answer is no longer there."""
        self._require()
        asked = boottime()
        try:
            yield
        except WireError as error:
            self._end(f"the MQTT broker {self._config.address} does not confirm {what}: {error}")
            raise MqttUnavailable(self.why) from None
        self.proved = asked

    @contextlib.asynccontextmanager
    async def _slot(self, qos: int) -> AsyncIterator[None]:
        """Wait until there may be one more publish under way."""
        if not qos:
            yield
            return
        slots = self._slots
        try:
            async with asyncio.timeout(PATIENCE):
                await slots.acquire()
        except TimeoutError:
            raise MqttUnavailable(f"the MQTT broker {self._config.address} is too slow") from None
        try:
            yield
        finally:
            slots.release()

    async def _confirmation(self, publish: int) -> tuple[int, str] | None:
        """Return what the broker says of a publish; None if it did not in time."""
        answer = self._unconfirmed[publish] = asyncio.get_running_loop().create_future()
        waited: set[asyncio.Future[Any]] = {answer, self._ended}
        try:
            await asyncio.wait(waited, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._unconfirmed[publish]
            if not answer.done():
                self._end(f"the MQTT broker {self._config.address} does not confirm what we publish")
        return answer.result() if answer.done() else None
