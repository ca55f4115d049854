"""Things under a guard and a keeper that runs, over drivers whose every move a test decides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.fakes import Board, Facts, Line, running, thing

from jidget.safety.buttons import Buttons, Press
from jidget.safety.changes import Forced
from jidget.safety.guard import Guard
from jidget.safety.keeper import Keeper
from jidget.safety.memory import OutputMemory
from jidget.safety.output import Output
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.rulebook import Button
from jidget.things.rules import Rules

SAFE = Rules(safe=False)


class Site:
    """Things under a guard and a keeper that runs, on the real clock."""

    def __init__(self, *things: Thing, facts: Facts | None = None, buttons: tuple[Button, ...] = ()) -> None:
        self.things = things
        self.facts = facts or Facts()
        self.guard = Guard(Directory(things), OutputMemory(self.facts, boot=lambda: "boot"))
        self.buttons = Buttons(self.guard, buttons)
        self.keeper = Keeper(self.guard, things, on_input=self.buttons.observed, on_away=self.buttons.forget)
        self.forced: list[tuple[str, Forced]] = []
        self.stuck: list[str] = []
        self.presses: list[Press] = []
        self.changed = asyncio.Event()
        self.keeper.on_forced = self._on_forced
        self.keeper.on_stuck = self._on_stuck
        self.buttons.on_press = self._on_press

    def _on_forced(self, output: Output, forced: Forced) -> None:
        self.forced.append((output.name, forced))
        self.changed.set()

    def _on_stuck(self, _: Output, text: str) -> None:
        self.stuck.append(text)
        self.changed.set()

    def _on_press(self, press: Press) -> None:
        self.presses.append(press)
        self.changed.set()

    @property
    def unexpected(self) -> list[tuple[str, str]]:
        """Return what was forced and not expected: which output, and why."""
        return [(name, forced.why) for name, forced in self.forced if not forced.expected]

    async def until(self, holds: object) -> None:
        async with asyncio.timeout(5):
            while not holds():  # type: ignore[operator]
                self.changed.clear()
                await self.changed.wait()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self.keeper.wake()
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(self.keeper.run()), tasks.create_task(self.buttons.run())]
            async with running(*self.things):
                yield
            for job in jobs:
                job.cancel()


def ruled(name: str, driver: Board | Line, rules: Rules = SAFE) -> Thing:
    one = thing(name, driver, timeout=0.3)
    one.rules["state"] = rules
    return one


def writes(board: Board | Line) -> list[object]:
    return [value for _, value in board.written]
