"""The agent with a bridge, somebody who asks it, and a device on the broker."""

from collections.abc import Mapping
from typing import Any

from tests.support.agents import RunningApp, until
from tests.support.mqtt_device import MqttDevice
from tests.support.people import Person


class House:
    """The agent, somebody who asks, and the device."""

    def __init__(self, agent: RunningApp, person: Person, device: MqttDevice) -> None:
        self.agent, self.person, self.device = agent, person, device

    def values(self, thing_id: str) -> Mapping[str, Any]:
        thing = self.agent.app.directory.get(thing_id)
        return {} if thing is None else {name: reading.value for name, reading in thing.values.items()}

    async def found(self, thing_id: str, **values: Any) -> None:
        """Wait until a Thing can be reached and shows these values."""

        def there() -> bool:
            thing = self.agent.app.directory.get(thing_id)
            return (
                thing is not None and thing.availability.available and values.items() <= self.values(thing_id).items()
            )

        await until(there)

    async def lost(self, thing_id: str) -> None:
        """Wait until a Thing cannot be reached."""
        await until(lambda: not self.agent.app.directory.get(thing_id).availability.available)  # type: ignore[union-attr]

    async def asks(self, text: str) -> str:
        return await self.person.asks(text)

    async def confirms(self, text: str) -> str:
        """Ask for something that must be confirmed, and confirm it."""
        asked = await self.asks(text)
        return await self.asks(f"yes {asked.split('yes ')[1].split()[0]}")
