"""Chat, from the line to the answer: the exact sentences, and who gets which."""

import logging

import pytest
from tests.support.fakes import (
    ALICE,
    BOB,
    EVE,
    LEVEL,
    ME,
    MODE,
    STATE,
    STRANGER,
    TEXT,
    VERA,
    Board,
    Clock,
    Gate,
    House,
    Line,
    relay,
    request,
    running,
    simulated,
    tank,
    thing,
    until_available,
)

from jidget.things.calibration import Calibration
from jidget.things.host import Thing
from jidget_drivers import DeviceUnavailable, Kind, Property, Unit, WriteRefused

AIR = Property(name="temperature", unit=Unit.CELSIUS, precision=1)


class Home(House):
    """A greenhouse, a pump, a heater, a tank and a gate."""

    def __init__(self) -> None:
        now = Clock()
        self.air = Board((AIR, LEVEL), {"temperature": 21.37, "level": 55.0})
        self.pump, self.heater, self.tank, self.gate = relay(), relay(), tank(), Gate()
        self.things = [
            thing("greenhouse", self.air, now=now, label="Greenhouse"),
            thing("pump", self.pump, now=now, label="Water pump", aliases=("well",)),
            thing("heater", self.heater, now=now),
            thing("tank", self.tank, now=now, calibrations={"level": Calibration(label="Water level")}),
            thing("gate", self.gate, now=now),
        ]
        super().__init__(*self.things)
        self.now.time = now.time
        self.wall = now

    def thing(self, thing_id: str) -> Thing:
        found = self.directory.get(thing_id)
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("pump on", "pump.state: on (confirmed)"),
        ("set pump on", "pump.state: on (confirmed)"),
        ("/SET PUMP.STATE YES", "pump.state: on (confirmed)"),
        ("well on", "pump.state: on (confirmed)"),
        ("water pump off", "pump.state: off (confirmed)"),
        ("tank.target 21,5", "tank.target: 21.5 °C (confirmed)"),
        ("tank.target 21.5 °C", "tank.target: 21.5 °C (confirmed)"),
        ("tank.mode BOOST", "tank.mode: boost (confirmed)"),
        ("do gate open_to position=40", "gate open_to: done: at 40 %"),
        ("do gate open_to position=40,5 pace=Fast quiet=on", "gate open_to: done: at 40.5 %"),
        ("do gate ring", "gate ring: done"),
        ("read greenhouse.temperature", "greenhouse.temperature: 21.4 °C (0 s ago)"),
        ("read greenh.temp", 'Refused: greenhouse has no property "temp". Did you mean "temperature"?'),
        ("read green", "greenhouse.temperature: 21.4 °C (0 s ago)\ngreenhouse.level: 55 % (0 s ago)"),
        ("pump", "pump.state: off (0 s ago)"),
        ("foo", 'Unknown word "foo". Did you mean "do"? Try: status | read greenhouse | pump on'),
        ("pump maybe", 'Refused: pump.state: "maybe" is not a switch position: say on or off'),
        ("pump", "pump.state: off (0 s ago)"),
        ("set pump", "Refused: say what to set pump.state to: on or off"),
        ("set", "Refused: the target is missing. Write: set THING[.PROPERTY] VALUE [for DURATION]"),
        ("do", "Refused: the target is missing. Write: do THING ACTION [name=value …]"),
        ("tank.target 31", "Refused: tank.target: 31.0 is out of range: 5 to 30 °C"),
        ("tank.level 5", "Refused: tank.level can only be read"),
        ("greenhouse on", "Refused: greenhouse has nothing that can be set"),
        ("tank 5", "Refused: tank has several values that can be set. Say which: tank.target, tank.mode"),
        ("set pum on", 'Refused: there is no "pum". Did you mean "pump"? Acting needs the whole name'),
        ("set pmup on", 'Refused: there is no "pmup". Did you mean "pump"?'),
        ("pump on for 10m", "pump.state: on (confirmed), off again at 14:23:20Z, in 10 min"),
        ("stop", "Refused: there is no output with a safe value that you may act on"),
        ("all off", "Refused: there is no output with a safe value that you may act on"),
        ("stop pump", "Refused: stop stands alone: nothing may follow it"),
        ("history", 'Refused: "history" is not supported in this version'),
        ("do gate", "Refused: say which action of gate: open_to, ring, unlock"),
        ("do gate opne_to", 'Refused: gate has no action "opne_to". Did you mean "open_to"?'),
        ("do pump open", "Refused: pump has no actions"),
        ("do gate open_to", "Refused: gate open_to: position is missing: 0 to 100. Write position=…"),
        ("do gate open_to position=101", 'Refused: gate open_to: position takes 0 to 100, not "101"'),
        ("do gate open_to position=nan", 'Refused: gate open_to: position takes 0 to 100, not "nan"'),
        ("do gate open_to position=1 pace=warp", 'Refused: gate open_to: pace takes slow, fast, not "warp"'),
        ("do gate open_to position=1 speed=1", "Refused: gate open_to: open_to has no argument"),
        ("do gate open_to position=1 position=2", 'Refused: the argument "position" is given twice'),
        ("do gate ring loud=1", 'Refused: gate ring: ring has no argument "loud". It takes: no arguments'),
        ("pump on\npump off", "Refused: one command in a message, please: that has several lines"),
    ],
)
async def test_answers_are_exact(line: str, answer: str) -> None:
    home = Home()
    async with running(*home.things):
        said = await home.say(line)
        assert said.startswith(answer) if "no argument" in answer else said == answer


