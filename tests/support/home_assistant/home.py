"""The user of Home Assistant, by its WebSocket API: https://developers.home-assistant.io/docs/api/websocket."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from tests.support.agents import until
from tests.support.home_assistant.program import HomeAssistant
from tests.support.home_assistant.seeds import MQTT_ENTRY

LIMIT = 20.0
UNAVAILABLE, UNKNOWN = "unavailable", "unknown"


class Home:
    """What Home Assistant shows, kept up to date, and what its user has it do."""

    def __init__(self, link: aiohttp.ClientWebSocketResponse) -> None:
        self._link = link
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._states: dict[str, dict[str, Any]] = {}

    async def begin(self, token: str) -> None:
        """Log in and begin to watch."""
        await self._link.receive_json()
        await self._link.send_json({"type": "auth", "access_token": token})
        assert (await self._link.receive_json())["type"] == "auth_ok"

    async def listen(self) -> None:
        """Take what comes."""
        async for message in self._link:
            told = message.json()
            if told["type"] == "event":
                self._change(told["event"]["data"])
            elif told["success"]:
                self._answers.pop(told["id"]).set_result(told["result"])
            else:
                self._answers.pop(told["id"]).set_exception(AssertionError(told["error"]["message"]))

    async def watch(self) -> None:
        """Take over what it shows, and follow it from then on."""
        await self._ask("subscribe_events", event_type="state_changed")
        for state in await self._ask("get_states"):
            self._states.setdefault(state["entity_id"], state)

    def _change(self, data: dict[str, Any]) -> None:
        if data["new_state"] is None:
            self._states.pop(data["entity_id"], None)
        else:
            self._states[data["entity_id"]] = data["new_state"]

    async def _ask(self, kind: str, **arguments: Any) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._link.send_json({"id": number, "type": kind, **arguments})
        async with asyncio.timeout(LIMIT):
            return await answer

    # ---- what it shows ----------------------------------------------------------------------------------------------

    def state(self, entity: str) -> str | None:
        """Return the state of an entity; None if there is none."""
        return self._states[entity]["state"] if entity in self._states else None

    def states(self, *entities: str) -> dict[str, str | None]:
        """Return the states of entities."""
        return {each: self.state(each) for each in entities}

    def changed(self, entity: str) -> str:
        """Return since when an entity has its state."""
        return str(self._states[entity]["last_changed"])

    def attributes(self, entity: str) -> dict[str, Any]:
        """Return what it shows besides the state."""
        found = self._states[entity]["attributes"]
        assert isinstance(found, dict)
        return found

    async def shows(self, wanted: Mapping[str, str | None]) -> None:
        """Wait until entities have these states; None for one that is not there."""
        try:
            await until(lambda: self.states(*wanted) == wanted)
        except TimeoutError:
            raise AssertionError(f"it shows {self.states(*wanted)} and not {wanted}") from None

    async def entities(self) -> set[str]:
        """Return the ids of all entities of the broker."""
        found = await self._ask("config/entity_registry/list")
        return {each["entity_id"] for each in found if each["platform"] == "mqtt"}

    async def devices(self) -> dict[str, dict[str, Any]]:
        """Return the devices of the broker by name."""
        found = await self._ask("config/device_registry/list")
        return {each["name"]: each for each in found if MQTT_ENTRY in each["config_entries"]}

    async def lists(self, word: str, *names: str) -> None:
        """Wait until these are the devices with a word in their name: what it shows does not tell of that."""
        deadline = asyncio.get_running_loop().time() + LIMIT
        while (found := {each for each in await self.devices() if word in each.casefold()}) != set(names):
            assert asyncio.get_running_loop().time() < deadline, f"it lists {found} and not {names}"
            await asyncio.sleep(0.05)

    # ---- what its user does ------------------------------------------------------------------------------------------

    async def does(self, service: str, entity: str, **data: Any) -> None:
        """Have it do something to an entity, which has to be available: else it says nothing and does nothing."""
        assert self.state(entity) not in (None, UNAVAILABLE)
        domain, _, name = service.partition(".")
        target = {"entity_id": entity}
        await self._ask("call_service", domain=domain, service=name, service_data=data, target=target)


@asynccontextmanager
async def at_home(server: HomeAssistant) -> AsyncIterator[Home]:
    """Watch a Home Assistant for as long as the context lasts."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/api/websocket", max_msg_size=0) as link,
    ):
        home = Home(link)
        await home.begin(server.token)
        listening = asyncio.create_task(home.listen(), name="home assistant")
        try:
            await home.watch()
            yield home
        finally:
            listening.cancel()
            await asyncio.wait((listening,))
