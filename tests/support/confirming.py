"""A house in which a pump asks for a code before it is switched on, and the codes in what it says."""

import re

from tests.support.fakes import ALICE, House, relay, tank, thing

from jidget.things.rules import Rules

GUARDED = Rules(safe=False, confirm=True)
ON = "pump.state: on (confirmed)"
NOTHING = "Refused: nothing of yours waits for a code. Say the command first, its answer has one"


class Home(House):
    """A pump and a gate that ask for a code, and a tank that does not."""

    def __init__(self) -> None:
        self.pump, self.tank = relay(), tank()
        super().__init__(thing("pump", self.pump, rules={"state": GUARDED}), thing("tank", self.tank))

    async def code(self, line: str = "pump on", jid: str = ALICE, *, key: str | None = None) -> str:
        """Say what is answered with a code, and return that."""
        return code_in(await self.say(line, jid, key=key))


def code_in(answer: str) -> str:
    found = re.search(r"^yes (\d{6}) \(within 2 min\) does it, no cancels it$", answer, re.MULTILINE)
    assert found, answer
    return found[1]


def wrong(*codes: str) -> str:
    """Return a code that is none of these."""
    return next(f"{n:06}" for n in range(9) if f"{n:06}" not in codes)