async def test_the_pump_moves_only_for_what_was_done() -> None:
    home = Home()
    async with running(*home.things):
        for line in ("pump on for ever", "pump maybe", "set pump", "pump 5", "pump", "stop", "foo"):
            await home.say(line)
        assert home.pump.written == []
        await home.say("pump on")
        assert home.pump.written == [("state", True)]


async def test_a_switch_position_means_the_only_switch_among_several_values() -> None:
    both = Board((STATE, *tank().properties), {"state": False, "level": 1.0, "target": 20.0, "mode": "eco"})
    home = House(thing("boiler", both))
    async with running(*home.directory):
        assert await home.say("boiler on") == "boiler.state: on (confirmed)"
        assert await home.say("boiler 1") == "boiler.state: on (confirmed)"
        assert (await home.say("boiler 21")).startswith("Refused: boiler has several values")


# ---- what really happened ------------------------------------------------------------------------------------------


async def test_a_write_the_device_ignores_is_said_to_be_unconfirmed() -> None:
    home = Home()
    home.pump.deaf = True
    async with running(*home.things):
        assert await home.say("pump on") == "pump.state: on sent, unconfirmed: it reads off"


async def test_a_write_that_cannot_be_read_back_is_said_to_be_unconfirmed() -> None:
    home = Home()
    async with running(*home.things):
        home.pump.read_error = DeviceUnavailable("gone")
        assert await home.say("pump on") == "pump.state: on sent, unconfirmed"


async def test_a_value_the_device_rounds_is_not_called_confirmed() -> None:
    home = House(thing("valve", simulated({"level": {"type": "integer", "writable": True, "min": 0, "max": 10}})))
    async with running(*home.directory):
        assert await home.say("valve 7") == "valve.level: 7 (confirmed)"
        assert await home.say("valve 7.5") == 'Refused: valve.level: "7.5" is not a whole number: 0 to 10'


@pytest.mark.parametrize("line", ["pump on", "set pump.state on"])
async def test_a_device_that_hangs_is_said_to_be_unknown_and_others_go_on(line: str) -> None:
    home = House(thing("pump", board := relay(), timeout=0.05), thing("tank", tank()))
    async with running(*home.directory):
        board.gate.clear()
        assert await home.say(line) == "FAILED: pump.state: no answer within 0.05 s; it may have moved"
        assert await home.say("tank.target 21") == "tank.target: 21.0 °C (confirmed)"


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (WriteRefused("the valve is locked"), "Refused: pump.state: the valve is locked"),
        (KeyError("bug"), "FAILED: pump.state: its driver failed ('bug'); it may have moved"),
    ],
)
async def test_a_driver_that_refuses_or_breaks_is_quoted(error: Exception, answer: str) -> None:
    home = Home()
    home.pump.write_error = error
    async with running(*home.things):
        assert await home.say("pump on") == answer


