"""Getting into a real mosquitto, and what a person is told who does not: names, ports, passwords, certificates."""

import asyncio
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.logs import watching_log
from tests.support.mqtt import at, running, with_tls
from tests.support.mqtt_front import Manners, OldBroker
from tests.support.proxy import ChaosProxy
from tests.support.servers import FreshServers

from jidget.config.mqtt import MqttConfig
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.pki import Authority
from jidget.mqtt.model import Publish
from jidget.supervise import Backoff

USERS = {"alice": "correct horse"}


async def why_not(config: MqttConfig) -> str:
    """Return what is told of a broker that cannot be used."""
    async with running(config) as watched:
        text = await watched.fails()
    assert "\n" not in text
    assert "correct horse" not in text
    return text


async def protocol(config: MqttConfig) -> str:
    """Return what is spoken with a broker; a message has come by it."""
    async with running(config, "hello") as watched, running(config.model_copy(update={"client_id": "x"})) as other:
        await watched.subscribed()
        await other.connects()
        await other.session.publish(Publish(topic="hello", payload="hi", qos=1))
        await watched.gets("hello")
        return watched.session.protocol


# ---- the way there -------------------------------------------------------------------------------------------------


async def test_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        text = await why_not(MqttConfig(host="127.0.0.1", port=port))
    assert text == (
        f"the MQTT broker 127.0.0.1:{port}: nothing listens there. Start the broker, or check mqtt.host and mqtt.port "
        "(usually 1883)"
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".invalid"])
async def test_no_such_host(host: str) -> None:
    text = await why_not(MqttConfig(host=host))
    assert text == f"the MQTT broker {host}:1883: no such host. Check mqtt.host, and that this machine has a network"


