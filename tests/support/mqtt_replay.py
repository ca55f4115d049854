"""Replays what Home Assistant was seen to make of MQTT messages, against discovery, availability and kinds. No I/O.

A corpus row is a discovery payload, messages with the state that Home Assistant showed after each, and service calls
with what Home Assistant published. What a service asks is done here by the parts and actions of the entity.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.mqtt_services import call

from jidget.mqtt.availability import Availability
from jidget.mqtt.device import Member
from jidget.mqtt.discovery import Discoveries
from jidget.mqtt.entity import UNKNOWN, BadConfig
from jidget.mqtt.kinds import build
from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.templates import Templates
from jidget.mqtt.topics import matches
from jidget_drivers import WriteRefused

UNAVAILABLE = "unavailable"
PREFIX = "homeassistant"
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Something that was not as Home Assistant had it."""

    row: int
    entity: str
    what: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"row {self.row} {self.entity} {self.what}: expected {self.expected!r}, got {self.got!r}"


@dataclass(slots=True)
class Tally:
    """How often a kind was as Home Assistant had it."""

    states: int = 0
    states_right: int = 0
    commands: int = 0
    commands_right: int = 0

    def __iadd__(self, other: "Tally") -> "Tally":
        self.states += other.states
        self.states_right += other.states_right
        self.commands += other.commands
        self.commands_right += other.commands_right
        return self

    def __str__(self) -> str:
        return (
            f"states {_share(self.states_right, self.states)}   commands {_share(self.commands_right, self.commands)}"
        )


@dataclass(slots=True)
class Score:
    """What became of a corpus.

    Attributes:
        kinds: by component.
        mismatches: all of them.
        skipped: rows that hold nothing to compare with.
    """

    kinds: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    mismatches: list[Mismatch] = field(default_factory=list)
    skipped: int = 0

    @property
    def total(self) -> Tally:
        """Return the tally of all kinds."""
        total = Tally()
        for tally in self.kinds.values():
            total += tally
        return total

    def __str__(self) -> str:
        lines = [f"{kind:20} {tally}" for kind, tally in sorted(self.kinds.items())]
        return "\n".join([*lines, f"{'all':20} {self.total}   skipped rows {self.skipped}"])


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a corpus file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def replay(corpus: Iterable[dict[str, Any]]) -> Score:
    """Replay rows, each by itself."""
    score = Score()
    templates = Templates()
    for number, row in enumerate(corpus):
        if can_be_replayed(row):
            _replay(Judge(number, row, score), templates)
        else:
            score.skipped += 1
    return score


def can_be_replayed(row: dict[str, Any]) -> bool:
    """Whether a row holds something to compare with."""
    return bool(row.get("states") and row.get("ha_entity_id") and row.get("topic"))


def body_of(row: dict[str, Any]) -> str:
    """Return the discovery payload of a row as it was published."""
    payload = row["payload"]
    return payload if isinstance(payload, str) else json.dumps(payload)


def kind_of(row: dict[str, Any]) -> str:
    """Return the kind of the entity that a row is about."""
    entity_id: str = row["ha_entity_id"]
    return entity_id.partition(".")[0]


def discovered(row: dict[str, Any]) -> EntityConfig:
    """Return the entity of a row; of a device payload, which has many, the one that is called most like it.

    Raises:
        LookupError: nothing of its kind was discovered.
    """
    changes = Discoveries(PREFIX).take(row["topic"], body_of(row).encode())
    configs: list[EntityConfig] = [config for config in changes.present if config.kind == kind_of(row)]
    if not configs:
        raise LookupError(f"no {kind_of(row)} was discovered; {'; '.join(map(str, changes.problems))}")
    return max(configs, key=lambda config: _likeness(row["ha_entity_id"], config))


def _likeness(entity_id: str, config: EntityConfig) -> int:
    """Return how much of the entity id is in a config's names."""
    words = set(_words(entity_id.partition(".")[2]))
    device = config.device.name if config.device else ""
    own = set(_words(f"{device} {config.name} {config.object_id}"))
    return 2 * len(words & own) - len(own - words)


def member_of(row: dict[str, Any], templates: Templates) -> Member:
    """Return the entity of a row with its availability.

    Raises:
        LookupError: nothing of its kind was discovered.
        BadConfig: it cannot be built.
    """
    config = discovered(row)
    return Member(build(config, templates), Availability(config, templates))


