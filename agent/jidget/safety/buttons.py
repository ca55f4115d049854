"""Buttons beside an output: each press switches it over, without any network, under the same rules."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from jidget.safety.guard import Guard, Objection
from jidget.safety.output import Output
from jidget.things.rulebook import Button
from jidget.things.rules import OutputId
from jidget.things.state import ThingUnavailable, WriteFailed
from jidget.things.values import same_value, show_value
from jidget_drivers import Scalar, WriteRefused

log = logging.getLogger(__name__)

MOST_WAITING = 8
"""Presses that wait for their turn; somebody who presses more often than that wants something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What a press led to: the output, what it was to be set to, by which button, and whether it was.

    Attributes:
        problem: why it was not; empty if it was.
        refused: whether nothing was moved.
    """

    output: Output
    value: Scalar
    by: str
    problem: str = ""
    refused: bool = False


class Buttons:
    """All buttons. The first value that one tells is where it stands, not a press."""

    def __init__(self, guard: Guard, buttons: Iterable[Button]) -> None:
        self.on_press: Callable[[Press], None] = lambda _: None
        self._guard = guard
        self._buttons = {button.input: guard.outputs[button.output] for button in buttons}
        self._state: dict[tuple[str, str], Scalar] = {}
        self._presses: dict[OutputId, asyncio.Queue[tuple[str, int]]] = {
            output.id: asyncio.Queue(MOST_WAITING) for output in self._buttons.values()
        }

    def observed(self, thing_id: str, values: Mapping[str, Scalar]) -> None:
        """Take notice of what inputs show."""
        for name, value in values.items():
            output = self._buttons.get((thing_id, name))
            if output is None:
                continue
            before = self._state.get((thing_id, name))
            self._state[thing_id, name] = value
            if before is False and value is True:
                try:
                    self._presses[output.id].put_nowait((thing_id, self._guard.mark(output.thing)))
                except asyncio.QueueFull:
                    log.warning("%s: pressed too often, %s has not answered yet", thing_id, output.thing.id)

    def forget(self, thing_id: str) -> None:
        """Take notice that an input went away: nobody knows how often it was pressed until it is back."""
        for input_id in [input_id for input_id in self._state if input_id[0] == thing_id]:
            del self._state[input_id]

    async def run(self) -> NoReturn:
        """Answer presses, those for one output one after the other, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for output_id, presses in self._presses.items():
                output = self._guard.outputs[output_id]
                tasks.create_task(self._answer(output, presses), name=f"buttons of {output.name}")
            await asyncio.get_running_loop().create_future()  # there may be none
        raise AssertionError("buttons are answered for ever")

    async def _answer(self, output: Output, presses: asyncio.Queue[tuple[str, int]]) -> NoReturn:
        while True:
            button, since = await presses.get()
            press = await self._toggle(button, output, since)
            log.log(logging.WARNING if press.problem else logging.INFO, "%s", _say(press))
            self.on_press(press)

    async def _toggle(self, button: str, output: Output, since: int) -> Press:
        by = f"button {button}"
        async with self._guard.turn((output.thing,)):
            value = output.on is False  # what may be on is switched off
            try:
                await self._guard.require(output.thing, {output.prop.name: value})
                result = await self._guard.write(output.thing, {output.prop.name: value}, by=by, since=since)
            except (Objection, ThingUnavailable, WriteRefused) as error:
                return Press(output=output, value=value, by=by, problem=str(error), refused=True)
            except WriteFailed as error:
                return Press(output=output, value=value, by=by, problem=str(error))
        told = result.values.get(output.prop.name)
        wrong = told is not None and not same_value(output.prop, told, value)
        return Press(output=output, value=value, by=by, problem="unconfirmed" if wrong else "")


def _say(press: Press) -> str:
    what = f"{press.by} -> {press.output.name} {show_value(press.output.prop, press.value)}"
    return f"{what}: {press.problem}" if press.problem else what
