"""Data forms: what people's clients are shown, and what they may send back."""

from xml.etree import ElementTree as ET

import pytest

from jidget.commands.model import FieldKind, Form, FormField, Outcome, Result, ResultField
from jidget.xmpp.forms import (
    LONGEST_NOTE,
    LONGEST_SUBMISSION,
    LONGEST_VALUES,
    MOST_FIELDS,
    MOST_VALUES,
    BadForm,
    cut_note,
    find_form,
    read_form,
    write_form,
    write_result,
)
from jidget.xmpp.xml import escape, serialise

DATA = "{jabber:x:data}"
VALIDATE = "{http://jabber.org/protocol/xdata-validate}"

TARGET = FormField(
    var="target",
    kind=FieldKind.LIST,
    label="What",
    value="tank.target",
    required=True,
    options=(("pump.state", "Pump"), ("tank.target", "Tank target")),
)
LEVEL = FormField(
    var="level",
    kind=FieldKind.TEXT,
    label="Level (0 to 100 %)",
    value="40",
    datatype="xs:decimal",
    minimum=0.0,
    maximum=100.0,
)
SWITCH = FormField(var="state", kind=FieldKind.BOOLEAN, label="State", value="1")
LINES = FormField(var="arguments", kind=FieldKind.LINES, label="Arguments", value="a=1\nb=2")
FORM = Form(title="Set", instructions="One at a time.", fields=(TARGET, LEVEL, SWITCH, LINES))


def field(x: ET.Element, var: str) -> ET.Element:
    (found,) = (f for f in x.iterfind(f"{DATA}field") if f.get("var") == var)
    return found


def values(element: ET.Element) -> list[str]:
    return [value.text or "" for value in element.iterfind(f"{DATA}value")]


def texts(x: ET.Element, name: str) -> list[str]:
    return [found.text or "" for found in x.iterfind(f"{DATA}{name}")]


def submitted(inner: str, kind: str = "submit") -> ET.Element:
    return ET.fromstring(f"<x xmlns='jabber:x:data' type='{kind}'>{inner}</x>")


# ---- to people -----------------------------------------------------------------------------------------------------


def test_a_form_says_what_it_is_and_has_one_instruction_line() -> None:
    x = write_form(FORM, "set/tank")
    assert x.tag == f"{DATA}x"
    assert x.get("type") == "form"
    assert texts(x, "title") == ["Set"]
    assert texts(x, "instructions") == ["One at a time."]
    assert (field(x, "FORM_TYPE").get("type"), values(field(x, "FORM_TYPE"))) == ("hidden", ["urn:jidget:1#set/tank"])


def test_a_list_has_options_a_default_and_its_label() -> None:
    made = field(write_form(FORM, "set"), "target")
    assert (made.get("type"), made.get("label")) == ("list-single", "What")
    assert made.find(f"{DATA}required") is not None
    assert values(made) == ["tank.target"]
    options = [(option.get("label"), *values(option)) for option in made.iterfind(f"{DATA}option")]
    assert options == [("Pump", "pump.state"), ("Tank target", "tank.target")]


def test_a_list_without_a_default_gets_its_first_option() -> None:
    """Converse would submit the first, Profanity nothing, Gajim not even the field."""
    plain = FormField(var="mode", kind=FieldKind.LIST, label="Mode", options=(("eco", "eco"), ("boost", "boost")))
    x = write_form(Form(title="", instructions="", fields=(plain,)), "set/tank")
    assert values(field(x, "mode")) == ["eco"]


def test_a_range_is_a_hint_for_clients_and_stands_in_the_label() -> None:
    made = field(write_form(FORM, "set"), "level")
    validate = made.find(f"{VALIDATE}validate")
    assert validate is not None
    assert validate.get("datatype") == "xs:decimal"
    (method,) = validate
    assert (method.tag, method.attrib) == (f"{VALIDATE}range", {"min": "0", "max": "100"})
    assert made.get("label") == "Level (0 to 100 %)"
    assert values(made) == ["40"]


