"""Looking at a broker before relying on it: what it is, and whether devices announce themselves there.

Logs in beside a running agent under a name of its own, leaves no last will and changes nothing.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from jidget.config.mqtt import MqttConfig
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.connection import Connection
from jidget.mqtt.failures import ConnectFailed, MqttRefused
from jidget.mqtt.model import Message
from jidget.mqtt.topics import matches
from jidget.mqtt.wire import MQTT_3_1_1, MQTT_5

Verdict = tuple[bool | None, str, str]
"""Good (True), worth knowing (None) or wrong (False); what was looked at; what was found and what it costs."""

_VERSION = "$SYS/broker/version"
_QUIET = 0.5
"""Seconds without a message after which a broker has sent all that it had kept: nothing says so."""
_PATIENCE = 5.0


async def check(config: MqttConfig) -> AsyncIterator[Verdict]:
    """Yield what is found, one verdict at a time.

    Raises:
        MqttError: there is no connection, or it was lost; the text says why and what to do.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue()
    connection = await _connect(config, messages)
    try:
        said = await _version(connection, messages)
        detail = f"{config.address}, {connection.protocol}{', certificate verified' if config.tls else ''}"
        yield True, "MQTT broker", f"{detail}{f', {said}' if said else ''}"
        yield await _discovery(connection, messages, config)
        if config.announce:
            yield await _announcing(connection, config)
    finally:
        await connection.close()


async def _connect(config: MqttConfig, messages: "asyncio.Queue[Message]") -> Connection:
    beside = config.model_copy(update={"client_id": f"{config.client_id[:40]}-{secrets.token_hex(3)}"})
    connection = Connection(beside, messages.put_nowait, MQTT_5)
    try:
        await connection.connect()
    except ConnectFailed as error:
        if not error.too_new:
            raise
        connection = Connection(beside, messages.put_nowait, MQTT_3_1_1)
        await connection.connect()
    return connection


async def _version(connection: Connection, messages: "asyncio.Queue[Message]") -> str:
    """Return what the broker says it is: mosquitto and its like do, if they let us read it."""
    if await connection.subscribe({_VERSION: 0}):
        return ""
    told = await _kept(messages)
    await connection.unsubscribe([_VERSION])
    text = told[0].payload.decode(errors="replace")[:60] if told else ""
    return text if text.isprintable() else ""


async def _discovery(connection: Connection, messages: "asyncio.Queue[Message]", config: MqttConfig) -> Verdict:
    prefix = config.discovery_prefix
    filters = {f"{prefix}/+/+/config": 0, f"{prefix}/+/+/+/config": 0}
    refused = await connection.subscribe(filters)
    if refused:
        first, why = next(iter(refused.items()))
        text = f"the broker does not let us read {first} ({why}). Allow this user to read {prefix}/#"
        return False, "MQTT discovery", text
    found = {message.topic for message in await _kept(messages) if message.retained and message.payload}
    if not found and (others := await _others(connection, messages, config)):
        return True, "MQTT discovery", f"nothing under {prefix}/, but {others} in other ways"
    if not found:
        return (
            None,
            "MQTT discovery",
            f"nothing is announced under {prefix}/ yet. Switch discovery for Home Assistant on where the devices are, "
            f"and see that this user may read {prefix}/#",
        )
    return True, "MQTT discovery", f"{len(found)} announcement{'s' if len(found) > 1 else ''} under {prefix}/"


async def _announcing(connection: Connection, config: MqttConfig) -> Verdict:
    """Say whether we may publish where our own Things are announced; beside those topics, where nobody listens."""
    what = "own Things"
    names = Names(config.client_id, config.discovery_prefix)
    if connection.version != MQTT_5:
        text = (
            "without MQTT 5 a broker says neither whether they may be announced nor whether a command is to be retained"
        )
        return None, what, f"{text}. See that this user may write to {names.root}# and {config.discovery_prefix}/#"
    for topic in (f"{names.root}check", f"{config.discovery_prefix}/device/{names.agent}/check"):
        try:
            await connection.publish(topic, "", qos=1)
        except MqttRefused as error:
            return False, what, f"they cannot be announced: {error}"
    return True, what, f"may be announced under {config.discovery_prefix}/device/ and told under {names.root}"


async def _others(connection: Connection, messages: "asyncio.Queue[Message]", config: MqttConfig) -> str:
    """Return how many announce themselves by another of the formats that are understood; empty if nobody does."""
    from jidget.mqtt.sources import sources_of  # noqa: PLC0415  # brings all formats

    others = sources_of(config)[1:]
    if not others:
        return ""
    await connection.subscribe({each: 0 for source in others for each in source.filters})
    told = [message for message in await _kept(messages) if message.retained]
    found = {m.topic for m in told for s in others if any(matches(f, m.topic) for f in s.filters) and s.take(m).tells}
    return f"{len(found)} announcement{'s' if len(found) > 1 else ''}" if found else ""


async def _kept(messages: "asyncio.Queue[Message]") -> Sequence[Message]:
    """Return what the broker had kept on what was just subscribed to."""
    found: list[Message] = []
    end = asyncio.get_running_loop().time() + _PATIENCE
    with suppress(TimeoutError):  # it has gone quiet
        while (left := end - asyncio.get_running_loop().time()) > 0:
            async with asyncio.timeout(min(_QUIET, left)):
                found.append(await messages.get())
    return found
