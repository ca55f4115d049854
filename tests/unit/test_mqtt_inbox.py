"""What waits to be handled: in order, bounded by topic, by number and by bytes; the newest of a topic is never lost."""

import asyncio

from jidget.mqtt.inbox import Inbox
from jidget.mqtt.model import Message


def message(topic: str, payload: object = "") -> Message:
    return Message(topic=topic, payload=str(payload).encode())


def rest(inbox: Inbox) -> list[tuple[str, str]]:
    """Take everything out."""
    taken = []
    while (each := inbox.take()) is not None:
        taken.append((each.topic, each.text))
    return taken


def test_first_in_first_out() -> None:
    inbox = Inbox()
    sent = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("a", "2")]
    for topic, payload in sent:
        assert inbox.put(message(topic, payload)) == ""
    assert len(inbox) == 5
    assert rest(inbox) == sent
    assert (len(inbox), inbox.skipped, inbox.take()) == (0, 0, None)


def test_of_a_topic_that_floods_the_newest_are_kept_and_others_lose_nothing() -> None:
    inbox = Inbox(most_of_a_topic=3)
    inbox.put(message("calm", "first"))
    given_up = [inbox.put(message("flood", number)) for number in range(1000)]
    inbox.put(message("calm", "second"))
    assert given_up == [""] * 3 + ["flood"] * 997
    assert inbox.skipped == 997
    assert len(inbox) == 5
    assert rest(inbox) == [("calm", "first"), *(("flood", str(n)) for n in (997, 998, 999)), ("calm", "second")]


def test_a_topic_may_wait_again_after_its_turn() -> None:
    inbox = Inbox(most_of_a_topic=2)
    for number in range(5):
        inbox.put(message("a", number))
    assert rest(inbox) == [("a", "3"), ("a", "4")]
    for number in range(2):
        inbox.put(message("a", number))
    assert rest(inbox) == [("a", "0"), ("a", "1")]
    assert inbox.skipped == 3


def test_of_too_many_topics_the_oldest_messages_go() -> None:
    inbox = Inbox(most=3)
    given_up = [inbox.put(message(str(number))) for number in range(5)]
    assert given_up == ["", "", "", "0", "1"]
    assert [topic for topic, _ in rest(inbox)] == ["2", "3", "4"]
    assert inbox.skipped == 2


def test_of_too_many_bytes_the_oldest_messages_go_but_never_the_last_one() -> None:
    inbox = Inbox(most_bytes=100)
    for number in range(3):
        inbox.put(message(str(number), "x" * 40))
    assert [topic for topic, _ in rest(inbox)] == ["1", "2"]
    inbox.put(message("small"))
    assert inbox.put(message("huge", "x" * 1000)) == "small"
    assert [topic for topic, _ in rest(inbox)] == ["huge"]
    inbox.put(message("a", "x" * 90))  # nothing is counted that has left
    assert inbox.put(message("b", "x")) == ""


async def test_waiting_ends_with_news_and_with_the_end() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(message("a"))
    assert await waiting is True
    inbox.close()
    assert await inbox.wait() is True  # what has come is still handed out
    inbox.take()
    assert await inbox.wait() is False
    assert await inbox.wait() is False


async def test_the_end_wakes_who_waits() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait())
    await asyncio.sleep(0)
    inbox.close()
    assert await waiting is False
