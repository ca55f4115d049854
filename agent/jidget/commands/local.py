"""What `jidget read` and `jidget things` on the same machine ask an agent that runs: it has the devices.

A Unix socket beside the store, open to its owner alone; one line of JSON each way: `{"read": "THING.PROPERTY"}`, and
`{"lines": […], "problems": […]}` as they are printed; or `{"things": true}`, and `{"things": […]}`.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from jidget.errors import JidgetError
from jidget.things.directory import Directory, NotFound
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable
from jidget.things.values import MAX_STRING, shorten, show_plain

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST = 2000
"""Bytes of a question."""
PATIENCE = 5.0
"""Seconds that a question may take to arrive, and its answer to be taken."""
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read, a line each, and what could not be."""

    lines: Sequence[str]
    problems: Sequence[str]


def say_plain(thing: Thing, name: str) -> str:
    """Say a value as `jidget read` prints it: `greenhouse.temperature 21.37 Cel`."""
    prop, value = thing.properties[name], thing.values[name].value
    if isinstance(value, bool):
        shown = "on" if value else "off"
    else:
        shown = shorten(value, MAX_STRING) if isinstance(value, str) else show_plain(prop, value)
    return f"{thing.id}.{name} {shown}{' ' + prop.unit.value if prop.unit else ''}"


def wanted(directory: Directory, target: str) -> tuple[list[Thing], str | None]:
    """Return the Things that `THING[.PROPERTY]` names, all if it is empty, and the property.

    Raises:
        NotFound: there is none of that name.
    """
    if not target:
        return list(directory), None
    thing, prop = directory.resolve(target, may=lambda _: True, act=False)
    return [thing], prop.name if prop else None


def say_told(thing: Thing, only: str | None) -> Answer:
    """Say what a Thing has told, or that it has told nothing."""
    told = [name for name in thing.values if only in (None, name)]
    if not told:
        return Answer((), (f"{thing.id}{'.' + only if only else ''}: it has told no value",))
    return Answer([say_plain(thing, name) for name in told], ())


# ---- the agent's side ----------------------------------------------------------------------------------------------


class Local:
    """Answers those who may open the socket."""

    def __init__(
        self, store: Path, directory: Directory, things: Callable[[], Sequence[Mapping[str, Any]]] = list
    ) -> None:
        """Take the store's path, beside which the socket is made, all Things, and what lists them."""
        self._store = store
        self._things = things
        self._directory = directory
        self._again = asyncio.Event()
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    def look_again(self) -> None:
        """Say that the store's directory may be there now."""
        self._again.set()

    async def run(self) -> NoReturn:
        """Answer until cancelled."""
        while True:
            self._again.clear()
            try:
                with _listening(self._store) as listener:
                    await self._serve(listener)
            except OSError as error:
                log.info("`jidget read` cannot ask this agent: %s", error)
            await self._again.wait()

    async def _serve(self, listener: socket.socket) -> NoReturn:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._free.acquire()
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:  # such as too many open files: no reason to end the agent
                    self._free.release()
                    log.warning("a question of this machine cannot be heard: %s", error)
                    await asyncio.sleep(PATIENCE)
                    continue
                task = tasks.create_task(self._serve_one(connection), name="local question")
                task.add_done_callback(lambda _: self._free.release())

    async def _serve_one(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            try:
                async with asyncio.timeout(PATIENCE):
                    question = b""
                    while not question.endswith(b"\n") and len(question) < LONGEST:
                        more = await loop.sock_recv(connection, LONGEST)
                        if not more:
                            return
                        question += more
                text = json.dumps(await self._answer(question))
                async with asyncio.timeout(PATIENCE):
                    await loop.sock_sendall(connection, text.encode() + b"\n")
            except (OSError, TimeoutError) as error:
                log.info("a question of this machine was not answered: %s", str(error) or "timeout")

    async def _answer(self, question: bytes) -> Mapping[str, Any]:
        try:
            asked = json.loads(question)
            if "things" in asked:
                return {"things": self._things()}
            answer = await self._read(str(asked["read"]))
        except (ValueError, KeyError, TypeError):
            answer = Answer((), ("this agent does not understand the question: use the same version for both",))
        return {"lines": answer.lines, "problems": answer.problems}

    async def _read(self, target: str) -> Answer:
        try:
            things, only = wanted(self._directory, target)
        except NotFound as error:
            return Answer((), (str(error),))
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(_read(thing, only), name=f"read {thing.id}") for thing in things]
        answers = [task.result() for task in reading]
        return Answer([line for a in answers for line in a.lines], [line for a in answers for line in a.problems])


async def _read(thing: Thing, only: str | None) -> Answer:
    try:
        async with asyncio.timeout(2 * thing.timeout + 1):
            await thing.read_now()
    except ThingUnavailable as error:
        return Answer((), (str(error),))
    except TimeoutError:
        return Answer((), (f"{thing.id}: it is busy and did not answer in time",))
    return say_told(thing, only)


# ---- the socket ----------------------------------------------------------------------------------------------------


@contextmanager
def _address(store: Path) -> Iterator[str]:
    """Name the socket by way of its directory: an address has 107 bytes at most (unix(7)), a path may have more."""
    real = store.resolve()
    directory = os.open(real.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{real.name}-ask"
    finally:
        os.close(directory)


@contextmanager
def _listening(store: Path) -> Iterator[socket.socket]:
    with _address(store) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.setblocking(False)
        Path(address).unlink(missing_ok=True)  # left by a crash: whose the store is, the socket is
        listener.bind(address)
        try:
            Path(address).chmod(0o600)  # before anybody can connect
            listener.listen()
            yield listener
        finally:
            with suppress(OSError):
                Path(address).unlink()


def ask_agent(store: Path, target: str, *, patience: float) -> Answer | None:
    """Ask the agent that has this store; None if none answers there. Waits.

    Raises:
        JidgetError: one is there, but its answer did not come, or makes no sense.
    """
    return _ask(
        store,
        {"read": target},
        lambda told: Answer([str(line) for line in told["lines"]], [str(line) for line in told["problems"]]),
        patience=patience,
    )


def ask_for_things(store: Path, *, patience: float = PATIENCE) -> Sequence[Mapping[str, Any]] | None:
    """Ask the agent that has this store what there is; None if none answers there. Waits. See `inventory`.

    Raises:
        JidgetError: one is there, but its answer did not come, or makes no sense.
    """
    return _ask(store, {"things": True}, lambda told: [dict(thing) for thing in told["things"]], patience=patience)


def _ask(store: Path, question: Mapping[str, Any], read: Callable[[Any], T], *, patience: float) -> T | None:
    try:
        with _address(store) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(patience)
            asking.connect(address)
            asking.sendall(json.dumps(question).encode() + b"\n")
            with asking.makefile("rb") as answers:
                return read(json.loads(answers.readline()))
    except (FileNotFoundError, ConnectionRefusedError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JidgetError(f"the agent that runs has the hardware, and did not answer ({error})") from error
