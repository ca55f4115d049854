"""Ad-hoc commands: their stages, who may, and how they are found."""

from collections.abc import AsyncIterator

import pytest
from tests.support.adhoc import COMMANDS, DATA, NODE, form, instructions, note, outcome, results, session, shown
from tests.support.desk import Desk, refuses_session
from tests.support.fakes import BOB, EVE, VERA, Board, House, relay, running, thing
from tests.support.stanzas import ALICE, Table, incoming, link, refuses

from jidget.config.model import Grant
from jidget.xmpp.adhoc import AdHoc
from jidget.xmpp.disco import Disco

INFO = "{http://jabber.org/protocol/disco#info}"
ITEMS = "{http://jabber.org/protocol/disco#items}"
BOBS, EVES, VERAS = f"{BOB}/phone", f"{EVE}/phone", f"{VERA}/phone"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with running(*made.things):
        yield made


# ---- stages --------------------------------------------------------------------------------------------------------


async def test_a_command_without_a_form_is_completed_at_once(desk: Desk) -> None:
    answer = await desk.send("status")
    assert (answer.tag, answer.get("node"), answer.get("status")) == (f"{COMMANDS}command", "status", "completed")
    assert len(answer.get("sessionid", "")) == 32
    assert note(answer)[0] == "info"
    assert "pump: state off" in note(answer)[1]
    assert results(answer)["pump.state"] == "off"
    assert results(answer)["outcome"] == "done"


async def test_a_form_is_shown_with_its_actions_spelled_out_and_no_note(desk: Desk) -> None:
    answer = await desk.send("set/tank", action="execute")
    assert answer.get("node") == "set/tank"
    assert len(session(answer)) == 32  # 128 bits
    (actions,) = answer.iterfind(f"{COMMANDS}actions")
    assert actions.get("execute") == "complete"
    assert [child.tag for child in actions] == [f"{COMMANDS}complete"]
    assert note(answer) == ("", "")
    assert (shown(answer, "target"), shown(answer, "mode")) == ("20.0", "eco")
    (x,) = answer.iterfind(f"{DATA}x")
    assert "(5 to 30 °C)" in next(f.get("label", "") for f in x.iterfind(f"{DATA}field") if f.get("var") == "target")


@pytest.mark.parametrize("action", ["execute", "complete", "next", None])
async def test_going_on_by_any_name_means_submit(desk: Desk, action: str | None) -> None:
    sid = session(await desk.send("set/pump"))
    answer = await desk.send("set/pump", form(state="1"), sessionid=sid, action=action)
    assert outcome(answer) == "done"
    assert answer.get("sessionid") == sid
    assert note(answer) == ("info", "pump.state: on (confirmed)")
    assert results(answer)["pump.state"] == "on"
    assert desk.pump.written == [("state", True)]


async def test_only_what_was_changed_in_the_form_is_written(desk: Desk) -> None:
    """Also if somebody else changed the rest since it was shown."""
    sid = session(await desk.send("set/tank"))
    desk.tank.held["mode"] = "boost"
    await desk.send("read", form(target="tank"))
    answer = await desk.send("set/tank", form(target="21.5", mode="eco"), sessionid=sid)
    assert outcome(answer) == "done"
    assert desk.tank.written == [("target", 21.5)]


async def test_execute_that_brings_a_form_runs_at_once(desk: Desk) -> None:
    answer = await desk.send("set", form(target="tank.target", value="21,5 °C"))
    assert outcome(answer) == "done"
    assert desk.tank.written == [("target", 21.5)]


async def test_bad_input_in_a_session_shows_the_form_again(desk: Desk) -> None:
    first = await desk.send("set/tank")
    again = await desk.send("set/tank", form(target="99", mode="boost"), sessionid=session(first))
    assert session(again) == session(first)
    assert note(again) == ("", "")
    assert instructions(again)[0].startswith("Refused: tank.target: ")
    assert instructions(again)[1:] == instructions(first)
    assert (shown(again, "target"), shown(again, "mode")) == ("99", "boost")
    assert desk.tank.written == []
    assert outcome(await desk.send("set/tank", form(target="25", mode="eco"), sessionid=session(first))) == "done"
    assert desk.tank.written == [("target", 25.0)]


