"""What Home Assistant was seen to do, replayed against a bridge at work: a real broker, and `jidget things --json`."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiomqtt
import pytest
from tests.support.accounts import Accounts
from tests.support.agents import RunningApp, running_app, until, write_config
from tests.support.mqtt_batches import Batch, Row, batches_of
from tests.support.mqtt_replay import UNAVAILABLE, Judge, Score, body_of, rows
from tests.support.mqtt_services import Act, Step, Write, steps_of
from tests.support.strict_skips import ABSENT

from jidget.commands.local import ask_for_things
from jidget.commands.model import Face, Outcome, Request, Result
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget.mqtt.entity import UNKNOWN

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "mqtt" / "ha-discovery.jsonl"
STATES, COMMANDS = 0.99, 0.97
"""The least share that must match."""
QUICK = 0.1
"""Seconds that a device gets to confirm: none of these does."""
LIMIT = 20.0
MARK, MARKER = "replay/mark", "replay_marker"
DONE = "replay/done"
DEVICE = {"identifiers": [MARKER], "name": "Replay marker"}
MARKERS = {
    "homeassistant/sensor/replay/mark/config": {"unique_id": "replay_mark", "name": "Mark", "state_topic": MARK},
    "homeassistant/button/replay/done/config": {"unique_id": "replay_done", "name": "Done", "command_topic": DONE},
}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"{ABSENT}{CORPUS}, what Home Assistant was seen to do")

Objects = Sequence[Mapping[str, Any]]


class Programs:
    """A client of the broker: says what devices say, and hears what they are told.

    Attributes:
        heard: what others published since it was last taken away, in order: topic and payload.
    """

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[tuple[str, str]] = []
        self._own: defaultdict[str, int] = defaultdict(int)
        self._marks = 0
        self._done = asyncio.Event()
        self._client = aiomqtt.Client(broker.host, broker.port, max_inflight_messages=1000)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self._client.subscribe("#", qos=1)
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._hearing.cancel()
        await asyncio.wait((self._hearing,))
        await self._client.__aexit__(None, None, None)

    async def says(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish."""
        self._own[topic] += 1
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def marks(self, agent: RunningApp) -> None:
        """Wait until the agent has taken in all that was said, as it has what is said last."""
        self._marks += 1
        await self.says(MARK, str(self._marks), retain=True)
        await until(lambda: _shows(agent, str(self._marks)))

    async def all_heard(self, agent: RunningApp, owner: str) -> list[tuple[str, str]]:
        """Return what the agent published since the last time: it publishes one more thing, which comes last."""
        self._done.clear()
        result = await do(agent, owner, f"{MARKER}.done", {})
        assert result.outcome is Outcome.DONE, result.note
        async with asyncio.timeout(LIMIT):
            await self._done.wait()
        heard, self.heard = self.heard, []
        return heard

    async def _hear(self) -> None:
        async for message in self._client.messages:
            topic, payload = str(message.topic), bytes(message.payload).decode()
            if topic == DONE:
                self._done.set()
            elif self._own[topic]:
                self._own[topic] -= 1
            elif not message.retain:
                self.heard.append((topic, payload))


def _shows(agent: RunningApp, mark: str) -> bool:
    thing = agent.app.directory.get(MARKER)
    shown = None if thing is None or not thing.availability.available else thing.values.get("mark")
    return shown is not None and shown.value == mark


async def do(agent: RunningApp, owner: str, target: str, arguments: Mapping[str, Any]) -> Result:
    """Have an action invoked as by chat."""
    lines = "\n".join(f"{name}={_text(value)}" for name, value in arguments.items())
    return await agent.app.commands.run(_request(owner), "do", {"target": target, "arguments": lines})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _request(owner: str) -> Request:
    return Request(jid=owner, asker=f"{owner}/phone", face=Face.CHAT, key=None, age=0.0)