async def test_a_device_away_is_refused_with_since_when_and_why() -> None:
    home = Home()
    async with running(*home.things):
        home.pump.read_error = DeviceUnavailable("cable pulled")
        for line in ("read pump", "pump on", "set pump off"):
            assert await home.say(line) == "Refused: pump is unavailable since 2026-09-21 14:13:20Z: cable pulled"
        assert home.pump.written == []
        everything = await home.say("read")
        assert "pump is unavailable since" in everything
        assert "greenhouse.temperature: 21.4 °C" in everything


async def test_an_action_that_is_refused_or_breaks_is_quoted() -> None:
    home = Home()
    async with running(*home.things):
        home.gate.write_error = WriteRefused("somebody stands in it")
        assert await home.say("do gate open_to position=1") == "Refused: gate open_to: somebody stands in it"
        home.gate.write_error = RuntimeError("bug")
        assert await home.say("do gate open_to position=1") == "FAILED: gate open_to: bug"


# ---- asking --------------------------------------------------------------------------------------------------------


async def test_status_is_one_line_per_thing_with_ages() -> None:
    home = Home()
    async with running(*home.things):
        home.heater.read_error = DeviceUnavailable("no answer")
        await home.say("read heater")
        home.now.advance(3)
        assert await home.say("status") == "\n".join(
            (
                "greenhouse: temperature 21.4 °C, level 55 % (3 s ago)",
                "pump: state off (3 s ago)",
                "heater is unavailable since 2026-09-21 14:13:20Z: no answer",
                "tank: Water level 40 %, target 20.0 °C, mode eco (3 s ago)",
                "gate: position 0 % (3 s ago)",
            )
        )


async def test_status_asks_no_hardware_and_read_does() -> None:
    home = Home()
    async with running(*home.things):
        reads = home.air.reads
        await home.say("status")
        assert home.air.reads == reads
        home.air.held["temperature"] = 30.0
        assert "30.0 °C" in await home.say("read greenhouse")
        assert home.air.reads == reads + 1


async def test_values_of_different_ages_say_so_each() -> None:
    home = Home()
    async with running(*home.things):
        home.wall.advance(60)
        home.now.advance(60)
        del home.air.held["level"]
        await home.say("read greenhouse")
        assert (await home.say("status")).startswith("greenhouse: temperature 21.4 °C (0 s ago), level 55 % (60 s ago)")


async def test_a_thing_with_very_much_to_say_is_cut_in_status() -> None:
    many = {f"v{n}": {"type": "integer", "waveform": "counter"} for n in range(20)}
    home = House(thing("big", simulated(many)))
    async with running(*home.directory):
        assert "… and 12 more" in await home.say("status")
        assert len((await home.say("read big")).splitlines()) == 20


async def test_long_listings_are_cut_and_counted() -> None:
    home = House(*(thing(f"t{n}", relay()) for n in range(100)))
    lines = (await home.say("status")).splitlines()
    assert (len(lines), lines[-1]) == (61, "… and 40 more")


async def test_things_is_a_catalogue_of_ids_ranges_and_actions() -> None:
    home = Home()
    async with running(*home.things):
        assert await home.say("things") == "\n".join(
            (
                "greenhouse (Greenhouse): temperature in °C, level in %",
                "pump (Water pump): state on or off (can be set)",
                "heater: state on or off (can be set)",
                "tank: level in %, target 5 to 30 °C (can be set), mode eco, boost (can be set)",
                "gate: position in %; actions: open_to position=… [pace=…] [quiet=…], ring, unlock code=…",
            )
        )
        assert "can be set" not in await home.say("things", VERA)
        assert "actions" not in await home.say("things", VERA)


async def test_help_says_who_we_are_and_what_this_person_may_do() -> None:
    home = Home()
    for jid, last in (
        (ALICE, "Try: status | read greenhouse | pump on"),
        (BOB, "Try: status | read greenhouse | pump on"),
        (EVE, "Try: status | read gate | do gate open_to position=0"),
        (VERA, "Try: status | read greenhouse | things"),
    ):
        lines = (await home.say("help", jid)).splitlines()
        assert lines[0] == f"I am {ME}. You may say:"
        assert lines[-1] == last
        assert any(line.startswith("set ") for line in lines) is (jid in (ALICE, BOB))
        assert any(line.startswith("do ") for line in lines) is (jid != VERA)


