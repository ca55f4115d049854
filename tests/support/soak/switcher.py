"""Somebody who switches outputs on and leaves it to the agent to switch them off."""

import asyncio
from random import Random

from tests.support.accounts import Account
from tests.support.adhoc import command, form
from tests.support.soak.outputs import Output
from tests.support.soak.resident import Resident

OFF = 0.1
"""How many of the commands to the relay switch it off."""
SHORTEST, LONGEST = 1, 3
"""Seconds that the fan is switched on for."""
UNLIMITED = 0.25
"""How many of the commands to the fan do not say for how long."""


class Switcher(Resident):
    """One person's client, with two outputs: a relay that is on or off, and a fan with a speed.

    Every speed is another one, so that the record tells which command it is of. What is answered does not matter, nor
    what is refused: how long they were on is what counts.
    """

    def __init__(self, account: Account, agent: str, *, relay: Output, fan: Output, rng: Random) -> None:
        super().__init__(account, agent, "switcher")
        self._relay = relay
        self._fan = fan
        self._rng = rng
        self._sent = 0

    async def switch(self, interval: float) -> None:
        """Send commands, about one each `interval` seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * interval)
            await self.changed.until(lambda: self.here)
            self._sent += 1
            self.send(self._rng.choice((self._switch_relay, self._set_fan))())

    def _switch_relay(self) -> str:
        thing, prop = self._relay.name.split(".")
        on = self._rng.random() >= OFF
        match self._rng.choice(("chat", "form", "set")):
            case "chat":
                return self._chat(f"{thing} {'on' if on else 'off'}")
            case "form":
                return self._iq(command(f"set/{thing}", form(**{prop: str(int(on))}), action="execute"))
            case _:
                value = f"<b n='{prop}' v='{str(on).lower()}'/>"
                return self._iq(f"<set xmlns='urn:nf:iot:ctr:1.0'><nd id='{thing}'/>{value}</set>")

    def _set_fan(self) -> str:
        speed = self._sent
        span = "" if self._rng.random() < UNLIMITED else f"{self._rng.randint(SHORTEST, LONGEST)}s"
        if span:
            self._fan.spans[speed] = float(span.removesuffix("s"))
        if self._rng.random() < 0.5:
            return self._chat(f"set {self._fan.name} {speed} {span and f'for {span}'}".strip())
        fields = {"target": self._fan.name, "value": str(speed), "for": span}
        return self._iq(command("set", form(**fields), action="execute"))

    def _chat(self, words: str) -> str:
        bare = self.agent.partition("/")[0]
        return f"<message type='chat' id='{self._id}' to='{bare}'><body>{words}</body></message>"

    def _iq(self, payload: str) -> str:
        return f"<iq type='set' id='{self._id}' to='{self.agent}'>{payload}</iq>"

    @property
    def _id(self) -> str:
        return f"{self.resource}-{self._sent}"
