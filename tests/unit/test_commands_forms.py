"""The commands as forms: which nodes, which fields, and what comes back."""

import random
from collections.abc import Mapping

import pytest
from tests.support.fakes import (
    ALICE,
    BOB,
    EVE,
    LEVEL,
    MODE,
    STATE,
    STRANGER,
    TARGET,
    TEXT,
    VERA,
    Board,
    Gate,
    House,
    relay,
    request,
    running,
    tank,
    thing,
)

from jidget.commands.forms import LONGEST_FORM
from jidget.commands.model import Face, FieldKind, Form, Outcome, Reason, Refusal, Result, Submission
from jidget.things.host import Thing
from jidget_drivers import Kind, Property

COUNT = Property(name="count", kind=Kind.INTEGER, minimum=0, maximum=9, writable=True, label="Rings")


class Home(House):
    """A greenhouse, a pump, a tank, a gate, and a panel with one of each kind to set."""

    def __init__(self) -> None:
        self.pump, self.tank, self.gate = relay(), tank(), Gate()
        self.panel = Board(
            (STATE, TARGET, MODE, COUNT, TEXT),
            {"state": True, "target": 20.0, "mode": "boost", "count": 3, "text": "hello"},
        )
        self.things = [
            thing("greenhouse", Board((LEVEL,), {"level": 55.0}), label="Greenhouse"),
            thing("pump", self.pump, label="Water pump"),
            thing("tank", self.tank),
            thing("gate", self.gate),
            thing("panel", self.panel),
        ]
        super().__init__(*self.things)

    def thing(self, thing_id: str) -> Thing:
        found = self.directory.get(thing_id)
        assert found is not None
        return found

    async def submit(
        self,
        node: str,
        values: Mapping[str, tuple[str, ...]] | None = None,
        jid: str = ALICE,
        *,
        shown: Mapping[str, tuple[str, ...]] | None = None,
        key: str | None = None,
    ) -> Result:
        asked = request(jid, face=Face.FORM, key=key)
        return await self.commands.submit(asked, Submission(node=node, values=values or {}, shown=shown))

    def form(self, node: str, jid: str = ALICE) -> Form:
        found = self.commands.form(jid, node)
        assert found is not None
        return found


# ---- nodes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jid", "nodes"),
    [
        (
            ALICE,
            [
                ("status", "1 Status"),
                ("read", "2 Read…"),
                ("set/panel", "3 Set panel…"),
                ("set/tank", "3 Set tank…"),
                ("set/pump", "3 Set Water pump…"),
                ("set", "3 Set…"),
                ("do/gate/open_to", "4 Do gate: open_to…"),
                ("do/gate/ring", "4 Do gate: ring"),
                ("do/gate/unlock", "4 Do gate: unlock…"),
                ("do", "4 Do…"),
                ("things", "6 Things"),
                ("help", "7 Help"),
            ],
        ),
        (EVE, ["status", "read", "do/gate/open_to", "do/gate/ring", "do/gate/unlock", "do", "things", "help"]),
        (VERA, ["status", "read", "things", "help"]),
        (STRANGER, []),
    ],
)
def test_what_one_may_not_do_is_not_listed(jid: str, nodes: list[object]) -> None:
    listed = Home().commands.nodes(jid)
    wanted = [node if isinstance(node, tuple) else (node, None) for node in nodes]
    assert [n.node for n in listed] == [node for node, _ in wanted]
    if jid == ALICE:
        assert [(n.node, n.name) for n in listed] == wanted


def test_names_sort_the_way_they_are_listed() -> None:
    names = [node.name for node in Home().commands.nodes(ALICE)]
    assert names == sorted(names, key=str.casefold)


@pytest.mark.parametrize(("count", "listed"), [(20, True), (21, False)])
async def test_typed_nodes_are_listed_while_they_are_few_and_work_always(count: int, listed: bool) -> None:
    house = House(*(thing(f"t{n}", relay()) for n in range(count)))
    nodes = [node.node for node in house.commands.nodes(ALICE)]
    assert ("set/t3" in nodes) is listed
    assert house.commands.form(ALICE, "set/t3") is not None
    async with running(*house.directory):
        result = await house.commands.submit(request(), Submission(node="set/t3", values={"state": ("1",)}))
        assert result.note == "t3.state: on (confirmed)"


