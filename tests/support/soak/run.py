"""The soak itself: faults one after the other while readings and commands flow, then the reckoning."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psutil
from tests.support.soak.consumer import written
from tests.support.soak.episodes import Episode
from tests.support.soak.faults import Fault, plan
from tests.support.soak.reckoning import reckon
from tests.support.soak.result import Result
from tests.support.soak.rig import COMMAND_INTERVAL, SWITCH_INTERVAL, Rig, come_up, now, rigged

from jidget.demo.xmpp_server import XmppServer

RECOVERY = 90.0
"""Seconds after which an agent that has not come back will not: the soak ends there."""
_DURABLE = 90.0
_BREATH = (0.2, 1.0)
"""Seconds of peace between two faults, at least and at most."""

Tell = Callable[[str], None]


async def soak(
    root: Path,
    server: XmppServer,
    kinds: Sequence[Fault],
    *,
    faults: int,
    seed: int,
    liveness: float,
    tell: Tell = lambda _: None,
) -> Result:
    """Inflict faults on an agent and tell what came of it.

    Args:
        root: an empty directory for everything but the server's.
        server: a running server that belongs to the soak: it is killed and frozen.
        kinds: of faults.
        faults: how many.
        seed: decides which ones, when and how long, and which commands are sent.
        liveness: the agent's, in seconds.
        tell: is given a line about each fault.
    """
    rng = Random(seed)
    began = now()
    result = Result(server=server.name, seed=seed, liveness=liveness)
    async with rigged(root, server, seed=seed, liveness=liveness) as rig:
        possible = [fault for fault in kinds if fault.needs != "disk" or rig.disk is not None]
        if len(possible) < len(kinds):
            result.details.append(f"the fault disk was left out: nothing can be mounted here ({rig.no_disk})")
        async with asyncio.TaskGroup() as tasks:
            start = written(datetime.now(UTC))
            with _for_now(tasks, rig):
                await come_up(rig)
                episodes: list[Episode] = []
                result.episodes = episodes
                with _commanding(tasks, rig):
                    for fault in plan(possible, faults, rng):
                        episode = await _suffer(rig, fault, len(episodes) + 1, rng)
                        episodes.append(episode)
                        tell(_line(episode, faults, rig))
                        if episode.recovered is None:
                            result.stuck = episode.number
                            result.details += _post_mortem(rig, episode)
                            break
                await reckon(rig, result, since=start)
    result.seconds = now() - began
    return result


async def _suffer(rig: Rig, fault: Fault, number: int, rng: Random) -> Episode:
    """Inflict one fault and measure what comes of it."""
    await asyncio.sleep(rng.uniform(*_BREATH))
    if fault.kills or fault.needs == "disk":
        await rig.durable(_DURABLE)
    episode = Episode(number=number, kind=fault.name, struck=now(), began=written(datetime.now(UTC)))
    await fault.strike(rig, rng)
    episode.ended = now()
    try:
        async with asyncio.timeout(RECOVERY):
            await rig.consumer.fresh(datetime.now(UTC))
    except TimeoutError:
        return episode
    episode.recovered = now() - episode.ended
    lost = rig.lost_since(episode.struck)
    if lost is not None and fault.harmless:
        episode.mistaken = True
    elif lost is not None and fault.noticed:
        episode.noticed = lost - episode.struck
    episode.unnoticed = fault.dead and lost is None
    return episode


@contextmanager
def _for_now(tasks: asyncio.TaskGroup, rig: Rig) -> Iterator[None]:
    """Have everybody logged in and watching, for the time of the context."""
    running = [tasks.create_task(resident.stay(), name=resident.resource) for resident in rig.residents]
    running.append(tasks.create_task(rig.consumer.fill(), name="filling gaps"))
    running += [tasks.create_task(record.run(), name="record") for record in rig.records]
    try:
        yield
    finally:
        for task in running:
            task.cancel()


@contextmanager
def _commanding(tasks: asyncio.TaskGroup, rig: Rig) -> Iterator[None]:
    """Have commands flow for the time of the context."""
    running = [tasks.create_task(each.command(COMMAND_INTERVAL), name="commands") for each in rig.commanders]
    running.append(tasks.create_task(rig.switcher.switch(SWITCH_INTERVAL), name="switching"))
    try:
        yield
    finally:
        for task in running:
            task.cancel()


def _post_mortem(rig: Rig, episode: Episode) -> list[str]:
    """Say what there is to say about an agent that does not come back; that is its end."""
    answers = "answers" if rig.server.answers() else "DOES NOT ANSWER"
    told = rig.agent.statuses[-1][1] if rig.agent.statuses else "nothing"
    return [
        f"after fault {episode.number}, {episode.kind}, no reading came within {RECOVERY:.0f} s",
        f"connections through the proxy: {rig.proxy.open} open, {rig.proxy.accepted} in all",
        f"the server {answers}, and had used {_cpu(rig.server.pid):.1f} s of CPU",
        f"the agent told last: {told}",
        rig.agent.autopsy(),
    ]


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _line(episode: Episode, faults: int, rig: Rig) -> str:
    noticed = "" if episode.noticed is None else f"noticed after {episode.noticed:.2f} s, "
    recovered = "NOT BACK" if episode.recovered is None else f"back after {episode.recovered:.2f} s"
    noticed = "NOT NOTICED, " if episode.unnoticed else noticed
    mistaken = ", A LIVE LINK GIVEN UP" if episode.mistaken else ""
    return (
        f"{episode.number}/{faults} {episode.kind}: {noticed}{recovered}{mistaken};"
        f" {len(rig.consumer.ledger.readings)} readings, {len(rig.orders.all)} commands"
    )
