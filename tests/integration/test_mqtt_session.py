"""The MQTT session with a real mosquitto: what comes, what goes, and what a cut, a crash or a flood does to both."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from tests.support.logs import watching_log
from tests.support.mqtt import LIMIT, Watched, at, flood, running
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.demo.mosquitto import Mosquitto
from jidget.mqtt.failures import MqttRefused, MqttUnavailable, OutcomeUnknown
from jidget.mqtt.model import LARGEST_PAYLOAD, Message, Publish
from jidget_drivers import DeviceUnavailable, WriteRefused


@pytest.fixture
def broker(fresh_server: FreshServers) -> Mosquitto:
    return fresh_server(Mosquitto)


@pytest.fixture
async def other(broker: Mosquitto) -> AsyncIterator[Watched]:
    """A client of its own, connected."""
    async with running(at(broker, "other")) as watched:
        await watched.connects()
        yield watched


async def say(watched: Watched, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False) -> None:
    async with asyncio.timeout(LIMIT):
        await watched.session.publish(Publish(topic=topic, payload=payload, qos=qos, retain=retain))


# ---- what comes ----------------------------------------------------------------------------------------------------


async def test_what_is_kept_says_so_and_what_is_new_does_not(broker: Mosquitto, other: Watched) -> None:
    await say(other, "lamp/state", "ON", retain=True)
    async with running(at(broker), "lamp/+", "lamp/bright/#") as one:
        await one.gets("lamp/state")
        await say(other, "lamp/state", "OFF", retain=True)
        await say(other, "lamp/bright/level", "7")
        await say(other, "other/state", "9")
        await say(other, "lamp/end", "")
        await one.gets("lamp/end")
        assert [(m.payload, m.retained) for m in one.of("lamp/state")] == [(b"ON", True), (b"OFF", False)]
        assert one.payloads("lamp/bright/level") == [b"7"]
        assert not one.of("other/state")


async def test_what_we_publish_does_not_come_back(broker: Mosquitto, other: Watched) -> None:
    async with running(at(broker), "lamp/#") as one:
        await one.subscribed()
        await say(one, "lamp/state", "ours")
        await say(one, "lamp/state", "ours, kept", retain=True)
        await say(other, "lamp/state", "theirs")
        await one.gets("lamp/state")
        assert one.payloads("lamp/state") == [b"theirs"]


async def test_asking_again_brings_what_is_kept_again(broker: Mosquitto, other: Watched) -> None:
    await say(other, "lamp/state", "ON", retain=True)
    async with running(at(broker)) as one:
        await one.connects()
        for count in (1, 2):
            one.session.subscribe({"lamp/state": 1})
            assert [m.retained for m in await one.gets("lamp/state", count)] == [True] * count


async def test_no_longer_wanted_is_no_longer_sent(broker: Mosquitto, other: Watched) -> None:
    async with running(at(broker), "lamp/a", "lamp/b") as one:
        await one.connects()
        await one.subscribed()
        one.session.unsubscribe(["lamp/a", "never/wanted"])
        await one.subscribed()
        await say(other, "lamp/a", "x")
        await say(other, "lamp/b", "y")
        await one.gets("lamp/b")
        assert not one.of("lamp/a")


async def test_two_thousand_filters_at_once(broker: Mosquitto, other: Watched) -> None:
    async with running(at(broker), *(f"device/{number}/state" for number in range(2000))) as one:
        await one.connects()
        await one.subscribed()
        for number in (0, 777, 1999):
            await say(other, f"device/{number}/state", "x")
            await one.gets(f"device/{number}/state")


async def test_a_filter_that_no_broker_takes_harms_no_other(broker: Mosquitto, other: Watched) -> None:
    with watching_log() as log:
        async with running(at(broker), "bad#", "$share/x/lamp", "a\x00b", "lamp/+") as one:
            one.session.subscribe({"bad#": 1})
            await one.connects()
            await say(other, "lamp/kept", "1", retain=True)
            await one.gets("lamp/kept")
            assert one.links == [None]
        assert len(log.matching("'bad#' is not subscribed to")) == 1
        assert len(log.matching("is not subscribed to")) == 3


async def test_a_huge_payload_is_ignored_and_told_once(broker: Mosquitto, other: Watched) -> None:
    with watching_log() as log:
        async with running(at(broker), "camera/#") as one:
            await one.subscribed()
            await say(other, "camera/image", b"x" * LARGEST_PAYLOAD, retain=True)
            await one.gets("camera/image")
            for _ in range(3):
                await say(other, "camera/image", b"x" * (LARGEST_PAYLOAD + 1))
            await say(other, "camera/image", b"small")
            await one.gets("camera/image", 2)
            assert [len(payload) for payload in one.payloads("camera/image")] == [LARGEST_PAYLOAD, 5]
        assert len(log.matching("camera/image is ignored: 262145 bytes, more than 262144")) == 1


async def test_payloads_are_bytes_whatever_they_hold(broker: Mosquitto, other: Watched) -> None:
    async with running(at(broker), "raw") as one:
        await one.subscribed()
        payloads = [b"", b"\x00\xff\xfe", "grün".encode(), b"\n" * 1000]
        for payload in payloads:
            await say(other, "raw", payload)
        await one.gets("raw", len(payloads))
        assert one.payloads("raw") == payloads


async def test_a_flood_skips_old_messages_and_stalls_nobody(broker: Mosquitto, other: Watched) -> None:
    """Three topics with 1,000 messages a second each, and a handler that manages 500."""
    topics, count = 3, 2000
    async with running(at(broker), "flood/#", "calm") as one:
        await one.subscribed()
        take = one.session.on_message

        def slowly(message: Message) -> None:
            time.sleep(0.002)
            take(message)

        one.session.on_message = slowly
        with watching_log() as log:
            watching = asyncio.ensure_future(_longest_gap(one))
            await asyncio.to_thread(flood, broker, topics, count, topics * 1000)
            last = str(count - 1).encode()
            await one.until(lambda: all(last in one.payloads(f"flood/{topic}") for topic in range(topics)))
            await say(other, "calm", "heard")
            await one.gets("calm")
            assert await watching < 1.0  # seconds; all of what waits would take longer
        for topic in range(topics):
            numbers = [int(payload) for payload in one.payloads(f"flood/{topic}")]
            assert numbers == sorted(numbers)
            assert numbers[-1] == count - 1
        assert one.session.skipped > count
        assert 1 <= len(log.matching("is published faster than we can follow")) <= topics


async def _longest_gap(watched: Watched) -> float:
    """Return the longest time in seconds that the event loop left us waiting, until `calm` was heard."""
    longest, last = 0.0, time.monotonic()
    while not watched.of("calm"):
        await asyncio.sleep(0)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


async def test_thousands_of_kept_messages_all_come(broker: Mosquitto, other: Watched) -> None:
    """More than mosquitto queues for a client: 1,000."""
    kinds, count = 3, 900
    async with asyncio.timeout(60):
        for number in range(count):
            for kind in range(kinds):
                await other.session.publish(Publish(topic=f"big/{kind}/{number}", payload=b"x" * 3000, retain=True))
        async with running(at(broker)) as one:
            take = one.session.on_message

            def slowly(message: Message) -> None:
                time.sleep(0.001)
                take(message)

            one.session.on_message = slowly
            one.session.subscribe({f"big/{kind}/+": 0 for kind in range(kinds)})
            await one.subscribed()
            assert len(one.messages) == kinds * count
            assert one.session.skipped == 0


# ---- what goes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_publishing(broker: Mosquitto, other: Watched, qos: int) -> None:
    async with running(at(broker), "lamp/set") as one:
        await one.connects()
        await one.subscribed()
        await say(other, "lamp/set", "ON", qos=qos)
        (message,) = await one.gets("lamp/set")
        assert (message.payload, message.retained) == (b"ON", False)


async def test_many_at_once_are_all_confirmed(broker: Mosquitto, other: Watched) -> None:
    async with running(at(broker), "lamp/#") as one:
        await one.connects()
        await one.subscribed()
        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(say(other, f"lamp/{number}", "x"))
        await one.until(lambda: len(one.messages) == 200)


async def test_nothing_is_published_while_away_and_nothing_later(broker: Mosquitto, other: Watched) -> None:
    session = Watched(at(broker)).session
    with pytest.raises(MqttUnavailable, match="not connected yet"):
        await session.publish(Publish(topic="lamp/set", payload="ON"))
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port)) as one:
        await one.connects()
        other.session.subscribe({"lamp/set": 1})
        await other.subscribed()
        proxy.refuse()
        proxy.cut()
        await one.fails()
        with pytest.raises(DeviceUnavailable, match=r"nothing listens there|was lost") as caught:
            await say(one, "lamp/set", "late")
        assert isinstance(caught.value, MqttUnavailable)
        proxy.accept()
        await one.connects()
        await say(one, "lamp/set", "new")
        await other.gets("lamp/set")
        assert other.payloads("lamp/set") == [b"new"]


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_cut_before_the_confirmation_leaves_it_unknown_and_sends_nothing_twice(
    broker: Mosquitto, other: Watched, qos: int
) -> None:
    other.session.subscribe({"lamp/set": 1})
    await other.subscribed()
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port)) as one:
        await one.connects()
        await say(one, "lamp/set", "before")
        await other.gets("lamp/set")
        proxy.stall("down")  # what we send arrives, what is answered does not
        sending = asyncio.ensure_future(say(one, "lamp/set", "once", qos=qos))
        if qos == 1:
            await other.gets("lamp/set", 2)
        proxy.cut()
        with pytest.raises(OutcomeUnknown, match="may have been delivered"):
            await sending
        await one.fails()
        proxy.resume()
        await one.connects()
        await say(one, "lamp/set", "after")
        await other.until(lambda: b"after" in other.payloads("lamp/set"))
        assert other.payloads("lamp/set") == [b"before", *([b"once"] if qos == 1 else []), b"after"]


async def test_who_stops_waiting_for_a_confirmation_is_not_obeyed_later(broker: Mosquitto, other: Watched) -> None:
    other.session.subscribe({"lamp/set": 1})
    await other.subscribed()
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port)) as one:
        await one.connects()
        await say(one, "lamp/set", "before")
        await other.gets("lamp/set")
        proxy.stall()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await one.session.publish(Publish(topic="lamp/set", payload="late", qos=1))
        assert not one.session.connected
        assert "does not confirm what we publish" in await one.fails()
        proxy.resume()
        await one.connects()
        await say(one, "lamp/set", "after")
        await other.until(lambda: b"after" in other.payloads("lamp/set"))


async def test_a_topic_that_nobody_can_publish_to(broker: Mosquitto) -> None:
    async with running(at(broker)) as one:
        await one.connects()
        for topic in ("", "lamp/+/set", "lamp/#", "a\x00", "a\ud800", "x" * 70_000):
            with pytest.raises(WriteRefused, match="nobody can publish"):
                await one.session.publish(Publish(topic=topic, payload="ON"))
        assert one.links == [None]


async def test_what_the_access_list_forbids_is_an_error(fresh_server: FreshServers) -> None:
    access = "topic readwrite lamp/#\ntopic read secret/#\n"
    broker = fresh_server(Mosquitto, access=access)
    async with running(at(broker)) as one:
        await one.connects()
        await say(one, "lamp/set", "ON")
        with pytest.raises(
            MqttRefused, match=r"does not let us publish to secret/x: Not authorized\. Check its access"
        ):
            await say(one, "secret/x", "ON")
        assert one.session.connected


# ---- coming and going ----------------------------------------------------------------------------------------------


async def test_status_says_whether_we_are_there(broker: Mosquitto, other: Watched) -> None:
    status = "jidget/jidget-test/status"
    other.session.subscribe({status: 1})
    await other.subscribed()
    async with ChaosProxy(broker.host, broker.port) as proxy:
        async with running(at(broker, port=proxy.port)) as one:
            await one.connects()
            await other.gets(status, 1)
            proxy.cut()
            await one.fails()
            await one.connects()
            await other.gets(status, 3)
        await other.gets(status, 4)
        assert other.payloads(status) == [b"online", b"offline", b"online", b"offline"]
    async with running(at(broker, "late"), status) as late:
        (message,) = await late.gets(status)
        assert (message.payload, message.retained) == (b"offline", True)


async def test_birth_is_said_once_per_connection_and_only_if_wanted(broker: Mosquitto, other: Watched) -> None:
    other.session.subscribe({"homeassistant/status": 0, "seen": 0})
    await other.subscribed()
    await say(other, "kept", "1", retain=True)
    async with running(at(broker, birth=True), "kept") as one:
        (birth,) = await other.gets("homeassistant/status")
        assert (birth.payload, birth.retained) == (b"online", False)
        await one.gets("kept")
        one.session.subscribe({"kept": 1})
        await one.gets("kept", 2)
    async with running(at(broker, "silent"), "kept") as silent:
        await silent.gets("kept")
        await say(silent, "seen", "1")
        await other.gets("seen")
    assert len(other.of("homeassistant/status")) == 1


async def test_a_broker_that_crashes_and_returns(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with running(at(broker), "lamp/#") as one:
        await one.connects()
        broker.kill()
        assert await one.fails() == f"the connection to the MQTT broker 127.0.0.1:{broker.port} was lost"
        assert not one.session.connected
        await one.until(lambda: "nothing listens there" in (one.links[-1] or ""))
        await broker.astart()
        await one.connects()
        async with running(at(broker, "other")) as other:
            await other.connects()
            await one.subscribed()
            await say(other, "lamp/state", "ON")
            await one.gets("lamp/state")
        told = [link for link in one.links if link is not None]
        assert len(told) == len(set(told))  # once per change, however often it is tried
        assert [record.message for record in caplog.records if "127.0.0.1" in record.message] == told
        assert not [record for record in caplog.records if record.levelno > logging.WARNING]


async def test_a_cut_in_the_middle_of_a_message(broker: Mosquitto, other: Watched) -> None:
    payload = b"x" * 100_000
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port), "lamp/#") as one:
        await one.subscribed()
        await say(other, "lamp/state", "first", retain=True)
        await one.gets("lamp/state")
        proxy.cut_after(5_000)
        await say(other, "lamp/state", payload, retain=True)
        await one.fails()
        await one.connects()
        await one.gets("lamp/state", 2)
        assert [(m.payload, m.retained) for m in one.of("lamp/state")] == [(b"first", False), (payload, True)]


async def test_a_broker_that_says_nothing_any_more(broker: Mosquitto) -> None:
    async with (
        ChaosProxy(broker.host, broker.port) as proxy,
        running(at(broker, port=proxy.port), keepalive=1) as one,
    ):
        await one.connects()
        proxy.stall()
        assert "was lost" in await one.fails()
        proxy.resume()
        await one.connects()


async def test_what_had_come_is_told_before_the_connection_is(broker: Mosquitto, other: Watched) -> None:
    for number in range(500):
        await say(other, f"lamp/{number}", "x", qos=0, retain=True)
    async with ChaosProxy(broker.host, broker.port) as proxy, running(at(broker, port=proxy.port), "lamp/#") as one:
        take, link = one.session.on_message, one.session.on_link
        waited: list[int] = []
        left: list[tuple[str | None, int]] = []

        def slowly(message: Message) -> None:
            time.sleep(0.01)
            take(message)
            waited.append(one.session.waiting)
            if len(waited) == 20:
                proxy.cut()

        def notice(trouble: str | None) -> None:
            left.append((trouble, one.session.waiting))
            link(trouble)

        one.session.on_message, one.session.on_link = slowly, notice
        assert "was lost" in await one.fails()
        assert waited[19] > 0  # at the time of the cut some had come that nobody had seen
        assert [waiting for trouble, waiting in left if trouble] == [0]
        assert len(one.messages) > 20


async def test_an_error_of_whoever_is_told_ends_the_session(broker: Mosquitto, other: Watched) -> None:
    def stumble(_: Message) -> None:
        raise ZeroDivisionError

    watched = Watched(at(broker))
    watched.session.on_message = stumble
    watched.session.subscribe({"lamp": 1})
    await say(other, "lamp", "x", retain=True)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(LIMIT):
            await watched.session.run()
    assert caught.value.subgroup(ZeroDivisionError)