@pytest.mark.parametrize(
    ("jid", "node", "reason"),
    [
        (ALICE, "nothing", Reason.NOT_FOUND),
        (ALICE, "", Reason.NOT_FOUND),
        (ALICE, "set/", Reason.NOT_FOUND),
        (ALICE, "set/nothing", Reason.NOT_FOUND),
        (ALICE, "set/Pump", Reason.NOT_FOUND),
        (ALICE, "set/greenhouse", Reason.NOT_FOUND),
        (ALICE, "set/pump/state", Reason.NOT_FOUND),
        (ALICE, "do/gate", Reason.NOT_FOUND),
        (ALICE, "do/gate/nothing", Reason.NOT_FOUND),
        (ALICE, "do/gate/ring/loud", Reason.NOT_FOUND),
        (ALICE, "do/pump/ring", Reason.NOT_FOUND),
        (ALICE, "read/pump", Reason.NOT_FOUND),
        (ALICE, "yes", Reason.NOT_FOUND),
        (ALICE, "no", Reason.NOT_FOUND),
        (ALICE, "x" * 100_000, Reason.NOT_FOUND),
        (BOB, "set/tank", Reason.FORBIDDEN),
        (EVE, "set/pump", Reason.NOT_FOUND),
        (EVE, "set", Reason.FORBIDDEN),
        (EVE, "stop", Reason.FORBIDDEN),
        (VERA, "set", Reason.FORBIDDEN),
        (VERA, "set/pump", Reason.FORBIDDEN),
        (VERA, "set/nothing", Reason.FORBIDDEN),
        (VERA, "do", Reason.FORBIDDEN),
        (VERA, "do/gate/ring", Reason.FORBIDDEN),
        (STRANGER, "status", Reason.FORBIDDEN),
        (STRANGER, "set/pump", Reason.FORBIDDEN),
    ],
)
async def test_nodes_that_are_not_there_or_not_for_one_are_refused(jid: str, node: str, reason: Reason) -> None:
    home = Home()
    with pytest.raises(Refusal) as caught:
        home.commands.form(jid, node)
    assert caught.value.reason is reason
    assert len(caught.value.text) < 200
    async with running(*home.things):
        result = await home.submit(node, {"target": ("pump.state",), "value": ("on",), "state": ("1",)}, jid)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, reason)
    assert (home.pump.written, home.gate.invoked) == ([], [])


# ---- the forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["status", "things", "help", "do/gate/ring"])
def test_some_nodes_need_no_form(node: str) -> None:
    assert Home().commands.form(ALICE, node) is None


def test_what_to_read_is_chosen_from_what_one_may_read_with_everything_as_the_default() -> None:
    home = Home()
    (field,) = home.form("read").fields
    assert (field.var, field.kind, field.value) == ("target", FieldKind.LIST, "all")
    assert ("greenhouse.level", "Greenhouse level") in field.options
    (field,) = home.form("read", EVE).fields
    assert [value for value, _ in field.options] == ["all", "gate", "gate.position"]


def test_what_to_set_is_chosen_from_what_one_may_set_with_the_ranges() -> None:
    home = Home()
    target, value, span = home.form("set", BOB).fields
    assert target.options == (("pump.state", "Water pump state (on or off)"),)
    assert (target.value, target.required, value.kind, value.required) == ("pump.state", True, FieldKind.TEXT, True)
    assert (span.var, span.kind, span.label) == ("for", FieldKind.TEXT, "For how long (10m; empty: for good)")
    assert (span.value, span.required) == ("", False)
    target, _, _ = home.form("set").fields
    assert ("tank.target", "tank target (5 to 30 °C)") in target.options


def test_what_to_do_is_chosen_with_its_signature() -> None:
    target, arguments = Home().form("do").fields
    assert target.options[0] == ("gate.open_to", "gate: open_to position=… [pace=…] [quiet=…]")
    assert (arguments.kind, arguments.required) == (FieldKind.LINES, False)


