"""The gate: who gets in, what is answered, and that nothing a peer sends stops the rest."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from slixmpp import JID

from jidget.errors import LinkError, StanzaError
from jidget.xmpp.crowd import MOST_EXPECTED
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.router import MOST_AT_ONCE, MOST_OF_ONE, Admission, Incoming, Router, error_of
from jidget.xmpp.xml import element, serialise

STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
QUESTION = "<question xmlns='urn:q'/>"
KNOWN = "alice@example.org"
OWNER = "olivia@example.org"
HOUSE = "house.example"
"""Whoever has an account there is known."""


class Outbox(Link):
    """A link that keeps what is sent.

    Attributes:
        sent: what was sent.
        is_fresh: what `fresh` says.
        proved: how many seconds ago the server proved that the link is live.
        down: whether sending fails.
    """

    def __init__(self) -> None:
        super().__init__(Login(jid="pi@example.org", resource="agent", password="secret"), lambda _: None)
        self.sent: list[ET.Element] = []
        self.arrived = asyncio.Event()
        self.is_fresh = True
        self.proved = 0.0
        self.down = False

    def fresh(self) -> bool:
        return self.is_fresh

    def proof_age(self) -> float | None:
        return self.proved

    def send(self, stanza: ET.Element) -> None:
        if self.down:
            raise LinkError("not connected")
        self.sent.append(stanza)
        self.arrived.set()

    async def answer(self) -> ET.Element:
        async with asyncio.timeout(5):
            await self.arrived.wait()
        (answer,) = self.sent
        self.sent.clear()
        self.arrived.clear()
        return answer


def admit(sender: JID) -> Admission:
    if sender.full in ("pi@example.org", "example.org"):
        return Admission.SERVER
    if sender.bare == OWNER:
        return Admission.OWNER
    return Admission.KNOWN if sender.bare == KNOWN or sender.domain == HOUSE else Admission.STRANGER


class Hall:
    """A router that is serving, and the link it answers by."""

    def __init__(self) -> None:
        self.link = Outbox()
        self.router = Router(admit)
        self.taken: asyncio.Queue[Incoming] = asyncio.Queue()
        self.router.on_iq("get", "{urn:q}question", self._answer)

    async def _answer(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        self.taken.put_nowait(incoming)
        return (element("{urn:q}answer"),)

    def receive(self, text: str) -> None:
        self.router.receive(ET.fromstring(text))

    def iq(
        self, inner: str = QUESTION, sender: str | None = f"{KNOWN}/phone", kind: str = "get", id: str = "1"
    ) -> None:
        origin = f" from='{sender}'" if sender else ""
        identity = f" id='{id}'" if id else ""
        self.receive(f"<iq xmlns='jabber:client' type='{kind}'{origin}{identity}>{inner}</iq>")


@asynccontextmanager
async def serving() -> AsyncIterator[Hall]:
    hall = Hall()
    async with hall.router.serving(hall.link):
        yield hall


def condition(answer: ET.Element) -> tuple[str, str]:
    """Return the type and condition of an error answer."""
    assert answer.get("type") == "error"
    error = answer.find("{jabber:client}error")
    assert error is not None
    return error.get("type", ""), error[0].tag.removeprefix(STANZAS)


async def test_a_known_sender_is_answered_under_their_id() -> None:
    async with serving() as hall:
        hall.iq(id="a&apos;b", sender="Alice@EXAMPLE.org/Phone")
        answer = await hall.link.answer()
        assert (answer.get("type"), answer.get("id"), answer.get("to")) == ("result", "a'b", "Alice@EXAMPLE.org/Phone")
        assert [child.tag for child in answer] == ["{urn:q}answer"]
        incoming = hall.taken.get_nowait()
        assert (incoming.sender.full, incoming.id, incoming.kind) == ("alice@example.org/Phone", "a'b", "get")


@pytest.mark.parametrize("inner", [QUESTION, "<nothing xmlns='urn:q'/>", "", QUESTION * 2])
async def test_a_stranger_learns_nothing(inner: str) -> None:
    async with serving() as hall:
        for sender in ("mallory@example.org/x", "alice@example.com/phone", "example.com"):
            hall.iq(inner, sender)
            assert condition(await hall.link.answer()) == ("cancel", "service-unavailable")
        assert hall.taken.empty()


@pytest.mark.parametrize(
    ("inner", "kind", "id", "expected"),
    [
        ("<nothing xmlns='urn:q'/>", "get", "1", ("cancel", "service-unavailable")),
        ("<question xmlns='urn:other'/>", "get", "1", ("cancel", "service-unavailable")),
        (QUESTION, "set", "1", ("cancel", "service-unavailable")),
        ("", "get", "1", ("modify", "bad-request")),
        (QUESTION * 2, "get", "1", ("modify", "bad-request")),
        (QUESTION, "", "1", ("modify", "bad-request")),
        (QUESTION, "explode", "1", ("modify", "bad-request")),
        (QUESTION, "get", "", ("modify", "bad-request")),
    ],
)
async def test_what_is_not_understood_is_answered_cleanly(
    inner: str, kind: str, id: str, expected: tuple[str, str]
) -> None:
    async with serving() as hall:
        hall.iq(inner, kind=kind, id=id)
        assert condition(await hall.link.answer()) == expected
        assert hall.taken.empty()


@pytest.mark.parametrize("sender", [None, "pi@example.org", "example.org"])
async def test_our_own_server_gets_only_what_is_public(sender: str | None) -> None:
    async with serving() as hall:
        hall.iq(sender=sender)
        assert condition(await hall.link.answer()) == ("cancel", "service-unavailable")
        hall.router.on_iq("get", "{urn:q}question", hall._answer, public=True)
        hall.iq(sender=sender)
        assert (await hall.link.answer()).get("type") == "result"


async def test_a_sender_that_is_no_jid_is_left_alone() -> None:
    async with serving() as hall:
        hall.iq(sender="@@@")
        hall.iq()
        assert (await hall.link.answer()).get("type") == "result"
        assert hall.taken.qsize() == 1


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ("bad-request", "modify"),
        ("forbidden", "auth"),
        ("item-not-found", "cancel"),
        ("resource-constraint", "wait"),
        ("unexpected-request", "wait"),
        ("feature-not-implemented", "cancel"),
        ("internal-server-error", "cancel"),
    ],
)
async def test_a_refusal_has_the_type_of_its_condition(wanted: str, kind: str) -> None:
    async def refuse(_: Incoming) -> tuple[ET.Element, ...]:
        raise StanzaError(wanted, "because", "{urn:a}why")

    async with serving() as hall:
        hall.router.on_iq("get", "{urn:q}question", refuse)
        hall.iq()
        answer = await hall.link.answer()
        assert condition(answer) == (kind, wanted)
        assert "because" in serialise(answer)
        assert "<why xmlns='urn:a'/>" in serialise(answer)


def test_a_refusal_without_words() -> None:
    request = ET.fromstring("<iq xmlns='jabber:client' type='get' id='1' from='a@b/c'/>")
    assert [child.tag for child in error_of(request, StanzaError("forbidden"))[0]] == [f"{STANZAS}forbidden"]


async def test_a_bug_of_ours_is_logged_and_hidden_and_the_next_is_served(caplog: pytest.LogCaptureFixture) -> None:
    async def stumble(_: Incoming) -> tuple[ET.Element, ...]:
        raise RuntimeError("secret detail")

    async def tumble(_: Incoming) -> None:
        raise RuntimeError("another")

    async with serving() as hall:
        hall.router.on_iq("set", "{urn:q}question", stumble)
        hall.router.messages.append(tumble)
        hall.receive(f"<message xmlns='jabber:client' from='{KNOWN}/phone'><body>hi</body></message>")
        hall.iq(kind="set")
        answer = await hall.link.answer()
        assert condition(answer) == ("cancel", "internal-server-error")
        assert "secret" not in serialise(answer)
        hall.iq()
        assert (await hall.link.answer()).get("type") == "result"
    told = [record for record in caplog.records if record.exc_info]
    assert len(told) == 2
    assert {KNOWN in record.getMessage() for record in told} == {True}


async def test_an_answer_that_cannot_be_sent_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as hall:
        hall.link.down = True
        hall.iq()
        hall.iq("")
        async with asyncio.timeout(5):
            await hall.taken.get()
        hall.link.down = False
        hall.iq()
        assert (await hall.link.answer()).get("type") == "result"
    assert len([record for record in caplog.records if "could not be sent" in record.getMessage()]) == 2


async def test_messages_come_from_the_known_only_and_presence_from_anybody() -> None:
    messages: list[str] = []
    presences: asyncio.Queue[str] = asyncio.Queue()

    async def on_message(incoming: Incoming) -> None:
        messages.append(incoming.sender.full)

    async def on_presence(incoming: Incoming) -> None:
        presences.put_nowait(incoming.sender.full)

    async with serving() as hall:
        hall.router.messages.append(on_message)
        hall.router.presences.append(on_presence)
        senders = [f"{KNOWN}/phone", "mallory@example.org/x"]
        for sender in senders:
            for kind in ("chat", "error"):
                hall.receive(f"<message xmlns='jabber:client' from='{sender}' type='{kind}'/>")
            hall.receive(f"<presence xmlns='jabber:client' from='{sender}' type='error'/>")
            hall.receive(f"<presence xmlns='jabber:client' from='{sender}'/>")
        async with asyncio.timeout(5):
            assert [await presences.get() for _ in senders] == senders
        assert messages == [f"{KNOWN}/phone"]
        assert presences.empty()


async def test_nothing_is_taken_while_nobody_serves() -> None:
    hall = Hall()
    hall.iq()
    assert hall.link.sent == []
    async with hall.router.serving(hall.link):
        hall.iq()
        await hall.link.answer()
    hall.iq()
    assert hall.link.sent == []


async def test_what_is_not_done_when_serving_ends_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def wait(_: Incoming) -> tuple[ET.Element, ...]:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        return ()

    async with asyncio.timeout(5), serving() as hall:
        hall.router.on_iq("get", "{urn:q}question", wait)
        hall.iq()
        await asyncio.sleep(0)  # until it waits
    assert cancelled.is_set()


# ---- too much at once ----------------------------------------------------------------------------------------------


class Busy(Hall):
    """A hall whose rooms keep everything waiting until `gate` is set.

    Attributes:
        begun: the senders of what was begun, bare.
        told: the senders of messages that were put off, bare.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun: list[str] = []
        self.told: list[str] = []
        self.router.on_iq("set", "{urn:q}question", self._slowly)
        self.router.messages.append(self._hear)
        self.router.presences.append(self._hear)
        self.router.put_off.append(self._tell)

    async def _slowly(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        await self._hear(incoming)
        return ()

    async def _hear(self, incoming: Incoming) -> None:
        self.begun.append(incoming.sender.bare)
        await self.gate.wait()

    def _tell(self, incoming: Incoming) -> bool:
        if incoming.stanza.find("{jabber:client}body") is None:
            return False
        self.told.append(incoming.sender.bare)
        return True

    def says(self, who: str, body: str = "<body>hi</body>") -> None:
        self.receive(f"<message xmlns='jabber:client' from='{who}/phone'>{body}</message>")

    async def settled(self) -> None:
        """Wait until all that can be begun or ended is."""
        for _ in range(5):
            await asyncio.sleep(0)


@asynccontextmanager
async def busy() -> AsyncIterator[Busy]:
    hall = Busy()
    async with hall.router.serving(hall.link):
        yield hall


def crowd(number: int) -> list[str]:
    """Return people of the house, and as many stanzas of each as one person may have."""
    return [f"p{n // MOST_OF_ONE}@{HOUSE}" for n in range(number)]


async def test_nobody_keeps_others_from_being_heard() -> None:
    async with busy() as hall:
        for number in range(MOST_AT_ONCE):
            hall.says(KNOWN)
            hall.iq(id=f"n{number}", kind="set")
        hall.says(f"bob@{HOUSE}")
        await hall.settled()
        assert hall.begun == [KNOWN] * MOST_OF_ONE + [f"bob@{HOUSE}"]


async def test_an_iq_too_many_is_put_off_until_there_is_room() -> None:
    async with busy() as hall:
        for number in range(MOST_OF_ONE):
            hall.iq(id=f"n{number}", kind="set")
        hall.iq(id="late", sender=f"{KNOWN}/tablet", kind="set")
        answer = await hall.link.answer()
        assert (answer.get("id"), condition(answer)) == ("late", ("wait", "resource-constraint"))
        hall.gate.set()
        await hall.settled()
        assert [answer.get("id") for answer in hall.link.sent] == [f"n{number}" for number in range(MOST_OF_ONE)]
        hall.link.sent.clear()
        hall.link.arrived.clear()
        hall.iq(id="again", kind="set")
        assert (await hall.link.answer()).get("type") == "result"


async def test_all_together_are_bounded_but_for_owners() -> None:
    async with busy() as hall:
        for person in (*crowd(MOST_AT_ONCE), KNOWN, KNOWN, OWNER):
            hall.says(person)
        await hall.settled()
        assert hall.begun == [*crowd(MOST_AT_ONCE), OWNER]
        assert hall.told == [KNOWN]
        for number in range(MOST_OF_ONE):
            hall.iq(id=f"n{number}", sender=f"{OWNER}/phone", kind="set")
        answer = await hall.link.answer()
        assert condition(answer) == ("wait", "resource-constraint"), "an owner has as many places as anybody"


async def test_who_is_put_off_is_told_once_for_as_long_as_that_lasts(caplog: pytest.LogCaptureFixture) -> None:
    async with busy() as hall:
        for body in ["<body>hi</body>"] * MOST_OF_ONE + ["", *["<body>hi</body>"] * 20]:
            hall.says(KNOWN, body)
        await hall.settled()
        assert hall.told == [KNOWN]
        hall.gate.set()
        await hall.settled()
        hall.gate.clear()
        for _ in range(MOST_OF_ONE + 2):
            hall.says(KNOWN)
        await hall.settled()
        assert hall.told == [KNOWN] * 2
    assert len([record for record in caplog.records if "too much at once" in record.getMessage()]) == 2


async def test_who_found_no_room_for_others_is_told_anew_when_there_was_some() -> None:
    async with busy() as hall:
        for _ in range(2):
            for person in (*crowd(MOST_AT_ONCE), KNOWN, KNOWN):
                hall.says(person)
            await hall.settled()
            hall.gate.set()
            await hall.settled()
            hall.gate.clear()
        assert hall.told == [KNOWN] * 2


async def test_a_mistake_in_telling_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def stumble(_: Incoming) -> bool:
        raise RuntimeError("no words")

    async with busy() as hall:
        hall.router.put_off.insert(0, stumble)
        for _ in range(MOST_OF_ONE + 1):
            hall.says(KNOWN)
        await hall.settled()
        hall.iq(sender=f"{OWNER}/phone")
        assert (await hall.link.answer()).get("type") == "result"
    assert [record for record in caplog.records if record.exc_info]


async def test_what_need_not_wait_is_done_however_much_comes_at_a_time() -> None:
    async with serving() as hall:
        for number in range(3 * MOST_AT_ONCE):
            hall.iq(id=f"n{number}")
        async with asyncio.timeout(5):
            while len(hall.link.sent) < 3 * MOST_AT_ONCE:
                hall.link.arrived.clear()
                await hall.link.arrived.wait()
        assert {answer.get("type") for answer in hall.link.sent} == {"result"}


async def test_presences_take_nobodys_place_and_those_of_strangers_are_bounded() -> None:
    async with busy() as hall:
        before = len(asyncio.all_tasks())
        for number in range(10 * MOST_EXPECTED):
            hall.receive(f"<presence xmlns='jabber:client' from='evil{number}@example.com/x' type='subscribe'/>")
        assert len(asyncio.all_tasks()) - before <= MOST_EXPECTED
        await hall.settled()
        assert len(asyncio.all_tasks()) - before <= MOST_AT_ONCE
        hall.begun.clear()
        for number in range(2 * MOST_OF_ONE):
            hall.receive(f"<presence xmlns='jabber:client' from='{KNOWN}/r{number}'/>")
        for _ in range(MOST_OF_ONE):
            hall.says(KNOWN)
        await hall.settled()
        assert hall.begun == [KNOWN] * 2 * MOST_OF_ONE


async def test_our_own_server_has_room_for_all() -> None:
    async with busy() as hall:
        hall.router.on_iq("set", "{urn:q}question", hall._slowly, public=True)
        for number in range(MOST_AT_ONCE):
            hall.iq(id=f"n{number}", sender="pi@example.org", kind="set")
        await hall.settled()
        assert len(hall.begun) == MOST_AT_ONCE
        assert hall.link.sent == []


async def test_one_room_that_stumbles_over_a_presence_keeps_it_from_no_other() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def stumble(_: Incoming) -> None:
        raise LinkError("not connected")

    async def hear(incoming: Incoming) -> None:
        heard.put_nowait(incoming.sender.bare)

    async with asyncio.timeout(5), serving() as hall:
        hall.router.presences += [stumble, hear]
        hall.receive(f"<presence xmlns='jabber:client' from='{KNOWN}/phone'/>")
        assert await heard.get() == KNOWN


# ---- age -----------------------------------------------------------------------------------------------------------


def delay(seconds: float, namespace: str = "urn:xmpp:delay") -> str:
    stamp = datetime.now(UTC) - timedelta(seconds=seconds)
    return f"<delay xmlns='{namespace}' stamp='{stamp.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'/>"


async def age_of(inner: str, *, fresh: bool = True, proved: float = 0.0) -> float | None:
    async with serving() as hall:
        hall.link.proved = proved
        taken: asyncio.Queue[Incoming] = asyncio.Queue()

        async def take(incoming: Incoming) -> None:
            taken.put_nowait(incoming)

        hall.link.is_fresh = fresh
        hall.router.messages.append(take)
        hall.receive(f"<message xmlns='jabber:client' from='{KNOWN}/phone'><body>hi</body>{inner}</message>")
        async with asyncio.timeout(5):
            return (await taken.get()).age
    raise AssertionError


async def test_a_stanza_without_a_delay_is_new_on_a_live_link() -> None:
    assert await age_of("") == 0.0
    assert await age_of(delay(50, "urn:other")) == 0.0


async def test_without_a_live_link_nobody_knows_its_age() -> None:
    assert await age_of("", fresh=False) is None


async def test_it_may_have_been_sent_right_after_the_server_proved_that_it_had_nothing_older() -> None:
    assert await age_of("", proved=12.0) == 12.0
    assert await age_of(delay(5), proved=12.0) == 12.0
    assert await age_of(delay(50), proved=12.0) == pytest.approx(50, abs=5)
    assert await age_of("<delay xmlns='urn:xmpp:delay'/>", proved=12.0) is None


async def test_it_grows_older_while_it_waits() -> None:
    async with serving() as hall:
        hall.link.proved = 7.0
        hall.iq()
        incoming = await hall.taken.get()
        later = incoming.age_now()
        assert later is not None
        assert 7.0 < later < 27.0
        aged = replace(incoming, arrived=incoming.arrived - 100.0).age_now()
        assert aged is not None
        assert 107.0 < aged < 127.0
        assert replace(incoming, age=None).age_now() is None


async def test_the_oldest_delay_counts() -> None:
    age = await age_of(delay(5) + delay(50) + delay(20))
    assert age == pytest.approx(50, abs=5)


@pytest.mark.parametrize("inner", ["<delay xmlns='urn:xmpp:delay'/>", "<delay xmlns='urn:xmpp:delay' stamp='now'/>"])
async def test_a_delay_that_says_nothing_makes_the_age_unknown(inner: str) -> None:
    assert await age_of(inner) is None
    assert await age_of(delay(5) + inner) is None


async def test_a_delay_from_our_future_makes_the_age_unknown() -> None:
    assert await age_of(delay(-60)) is None
    assert await age_of(delay(-5)) == 0.0
