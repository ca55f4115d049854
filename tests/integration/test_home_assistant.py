"""A real Home Assistant that reads what we announce: it shows our Things, commands them, and forgets those that go."""

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import WatchedAgent, running_app, until
from tests.support.home_assistant.home import UNAVAILABLE, UNKNOWN, Home, at_home
from tests.support.home_assistant.installation import VERSION, WANTED
from tests.support.home_assistant.place import AIR, THINGS, Place
from tests.support.home_assistant.program import HomeAssistant
from tests.support.mqtt_device import MqttDevice
from tests.support.strict_skips import ABSENT

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget_drivers import Action, action, simulated
from jidget_drivers.simulated import Simulated

pytestmark = pytest.mark.skipif(
    not os.environ.get(WANTED), reason=f"{ABSENT}Home Assistant {VERSION}. {WANTED}=1 fetches it by pip for Python 3.13"
)


class Bell(Simulated):
    """Simulated hardware that can be asked to ring."""

    @action
    async def ring(self) -> None:
        """Ring once."""
        await self.write("rung", True)

    def actions(self) -> dict[str, Action]:
        return super(Simulated, self).actions()  # also where there is nothing to calibrate


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture(scope="module")
def running(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    """One for all of these tests, as it takes its time to start: each has Things in a place of its own."""
    with HomeAssistant(tmp_path_factory.mktemp("home-assistant"), broker) as server:
        yield server


@pytest.fixture
def assistant(running: HomeAssistant) -> Iterator[HomeAssistant]:
    """Fail the test in whose time it has complained of anything."""
    before = len(running.complaints)
    yield running
    assert running.complaints[before:] == []


Places = Callable[[str], Place]
ALL = ("air", "meter", "pump", "room", "gate", "valve")


@pytest.fixture
def place(prosody: Prosody, account: Accounts, broker: Mosquitto, tmp_path: Path) -> Places:
    """Have Things at a place, which is part of their names."""
    return partial(Place, tmp_path, account, prosody, broker)


async def has(home: Home, entity: str, state: str, **attributes: object) -> None:
    """Wait until an entity has a state, and see that it has these attributes."""
    await home.shows({entity: state})
    assert {name: home.attributes(entity).get(name) for name in attributes} == attributes


async def test_every_property_is_shown_as_what_it_is(assistant: HomeAssistant, place: Places) -> None:
    hall = place("hall")
    async with at_home(assistant) as home, running_app(hall.config(things=AIR + THINGS)):
        await has(home, "sensor.hall_air_temperature", "21.5", unit_of_measurement="°C", device_class="temperature")
        await has(home, "sensor.hall_air_humidity", "48.0", unit_of_measurement="%", device_class="humidity")
        await has(home, "sensor.hall_air_energy", "12.0", unit_of_measurement="kWh", device_class="energy")
        await has(home, "sensor.hall_air_dust", "7.0", unit_of_measurement="µg/m³")
        await has(home, "binary_sensor.hall_air_window", "off")
        await has(home, "sensor.hall_air_level", "good", device_class="enum", options=["good", "bad"])
        await has(home, "sensor.hall_air_said", "all is well")
        await has(home, "sensor.hall_meter", "3.0", unit_of_measurement="L", friendly_name="Hall meter")
        await has(home, "switch.hall_pump", "off", friendly_name="Hall pump")
        await has(home, "sensor.hall_pump_last_answer", UNKNOWN)
        limits = {"min": 5, "max": 30, "step": 0.1, "mode": "auto", "unit_of_measurement": "°C"}
        await has(home, "number.hall_room_target", "20", **limits)
        await has(home, "select.hall_room_mode", "off", options=["off", "eco", "comfort"])
        await has(home, "text.hall_room_note", "")
        await has(home, "number.hall_room_speed", "0", step=1, mode="box")
        await has(home, "binary_sensor.hall_gate", "off")  # it wants a code
        await has(home, "binary_sensor.hall_valve", "off")  # the broker has no right to it
        await home.lists("hall", hall.agent, *(f"Hall {each}" for each in ALL))
        devices = await home.devices()
        assert devices["Hall pump"]["via_device_id"] == devices[hall.agent]["id"]
        assert (devices["Hall pump"]["manufacturer"], devices["Hall pump"]["model"]) == ("Jidget", "simulated")
        shown = {each.partition(".")[2] for each in await home.entities()}
        assert len([each for each in shown if each.startswith("hall_")]) == 17


async def test_commands_arrive_once_and_the_state_follows(assistant: HomeAssistant, place: Places) -> None:
    garden = place("garden")
    async with at_home(assistant) as home, running_app(garden.config()):
        await home.shows({"switch.garden_pump": "off", "text.garden_room_note": ""})
        await home.does("switch.turn_on", "switch.garden_pump")
        await home.shows({"switch.garden_pump": "on"})
        assert [each for each in garden.done("pump") if each[1]] == [("state", True)]
        await home.does("number.set_value", "number.garden_room_target", value=22.5)
        await home.does("number.set_value", "number.garden_room_speed", value=-40)
        await home.does("select.select_option", "select.garden_room_mode", option="comfort")
        await home.does("text.set_value", "text.garden_room_note", value='Grüße, "Haus"')
        await home.shows({"number.garden_room_target": "22.5", "number.garden_room_speed": "-40.0"})
        await home.shows({"select.garden_room_mode": "comfort", "text.garden_room_note": 'Grüße, "Haus"'})
        done = [("target", 22.5), ("speed", -40), ("mode", "comfort"), ("note", 'Grüße, "Haus"')]
        assert garden.done("room") == done
        await home.does("text.set_value", "text.garden_room_note", value="")
        await home.shows({"text.garden_room_note": ""})
        await home.does("switch.turn_off", "switch.garden_pump")
        await home.shows({"switch.garden_pump": "off", "sensor.garden_pump_last_answer": UNKNOWN})


async def test_an_action_is_a_button(assistant: HomeAssistant, place: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "Simulated", Bell)
    porch = place("porch")
    things = THINGS.partition("[things.room]")[0].replace("state =", "rung =")
    async with at_home(assistant) as home, running_app(porch.config(things=things)):
        await home.shows({"button.porch_pump_ring": UNKNOWN, "switch.porch_pump": "off"})
        await home.does("button.press", "button.porch_pump_ring")
        await home.shows({"switch.porch_pump": "on"})


async def test_what_is_refused_changes_nothing_and_says_why(assistant: HomeAssistant, place: Places) -> None:
    shed = place("shed")
    async with at_home(assistant) as home, running_app(shed.config(rules='min_off = "1h"')):
        await home.shows({"switch.shed_pump": "off"})
        await home.does("switch.turn_on", "switch.shed_pump")
        await until(lambda: "min_off" in (home.state("sensor.shed_pump_last_answer") or ""))
        first = home.changed("sensor.shed_pump_last_answer")
        await home.does("switch.turn_on", "switch.shed_pump")
        await until(lambda: home.changed("sensor.shed_pump_last_answer") != first)  # as news, also in the same words
        assert home.state("switch.shed_pump") == "off"
        assert ("state", True) not in shed.done("pump")


async def test_who_is_not_there_is_unavailable(assistant: HomeAssistant, place: Places, tmp_path: Path) -> None:
    barn = place("barn")
    file = barn.config()
    there = {"switch.barn_pump": "off", "number.barn_room_target": "20", "binary_sensor.barn_gate": "off"}
    gone = dict.fromkeys(there, UNAVAILABLE)
    agent = WatchedAgent(tmp_path / "process", file)
    async with at_home(assistant) as home:
        async with agent:
            await home.shows(there)
            (connection,) = (each for each in await home.entities() if each.startswith("binary_sensor.jidget_barn_"))
            there[connection], gone[connection] = "on", "off"
        await home.shows(gone)
        async with agent:
            await home.shows(there)
            await agent.ends(signal.SIGKILL)
            await home.shows(gone)
        async with agent:
            await home.shows(there)
            await home.does("switch.turn_on", "switch.barn_pump")
            await home.shows({"switch.barn_pump": "on"})


async def test_what_goes_is_gone_and_what_changes_is_another(assistant: HomeAssistant, place: Places) -> None:
    attic = place("attic")
    async with at_home(assistant) as home:
        async with running_app(attic.config(things=AIR + THINGS)):
            await home.shows({"switch.attic_pump": "off", "sensor.attic_meter": "3.0"})
        async with running_app(attic.config()):
            await home.shows({"switch.attic_pump": "off", "sensor.attic_meter": None, "sensor.attic_air_said": None})
            await home.lists("attic", attic.agent, *(f"Attic {each}" for each in ("pump", "room", "gate", "valve")))
        async with running_app(attic.config({})):
            await home.shows({"switch.attic_pump": None, "binary_sensor.attic_pump": "off"})
            await home.shows({"sensor.attic_pump_last_answer": None, "sensor.attic_room_mode": "off"})
            await home.shows({"number.attic_room_target": None, "sensor.attic_room_target": "20"})
        async with running_app(attic.config()):
            await home.shows({"binary_sensor.attic_pump": None, "switch.attic_pump": "off"})
            await home.does("switch.turn_on", "switch.attic_pump")
            await home.shows({"switch.attic_pump": "on"})
        async with running_app(attic.config({}, announce=False)):
            await home.shows({"switch.attic_pump": None, "binary_sensor.attic_valve": None})
            await home.lists("attic")
            assert not [each for each in await home.entities() if "attic" in each]


async def test_a_device_of_somebody_else_is_not_announced_again(
    assistant: HomeAssistant, place: Places, broker: Mosquitto
) -> None:
    yard = place("yard")
    plug = {"name": "Yard plug", "unique_id": "yard-plug", "state_topic": "plug", "command_topic": "plug/set"}
    async with at_home(assistant) as home, MqttDevice(broker) as other, running_app(yard.config()) as agent:
        await other.announces("homeassistant/switch/yard-plug/config", plug)
        await other.says("plug", "ON", retain=True)
        await home.shows({"switch.yard_plug": "on", "switch.yard_pump": "off"})
        await until(lambda: "state" in getattr(agent.app.directory.get("yard_plug"), "values", ()))
        await home.does("switch.turn_on", "switch.yard_pump")
        await home.shows({"switch.yard_pump": "on"})
        assert [each for each in await home.entities() if "plug" in each] == ["switch.yard_plug"]


async def test_what_the_broker_keeps_is_enough_for_one_that_starts(assistant: HomeAssistant, place: Places) -> None:
    cellar = place("cellar")
    states = {"switch.cellar_pump": "off", "number.cellar_room_target": "20", "binary_sensor.cellar_valve": "off"}
    states |= {"sensor.cellar_air_temperature": "21.5", "sensor.cellar_meter": "3.0"}
    async with running_app(cellar.config(things=AIR + THINGS)):
        async with at_home(assistant) as home:
            await home.shows(states)
        await assistant.astop()
        await assistant.astart()
        async with at_home(assistant) as home:
            await home.shows(states)
        await assistant.astop()
        assistant.forget()
        await assistant.astart()
        async with at_home(assistant) as home:
            await home.shows(states)
            await home.lists("cellar", cellar.agent, *(f"Cellar {each}" for each in ALL))
            devices = await home.devices()
            assert devices["Cellar pump"]["via_device_id"] == devices[cellar.agent]["id"]
            await home.does("switch.turn_on", "switch.cellar_pump")
            await home.shows({"switch.cellar_pump": "on"})
