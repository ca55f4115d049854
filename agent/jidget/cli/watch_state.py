"""Where `jidget watch --state FILE` left off: a small JSON file, replaced as a whole, never half written."""

import asyncio
import hashlib
import json
import os
import socket
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jidget.errors import ConfigError, JidgetError
from jidget.xmpp.progress import OPEN_END, Generation, Progress
from jidget.xmpp.ranges import Ranges

INTERVAL = 1.0
"""Seconds between two writings, at least."""
VERSION = 1
_FORMAT = "jidget watch"
_Seq = Annotated[int, Field(ge=0, le=OPEN_END)]
_Stretches = list[tuple[_Seq, _Seq]]


class StateLost(JidgetError):
    """The state file cannot be written: what is shown from now on would be shown again."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class KnownGeneration(_Strict):
    """A generation of batches: see `jidget.xmpp.progress.Generation`."""

    gen: str
    start: _Seq
    has: _Stretches
    lost: _Stretches = []
    doubtful: bool = False


class State(_Strict):
    """What is in the file.

    Attributes:
        agent: whose readings: the agent's full JID.
        generations: which batches were shown, oldest generation first.
        newest: the present generation; empty before the agent was first heard of.
        unfinished: thing, property and time of readings that were shown out of a batch that is not shown in full.
        reached: time up to which was shown (UTC milliseconds).
        readings: time of the last reading that was shown, by Thing and property.
    """

    format: Literal["jidget watch"] = "jidget watch"
    version: Literal[1] = 1
    agent: str
    generations: list[KnownGeneration] = []
    newest: str = ""
    unfinished: list[tuple[str, str, int]] = []
    reached: int | None = None
    readings: dict[str, dict[str, int]] = {}

    @property
    def progress(self) -> Progress:
        """Return where to go on."""
        known = [
            (one.gen, Generation(one.start, Ranges(one.has), Ranges(one.lost), one.doubtful))
            for one in self.generations
        ]
        return Progress(known, self.newest)


def known_generations(progress: Progress) -> list[KnownGeneration]:
    """Return what of a consumer's progress goes into the file."""
    return [
        KnownGeneration(gen=gen, start=one.start, has=list(one.has), lost=list(one.lost), doubtful=one.doubtful)
        for gen, one in progress.generations.items()
    ]


class StateFile:
    """The file of one run."""

    def __init__(self, path: Path, agent: str) -> None:
        """Take the file's path, and the full JID of the agent it is to be about."""
        self._path = path
        self._agent = agent
        self._claimed = False
        self._changed = asyncio.Event()

    def read(self) -> State | None:
        """Return what an earlier run left; None where there is nothing yet. From now on no other run may have it.

        Raises:
            ConfigError: the file cannot be read, is not ours, about another agent or in use. It is left as it is.
        """
        self._claim()
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ConfigError(f"--state {self._path}: this is a directory, name a file in it") from None
        except UnicodeDecodeError:
            raise self._foreign("it is no text") from None
        except OSError as error:
            raise ConfigError(f"--state {self._path}: {error.strerror}") from error
        return self._parsed(text) if text else None

    def _claim(self) -> None:
        """See that no other run goes on with this file, for as long as this process lives.

        A name that only one socket can have (unix(7), abstract), as the file itself is replaced at each writing. It is
        the same for all users, so the name tells nothing of the path.
        """
        if self._claimed or sys.platform != "linux":
            return
        name = hashlib.sha256(os.fsencode(os.path.realpath(self._path))).hexdigest()
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            claim.bind(f"\0jidget-watch-{name}")
        except OSError:
            claim.close()
            raise ConfigError(
                f"--state {self._path}: another `jidget watch` goes on with it, and what one shows the other would "
                "skip. Name another file"
            ) from None
        self._claimed = True
        weakref.finalize(self, os.close, claim.detach())

    def _parsed(self, text: str) -> State:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise self._foreign("it is no JSON") from None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._foreign('it is JSON, but without "format": "jidget watch"')
        version = found.get("version")
        if isinstance(version, int) and version > VERSION:
            raise ConfigError(
                f"--state {self._path}: written by a newer version of Jidget (format {version}, this one knows "
                f"{VERSION}). Use that one, or name another file; this one is left as it is"
            )
        try:
            state = State.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise self._foreign(f"{where}: {first['msg']}") from None
        if state.agent != self._agent:
            raise ConfigError(
                f"--state {self._path}: it is about {state.agent}, not {self._agent}. Name another file for each agent"
            )
        return state

    def _foreign(self, why: str) -> ConfigError:
        return ConfigError(
            f"--state {self._path}: not a state file of jidget watch ({why}). It is left as it is: name another file, "
            "or remove it"
        )

    # ---- writing ------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Have the file written soon."""
        self._changed.set()

    async def run(self, state: Callable[[], State]) -> None:
        """Write the file whenever there is something new, but not more often than every second, until cancelled.

        Raises:
            StateLost: that is not possible.
        """
        while True:
            await self._changed.wait()
            self.write(state())
            await asyncio.sleep(INTERVAL)

    def write(self, state: State) -> None:
        """Replace the file; after a crash of the machine it is the old one or the new one.

        Raises:
            StateLost: that is not possible.
        """
        self._changed.clear()
        try:
            path = self._path.resolve()
            draft = path.with_name(f"{path.name}.new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(state.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync(path.parent)
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle, until Python 3.12
            why = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise StateLost(f"--state {self._path} cannot be written: {why}") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
