"""What is announced of our own Things, with which rights, and what becomes of what was announced before. Pure."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import jinja2.sandbox
import pytest
from tests.support.fakes import LEVEL, MODE, Board, Facts, relay, running, tank, thing

from jidget.commands.access import THE_BROKER, Access, Person
from jidget.commands.model import Outcome, Result
from jidget.commands.signature import Signatures
from jidget.config.model import Grant, Role
from jidget.mqtt.announcement import parse
from jidget.mqtt.announcing import announcer as announcer_module
from jidget.mqtt.announcing.announcer import Announcer
from jidget.mqtt.announcing.ledger import FACT, Ledger
from jidget.mqtt.announcing.names import Names
from jidget.mqtt.announcing.payload import Offer, Order, announce, offer, state, withdrawn
from jidget.mqtt.announcing.units import measured, state_class
from jidget.mqtt.failures import MqttUnavailable
from jidget.mqtt.model import Publish
from jidget.mqtt.session import MqttSession
from jidget.reading import Reading
from jidget.things.host import Thing
from jidget.things.rules import Rules
from jidget_drivers import Kind, NoOptions, Property, Sensor, Unit, action

NAMES = Names("jidget-pi", "homeassistant")
VIEWER = Person(jid=THE_BROKER, role=Role.VIEWER)
OPERATOR = Person(jid=THE_BROKER, role=Role.OPERATOR, acts_on=("*",))


class Gate(Sensor[NoOptions]):
    """A gate with two actions, of which one wants to be told something."""

    properties = (Property(name="open", kind=Kind.BOOLEAN),)

    async def read(self) -> dict[str, bool]:
        return {"open": False}

    @action
    async def swing(self) -> None:
        """Open or close."""

    @action
    async def ajar(self, angle: float) -> None:
        """Open by an angle."""


def offered(one: Thing, broker: Person = OPERATOR) -> Offer:
    made = offer(one, "simulated", broker, Signatures().of(one))
    assert made is not None
    return made


def components(one: Thing, broker: Person = OPERATOR) -> dict[str, Any]:
    payload = announce(offered(one, broker), NAMES)
    found = payload["components"]
    assert isinstance(found, dict)
    return found


def test_what_may_be_set_is_announced_with_its_limits() -> None:
    found = components(thing("tank", tank()))
    assert list(found) == ["sensor-level", "number-target", "select-mode", "sensor-last-answer"]
    number = found["number-target"]
    assert (number["min"], number["max"], number["device_class"]) == (5, 30, "temperature")
    assert number["command_topic"] == "jidget/jidget-pi/things/tank/set/target"
    assert found["select-mode"]["options"] == list(MODE.options)
    assert found["sensor-level"]["unit_of_measurement"] == "%"
    assert "command_topic" not in found["sensor-level"]


def test_without_rights_everything_can_only_be_read() -> None:
    found = components(thing("tank", tank()), VIEWER)
    assert list(found) == ["sensor-level", "sensor-target", "sensor-mode"]
    assert "command_topic" not in str(found)
    assert not offered(thing("tank", tank()), VIEWER).orders(NAMES)


def test_what_nobody_may_see_is_not_announced() -> None:
    blind = Person(jid=THE_BROKER, role=Role.VIEWER, sees=("pump",))
    assert offer(thing("tank", tank()), "simulated", blind, {}) is None
    assert offer(thing("pump", relay()), "simulated", blind, {}) is not None


def test_what_a_person_must_confirm_can_only_be_read() -> None:
    guarded = thing("pump", relay(), rules={"state": Rules(safe=False, confirm=True)})
    assert list(components(guarded)) == ["binary_sensor-state"]


def test_actions_without_arguments_are_buttons() -> None:
    gate = thing("gate", Gate(NoOptions()))
    found = components(gate)
    assert list(found) == ["binary_sensor-open", "button-do-swing", "sensor-last-answer"]
    assert [order.target for order in offered(gate).orders(NAMES).values()] == ["gate.swing"]


def test_a_property_may_be_called_like_what_every_object_has() -> None:
    (found,) = components(thing("router", Board((Property(name="update"),), {"update": 1.0}))).values()
    template = jinja2.sandbox.ImmutableSandboxedEnvironment().from_string(found["value_template"])
    assert template.render(value_json={"update": 1.0}) == "1.0"


def test_a_number_without_limits_may_be_large() -> None:
    setting = Property(name="rate", writable=True)
    found = components(thing("modem", Board((setting,), {"rate": 5e9})))["number-rate"]
    assert found["min"] < -5e9
    assert found["max"] > 5e9
    assert found["mode"] == "box"


def test_the_same_answer_again_is_news() -> None:
    assert components(thing("pump", relay()))["sensor-last-answer"]["force_update"] is True


def test_the_only_property_of_a_thing_is_called_like_it() -> None:
    assert components(thing("pump", relay(), label="Water pump"))["switch-state"]["name"] is None
    assert components(thing("tank", tank()))["number-target"]["name"] == "Target"


@pytest.mark.parametrize("broker", [VIEWER, OPERATOR])
@pytest.mark.parametrize("one", [thing("pump", relay()), thing("tank", tank()), thing("gate", Gate(NoOptions()))])
def test_a_reader_of_discovery_understands_it(one: Thing, broker: Person) -> None:
    payload = announce(offered(one, broker), NAMES)
    read = parse(NAMES.discovery(NAMES.device(one.id)), json.dumps(payload).encode())
    assert (read.problems, read.broken) == ((), frozenset())
    assert {config.component for config in read.configs} == set(payload["components"])
    assert {config.origin for config in read.configs} == {"Jidget"}
    assert len({config.identity for config in read.configs}) == len(read.configs)


def test_a_state_has_every_property() -> None:
    one = thing("tank", tank())
    assert state(one) == {"level": None, "target": None, "mode": None}


@pytest.mark.parametrize(
    ("prop", "said"),
    [
        (LEVEL, ("%", None)),
        (Property(name="humidity", unit=Unit.RELATIVE_HUMIDITY), ("%", "humidity")),
        (Property(name="air", unit=Unit.CELSIUS), ("°C", "temperature")),
        (Property(name="acidity", unit=Unit.PH), (None, "ph")),
        (Property(name="co2", unit=Unit.PARTS_PER_MILLION), ("ppm", "carbon_dioxide")),
        (Property(name="salt", unit=Unit.PARTS_PER_MILLION), ("ppm", None)),
        (Property(name="load", unit=Unit.RATIO), (None, None)),
        (Property(name="count"), (None, None)),
    ],
)
def test_what_is_measured_is_said_where_there_is_no_doubt(prop: Property, said: tuple[str | None, str | None]) -> None:
    keys = measured(prop)
    assert (keys.get("unit_of_measurement"), keys.get("device_class")) == said


def test_a_total_is_no_measurement() -> None:
    assert not state_class(Property(name="total", unit=Unit.KILOWATT_HOUR))
    assert state_class(Property(name="count")) == {"state_class": "measurement"}


def test_ids_of_clients_that_no_topic_takes_are_made_fit() -> None:
    names = Names("pi@barn.example:1", "ha")
    assert names.discovery(names.device("pump")).startswith("ha/device/pi_barn_example_1-")
    assert names.state("pump") == "jidget/pi@barn.example:1/things/pump/state"
    made = Names("jidget-agent-bd6a4b", "ha")  # from a JID, so nobody else has it
    assert made.device("pump") == "jidget-agent-bd6a4b_pump"


def test_no_two_agents_things_or_properties_have_the_same_name() -> None:
    agents = [Names(client, "ha") for client in ("pi", "pi_barn", "pi.barn", "pi@barn")]
    devices = [name for each in agents for name in (each.agent, *map(each.device, ("lamp", "barn", "barn_lamp")))]
    assert len(set(devices)) == len(devices)
    boards = {"pump": "flow_rate", "pump_flow": "rate", "pump-do": "x"}
    things = [thing(one, Board((Property(name=name), LEVEL), {})) for one, name in boards.items()]
    ids = [each["unique_id"] for one in things for each in components(one).values()]
    assert len(set(ids)) == len(ids)


# ---- what was announced before -----------------------------------------------------------------------------------


def ledger(facts: Facts, jid: str = "pi@example.org/agent") -> Ledger:
    made = Ledger(facts, jid)
    made.wake()
    return made


def test_what_is_no_longer_announced_is_taken_back() -> None:
    facts = Facts()
    first = ledger(facts)
    gone = first.begin({"a": (["switch-state", "sensor-x"], ["a/state"]), "b": (["sensor-y"], ["b/state"])})
    assert not gone.topics
    assert not gone.components
    first.end()
    second = ledger(facts)
    gone = second.begin({"a": (["sensor-x", "binary_sensor-state"], ["a/state"])})
    assert list(gone.topics) == ["b", "b/state"]
    assert {topic: list(keys) for topic, keys in gone.components.items()} == {"a": ["switch-state"]}


def test_what_could_not_be_taken_back_is_not_forgotten() -> None:
    facts = Facts()
    first = ledger(facts)
    first.begin({"a": (["x"], [])})
    first.end()
    ledger(facts).begin({"b": (["y"], [])})  # and the process ends before anything was said
    assert list(ledger(facts).begin({"c": (["z"], [])}).topics) == ["a", "b"]


def test_what_is_announced_without_a_store_is_noted_when_it_is_back() -> None:
    facts = Facts()
    before = ledger(facts)
    before.begin({"old": (["x"], [])})
    before.end()
    facts.usable = False
    away = ledger(facts)
    away.begin({"new": (["y"], ["new/state"])})
    away.end()
    assert not away.catch_up()  # not yet
    facts.usable = True
    assert away.catch_up()  # now it is known that there is more to be taken back
    assert not away.catch_up()
    assert list(away.begin({"new": (["y"], ["new/state"])}).topics) == ["old"]
    away.end()
    assert list(ledger(facts).begin({}).topics) == ["new", "new/state"]


def test_a_store_that_was_copied_does_not_take_back_what_another_agent_announces() -> None:
    facts = Facts()
    original = ledger(facts)
    original.begin({"a": (["x"], [])})
    original.end()
    assert not ledger(facts, "barn@example.org/agent").begin({}).topics


def test_garbage_in_the_store_is_no_obstacle() -> None:
    facts = Facts()
    for garbage in ("{", "[]", "{}", '{"jid": "pi@example.org/agent", "announced": {"a": [1, 2]}}'):
        facts.kept[FACT] = garbage
        assert not ledger(facts).begin({}).topics


def test_a_component_is_taken_back_by_its_platform_alone() -> None:
    payload = announce(offered(thing("pump", relay())), NAMES)
    again = withdrawn(payload, ["binary_sensor-state", "switch-state"])
    assert again["components"]["binary_sensor-state"] == {"platform": "binary_sensor"}
    assert again["components"]["switch-state"] == payload["components"]["switch-state"]


# ---- rights ------------------------------------------------------------------------------------------------------


def test_nobody_has_the_rights_of_the_broker_by_being_called_so() -> None:
    access = Access({"mqtt": Grant.model_validate("operator")}, "pi@example.org")
    assert access.person("mqtt") is None
    assert access.person("bob@mqtt") is None
    assert not list(access.listed)
    broker = access.person(THE_BROKER)
    assert broker is not None
    assert broker.may_act("pump")
    assert not broker.may_act("plug", discovered=True)
    assert Access({}, "pi@example.org").person(THE_BROKER) is None


def test_a_board_without_rules_is_offered_whole() -> None:
    board = thing("tank", Board((LEVEL,), {"level": 1.0}))
    assert not offered(board).controls


# ---- telling -----------------------------------------------------------------------------------------------------


class Broker:
    """Stands for a session; what cannot be published fails once, or as often as told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.fails = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, publish: Publish) -> None:
        await self.gate.wait()
        if self.fails:
            self.fails -= 1
            raise MqttUnavailable("the broker is too slow")
        self.said.append((publish.topic, str(publish.payload)))

    def states(self, thing_id: str) -> list[str]:
        return [payload for topic, payload in self.said if topic == NAMES.state(thing_id)]


