"""A real program of somebody else's: mqtt-io announces itself, and its relay is switched with a confirmed answer."""

from pathlib import Path

from tests.support.accounts import Accounts
from tests.support.agents import running_app, until, write_config
from tests.support.mqtt_io import MqttIo
from tests.support.people import Person, friends

from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody


async def test_mqtt_io_is_discovered_read_and_switched(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    alice, pi = account(prosody, "alice"), account(prosody, "pi")
    with Mosquitto(tmp_path / "broker") as broker, MqttIo(tmp_path / "mqtt-io", broker) as garage:
        table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=table)
        async with running_app(file) as agent, friends(person := Person(alice, f"{pi.jid}/agent")):

            def thing_tells(*names: str) -> bool:
                thing = agent.app.directory.get("garage_pi")
                return thing is not None and thing.availability.available and {*names} <= thing.values.keys()

            await until(lambda: thing_tells("relay", "door", "tank"))
            told = await person.asks("read garage pi")
            assert "garage_pi.tank: 1 °C" in told
            assert "garage_pi.door: off" in told
            assert await person.asks("garage_pi on") == "garage_pi.relay: on (confirmed)"
            assert "set_pin(pin=20, value=True)" in garage.said
            assert await person.asks("garage_pi.relay off") == "garage_pi.relay: off (confirmed)"
            assert garage.said.rindex("set_pin(pin=20, value=False)") > garage.said.rindex("value=True")
            garage.kill()  # then its last will says so; when it is stopped it says what no consumer understands
            await until(lambda: not thing_tells())
            assert (await person.asks("garage_pi on")).startswith("Refused: garage_pi is unavailable since ")
