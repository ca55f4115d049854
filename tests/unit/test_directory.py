"""Finding the Thing a person means."""

import pytest
from tests.support.fakes import LEVEL, STATE, Board, relay, tank, thing

from jidget.things.directory import Directory, NotFound, find_property
from jidget.things.host import Thing

THINGS = Directory(
    (
        thing("greenhouse", Board((LEVEL,), {}), label="Glasshouse", aliases=("tomatoes", "the glass one")),
        thing("pump", relay(), label="Pump in the cellar"),
        thing("pump2", relay(), label="Spare"),
        thing("tank", tank(), label="Rain 2.0", property_aliases={"soll": "target"}),
        thing("desk_lamp", relay(), label="Büro"),
        thing("twin_a", relay(), label="Twin"),
        thing("twin_b", relay(), label="twin"),
        thing("spare", relay()),
    )
)


def everything(_: Thing) -> bool:
    return True


def find(text: str, *, act: bool = True) -> str:
    return THINGS.find(text, may=everything, act=act).id


@pytest.mark.parametrize(
    ("text", "thing_id"),
    [
        ("pump", "pump"),
        ("PUMP", "pump"),
        (" pump ", "pump"),
        ("Glasshouse", "greenhouse"),
        ("the glass one", "greenhouse"),
        ("TOMATOES", "greenhouse"),
        ("rain 2.0", "tank"),
        ("büro", "desk_lamp"),
        ("BU\u0308RO", "desk_lamp"),
        ("spare", "spare"),  # an id wins over a label
    ],
)
def test_things_are_found_by_id_label_and_alias(text: str, thing_id: str) -> None:
    assert find(text) == thing_id


@pytest.mark.parametrize(
    ("text", "thing_id"), [("green", "greenhouse"), ("glassh", "greenhouse"), ("desk", "desk_lamp")]
)
def test_a_unique_prefix_reads_but_never_acts(text: str, thing_id: str) -> None:
    assert find(text, act=False) == thing_id
    with pytest.raises(NotFound, match=f'Did you mean "{thing_id}"\\? Acting needs the whole name'):
        find(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pmp", 'Did you mean "pump"?'),
        ("zzz", "There are: greenhouse, pump,"),
        ("twin", '"twin" could be twin_a, twin_b: use the id'),
        ("", "There are"),
        ("pu", "there is no"),
        ("pump" + " " * 300 + "x", "there is no"),
    ],
)
def test_what_is_not_found_is_suggested(text: str, says: str) -> None:
    with pytest.raises(NotFound) as caught:
        find(text, act=False)
    assert says in str(caught.value)


def test_what_one_may_not_see_is_neither_found_nor_suggested() -> None:
    with pytest.raises(NotFound) as caught:
        THINGS.find("pump", may=lambda one: one.id == "tank", act=False)
    assert str(caught.value) == 'there is no "pump". There are: tank.'
    with pytest.raises(NotFound) as caught:
        THINGS.find("pump", may=lambda _: False, act=False)
    assert str(caught.value) == 'there is no "pump".'


@pytest.mark.parametrize(
    ("text", "thing_id", "name"),
    [
        ("tank", "tank", None),
        ("tank.target", "tank", "target"),
        ("Tank.Target", "tank", "target"),
        ("tank.soll", "tank", "target"),
        ("rain 2.0", "tank", None),
        ("rain 2.0.level", "tank", "level"),
        ("the glass one.level", "greenhouse", "level"),
    ],
)
def test_properties_are_named_after_a_dot(text: str, thing_id: str, name: str | None) -> None:
    found, prop = THINGS.resolve(text, may=everything, act=True)
    assert (found.id, prop and prop.name) == (thing_id, name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tank.levle", 'tank has no property "levle". Did you mean "level"?'),
        ("tank.zzz", "It has: level, target, mode."),
        ("tank.", "tank has no property"),
        ("tnk.level", 'there is no "tnk". Did you mean "tank"?'),
        (".level", 'there is no ""'),
    ],
)
def test_unknown_properties_are_said_with_near_ones(text: str, says: str) -> None:
    with pytest.raises(NotFound) as caught:
        THINGS.resolve(text, may=everything, act=True)
    assert says in str(caught.value)


def test_a_propertys_own_id_wins_over_an_alias_of_another() -> None:
    one = thing("one", Board((STATE, LEVEL), {}), property_aliases={"state": "level", "füllung": "level"})
    assert find_property(one, "state").name == "state"
    assert find_property(one, "FU\u0308LLUNG").name == "level"


def test_garbage_is_refused_in_few_words() -> None:
    for text in ("x" * 100_000, "🎉" * 50_000, "\x00\x1b[2J" * 100, "." * 10_000):
        with pytest.raises(NotFound) as caught:
            THINGS.resolve(text, may=everything, act=False)
        assert len(str(caught.value)) < 300
        assert "\x1b" not in str(caught.value)


def test_the_directory_can_be_walked() -> None:
    assert [one.id for one in THINGS][:2] == ["greenhouse", "pump"]
    assert len(THINGS) == 8
    assert THINGS.get("pump") is not None
    assert THINGS.get("Pump") is None