@pytest.mark.parametrize(
    ("limits", "tag", "attributes"),
    [
        ({}, "basic", {}),
        ({"minimum": -1.5}, "range", {"min": "-1.5"}),
        ({"maximum": 0.0}, "range", {"max": "0"}),
    ],
)
def test_a_datatype_with_fewer_limits(limits: dict[str, float], tag: str, attributes: dict[str, str]) -> None:
    number = FormField(var="n", kind=FieldKind.TEXT, label="N", datatype="xs:integer", **limits)  # type: ignore[arg-type]
    validate = field(write_form(Form(title="", instructions="", fields=(number,)), "x"), "n").find(
        f"{VALIDATE}validate"
    )
    assert validate is not None
    assert [(method.tag, method.attrib) for method in validate] == [(f"{VALIDATE}{tag}", attributes)]


def test_switches_and_lines() -> None:
    x = write_form(FORM, "set")
    assert (field(x, "state").get("type"), values(field(x, "state"))) == ("boolean", ["1"])
    assert field(x, "state").find(f"{VALIDATE}validate") is None
    assert values(field(x, "arguments")) == ["a=1", "b=2"]


def test_a_form_shown_again_begins_with_the_problem_and_keeps_what_was_filled_in() -> None:
    filled = {"target": ("pump.state",), "level": ("999",), "state": ("false",), "arguments": ("c=3", "d=4")}
    x = write_form(FORM, "set", problem="Refused: 999 is out\nof range", filled=filled)
    assert texts(x, "instructions") == ["Refused: 999 is out of range", "One at a time."]
    assert values(field(x, "target")) == ["pump.state"]
    assert values(field(x, "level")) == ["999"]
    assert values(field(x, "state")) == ["0"]
    assert values(field(x, "arguments")) == ["c=3", "d=4"]


def test_what_cannot_be_shown_again_falls_back_to_what_was_shown_first() -> None:
    x = write_form(FORM, "set", problem="no", filled={"target": ("elsewhere",), "level": (), "state": ("perhaps",)})
    assert values(field(x, "target")) == ["tank.target"]
    assert values(field(x, "level")) == ["40"]
    assert values(field(x, "state")) == ["0"]


def test_a_result_is_flat_and_names_its_outcome() -> None:
    result = Result(
        outcome=Outcome.DONE,
        note="pump.state: on (confirmed)",
        fields=(ResultField(name="pump.state", label="Pump state", value="on"),),
    )
    x = write_result(result, "set/pump")
    assert x.get("type") == "result"
    assert texts(x, "title") == ["pump.state: on (confirmed)"]
    assert values(field(x, "outcome")) == ["done"]
    assert field(x, "outcome").get("type") == "hidden"
    made = field(x, "pump.state")
    assert (made.get("type"), made.get("label"), values(made)) == ("text-single", "Pump state", ["on"])
    assert {found.tag for found in x.iter()} & {f"{DATA}reported", f"{DATA}item"} == set()


def test_a_result_without_values_says_it_all_where_no_note_is_shown() -> None:
    x = write_result(Result(outcome=Outcome.FAILED, note="FAILED: it burnt\ndown"), "set")
    assert texts(x, "title") == ["FAILED: it burnt"]
    remarks = [found for found in x.iterfind(f"{DATA}field") if found.get("type") == "fixed"]
    assert [values(remark) for remark in remarks] == [["FAILED: it burnt\ndown"]]
    assert [found.get("var") for found in remarks] == [None]