@asynccontextmanager
async def telling(broker: Broker, one: Thing) -> AsyncIterator[Announcer]:
    announcer = Announcer(
        cast("MqttSession", broker), NAMES, ledger(Facts()), [Offer(thing=one)], "pi@example.org/agent"
    )
    async with running(one):
        task = asyncio.create_task(announcer.run())
        try:
            yield announcer
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            await asyncio.wait((task,))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.005)


async def test_what_could_not_be_told_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer_module, "RETRY", 0.02)
    broker = Broker()
    broker.fails = 3
    async with telling(broker, thing("pump", relay())) as announcer:
        announcer.begin()
        await until(lambda: broker.states("pump"))
        topics = [topic for topic, _ in broker.said]
        assert NAMES.discovery(NAMES.device("pump")) in topics
        assert NAMES.availability("pump") in topics


async def test_of_states_that_come_faster_than_anybody_looks_the_last_is_told() -> None:
    broker = Broker()
    pump = relay()
    one = thing("pump", pump)
    async with telling(broker, one) as announcer:
        announcer.begin()
        await until(lambda: broker.states("pump"))
        before = len(broker.states("pump"))
        for number in range(200):
            pump.held["state"] = number % 2 == 0
            await one.read_now()
            announcer.reported([Reading("pump", one.properties["state"], number % 2 == 0, number)])
        pump.held["state"] = True
        await one.read_now()
        announcer.reported([Reading("pump", one.properties["state"], True, 200)])
        await until(lambda: broker.states("pump")[-1] == '{"state":"ON"}')
        assert len(broker.states("pump")) - before < 50


async def test_a_new_connection_in_the_middle_of_it_is_told_everything() -> None:
    broker = Broker()
    pump = thing("pump", relay())
    async with telling(broker, pump) as announcer:
        order = Order(thing=pump, prop="state")
        broker.gate.clear()
        announcer.begin()
        announcer.answered(order, Result(outcome=Outcome.REFUSED, note="Refused: no"))
        await asyncio.sleep(0.01)
        announcer.end()
        announcer.begin()  # while the first of it is under way
        broker.gate.set()
        config = NAMES.discovery(NAMES.device("pump"))
        await until(lambda: [topic for topic, _ in broker.said].count(config) == 2)
        await until(lambda: broker.states("pump"))