class Judge:
    """Compares what became of one row with what Home Assistant made of it, and keeps the score."""

    def __init__(self, number: int, row: dict[str, Any], score: Score) -> None:
        self.row = row
        self._number, self._score = number, score
        self._kind = kind_of(row)
        self._tally = score.kinds[self._kind]
        self._tally += Tally(states=len(row["states"]), commands=len(row.get("commands", ())))

    def state(self, index: int, state: str, attributes: Mapping[str, Any]) -> None:
        """Judge what is shown after the message of this index."""
        step = self.row["states"][index]
        expected = step["expect"]
        right = self._same_state(expected["state"], state)
        if not right:
            self.mismatch(f"state {index} after {step['payload'][:300]}", expected["state"], state)
        elif state != UNAVAILABLE:
            for name, value in expected.get("attributes", {}).items():
                got = attributes.get(name)
                if not same(value, got):
                    self.mismatch(f"state {index} attribute {name} after {step['payload'][:300]}", value, got)
                    right = False
        self._tally.states_right += right

    def command(self, index: int, got: Sequence[tuple[str, str]], remark: str = "") -> None:
        """Judge what the command of this index has published: topics and payloads."""
        command = self.row["commands"][index]
        expected = command["publish"]
        right = len(got) == len(expected) and all(
            one["topic"] == topic and same_payload(one["payload"], payload)
            for one, (topic, payload) in zip(expected, got, strict=True)
        )
        if not right:
            said = f" ({remark})" if remark else ""
            self.mismatch(f"{command['service']} {command.get('data') or {}}{said}", expected, got)
        self._tally.commands_right += right

    def mismatch(self, what: str, expected: Any, got: Any) -> None:
        """Note what is not as it should be."""
        self._score.mismatches.append(
            Mismatch(row=self._number, entity=self.row["ha_entity_id"], what=what, expected=expected, got=got)
        )

    def _same_state(self, expected: str, got: str) -> bool:
        if self._kind == "event":  # Home Assistant's state is the time when it told
            return (expected in {UNKNOWN, UNAVAILABLE} and expected == got) or (
                expected not in {UNKNOWN, UNAVAILABLE} and got not in {UNKNOWN, UNAVAILABLE}
            )
        return same_text(expected, got)


def _replay(judge: Judge, templates: Templates) -> None:
    try:
        member = member_of(judge.row, templates)
    except (BadConfig, LookupError, ModuleNotFoundError) as error:
        judge.mismatch("config", "an entity", f"{type(error).__name__}: {error}")
        return
    for index, step in enumerate(judge.row["states"]):
        message = Message(topic=step["topic"], payload=step["payload"].encode())
        member.availability.receive(message)
        if any(matches(topic, message.topic) for topic in member.entity.topics):
            member.entity.receive(message)
        state = member.entity.state if member.available else UNAVAILABLE
        judge.state(index, state, member.entity.attributes)
    for index, command in enumerate(judge.row.get("commands", ())):
        published: Sequence[Publish] = ()
        refused = ""
        if member.available:
            try:
                published = call(member.entity, command["service"], command.get("data") or {})
            except (WriteRefused, LookupError, NotImplementedError) as error:
                refused = f"{type(error).__name__}: {error}"
        judge.command(index, [(publish.topic, _text(publish.payload)) for publish in published], refused)


def same_text(expected: str, got: str) -> bool:
    """Whether two states are the same: as texts, or as numbers."""
    if expected == got:
        return True
    try:
        return same(float(expected), float(got))
    except ValueError:
        return False


def same(expected: Any, got: Any) -> bool:
    """Whether two JSON values are the same, numbers as numbers."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return math.isclose(expected, got, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if isinstance(expected, list) and isinstance(got, list | tuple):
        return len(expected) == len(got) and all(same(one, other) for one, other in zip(expected, got, strict=True))
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(same(expected[key], got[key]) for key in expected)
    return bool(expected == got)


def same_payload(expected: str, got: str) -> bool:
    """Whether two payloads are the same: as texts, or as JSON."""
    if expected == got:
        return True
    try:
        return same(json.loads(expected), json.loads(got))
    except ValueError:
        return False


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]


def _text(payload: str | bytes) -> str:
    return payload if isinstance(payload, str) else payload.decode("utf-8", "replace")


def _share(right: int, count: int) -> str:
    return f"{right:5}/{count:<5} {100 * right / count:6.2f} %" if count else f"{'-':>20}"
