"""The end of a soak: what was made is compared with what came, and what was sent with what moved."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from tests.support.asking import Refused
from tests.support.soak import stock
from tests.support.soak.episodes import during
from tests.support.soak.ledger import Key
from tests.support.soak.orders import Answer
from tests.support.soak.outputs import stretches_of
from tests.support.soak.resident import NoAnswer
from tests.support.soak.result import Result
from tests.support.soak.rig import COUNTERS, Rig, now

_PATIENCE = 60.0
_LAST_COMMANDS = 1.0
_UNEXPECTED = ("Traceback (most recent call last)", "ERROR asyncio: ")


async def reckon(rig: Rig, result: Result, *, since: str) -> None:
    """Let the agent end in order, start it once more to be asked for its whole history, and fill in the result."""
    await asyncio.sleep(_LAST_COMMANDS)
    if not result.stuck:
        await _caught_up(rig, result)
        await rig.durable(_PATIENCE)
    code = await rig.agent.end()
    if code != 0:
        result.details.append(f"the agent's exit code is {code}")
        result.errors += 1
    await _flushed(rig)
    ledger = rig.consumer.ledger
    came = dict(ledger.readings)
    rig.keep_store()
    made = stock.made(rig.store, rig.consumer.agent.partition("/")[2])
    result.repeated, result.fetched = rig.consumer.repeated, rig.consumer.fetched
    result.late = len(ledger.absent(made))
    if not result.stuck:
        await _ask_for_everything(rig, result, since)
    _count_readings(rig, result, made)
    result.made = len(made.keys() | came)
    result.received = result.made - result.lost
    _count_commands(rig, result)
    _count_outputs(rig, result)
    errors = [text for text in _UNEXPECTED if text in rig.agent.said]
    result.errors += sum(rig.agent.said.count(text) for text in errors)
    result.details += [f"{rig.agent.said.count(text)} times {text!r} in {rig.agent.output}" for text in errors]


async def _caught_up(rig: Rig, result: Result) -> None:
    consumer = rig.consumer
    try:
        async with asyncio.timeout(_PATIENCE):
            await consumer.news.until(lambda: consumer.complete)
    except TimeoutError:
        result.details.append(f"gaps were not filled within {_PATIENCE:.0f} s: {consumer.wanting}")


async def _flushed(rig: Rig) -> None:
    """Wait until all that the server had for the consumer is there: it answers in order."""
    domain = rig.consumer.account.server.domain
    with suppress(Refused, NoAnswer):  # an answer all the same, or a server that is gone
        await rig.consumer.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain)


async def _ask_for_everything(rig: Rig, result: Result, since: str) -> None:
    """Start the agent once more and fetch what it has; whatever it makes meanwhile is of no interest."""
    await rig.start_agent()
    try:
        async with asyncio.timeout(_PATIENCE):
            await rig.consumer.fresh(datetime.now(UTC))
            await rig.consumer.fetch(since)
    except (TimeoutError, NoAnswer, Refused) as error:
        result.details.append(f"the whole history could not be had: {str(error) or type(error).__name__}")
    await rig.agent.end()


def _count_readings(rig: Rig, result: Result, made: dict[Key, str]) -> None:
    ledger = rig.consumer.ledger
    absent = ledger.absent(made)
    lost = [f"{key.thing}.{key.prop} {made[key]} of {key.time} never came" for key in absent]
    known = {(key.thing, key.prop, int(made[key])) for key in absent if key.thing in COUNTERS}
    lost += [
        f"{span.thing}.{span.prop} {number} is not even in the store; the next is of {span.until}"
        for span in ledger.missing()
        for number in range(span.first, span.last + 1)
        if (span.thing, span.prop, number) not in known
    ]
    result.lost, result.duplicated = len(lost), len(ledger.contradictions)
    result.details += [_blamed(result, text) for text in (*lost, *ledger.contradictions)]
    result.details += dict.fromkeys(rig.consumer.refusals)


def _count_commands(rig: Rig, result: Result) -> None:
    orders = rig.orders
    result.sent = sum(bool(order.sent) for order in orders.all.values())
    result.repetitions, result.executed = orders.repetitions, len(orders.done())
    result.refused = len(orders.answered(Answer.REFUSED))
    result.twice, result.stale = len(orders.twice()), len(orders.stale())
    result.strange, result.untrue = len(orders.strange), len(orders.untrue())
    for what, several in (("twice", orders.twice()), ("stale", orders.stale()), ("untrue", orders.untrue())):
        for order in several:
            where = _at(result, (order.executed or order.sent)[-1])
            moments = ", ".join(f"{at - order.sent[0]:.1f} s" for at in order.executed)
            answer = f"{order.answer} {order.words}".strip()
            result.details.append(f"command {order.value} {what}: executed at {moments or 'no time'}; {answer}{where}")
    result.details += [f"the actuator was set to {value} by nobody" for value in orders.strange]


def _count_outputs(rig: Rig, result: Result) -> None:
    for record in rig.records:
        record.look()
    stretches = stretches_of(rig.outputs, rig.agent.outages, now())
    result.switched = sum(stretch.rule == "max_on" for stretch in stretches)
    result.expired = sum(stretch.expired for stretch in stretches)
    result.excess = max((stretch.excess for stretch in stretches), default=None)
    result.overdue = max((stretch.overdue for stretch in stretches), default=None)
    too_long = [stretch for stretch in stretches if stretch.too_long]
    result.too_long = len(too_long)
    result.details += [f"{stretch}{_at(result, stretch.ended)}" for stretch in too_long]


def _at(result: Result, moment: float) -> str:
    """Say during which fault a moment was."""
    fault = next((episode for episode in reversed(result.episodes) if episode.struck <= moment), None)
    return "" if fault is None else f" (during fault {fault.number}, {fault.kind})"


def _blamed(result: Result, text: str) -> str:
    """Say during which fault it was, as far as the text names a time."""
    times = [word for word in text.replace(",", " ").split() if word.endswith("Z") and "T" in word]
    episode = during(result.episodes, times[0]) if times else None
    return text if episode is None else f"{text} (during fault {episode.number}, {episode.kind})"
