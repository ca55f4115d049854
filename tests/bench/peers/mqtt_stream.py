"""paho-mqtt at QoS 1 over TLS, one message a reading: the publisher and the subscriber. Needs paho-mqtt only.

Job: `role`, `host`, `port`, `ca_file`, `readings`, `warm_up`, `start`; for the subscriber `expect` and `limit`.
"""

import json
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.meter import Meter
from tests.bench.peers.workload import mqtt_message, plain_readings

IN_FLIGHT = 20
LIMIT = 30.0
Job = dict[str, Any]


def connect(job: Job, name: str) -> Client:
    """Connect and wait until the broker has said yes.

    Raises:
        TimeoutError: it does not.
    """
    client = Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.tls_set(ca_certs=job["ca_file"])
    client.max_inflight_messages_set(IN_FLIGHT)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect(job["host"], job["port"])
    client.loop_start()
    if not connected.wait(LIMIT):
        raise TimeoutError("the broker does not answer")
    return client


class Publisher:
    """Publishes with at most `IN_FLIGHT` messages without a PUBACK."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._room = threading.Semaphore(IN_FLIGHT)
        client.on_publish = self._on_publish

    def _on_publish(self, *_: object) -> None:
        self._room.release()

    def publish(self, job: Job, first: int, count: int) -> None:
        """Publish readings and wait for the last PUBACK."""
        for name, value, at in plain_readings(first, count, job["start"]):
            topic, payload = mqtt_message(name, value, at)
            self._room.acquire()
            self._client.publish(topic, payload, qos=1)
        for _ in range(IN_FLIGHT):
            self._room.acquire()
        for _ in range(IN_FLIGHT):
            self._room.release()


def publish(job: Job) -> None:
    """Warm up, wait for the subscriber, publish."""
    client = connect(job, "publisher")
    say(ready=True)
    wait_for_go()
    publisher = Publisher(client)
    publisher.publish(job, 0, job["warm_up"])
    meter = Meter(client.socket())
    publisher.publish(job, job["warm_up"], job["readings"])
    say(**meter.read())
    client.disconnect()
    client.loop_stop()


def subscribe(job: Job) -> None:
    """Subscribe, parse every message, and report when all came."""
    client = connect(job, "subscriber")
    expect, warm_up = job["expect"], job["warm_up"]
    subscribed, finished = threading.Event(), threading.Event()
    readings, total, cpu, ended = 0, 0.0, 0.0, 0

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        nonlocal readings, total, cpu, ended
        reading = json.loads(message.payload)
        total += reading["v"]
        readings += 1
        if readings == warm_up:
            cpu = time.process_time()
        elif readings == expect:
            ended, cpu = time.monotonic_ns(), time.process_time() - cpu
            finished.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe("home/#", qos=1)
    if not subscribed.wait(LIMIT):
        raise TimeoutError("the broker does not answer")
    say(ready=True)
    if not finished.wait(job["limit"]):
        raise TimeoutError(f"{readings} of {expect} readings came")
    say(ended=ended, cpu=cpu, total=total, repeated=0)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    the_job = read_job()
    (publish if the_job["role"] == "publisher" else subscribe)(the_job)
