"""Asking a real broker for something, and no longer wanting to know."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.mqtt import LIMIT, at

from jidget.demo.mosquitto import Mosquitto
from jidget.mqtt.connection import Connection
from jidget.mqtt.wire import MQTT_5


async def test_who_stops_asking_just_as_the_answer_comes_has_stopped(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        connection = Connection(at(broker), lambda _: None, MQTT_5)
        await connection.connect()
        asking = asyncio.create_task(connection.subscribe({"a": 0}))
        paho: Any = connection._wire._paho
        answered = paho.on_subscribe

        def answer_and_cancel(*answer: Any) -> None:
            answered(*answer)
            asking.cancel()

        paho.on_subscribe = answer_and_cancel
        async with asyncio.timeout(LIMIT):
            await asyncio.wait((asking,))
        assert asking.cancelled()
        await connection.close()
