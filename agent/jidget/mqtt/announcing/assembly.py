"""The other way put together: what of it the bridge needs."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from jidget.commands.access import THE_BROKER, Access, Person
from jidget.commands.service import Commands
from jidget.commands.signature import Signatures
from jidget.config.model import Config, Role
from jidget.config.mqtt import MqttConfig
from jidget.mqtt.announcing.announcer import Announcer
from jidget.mqtt.announcing.ledger import Ledger
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.announcing.orders import Orders
from jidget.mqtt.announcing.payload import Offer, offer
from jidget.mqtt.session import MqttSession
from jidget.ports import Facts
from jidget.things.host import Thing

log = logging.getLogger(__name__)


class Announcing:
    """Announces the Things of a configuration that have a driver; nothing, where `[mqtt] announce` does not say so.

    Attributes:
        problems: what is wrong, by topic.
    """

    def __init__(
        self,
        config: Config,
        mqtt: MqttConfig,
        session: MqttSession,
        *,
        facts: Facts,
        things: Mapping[str, Thing],
        commands: Commands,
        access: Access,
    ) -> None:
        """Build it; `things` are those with a driver."""
        self.problems: dict[str, str] = {}
        self._deaf: set[str] = set()
        names = Names(mqtt.client_id, mqtt.discovery_prefix)
        made = _offers(config, things.values(), access) if mqtt.announce else []
        orders = {topic: order for each in made for topic, order in each.orders(names).items()}
        jid = f"{config.xmpp.jid}/{config.xmpp.resource}"
        self._session = session
        self._ledger = Ledger(facts, jid)
        self._announcer = Announcer(session, names, self._ledger, made, jid)
        self._orders = Orders(commands, f"mqtt:{mqtt.address}", orders, self._announcer.answered)
        self._announcer.on_problem = self._orders.on_problem = self._on_problem
        self.reported, self.availability = self._announcer.reported, self._announcer.availability
        session.commands.obey(orders, self._orders.receive)

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open."""
        self._ledger.wake()

    def catch_up(self) -> None:
        """Hear that the store may be back."""
        if self._ledger.catch_up():
            self._announcer.again()

    def begin(self) -> None:
        """Hear that there is a connection, and that commands come in by it."""
        for topic in self._deaf - self._session.commands.refused.keys():
            self._on_problem(topic, "")
        self._deaf = set(self._session.commands.refused)
        for topic, why in self._session.commands.refused.items():
            text = f"the broker does not let us read it ({why}), so nobody can command it. Check its access list"
            self._on_problem(topic, text)
        self._announcer.begin()

    def end(self) -> None:
        """Hear that there is none."""
        self._announcer.end()
        self._orders.end()

    async def run(self) -> NoReturn:
        """Announce and obey until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._announcer.run(), name="mqtt announcements")
            tasks.create_task(self._orders.run(), name="mqtt commands")
        raise AssertionError("it runs for ever")

    def _on_problem(self, topic: str, text: str) -> None:
        if not text:
            self.problems.pop(topic, None)
        elif self.problems.get(topic) != text:
            self.problems[topic] = text
            log.warning("mqtt: %s: %s", topic, text)

    @property
    def remarks(self) -> Sequence[str]:
        """Return what `status` says: the first problem, and how many more there are."""
        if not self.problems:
            return ()
        topic, text = next(iter(self.problems.items()))
        more = f", and {len(self.problems) - 1} more topics, see the log" if len(self.problems) > 1 else ""
        return (f"mqtt: {topic}: {text}{more}",)


def _offers(config: Config, things: Iterable[Thing], access: Access) -> list[Offer]:
    broker = access.person(THE_BROKER) or Person(jid=THE_BROKER, role=Role.VIEWER)
    signatures = Signatures()
    made = (offer(thing, config.things[thing.id].driver, broker, signatures.of(thing)) for thing in things)
    return [each for each in made if each is not None and each.thing.properties]
