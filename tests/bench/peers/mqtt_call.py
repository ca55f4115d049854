"""MQTT 5 request and response with paho-mqtt at QoS 1 over TLS: who asks and who answers. Needs paho-mqtt only.

Job: `role`, `host`, `port`, `ca_file`, `no_delay`; for the caller `count` and `warm_up`.
"""

import json
import queue
import socket
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.bench.peers.handshake import read_job, say, wait_for_go

LIMIT = 30.0
BETWEEN = 0.02
"""Seconds between an answer and the next question, as for the others."""
COMMANDS, ANSWERS = "home/pump/set", "home/answers/caller"
Job = dict[str, Any]


def connect(job: Job, name: str, topic: str, on_message: Any) -> Client:
    """Connect and subscribe.

    Raises:
        TimeoutError: the broker does not answer.
    """
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set(ca_certs=job["ca_file"])
    subscribed = threading.Event()

    def subscribe(*_: object) -> None:
        client.subscribe(topic, qos=1)

    def send_at_once(_client: Client, _userdata: object, connection: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    client.on_connect = subscribe
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    if job["no_delay"]:
        client.on_socket_open = send_at_once
    client.connect(job["host"], job["port"])
    client.loop_start()
    if not subscribed.wait(LIMIT):
        raise TimeoutError("the broker does not answer")
    return client


def respond(job: Job) -> None:
    """Answer until told to go."""

    def on_message(client: Client, _userdata: object, message: MQTTMessage) -> None:
        asked: Any = message.properties
        properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.CorrelationData = asked.CorrelationData
        value = json.loads(message.payload)["state"]
        client.publish(asked.ResponseTopic, json.dumps({"state": value}), qos=1, properties=properties)

    client = connect(job, "responder", COMMANDS, on_message)
    say(ready=True)
    wait_for_go()
    client.disconnect()
    client.loop_stop()


def call(job: Job) -> None:
    """Ask one question after the other."""
    answers: queue.Queue[bytes] = queue.Queue()
    client = connect(job, "caller", ANSWERS, lambda _c, _u, message: answers.put(message.properties.CorrelationData))
    say(ready=True)
    wait_for_go()
    times = []
    for number in range(job["warm_up"] + job["count"]):
        properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.ResponseTopic, properties.CorrelationData = ANSWERS, str(number).encode()
        time.sleep(BETWEEN)
        begun = time.perf_counter()
        client.publish(COMMANDS, json.dumps({"state": bool(number % 2)}), qos=1, properties=properties)
        if answers.get(timeout=LIMIT) != str(number).encode():
            raise RuntimeError("another question's answer")
        times.append((time.perf_counter() - begun) * 1e6)
    say(times=times[job["warm_up"] :])
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    the_job = read_job()
    (respond if the_job["role"] == "responder" else call)(the_job)
