"""Memory of a process that becomes the agent step by step: what each step adds.

Job: `config` (path).
"""

import os
from pathlib import Path

from tests.bench.peers.handshake import read_job, say
from tests.bench.peers.usage import cpu_of, memory_of

_LIMIT = 30.0
_SETTLE = 1.0
_STEPS = (
    ("asyncio, ssl", ("asyncio", "ssl")),
    ("sqlite3", ("sqlite3",)),
    ("slixmpp", ("jidget", "slixmpp")),  # the package itself first, as in life: it sees to it that some load lazily
    ("pydantic", ("pydantic",)),
    ("the agent's modules", ("jidget.app", "jidget.cli.main")),
)


def main() -> None:
    """Take the steps and tell after each what there is now."""
    job = read_job()
    _tell("Python")
    for name, modules in _STEPS:
        for module in modules:
            __import__(module)
        _tell(name)
    from jidget.config import load  # noqa: PLC0415  # a step

    config = load(Path(job["config"]))
    _tell("configuration read")
    import asyncio  # noqa: PLC0415  # a step

    asyncio.run(_run(config))


async def _run(config: object) -> None:
    import asyncio  # noqa: PLC0415  # a step

    from jidget.app import App  # noqa: PLC0415  # a step

    app = App(config)  # type: ignore[arg-type]
    _tell("agent built")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(stop), name="agent")
        async with asyncio.timeout(_LIMIT):
            await app.pep.ready()
        await asyncio.sleep(_SETTLE)
        _tell("connected, store open")
        stop.set()


def _tell(step: str) -> None:
    say(step=step, cpu=cpu_of(os.getpid()), **memory_of(os.getpid()))


if __name__ == "__main__":
    main()