async def test_somebody_who_does_not_answer(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jidget.mqtt.connection.PATIENCE", 0.3)
    async with ChaosProxy(mosquitto.host, mosquitto.port) as proxy:
        proxy.accept_hang = True
        text = await why_not(at(mosquitto, port=proxy.port))
    assert text.startswith(f"the MQTT broker 127.0.0.1:{proxy.port} takes connections and does not answer.")


async def test_tls_against_a_plain_port(mosquitto: Mosquitto) -> None:
    text = await why_not(with_tls(mosquitto, port=mosquitto.port))
    assert text == (
        f"the MQTT broker 127.0.0.1:{mosquitto.port}: does not speak TLS there. "
        "Write its port for TLS in mqtt.port (usually 8883), or tls = false"
    )


async def test_no_tls_against_a_port_for_tls(mosquitto: Mosquitto) -> None:
    text = await why_not(at(mosquitto, port=mosquitto.tls_port))
    assert "ended the connection without an answer. If this is its port for TLS write tls = true" in text


async def test_leaving_while_it_connects_leaves_nothing_behind(mosquitto: Mosquitto) -> None:
    async with ChaosProxy(mosquitto.host, mosquitto.port) as proxy:
        proxy.stall()
        async with running(at(mosquitto, port=proxy.port)):
            async with asyncio.timeout(10):
                await proxy.changed.until(lambda: proxy.accepted > 0)
        proxy.resume()
        await proxy.carries(0)


# ---- passwords -----------------------------------------------------------------------------------------------------


async def test_passwords(fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto, USERS)
    assert await protocol(at(broker, username="alice", password="correct horse")) == "MQTT 5"
    wrong = await why_not(at(broker, username="alice", password="wrong"))
    assert wrong == (
        f"the MQTT broker 127.0.0.1:{broker.port} refuses the user alice (Not authorized). "
        "Check mqtt.username and its password, and the broker's access list"
    )
    nobody = await why_not(at(broker))
    assert nobody == (
        f"the MQTT broker 127.0.0.1:{broker.port} refuses who gives no user name (Not authorized). "
        "Write mqtt.username and mqtt.password_file"
    )


async def test_a_password_that_is_put_right_later_lets_us_in(tmp_path: Path, fresh_server: FreshServers) -> None:
    broker = fresh_server(Mosquitto, USERS)
    config = at(broker, username="bob", password="new")
    async with running(config) as watched:
        await watched.fails()
        broker.stop()
        broker.users["bob"] = "new"
        await broker.astart()
        await watched.connects()


async def test_somebody_else_with_our_client_id(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each throws the other out; this mosquitto does not say why."""
    monkeypatch.setattr("jidget.mqtt.session.Backoff", partial(Backoff, first=0.05, cap=0.1))
    config = at(mosquitto, "twin")
    async with running(config) as first, running(config):
        await first.until(lambda: any("again and again" in (link or "") for link in first.links))
        (text, *_) = [link for link in first.links if link and "again and again" in link]
    assert text == (
        f"the connection to the MQTT broker 127.0.0.1:{mosquitto.port} was lost, again and again. "
        "Another client may log in as twin, too: give each its own mqtt.client_id"
    )


# ---- certificates --------------------------------------------------------------------------------------------------


async def test_tls(mosquitto: Mosquitto) -> None:
    assert await protocol(with_tls(mosquitto)) == "MQTT 5"
    assert await protocol(with_tls(mosquitto, host="localhost")) == "MQTT 5"


async def test_an_authority_that_nobody_knows(mosquitto: Mosquitto, tmp_path: Path) -> None:
    for ca_file in (None, Authority(tmp_path / "other").ca_file):
        text = await why_not(with_tls(mosquitto, ca_file=ca_file))
        assert "its certificate is not trusted (" in text
        assert text.endswith("Name the CA that issued it: mqtt.ca_file")


async def test_a_certificate_for_another_name(fresh_server: FreshServers, tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "pki").issue("broker.example.org")
    broker = fresh_server(Mosquitto, certificate=certificate)
    text = await why_not(with_tls(broker))
    assert "its certificate is for another name (" in text
    assert text.endswith("Write the name it is for in mqtt.host")


async def test_a_certificate_whose_time_is_over(fresh_server: FreshServers, tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "pki").issue("localhost", "127.0.0.1", expired=True)
    broker = fresh_server(Mosquitto, certificate=certificate)
    assert "its certificate is not valid today (certificate has expired). Renew it" in await why_not(with_tls(broker))


async def test_client_certificates(fresh_server: FreshServers, tmp_path: Path) -> None:
    broker = fresh_server(Mosquitto, mutual=True)
    ours = broker.issue("jidget", client=True)
    assert await protocol(with_tls(broker, cert_file=ours.certificate, key_file=ours.key)) == "MQTT 5"
    assert await protocol(with_tls(broker, cert_file=ours.both)) == "MQTT 5"
    assert "It may want a client certificate: mqtt.cert_file" in await why_not(with_tls(broker))
    strange = Authority(tmp_path / "strange").issue("jidget", client=True)
    text = await why_not(with_tls(broker, cert_file=strange.certificate, key_file=strange.key))
    assert text.endswith("It may not trust the client certificate in mqtt.cert_file")


async def test_files_that_vanish_are_told_and_come_back(mosquitto: Mosquitto, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    async with running(with_tls(mosquitto, ca_file=authority)) as watched:
        assert "mqtt.ca_file, cert_file or key_file cannot be used any more: No such file" in await watched.fails()
        authority.write_bytes(mosquitto.ca_file.read_bytes())
        await watched.connects()


# ---- protocols -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manners", list(Manners))
async def test_a_broker_that_does_not_know_mqtt_5(mosquitto: Mosquitto, manners: Manners) -> None:
    async with OldBroker(mosquitto.port, manners) as old:
        config = at(mosquitto, port=old.port)
        with watching_log() as log:
            assert await protocol(config) == "MQTT 3.1.1"
        assert sorted(old.versions) == [4, 4, 5, 5]
        assert log.matching("by MQTT 3.1.1")
        assert not log.matching("ended the connection")


async def test_who_knows_no_mqtt_5_is_not_asked_again_after_a_cut(mosquitto: Mosquitto) -> None:
    async with (
        OldBroker(mosquitto.port, Manners.SAYS_SO) as old,
        ChaosProxy("127.0.0.1", old.port) as proxy,
        running(at(mosquitto, port=proxy.port)) as watched,
    ):
        await watched.connects()
        proxy.cut()
        await watched.fails()
        await watched.connects()
        assert old.versions == [5, 4, 4]


async def test_publishing_by_3_1_1(mosquitto: Mosquitto) -> None:
    async with (
        OldBroker(mosquitto.port, Manners.SAYS_SO) as old,
        running(at(mosquitto, port=old.port), "a/#") as watched,
    ):
        await watched.subscribed()
        for qos in (0, 1, 2):
            await watched.session.publish(Publish(topic=f"a/{qos}", payload="own", qos=qos))
            await watched.gets(f"a/{qos}")  # nobody can keep it away from us before MQTT 5


async def test_expiry_of_what_nobody_takes(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    async with running(at(mosquitto, "sender")) as sender:
        await sender.connects()
        async with running(at(mosquitto, "listener"), "cmd") as listener:
            await listener.subscribed()
            _watch_expiry(listener, seen)
            await sender.session.publish(Publish(topic="cmd", payload="x", qos=1))
            await listener.gets("cmd")
            await sender.session.publish(Publish(topic="cmd", payload="y", qos=1, retain=True))
            await listener.gets("cmd", 2)
    assert seen == [30, None]


def _watch_expiry(listener: Any, seen: list[Any]) -> None:
    """Have what the broker tells of each message's expiry written down."""
    paho = listener.session._connection._wire._paho
    received = paho.on_message

    def on_message(client: Any, data: Any, message: Any) -> None:
        seen.append(getattr(message.properties, "MessageExpiryInterval", None))
        received(client, data, message)

    paho.on_message = on_message