async def test_a_typed_form_has_a_prefilled_field_for_each_property_with_its_range() -> None:
    home = Home()
    async with running(*home.things):
        state, target, mode, count, text = home.form("set/panel").fields
    assert (state.kind, state.label, state.value) == (FieldKind.BOOLEAN, "state", "1")
    assert (target.kind, target.label, target.value) == (FieldKind.TEXT, "target (5 to 30 °C)", "20.0")
    assert (target.datatype, target.minimum, target.maximum) == ("xs:decimal", 5, 30)
    assert (mode.kind, mode.value, mode.options) == (FieldKind.LIST, "boost", (("eco", "eco"), ("boost", "boost")))
    assert (count.label, count.value, count.datatype) == ("Rings (0 to 9)", "3", "xs:integer")
    assert (text.kind, text.value) == (FieldKind.TEXT, "hello")
    assert not any(field.required for field in (state, target, mode, count, text))


def test_what_is_not_known_yet_is_not_prefilled_with_a_guess() -> None:
    state, target, mode, _, text = Home().form("set/panel").fields  # the Things are not running
    unchanged = ("", "(unchanged)")
    assert (state.kind, state.value) == (FieldKind.LIST, "")
    assert state.options == (unchanged, ("on", "on"), ("off", "off"))
    assert (mode.value, mode.options[0], target.value, text.value) == ("", unchanged, "", "")


async def test_a_text_of_several_lines_is_shown_and_read_as_such() -> None:
    home = Home()
    home.panel.held["text"] = "two\nlines"
    async with running(*home.things):
        form = home.form("set/panel")
        assert form.fields[4].kind is FieldKind.LINES
        same = await home.submit("set/panel", {"text": ("two", "lines")}, shown=form.shown)
        other = await home.submit("set/panel", {"text": ("three", "more", "lines")}, shown=form.shown)
    assert same.note.startswith("Nothing was changed.")
    assert other.outcome is Outcome.DONE
    assert home.panel.written == [("text", "three\nmore\nlines")]


def test_the_form_of_an_action_is_typed_from_its_signature() -> None:
    form = Home().form("do/gate/open_to")
    assert (form.title, form.instructions) == ("gate: open_to", "Open the gate so far.")
    position, pace, quiet = form.fields
    assert position.label == "position (0 to 100): How far, in percent"
    assert (position.kind, position.required, position.value) == (FieldKind.TEXT, True, "")
    assert (position.datatype, position.minimum, position.maximum) == ("xs:decimal", 0, 100)
    assert (pace.kind, pace.value, pace.options) == (FieldKind.LIST, "slow", (("slow", "slow"), ("fast", "fast")))
    assert (quiet.kind, quiet.value) == (FieldKind.BOOLEAN, "0")


@pytest.mark.parametrize("node", ["read", "set", "do", "set/panel", "set/pump", "do/gate/open_to", "do/gate/unlock"])
@pytest.mark.parametrize("known", [True, False])
async def test_every_list_has_a_default_among_its_options(node: str, known: bool) -> None:
    home = Home()
    if known:
        async with running(*home.things):
            form = home.form(node)
    else:
        form = home.form(node)
    for field in form.fields:
        if field.kind is FieldKind.LIST:
            assert field.value in [value for value, _ in field.options]
        assert field.label


