"""The faults: each strikes, holds for a while and ends; what comes of it is measured elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.support.soak.rig import Rig, now

_OLD = 33.0
"""Seconds after which whatever was sent before is too old to be carried out."""
_NOTICED = 15.0
"""Times the liveness in which even the slowest agent has noticed that it is talking to nobody."""
_STEPS = (-900.0, -300.0, -120.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds that the wall clock jumps by: far enough to be believed. Smaller steps the agent smooths out."""

Strike = Callable[[Rig, Random], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: what it is called.
        strike: does it and returns when it is over.
        weight: how often it is chosen among the others.
        harmless: whether an agent that takes its link for lost is mistaken.
        dead: whether the link is dead until the agent notices.
        noticed: whether it makes sense to ask when the agent noticed: it was there, and so was a link that died.
        needs: what a rig may lack: "disk".
        kills: whether the agent is killed, and what is in its memory only goes with it.
    """

    name: str
    strike: Strike
    weight: float = 3.0
    harmless: bool = False
    dead: bool = False
    noticed: bool = True
    needs: str = ""
    kills: bool = False


async def _reset(rig: Rig, rng: Random) -> None:
    rig.proxy.cut("rst")


async def _fin(rig: Rig, rng: Random) -> None:
    rig.proxy.cut("fin")


async def _hiccup(rig: Rig, rng: Random) -> None:
    """Nothing gets through, for less than what an agent has to get worried about."""
    rig.proxy.stall(rng.choice(("up", "down", "both")))
    await asyncio.sleep(rng.uniform(0.1, 0.7) * rig.liveness)
    rig.proxy.resume()


def _stalled(direction: str) -> Strike:
    async def strike(rig: Rig, rng: Random) -> None:
        rig.proxy.stall(direction)  # type: ignore[arg-type]  # one of the three
        await asyncio.sleep(rng.uniform(1.5, 3.0) * rig.liveness)
        rig.proxy.resume()

    return strike


async def _mute(rig: Rig, rng: Random) -> None:
    """Nothing that the agent says arrives any more, but it still hears what others say: a link as good as dead."""
    struck = now()
    rig.proxy.stall("up")
    await noticed(rig, struck)
    rig.proxy.resume()


async def _half_open(rig: Rig, rng: Random) -> None:
    """The agent's end hangs for ever. The network is fine at once; it is over when the agent has noticed."""
    struck = now()
    rig.proxy.half_open("client")
    await noticed(rig, struck)


async def _zombie(rig: Rig, rng: Random) -> None:
    """The agent's end is reset and the server's hangs: it holds the session for alive."""
    rig.proxy.half_open("server")


async def _mid_stanza(rig: Rig, rng: Random) -> None:
    """The connection is reset after so many more bytes, most of the time within a stanza."""
    struck = now()
    direction = rng.choice(("up", "down"))
    rig.proxy.cut_after(rng.randint(1, 3000) if direction == "up" else rng.randint(1, 600), direction)  # type: ignore[arg-type]
    await noticed(rig, struck)


async def _delay(rig: Rig, rng: Random) -> None:
    rig.proxy.delay = rng.uniform(0.1, 0.4) * rig.liveness
    await asyncio.sleep(rng.uniform(1.0, 4.0))
    rig.proxy.delay = 0.0


async def _throttle(rig: Rig, rng: Random) -> None:
    """3 kB a second, as stock servers allow."""
    rig.proxy.rate = 3000.0
    await asyncio.sleep(rng.uniform(2.0, 6.0))
    rig.proxy.rate = None


async def _refuse(rig: Rig, rng: Random) -> None:
    rig.proxy.refuse()
    rig.proxy.cut("rst")
    await asyncio.sleep(rng.uniform(0.5, 4.0))
    rig.proxy.accept()


async def _hang(rig: Rig, rng: Random) -> None:
    """Connections are accepted and nobody speaks; in the end they are reset."""
    rig.proxy.accept_hang = True
    rig.proxy.cut("rst")
    await asyncio.sleep(rng.uniform(0.5, 4.0))
    rig.proxy.accept_hang = False
    rig.proxy.cut("rst")


async def _outage(rig: Rig, rng: Random) -> None:
    """So long that commands which waited for the agent are stale, short enough for the server to keep them."""
    rig.proxy.stall("both")
    await asyncio.sleep(_OLD + rng.uniform(0.0, 3.0))
    rig.proxy.resume()


async def _kill_agent(rig: Rig, rng: Random) -> None:
    rig.agent.crash()
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    await rig.start_agent()


async def _kill_offline(rig: Rig, rng: Random) -> None:
    """The agent is killed while it could not send for a while."""
    rig.proxy.stall("both")
    await asyncio.sleep(rng.uniform(0.5, 3.0))
    rig.proxy.refuse()
    rig.proxy.cut("rst")
    rig.proxy.resume()
    rig.agent.crash()
    await rig.start_agent()
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    rig.proxy.accept()


async def _freeze_agent(rig: Rig, rng: Random) -> None:
    rig.agent.freeze()
    await asyncio.sleep(rng.uniform(0.5, 3.0) * rig.liveness)
    rig.agent.thaw()


async def _kill_server(rig: Rig, rng: Random) -> None:
    rig.server.kill()
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    await rig.server.astart()


async def _freeze_server(rig: Rig, rng: Random) -> None:
    rig.server.freeze()
    await asyncio.sleep(rng.uniform(0.5, 3.0) * rig.liveness)
    rig.server.thaw()


async def _disk(rig: Rig, rng: Random) -> None:
    if rig.disk is not None:
        rig.disk.fill()
        await asyncio.sleep(rng.uniform(2.0, 5.0))
        rig.disk.free()


async def _clock(rig: Rig, rng: Random) -> None:
    rig.clock.jump(rng.choice(_STEPS))
    await asyncio.sleep(rng.uniform(0.5, 2.0))
    rig.clock.jump(0.0)


async def _deaf(rig: Rig, rng: Random) -> None:
    """The consumer is away for a while: what was published meanwhile it has to ask for."""
    rig.consumer.go()
    await asyncio.sleep(rng.uniform(0.5, 3.0))
    rig.consumer.come_back()


async def noticed(rig: Rig, since: float) -> None:
    """Wait until the agent has taken its link for lost, or until it is clear that it never will."""
    limit = asyncio.get_running_loop().time() + _NOTICED * rig.liveness
    with suppress(TimeoutError):
        async with asyncio.timeout_at(limit):
            while rig.lost_since(since) is None:
                waits = [asyncio.ensure_future(signal.next()) for signal in (rig.agent.changed, rig.proxy.changed)]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(name="reset", strike=_reset, weight=5),
        Fault(name="fin", strike=_fin, weight=4),
        Fault(name="mid-stanza", strike=_mid_stanza, weight=6),
        Fault(name="zombie", strike=_zombie, weight=4),
        Fault(name="half-open", strike=_half_open, dead=True),
        Fault(name="mute", strike=_mute, dead=True),
        Fault(name="hiccup", strike=_hiccup, weight=4, harmless=True),
        Fault(name="stall-up", strike=_stalled("up")),
        Fault(name="stall-down", strike=_stalled("down")),
        Fault(name="stall-both", strike=_stalled("both")),
        Fault(name="delay", strike=_delay, harmless=True),
        Fault(name="throttle", strike=_throttle, harmless=True),
        Fault(name="refuse", strike=_refuse),
        Fault(name="hang", strike=_hang),
        Fault(name="outage", strike=_outage, weight=0.5),
        Fault(name="kill-agent", strike=_kill_agent, weight=6, noticed=False, kills=True),
        Fault(name="kill-offline", strike=_kill_offline, noticed=False, kills=True),
        Fault(name="freeze-agent", strike=_freeze_agent, noticed=False),
        Fault(name="kill-server", strike=_kill_server),
        Fault(name="freeze-server", strike=_freeze_server),
        Fault(name="deaf-consumer", strike=_deaf, harmless=True),
        Fault(name="disk", strike=_disk, weight=1, harmless=True, needs="disk"),
        Fault(name="clock", strike=_clock, harmless=True),
    )
}
"""All kinds by name."""


def plan(kinds: list[Fault], count: int, rng: Random) -> list[Fault]:
    """Choose faults: each kind once while there is room, the others by weight, in any order."""
    chosen = rng.sample(kinds, min(count, len(kinds)))
    chosen += rng.choices(kinds, [fault.weight for fault in kinds], k=count - len(chosen))
    rng.shuffle(chosen)
    return chosen