async def test_what_help_proposes_works() -> None:
    home = Home()
    async with running(*home.things):
        for jid in (ALICE, BOB, EVE, VERA):
            examples = (await home.say("help", jid)).splitlines()[-1].removeprefix("Try: ").split(" | ")
            for topic in ("set", "do", "read"):
                answer = await home.say(f"help {topic}", jid)
                examples += (
                    answer.splitlines()[-1].removeprefix("For example: ").split(" | ") if "For ex" in answer else []
                )
            for example in examples:
                assert not (await home.say(example, jid)).startswith(("Refused", "Unknown", "FAILED")), example


@pytest.mark.parametrize(
    ("jid", "word", "answer"),
    [
        (
            ALICE,
            "set",
            "set THING[.PROPERTY] VALUE [for DURATION]: switch or adjust; "
            "also without set: THING on, THING.PROPERTY VALUE, THING on for 10m\n"
            "For example: pump on | heater on | tank.target 17.5",
        ),
        (BOB, "/SET", "set THING[.PROPERTY] VALUE [for DURATION]: switch or adjust"),
        (VERA, "set", "Refused: you may not use set here"),
        (EVE, "set", "Refused: there is nothing you may set here"),
        (VERA, "pump", "pump (Water pump): state: on or off"),
        (EVE, "pump", 'Refused: there is no help on "pump".'),
        (ALICE, "sett", 'Refused: there is no help on "sett". Did you mean "set"?'),
        (ALICE, "🎉", 'Refused: there is no help on "🎉". There are: status, read, set, do, things, help.'),
    ],
)
async def test_help_on_a_word(jid: str, word: str, answer: str) -> None:
    home = Home()
    said = await home.say(f"help {word}", jid)
    assert said == answer if word == "set" else said.startswith(answer)


# ---- who may -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jid", "line", "answer"),
    [
        (BOB, "pump on", "pump.state: on (confirmed)"),
        (BOB, "heater on", "Refused: you may not act on heater"),
        (BOB, "read heater", "heater.state: off (0 s ago)"),
        (BOB, "do gate ring", "gate ring: done"),
        (EVE, "pump on", 'Unknown word "pump".'),
        (EVE, "set pump on", 'Refused: there is no "pump". There are: gate.'),
        (EVE, "read pump", 'Refused: there is no "pump". There are: gate.'),
        (EVE, "read", "gate.position: 0 % (0 s ago)"),
        (EVE, "status", "gate: position 0 % (0 s ago)"),
        (EVE, "things", "gate: position in %; actions: open_to"),
        (EVE, "do gate ring", "gate ring: done"),
        (VERA, "pump on", "Refused: you may not use set here"),
        (VERA, "set pump on", "Refused: you may not use set here"),
        (VERA, "do gate ring", "Refused: you may not use do here"),
        (VERA, "read pump", "pump.state: off (0 s ago)"),
        ("pi@example.org", "heater on", "heater.state: on (confirmed)"),
        ("anybody@example.net", "status", "greenhouse: "),
        ("anybody@example.net", "pump on", "Refused: you may not use set here"),
    ],
)
async def test_everybody_may_what_was_granted_and_no_more(jid: str, line: str, answer: str) -> None:
    home = Home()
    async with running(*home.things):
        assert (await home.say(line, jid)).startswith(answer)
        moved = bool(home.pump.written or home.heater.written or home.gate.invoked)
        assert moved is ("confirmed" in answer or "done" in answer)


@pytest.mark.parametrize("line", ["status", "pump on", "help", "foo", "", "x" * 100_000])
async def test_a_stranger_gets_no_answer(line: str) -> None:
    home = Home()
    async with running(*home.things):
        assert await home.commands.chat(request(STRANGER), line) is None
        assert home.pump.written == []


async def test_suggestions_name_nothing_that_one_may_not_see() -> None:
    home = Home()
    for line in ("pmup on", "heatr", "set pmup on", "read tnak", "help heatr", "foo"):
        answer = await home.say(line, EVE)
        assert not any(name in answer.replace(line, "") for name in ("pump", "heater", "tank", "greenhouse")), answer


async def test_a_thing_that_has_told_nothing_yet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jidget.things.running.SILENT_START", 0.01)
    house = House(thing("sign", Line((TEXT, MODE, STATE)), timeout=0.05))
    async with running(*house.directory):
        assert await house.say("status") == "sign: no values yet"
        assert await house.say("read sign.text") == "sign.text: no value yet"
        assert await house.say("things", VERA) == "sign: text, a text, mode: eco, boost, state: on or off"
        assert await house.say("sign on") == "sign.state: on (confirmed)"
        assert (await house.say("help set")).splitlines()[1] == (
            'For example: sign on | sign.text "hello" | sign.mode eco'
        )
        assert await house.say('sign.text "hello"') == "sign.text: hello (confirmed)"