# ---- submitting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "values", "note"),
    [
        ("status", {}, "greenhouse: level 55 %"),
        ("things", {"anything": ("x",)}, "greenhouse (Greenhouse): level in %"),
        ("help", {}, "I am pi@example.org/agent."),
        ("help", {"word": ("read",)}, "read [THING[.PROPERTY]]"),
        ("read", {}, "greenhouse.level: 55 %"),
        ("read", {"target": ("all",)}, "greenhouse.level: 55 %"),
        ("read", {"target": ("pump.state",)}, "pump.state: off"),
        ("set", {"target": ("pump.state",), "value": ("on",)}, "pump.state: on (confirmed)"),
        ("set", {"target": ("tank.target",), "value": ("21,5 °C",), "for": ("",)}, "tank.target: 21.5 °C (confirmed)"),
        (
            "set",
            {"target": ("pump.state",), "value": ("on",), "for": ("1,5h",)},
            "pump.state: on (confirmed), off again at ",
        ),
        ("set", {"target": ("panel.text",), "value": ("",)}, "panel.text:  (confirmed)"),
        ("do", {"target": ("gate.ring",)}, "gate ring: done"),
        ("do", {"target": ("gate.open_to",), "arguments": ("position = 40", "", "pace=fast")}, "gate open_to: done"),
        ("do/gate/ring", {}, "gate ring: done"),
        (
            "do/gate/open_to",
            {"position": ("40",), "pace": ("fast",), "quiet": ("1",), "FORM_TYPE": ("x",)},
            "gate open_to: done: at 40 %",
        ),
        ("set/pump", {"state": ("true",), "FORM_TYPE": ("x",), "": ("fixed text",)}, "pump.state: on (confirmed)"),
        ("set/pump", {"state": ("1",), "nothing_such": ("a", "b")}, "pump.state: on (confirmed)"),
    ],
)
async def test_forms_do_what_chat_does(node: str, values: Mapping[str, tuple[str, ...]], note: str) -> None:
    home = Home()
    async with running(*home.things):
        result = await home.submit(node, values)
    assert result.note.startswith(note)
    assert result.outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("node", "values", "says", "reason"),
    [
        ("set", {"value": ("on",)}, "the target is missing", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state",)}, "say what to set pump.state to", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state",), "value": ("on", "off")}, "takes one value, not 2", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state", "tank.target"), "value": ("on",)}, "takes one value", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state",), "value": ("on",), "for": ("soon",)}, "is not a duration", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state",), "value": ("on",), "for": ("0s",)}, "at least", Reason.BAD_VALUE),
        ("set", {"target": ("pump.state",), "value": ("on",), "for": ("400d",)}, "at most", Reason.BAD_VALUE),
        (
            "set",
            {"target": ("pump.state",), "value": ("on",), "for": ("5m", "6m")},
            "takes one value",
            Reason.BAD_VALUE,
        ),
        ("stop", {}, "there is nothing you may stop here", Reason.FORBIDDEN),
        ("set", {"target": ("heater.state",), "value": ("on",)}, "there is no", Reason.NOT_FOUND),
        ("set", {"target": ("tank.level",), "value": ("5",)}, "can only be read", Reason.NOT_ACCEPTABLE),
        ("set", {"target": ("x" * 201,), "value": ("5",)}, "the target is too long", Reason.BAD_VALUE),
        ("set", {"target": ("panel.text",), "value": ("x" * 1025,)}, "the value is too long", Reason.BAD_VALUE),
        ("set/pump", {"state": ("1", "0")}, "takes one value", Reason.BAD_VALUE),
        ("set/panel", {"target": ("99",), "state": ("0",)}, "panel.target: 99.0 is out of range", Reason.BAD_VALUE),
        ("set/panel", {"count": ("1.5",)}, "not a whole number", Reason.BAD_VALUE),
        ("set/panel", {"mode": ("warp",)}, "is not one of eco, boost", Reason.BAD_VALUE),
        ("set/panel", {"text": ("x" * 1025,)}, "at most 1024", Reason.BAD_VALUE),
        ("do", {}, "the target is missing", Reason.BAD_VALUE),
        ("do", {"target": ("gate.open_to",), "arguments": ("fast",)}, "is not name=value", Reason.BAD_VALUE),
        (
            "do",
            {"target": ("gate.open_to",), "arguments": tuple(f"a{n}=1" for n in range(40))},
            "too many arguments",
            Reason.BAD_VALUE,
        ),
        ("do/gate/open_to", {}, "position is missing", Reason.BAD_VALUE),
        ("do/gate/open_to", {"position": ("",)}, "position is missing", Reason.BAD_VALUE),
        ("do/gate/open_to", {"position": ("1", "2")}, "takes one value", Reason.BAD_VALUE),
        ("do/gate/open_to", {"position": ("101",)}, "position takes 0 to 100", Reason.BAD_VALUE),
        ("do/gate/open_to", {"position": ("1",), "quiet": ("maybe",)}, "quiet takes on or off", Reason.BAD_VALUE),
        ("set/pump", {"state": ("1",), "x": ("y" * LONGEST_FORM,)}, "too long", Reason.NOT_ACCEPTABLE),
        ("status", {f"f{n}": () for n in range(300)}, "too many fields", Reason.NOT_ACCEPTABLE),
        ("do", {"target": ("gate.ring",), "x": ("",) * 300}, "too many fields or values", Reason.NOT_ACCEPTABLE),
    ],
)
async def test_bad_forms_are_refused_and_nothing_moves(
    node: str, values: Mapping[str, tuple[str, ...]], says: str, reason: Reason
) -> None:
    home = Home()
    async with running(*home.things):
        result = await home.submit(node, values)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, reason)
    assert says in result.note
    assert len(result.note) < 300
    assert [board.written for board in (home.pump, home.tank, home.panel)] == [[], [], []]
    assert home.gate.invoked == []


