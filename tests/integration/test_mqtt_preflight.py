"""`jidget check` with `[mqtt]`: what it says of a real broker, beside a session that it does not disturb."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.support.mqtt import at, running, with_tls
from tests.support.mqtt_front import Manners, OldBroker
from tests.support.servers import FreshServers

from jidget.config.mqtt import MqttConfig
from jidget.demo.mosquitto import Mosquitto
from jidget.mqtt.failures import ConnectFailed
from jidget.mqtt.model import Publish
from jidget.mqtt.preflight import Verdict, check

CONFIGS = [f"homeassistant/sensor/node/value_{number}/config" for number in range(30)]


async def verdicts(config: MqttConfig) -> list[Verdict]:
    async with asyncio.timeout(20):
        return [verdict async for verdict in check(config)]


async def test_a_good_broker(mosquitto: Mosquitto) -> None:
    config = with_tls(mosquitto, discovery_prefix="test-preflight")
    async with running(at(mosquitto)) as one:
        await one.connects()
        for topic in ("sensor/a/config", "light/node/b/config", "light/node/gone/config", "light/else"):
            await one.session.publish(Publish(topic=f"test-preflight/{topic}", payload="{}", qos=1, retain=True))
        await one.session.publish(
            Publish(topic="test-preflight/light/node/gone/config", payload="", qos=1, retain=True)
        )
        (broker, discovery) = await verdicts(config)
        assert one.links == [None]
    assert broker[:2] == (True, "MQTT broker")
    assert broker[2].startswith(f"127.0.0.1:{mosquitto.tls_port}, MQTT 5, certificate verified, mosquitto version 2.")
    assert discovery == (True, "MQTT discovery", "2 announcements under test-preflight/")


async def test_nothing_announced(mosquitto: Mosquitto) -> None:
    (_, discovery) = await verdicts(at(mosquitto, discovery_prefix="test-nothing"))
    assert discovery[0] is None
    assert discovery[2].startswith("nothing is announced under test-nothing/ yet. Switch discovery")


async def test_announced_in_other_ways(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto)
    async with running(at(broker)) as one:
        await one.connects()
        for topic, payload in (("homie/car/$homie", "4.0.0"), ("tasmota/discovery/x/config", "{}")):
            await one.session.publish(Publish(topic=topic, payload=payload, qos=1, retain=True))
    (_, discovery) = await verdicts(at(broker))
    assert discovery == (True, "MQTT discovery", "nothing under homeassistant/, but 1 announcement in other ways")
    (_, discovery) = await verdicts(at(broker, formats=()))
    assert discovery[0] is None


async def test_whether_our_own_things_may_be_announced(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto, access="topic readwrite jidget/#\ntopic read homeassistant/#\n")
    (*_, own) = await verdicts(at(broker, announce=True))
    assert own[:2] == (False, "own Things")
    assert "does not let us publish to homeassistant/device/jidget-test-" in own[2]
    broker = fresh_server(Mosquitto)
    async with running(at(broker, "listener"), "jidget/#", "homeassistant/#") as heard:
        await heard.subscribed()
        (*_, own) = await verdicts(at(broker, announce=True))
        assert own[:2] == (True, "own Things")
        async with OldBroker(broker.port, Manners.SAYS_SO) as old:
            (*_, own) = await verdicts(at(broker, announce=True, port=old.port))
        assert own[:2] == (None, "own Things")
        assert not [each for each in heard.messages if each.topic.endswith("/config") or each.retained]


async def test_under_our_own_name_it_does_not_throw_the_agent_out(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto)
    config = at(broker, "jidget-barn")
    status = "jidget/jidget-barn/status"
    async with running(config) as agent, running(at(broker, "other"), status) as other:
        await agent.connects()
        await other.subscribed()
        before = other.payloads(status)
        await verdicts(config)
        assert agent.links == [None]
        assert other.payloads(status) == before


async def test_an_old_broker(mosquitto: Mosquitto) -> None:
    async with OldBroker(mosquitto.port, Manners.SAYS_SO_OLD) as old:
        (broker, _) = await verdicts(at(mosquitto, port=old.port))
    assert broker[2].startswith(f"127.0.0.1:{old.port}, MQTT 3.1.1, mosquitto version 2.")


async def test_a_broker_that_hides_discovery_and_itself(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto, access="topic write homeassistant/#\n")
    async with running(at(broker)) as one:
        await one.connects()
        await one.session.publish(Publish(topic=CONFIGS[0], payload="{}", qos=1, retain=True))
    (said, discovery) = await verdicts(at(broker))
    assert said == (True, "MQTT broker", f"127.0.0.1:{broker.port}, MQTT 5")
    assert discovery[0] is None
    assert discovery[2].endswith("and see that this user may read homeassistant/#")


async def test_a_broker_that_does_not_let_us_in(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto, {"alice": "secret"})
    with pytest.raises(ConnectFailed, match="refuses the user bob"):
        await verdicts(at(broker, username="bob", password="wrong"))


async def test_the_command_line_says_it(fresh_server: FreshServers, tmp_path: Path) -> None:
    """The XMPP side fails at once, and the broker is looked at all the same."""
    broker = fresh_server(Mosquitto)
    file = tmp_path / "jidget.toml"
    file.write_text(
        '[xmpp]\njid = "pi@localhost"\npassword_file = "password"\nhost = "127.0.0.1"\nport = 1\n'
        '[access]\n"alice@localhost" = "owner"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nclient_id = "jidget-barn"\n'
    )
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    code, lines = await _check(file)
    assert code == 1
    assert f"OK   mqtt: 127.0.0.1:{broker.port} as jidget-barn" in lines
    (said,) = [line for line in lines if "MQTT broker" in line]
    assert said.startswith(f"OK   MQTT broker: 127.0.0.1:{broker.port}, MQTT 5, mosquitto version 2.")
    assert any(line.startswith("WARN MQTT discovery: nothing is announced") for line in lines)
    broker.stop()
    code, lines = await _check(file)
    assert code == 1
    assert lines[-1].startswith(f"FAIL the MQTT broker 127.0.0.1:{broker.port}: nothing listens there.")
    code, lines = await _check(file, "--offline")
    assert code == 0


async def _check(file: Path, *more: str) -> tuple[int | None, list[str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jidget", "check", "--config", str(file), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert err == b""
    return process.returncode, out.decode().splitlines()