async def test_a_value_can_be_set_for_a_while(desk: Desk) -> None:
    answer = await desk.send("set", form(target="pump.state", value="on", **{"for": "10m"}))
    assert outcome(answer) == "done"
    assert note(answer)[1].startswith("pump.state: on (confirmed), off again at ")
    assert note(answer)[1].endswith(", in 10 min")


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ("", "nothing was filled in"),
        ("<x xmlns='jabber:x:data' type='form'/>", "submit"),
        ("<x xmlns='jabber:x:data' type='submit'/><x xmlns='jabber:x:data' type='submit'/>", "several forms"),
        (form(target="x" * 40_000), "at most"),
        (form(target="nowhere.at_all", value="1"), "Refused: there is no"),
        (form(target="pump.state", value="on", **{"for": "ever"}), "not a duration"),
    ],
)
async def test_whatever_is_wrong_with_the_form_it_is_shown_again(desk: Desk, inner: str, says: str) -> None:
    first = await desk.send("set")
    again = await desk.send("set", inner, sessionid=session(first), action="complete")
    assert session(again) == session(first)
    assert says in instructions(again)[0]
    assert desk.pump.written == []


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        (form(target="tank.target", value="99"), "Refused: tank.target: 99"),
        (form(target="pomp.state", value="on"), 'Did you mean "pump"?'),
        (form(target="pump.state", value="on", **{"for": "ever"}), "not a duration"),
        ("<x xmlns='jabber:x:data' type='result'/>", "Refused: a form of type"),
        (form(target="x" * 40_000), "Refused: the form holds"),
    ],
)
async def test_bad_input_without_a_session_is_an_end_with_the_error(desk: Desk, inner: str, says: str) -> None:
    answer = await desk.send("set", inner)
    assert outcome(answer) == "refused"
    assert note(answer)[0] == "error"
    assert says in note(answer)[1]
    assert desk.pump.written == desk.tank.written == []


async def test_what_cannot_be_mended_ends_the_session(desk: Desk) -> None:
    sid = session(await desk.send("set/pump"))
    answer = await desk.send("set/pump", form(state="1"), sessionid=sid, age=None)
    assert outcome(answer) == "refused"
    kind, text = note(answer)
    assert kind == "error"
    assert "age unknown" in text
    with refuses_session():
        await desk.send("set/pump", form(state="on"), sessionid=sid)
    assert desk.pump.written == []


async def test_unconfirmed_and_failed_are_told_apart(desk: Desk) -> None:
    desk.pump.deaf = True
    answer = await desk.send("set/pump", form(state="1"))
    assert outcome(answer) == "unconfirmed"
    assert note(answer)[0] == "warn"
    desk.pump.write_error = OSError("no such device")
    answer = await desk.send("set/pump", form(state="1"))
    assert outcome(answer) == "failed"
    kind, text = note(answer)
    assert kind == "error"
    assert text.startswith("FAILED:")


async def test_an_action_with_a_form(desk: Desk) -> None:
    sid = session(await desk.send("do/gate/open_to"))
    again = await desk.send("do/gate/open_to", form(position="120"), sessionid=sid)
    assert "position takes 0 to 100" in instructions(again)[0]
    answer = await desk.send("do/gate/open_to", form(position="30", pace="fast", quiet="1"), sessionid=sid)
    assert outcome(answer) == "done"
    assert desk.gate.invoked == [("open_to", {"position": 30.0, "pace": "fast", "quiet": True})]
    assert outcome(await desk.send("do/gate/ring")) == "done"


# ---- rights --------------------------------------------------------------------------------------------------------


async def test_who_may_not_gets_forbidden_at_every_stage(desk: Desk) -> None:
    for node in ("set", "set/pump", "do", "do/gate/ring"):
        for inner in ("", form(state="1", target="pump.state", value="on")):
            with refuses("forbidden"):
                await desk.send(node, inner, VERAS)
    with refuses("forbidden", says="tank"):
        await desk.send("set/tank", form(target="25"), BOBS)
    with refuses("forbidden", says="you may not act on tank"):
        await desk.send("set", form(target="tank.target", value="25"), BOBS)
    assert desk.pump.written == desk.tank.written == []
    assert desk.gate.invoked == []