async def test_a_typed_form_writes_only_what_was_changed() -> None:
    home = Home()
    async with running(*home.things):
        shown = home.form("set/panel").shown
        assert shown["target"] == ("20.0",)
        filled = {**shown, "target": ("21,5",), "count": ("4",), "state": ("true",)}
        result = await home.submit("set/panel", filled, shown=shown)
        assert result.note == "panel.target: 21.5 °C (confirmed)\npanel.count: 4 (confirmed)"
        assert [(field.name, field.label, field.value) for field in result.fields] == [
            ("panel.target", "panel target", "21.5 °C"),
            ("panel.count", "panel Rings", "4"),
        ]
        nothing = await home.submit("set/panel", home.form("set/panel").shown, shown=home.form("set/panel").shown)
    assert home.panel.written == [("target", 21.5), ("count", 4)]
    assert nothing.outcome is Outcome.DONE
    assert nothing.note.startswith("Nothing was changed.\npanel.state: on (")


async def test_a_value_left_as_it_was_shown_is_unchanged_even_if_rounding_took_it_out_of_range() -> None:
    fine = Property(name="fine", minimum=5.04, maximum=9, precision=1, writable=True)
    board = Board((fine, STATE), {"fine": 5.04, "state": False})
    house = House(thing("dial", board))
    async with running(*house.directory):
        form = house.commands.form(ALICE, "set/dial")
        assert form is not None
        assert form.shown["fine"] == ("5.0",)
        filled = Submission(node="set/dial", values={**form.shown, "state": ("1",)}, shown=form.shown)
        assert (await house.commands.submit(request(), filled)).outcome is Outcome.DONE
    assert board.written == [("state", True)]


async def test_an_unexpected_failure_is_no_traceback_to_the_person(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(home.directory, "get", broken)
    result = await home.submit("set/pump", {"state": ("1",)})
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.BROKEN)
    assert result.note == "FAILED: internal error, see the agent's log"
    assert "ZeroDivisionError" in caplog.text


async def test_what_somebody_else_changed_meanwhile_is_not_undone() -> None:
    home = Home()
    async with running(*home.things):
        shown = home.form("set/panel").shown
        await home.say("panel off")
        await home.submit("set/panel", {**shown, "mode": ("eco",)}, shown=shown)
    assert home.panel.written == [("state", False), ("mode", "eco")]


async def test_what_was_never_shown_is_written_also_where_it_is_so_already() -> None:
    home = Home()
    async with running(*home.things):
        first = await home.submit("set/pump", {"state": ("0",)}, key="iq:1")
        again = await home.submit("set/pump", {"state": ("0",)}, key="iq:1")
    assert first.note == "pump.state: off (confirmed)"
    assert "nothing was moved again" in again.note
    assert home.pump.written == [("state", False)]


async def test_a_field_left_empty_is_left_alone_unless_it_is_a_text() -> None:
    home = Home()
    async with running(*home.things):
        shown = home.form("set/panel").shown
        empty = {name: ("",) for name in shown}
        result = await home.submit("set/panel", empty, shown=shown)
    assert result.outcome is Outcome.DONE
    assert home.panel.written == [("text", "")]


async def test_all_is_checked_before_anything_moves() -> None:
    home = Home()
    async with running(*home.things):
        result = await home.submit("set/panel", {"state": ("0",), "target": ("25",), "count": ("99",)})
    assert result.outcome is Outcome.REFUSED
    assert home.panel.written == []


async def test_one_value_confirmed_and_one_not_is_not_done() -> None:
    home = Home()
    async with running(*home.things):

        async def half(name: str, value: object) -> None:
            if name == "count":
                home.panel.held[name] = value

        home.panel.write = half  # type: ignore[method-assign]  # hardware that obeys half of the time
        result = await home.submit("set/panel", {"state": ("0",), "count": ("4",)})
    assert result.outcome is Outcome.UNCONFIRMED
    assert result.note == "panel.state: off sent, unconfirmed: it reads on\npanel.count: 4 (confirmed)"