@pytest.mark.parametrize("text", ["x" * 900, "&" * 900, "ü" * 900])
def test_a_result_stays_below_what_servers_carry_and_says_what_is_left_out(text: str) -> None:
    many = tuple(ResultField(name=f"thing{n}.value", label=f"Thing {n}", value=text) for n in range(500))
    x = write_result(Result(outcome=Outcome.DONE, note="everything", fields=many), "read")
    shown = [found for found in x.iterfind(f"{DATA}field") if found.get("type") == "text-single"]
    assert 10 < len(shown) < len(many)
    assert LONGEST_VALUES - 10_000 < len(serialise(x).encode()) < LONGEST_VALUES + 1000
    assert values(x[-1]) == [f"… and {len(many) - len(shown)} more values; ask for one Thing"]


@pytest.mark.parametrize("character", ["x", "&", "ü", "\x00"])
def test_a_note_is_cut_where_it_would_not_fit(character: str) -> None:
    note = "first line\n" + character * 100_000
    cut = cut_note(note)
    assert cut.endswith("…")
    assert note.startswith(cut[:-1])
    assert LONGEST_NOTE - 10 < len(escape(cut).encode()) < LONGEST_NOTE + 10
    x = write_result(Result(outcome=Outcome.DONE, note=note), "things")
    assert len(serialise(x).encode()) < LONGEST_NOTE + 1000
    assert cut_note("as it is") == "as it is"


# ---- from people ---------------------------------------------------------------------------------------------------


def test_values_are_read_and_what_clients_send_along_is_not() -> None:
    x = submitted(
        "<title>Set</title>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:jidget:1#set</value></field>"
        "<field type='fixed'><value>read me</value></field>"
        "<field var='' type='fixed'><value>me too</value></field>"
        "<field var='target' type='list-single' label='What'><desc>about</desc>"
        "<option label='Pump'><value>pump.state</value></option><value>tank.target</value></field>"
        "<field var='arguments'><value>a=1</value><value/><value>b= ü 2 </value></field>"
        "<field var='state'/>"
    )
    assert read_form(x) == {"target": ("tank.target",), "arguments": ("a=1", "", "b= ü 2 "), "state": ()}


def test_what_is_no_field_or_of_another_namespace_is_no_value() -> None:
    x = submitted(
        "<a><field var='deep'><value>1</value></field></a>"
        "<field xmlns='urn:other' var='foreign'><value>1</value></field>"
        "<field var='v'><value><b>bold</b></value><value xmlns='urn:other'>2</value></field>"
    )
    assert read_form(x) == {"v": ("",)}


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (submitted("", kind="form"), 'type "submit" belongs here, not "form"'),
        (submitted("", kind="x" * 500), 'not "x{39}…'),
        (ET.fromstring("<x xmlns='jabber:x:data'/>"), 'not ""'),
        (
            submitted("<field var='a'><value>1</value></field><field var='a'><value>2</value></field>"),
            '"a" is there twice',
        ),
        (submitted("".join(f"<field var='f{n}'/>" for n in range(MOST_FIELDS + 1))), f"at most {MOST_FIELDS}"),
        (submitted("<field var='a'>" + "<value/>" * (MOST_VALUES + 1) + "</field>"), f"at most {MOST_VALUES}"),
        (
            submitted(f"<field var='a'><value>{'x' * LONGEST_SUBMISSION}</value></field>"),
            f"at most {LONGEST_SUBMISSION}",
        ),
        (
            submitted(f"<field var='{'x' * LONGEST_SUBMISSION}'><value>1</value></field>"),
            f"at most {LONGEST_SUBMISSION}",
        ),
    ],
)
def test_what_no_client_makes_is_refused(x: ET.Element, says: str) -> None:
    with pytest.raises(BadForm, match=says):
        read_form(x)


def test_finding_the_form() -> None:
    one = ET.fromstring("<c><x xmlns='urn:other'/><x xmlns='jabber:x:data' type='submit'/></c>")
    found = find_form(one)
    assert found is not None
    assert found.get("type") == "submit"
    assert find_form(ET.fromstring("<c/>")) is None
    with pytest.raises(BadForm, match="several"):
        find_form(ET.fromstring("<c><x xmlns='jabber:x:data'/><x xmlns='jabber:x:data'/></c>"))