async def test_an_empty_house_can_be_talked_to() -> None:
    home = House()
    assert await home.say("status") == "no Things yet"
    assert await home.say("read") == "no Things yet"
    assert await home.say("things") == "no Things yet"
    assert (await home.say("foo")) == 'Unknown word "foo". Did you mean "do"? Try: status | read | things'


# ---- audit and log -------------------------------------------------------------------------------------------------


async def test_every_attempt_to_act_is_audited_and_asking_is_not(caplog: pytest.LogCaptureFixture) -> None:
    home = Home()
    caplog.set_level(logging.INFO, "jidget.audit")
    async with running(*home.things):
        await home.say("pump on")
        await home.say("heater on", BOB)
        await home.say("do gate open_to position=40")
        await home.say("status")
        await home.say("read", VERA)
    assert [r.message for r in caplog.records if r.name == "jidget.audit"] == [
        f"{ALICE}/phone by chat: set pump state=on -> done: pump.state: on (confirmed)",
        f"{BOB}/phone by chat: set -> refused: Refused: you may not act on heater",
        f"{ALICE}/phone by chat: do gate.open_to position=40 -> done: gate open_to: done: at 40 %",
    ]


async def test_secrets_are_neither_logged_nor_journaled_nor_said(caplog: pytest.LogCaptureFixture) -> None:
    home = Home()
    caplog.set_level(logging.DEBUG, "jidget")
    async with running(*home.things):
        assert await home.say("do gate unlock code=hunter2", key="message:1") == "gate unlock: done"
        await home.say("do gate unlock code=hunter2 more=1")
    assert home.gate.invoked == [("unlock", {"code": "hunter2"})]
    assert "do gate.unlock code=••• -> done" in caplog.text
    assert "hunter2" not in caplog.text


async def test_log_lines_cannot_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    home = House(thing("sign", simulated({"text": {"type": "string", "writable": True}})))
    caplog.set_level(logging.INFO, "jidget.audit")
    async with running(*home.directory):
        await home.say('sign.text "x\nroot by chat: all -> done"')
    (record,) = (r for r in caplog.records if r.name == "jidget.audit")
    assert "\n" not in record.message


async def test_an_unexpected_failure_is_no_traceback_to_the_person(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    async with running(*home.things):
        monkeypatch.setattr(home.thing("pump"), "read_now", broken)
        for line in ("read pump", "read"):
            assert await home.say(line) == "FAILED: internal error, see the agent's log"
        monkeypatch.setattr(home.thing("pump"), "write", broken)
        assert await home.say("pump on") == "FAILED: pump: internal error, see the agent's log; it may have moved"
        monkeypatch.setattr(home.directory, "__class__", type("Odd", (type(home.directory),), {"__iter__": broken}))
        assert await home.say("status") == "FAILED: internal error, see the agent's log"
    assert caplog.text.count("ZeroDivisionError: deep inside") == 4


async def test_a_thing_that_comes_back_is_told_of() -> None:
    home = Home()
    async with running(*home.things):
        home.pump.read_error = DeviceUnavailable("gone")
        assert "unavailable" in await home.say("read pump")
        home.pump.read_error = None
        assert await home.say("read pump") == "pump.state: off (0 s ago)"
        await until_available(home.thing("pump"))
        assert await home.say("pump on") == "pump.state: on (confirmed)"


async def test_a_thing_is_set_by_its_name_where_all_else_are_settings() -> None:
    lock = Property(name="child_lock", kind=Kind.BOOLEAN, writable=True)
    board = Board((STATE, lock), {"state": False, "child_lock": False})
    plug = thing("plug", board)
    house = House(plug)
    async with running(plug):
        assert "plug.child_lock" in await house.say("plug on")
        plug.quiet = frozenset(("child_lock",))
        assert await house.say("plug on") == "plug.state: on (confirmed)"
        assert board.written == [("state", True)]
        assert "plug on" in await house.say("help set")
        plug.quiet = frozenset(("child_lock", "state"))
        assert "plug.child_lock" in await house.say("plug on")