class Replay:
    """One batch, replayed."""

    def __init__(self, agent: RunningApp, programs: Programs, owner: str, batch: Batch, score: Score) -> None:
        self._agent, self._programs, self._owner, self._batch = agent, programs, owner, batch
        self._judges = {row: Judge(row.number, row.row, score) for row in batch.rows}

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Have all devices of the batch there, and gone in the end."""
        announcements = {row.config.topic: body_of(row.row) for row in self._batch.rows}
        announcements |= {topic: json.dumps({**config, "device": DEVICE}) for topic, config in MARKERS.items()}
        for topic, body in announcements.items():
            await self._programs.says(topic, body, retain=True)
        await self._programs.marks(self._agent)
        for thing in self._agent.app.directory:
            thing.timeout = QUICK
        yield
        for topic in announcements:
            await self._programs.says(topic, "", retain=True)
        await until(lambda: not len(self._agent.app.directory))

    async def states(self) -> None:
        """Tell states, and see what is shown after each."""
        for messages in self._batch.rounds():
            for (topic, payload), _ in messages:
                await self._programs.says(topic, payload)
            await self._programs.marks(self._agent)
            shown = await self._shown()
            for _, told in messages:
                for row, index in told:
                    objects = shown[_key(row)]
                    if not objects:
                        self._judges[row].mismatch("things", "an object", None)
                        continue
                    self._judges[row].state(index, objects[0]["state"], objects[0]["attributes"])
                    for wrong in _at_odds(objects):
                        self._judges[row].mismatch(f"value after message {index}", objects[0]["state"], wrong)
        assert await self._programs.all_heard(self._agent, self._owner) == []  # nobody has asked for anything

    async def commands(self) -> None:
        """Call services, as many at a time as there are devices, and see what is published."""
        shown = await self._shown()
        waiting: defaultdict[str, deque[tuple[Row, int]]] = defaultdict(deque)
        for row in self._batch.rows:
            if shown[_key(row)]:
                thing_id = shown[_key(row)][0]["thing"]
                waiting[thing_id].extend((row, index) for index in range(len(row.row.get("commands", ()))))
        while due := [queue.popleft() for queue in waiting.values() if queue]:
            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(self._carry_out(row, index, shown[_key(row)])) for row, index in due]
            heard = await self._programs.all_heard(self._agent, self._owner)
            for (row, index), task in zip(due, asked, strict=True):
                mine = [each for each in heard if json.dumps(each[0]) in row_text(row)]
                self._judges[row].command(index, mine, task.result())
                heard = [each for each in heard if each not in mine]
            assert not heard, "what nobody asked for was published"

    async def _carry_out(self, row: Row, index: int, objects: Objects) -> str:
        """Do what a service call asks; return what was said of it."""
        command = row.row["commands"][index]
        said = []
        for step in steps_of(command["service"], command.get("data") or {}):
            try:
                result = await self._carry_out_step(step, objects)
            except LookupError as error:
                return str(error)
            said.append(result.note)
        return "; ".join(said)

    async def _carry_out_step(self, step: Step, objects: Objects) -> Result:
        thing_id = objects[0]["thing"]
        match step:
            case Write(part, value):
                names = [each["property"] for each in objects if each["part"] == part and each["writable"]]
                if not names:
                    raise LookupError(f"nothing to write is called {part!r}: {[each['part'] for each in objects]}")
                return await self._agent.app.commands.write(_request(self._owner), thing_id, {names[0]: value})
            case Act(name, arguments):
                target = f"{thing_id}.{_action(name, objects[0]['actions'])}"
                return await do(self._agent, self._owner, target, arguments)

    async def _shown(self) -> defaultdict[Any, list[Mapping[str, Any]]]:
        """Ask the agent as `jidget things --json` does; return the objects by discovery topic and identity."""
        told = await asyncio.to_thread(ask_for_things, self._agent.app.store.path)
        assert told is not None
        shown = defaultdict(list)
        for each in told:
            shown[each["topic"], each["kind"], each["unique_id"]].append(each)
        return shown


def row_text(row: Row) -> str:
    """Return all texts of a discovery payload, `~` expanded."""
    return json.dumps(dict(row.config.keys))


def _key(row: Row) -> tuple[str, str, str | None]:
    return row.config.topic, row.config.kind, row.config.unique_id or None


def _action(name: str, actions: Sequence[str]) -> str:
    """Return the id of an action of an entity."""
    if len(actions) == 1:
        return actions[0]
    found = [each for each in actions if each == name or each.endswith(f"_{name}")]
    if len(found) != 1:
        raise LookupError(f"it has no {name}; it has {actions}")
    return found[0]


def _at_odds(objects: Objects) -> Sequence[Any]:
    """Return the value of the main part where it is not what the state says; numbers may be in another unit."""
    main = next((each for each in objects if each["part"] == ""), None)
    if main is None or main["kind"] in ("light", "lock", "siren", "fan", "cover", "update"):
        return ()
    state, value = main["state"], main["value"]
    if state in (UNKNOWN, UNAVAILABLE):
        right = value is None
    elif main["type"] in ("number", "integer"):
        right = value is not None
    else:
        right = state == ({True: "on", False: "off"}[value] if isinstance(value, bool) else value)
    return () if right else (value,)


async def test_the_bridge_does_as_home_assistant_was_seen_to_do(
    prosody: Prosody, account: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = rows(CORPUS)
    batches = batches_of(corpus)
    score = Score(skipped=len(corpus) - sum(len(batch.rows) for batch in batches))
    owner = account(prosody, "alice").jid
    pi = account(prosody, "pi")
    with Mosquitto(tmp_path / "broker") as broker:
        table = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
        file = write_config(tmp_path, pi, {owner: '"owner"'}, things=table)
        async with Programs(broker) as programs, running_app(file) as agent:
            for batch in batches:
                replay = Replay(agent, programs, owner, batch, score)
                async with replay.announced():
                    programs.heard.clear()  # what the agent says when it comes
                    await replay.states()
                    await replay.commands()
    total = score.total
    with capsys.disabled():
        print(f"\n{score}")
    wrong = "\n".join(str(each) for each in score.mismatches)
    assert total.states > 2000, "the corpus has been cut"
    assert total.states_right >= STATES * total.states, wrong
    assert total.commands_right >= COMMANDS * total.commands, wrong
    assert not wrong