async def test_garbage_in_forms_is_refused_or_done_but_never_breaks(caplog: pytest.LogCaptureFixture) -> None:
    home = Home()
    chance = random.Random(20261121)
    names = ["target", "value", "for", "arguments", "state", "mode", "count", "text", "position", "", "FORM_TYPE", "🎉"]
    texts = [
        "on",
        "pump.state",
        "gate.open_to",
        "position=1",
        "\x00",
        "\x1b",
        "9" * 400,
        "",
        "🎉",
        "=",
        ".",
        "nan",
        "x" * 2000,
    ]
    nodes = ["status", "read", "set", "do", "help", "set/panel", "do/gate/open_to", "set/", "do//", "/", "\x00"]
    async with running(*home.things):
        for _ in range(3000):
            values = {
                chance.choice(names): tuple(chance.choice(texts) for _ in range(chance.randrange(3)))
                for _ in range(chance.randrange(6))
            }
            result = await home.submit(chance.choice(nodes), values)
            assert result.outcome is not Outcome.FAILED, values
            assert "\x00" not in result.note
            assert "\x1b" not in result.note
    assert not [record for record in caplog.records if record.exc_info]


# ---- writing by program --------------------------------------------------------------------------------------------


async def test_programs_write_typed_values_of_one_thing() -> None:
    home = Home()
    async with running(*home.things):
        result = await home.commands.write(request(face=Face.IQ), "tank", {"target": 21, "mode": "boost"})
        text = await home.commands.write(request(face=Face.IQ), "panel", {"count": "4", "state": False})
    assert result.note == "tank.target: 21.0 °C (confirmed)\ntank.mode: boost (confirmed)"
    assert text.outcome is Outcome.DONE
    assert home.tank.written == [("target", 21), ("mode", "boost")]
    assert home.panel.written == [("count", 4), ("state", False)]


@pytest.mark.parametrize(
    ("jid", "thing_id", "values", "reason"),
    [
        (ALICE, "tank", {}, Reason.BAD_VALUE),
        (ALICE, "tank", {"target": True}, Reason.BAD_VALUE),
        (ALICE, "tank", {"target": float("nan")}, Reason.BAD_VALUE),
        (ALICE, "tank", {"mode": 1}, Reason.BAD_VALUE),
        (ALICE, "tank", {"target": 21, "mode": "warp"}, Reason.BAD_VALUE),
        (ALICE, "tank", {"target": 21, "TARGET": 22}, Reason.BAD_VALUE),
        (ALICE, "tank", {"target": 21, "nothing": 1}, Reason.NOT_FOUND),
        (ALICE, "tank", {"level": 5}, Reason.NOT_ACCEPTABLE),
        (ALICE, "Tank", {"target": 21}, Reason.NOT_FOUND),
        (ALICE, "nothing", {"target": 21}, Reason.NOT_FOUND),
        (BOB, "tank", {"target": 21}, Reason.FORBIDDEN),
        (EVE, "tank", {"target": 21}, Reason.NOT_FOUND),
        (VERA, "tank", {"target": 21}, Reason.FORBIDDEN),
        (STRANGER, "tank", {"target": 21}, Reason.FORBIDDEN),
    ],
)
async def test_programs_are_refused_like_people(
    jid: str, thing_id: str, values: Mapping[str, bool | int | float | str], reason: Reason
) -> None:
    home = Home()
    async with running(*home.things):
        result = await home.commands.write(request(jid, face=Face.IQ), thing_id, values)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, reason)
    assert home.tank.written == []


async def test_running_by_name_refuses_what_no_command_takes() -> None:
    home = Home()
    async with running(*home.things):
        for name, arguments, says in (
            ("nothing", {}, 'there is no command "nothing"'),
            ("status", {"x": "1"}, 'status takes no "x". Write: status'),
            ("set", {"target": "pump", "value": "on", "force": "1"}, 'set takes no "force"'),
            ("set", {"target": "pump", "value": "on", "duration": "1"}, 'set takes no "duration"'),
            ("set", {"target": "", "value": "on"}, "the target is missing"),
        ):
            result = await home.commands.run(request(), name, arguments)
            assert result.outcome is Outcome.REFUSED
            assert says in result.note
    assert home.pump.written == []