async def test_rights_lost_between_two_stages_are_lost(desk: Desk) -> None:
    sid = session(await desk.send("set/pump", sender=BOBS))
    desk.house.access._grants.clear()
    with refuses("forbidden"):
        await desk.send("set/pump", form(state="1"), BOBS, sessionid=sid)
    assert desk.pump.written == []


async def test_a_thing_lost_from_sight_between_two_stages_is_gone(desk: Desk) -> None:
    sid = session(await desk.send("set/pump", sender=BOBS))
    desk.house.access._grants[BOB] = Grant.model_validate({"role": "operator", "things": ["gate"], "read": ["gate"]})
    with refuses("item-not-found"):
        await desk.send("set/pump", form(state="1"), BOBS, sessionid=sid)
    with refuses_session():
        await desk.send("set/pump", form(state="1"), BOBS, sessionid=sid)
    assert desk.pump.written == []


@pytest.mark.parametrize(
    "node", ["nothing", "set/", "set/nowhere", "set/pump/state", "do/gate", "do/gate/fly", "x" * 5000]
)
async def test_a_node_that_does_not_exist(desk: Desk, node: str) -> None:
    with refuses("item-not-found") as raised:
        await desk.send(node, form(state="1"))
    assert len(raised.value.text) < 300


async def test_what_one_may_not_see_does_not_exist(desk: Desk) -> None:
    with refuses("item-not-found"):
        await desk.send("set/pump", form(state="1"), EVES)


# ---- disco ---------------------------------------------------------------------------------------------------------


async def test_commands_are_listed_at_our_full_jid_to_those_who_may(desk: Desk) -> None:
    async def nodes(sender: str) -> list[str]:
        items = (await desk.ask_disco(ITEMS, sender)).findall(f"{ITEMS}item")
        assert {item.get("jid") for item in items} <= {"pi@example.org/agent"}
        assert [item.get("name") for item in items] == sorted(item.get("name", "") for item in items)
        return [item.get("node", "") for item in items]

    assert {"status", "read", "set", "do", "things", "help", "set/pump", "do/gate/ring"} <= set(await nodes(ALICE))
    assert set(await nodes(VERAS)) == {"status", "read", "things", "help"}
    assert {"set/tank"} & set(await nodes(BOBS)) == set()
    assert await nodes("example.org") == []  # our own server may ask, and learns nothing


async def test_the_list_and_the_commands_say_what_they_are(desk: Desk) -> None:
    listing = await desk.ask_disco(INFO, ALICE)
    assert [(i.get("category"), i.get("type")) for i in listing.iterfind(f"{INFO}identity")] == [
        ("automation", "command-list")
    ]
    command = await desk.ask_disco(INFO, ALICE, "set/pump")
    (identity,) = command.iterfind(f"{INFO}identity")
    assert (identity.get("category"), identity.get("type"), identity.get("name")) == (
        "automation",
        "command-node",
        "3 Set pump…",
    )
    assert [f.get("var") for f in command.iterfind(f"{INFO}feature")] == [NODE, "jabber:x:data"]
    for sender, node in ((VERAS, "set/pump"), (ALICE, "set/nowhere"), ("example.org", "status")):
        with refuses("item-not-found"):
            await desk.ask_disco(INFO, sender, node)


async def test_a_command_that_is_too_many_to_be_listed_says_what_it_is() -> None:
    boards = [Board(relay().properties, {"state": False}) for _ in range(25)]
    house = House(*(thing(f"relay{n}", board) for n, board in enumerate(boards)))
    table, disco = Table(), Disco(("client", "bot", "Jidget"), ())
    disco.attach(table)
    AdHoc(link(), house.commands).attach(table, disco)
    listing = await table.ask(incoming(f"<query xmlns='{ITEMS.strip('{}')}' node='{NODE}'/>", kind="get"))
    assert not [item for item in listing if item.get("node", "").startswith("set/")]
    about = await table.ask(incoming(f"<query xmlns='{INFO.strip('{}')}' node='set/relay7'/>", kind="get"))
    assert [i.get("name") for i in about.iterfind(f"{INFO}identity")] == ["Set relay7"]
