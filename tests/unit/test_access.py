"""Who may do what: default deny."""

from collections.abc import Mapping
from typing import Any

import pytest

from jidget.commands.access import Access, Person
from jidget.config.model import Grant, Role

OWN = "pi@example.org"


def access(grants: Mapping[str, Any]) -> Access:
    return Access({jid: Grant.model_validate(grant) for jid, grant in grants.items()}, OWN)


def person(grant: Any, jid: str = "bob@example.org") -> Person:
    found = access({jid: grant}).person(jid)
    assert found is not None
    return found


MATRIX: list[tuple[Any, str, bool, bool]] = [
    # grant, Thing, may read, may act
    ("owner", "pump", True, True),
    ("viewer", "pump", True, False),
    ("operator", "pump", True, True),
    ({"role": "operator", "things": ["pump", "gate*"]}, "pump", True, True),
    ({"role": "operator", "things": ["pump", "gate*"]}, "gate", True, True),
    ({"role": "operator", "things": ["pump", "gate*"]}, "gate_left", True, True),
    ({"role": "operator", "things": ["pump", "gate*"]}, "pump2", True, False),
    ({"role": "operator", "things": ["pump", "gate*"]}, "heater", True, False),
    ({"role": "operator", "things": ["gate"], "read": ["gate"]}, "gate", True, True),
    ({"role": "operator", "things": ["gate"], "read": ["gate"]}, "pump", False, False),
    ({"role": "operator", "things": ["gate", "pump"], "read": ["gate"]}, "pump", False, False),
    ({"role": "operator", "read": ["gate"]}, "pump", False, False),
    ({"role": "viewer", "read": ["green*"]}, "greenhouse", True, False),
    ({"role": "viewer", "read": ["green*"]}, "pump", False, False),
]


@pytest.mark.parametrize(("grant", "thing", "read", "act"), MATRIX)
def test_rights_are_what_the_grant_says_and_no_more(grant: Any, thing: str, read: bool, act: bool) -> None:
    someone = person(grant)
    assert (someone.may_read(thing), someone.may_act(thing)) == (read, act)


@pytest.mark.parametrize(
    ("grant", "follows"),
    [
        ("owner", True),
        ("viewer", True),
        ("operator", True),
        ({"role": "operator", "things": ["gate"], "read": ["gate"]}, False),
        ({"role": "viewer", "read": ["*"]}, False),
    ],
)
def test_only_who_may_read_everything_sees_the_feed(grant: Any, follows: bool) -> None:
    assert person(grant).sees_feed is follows


@pytest.mark.parametrize(
    "jid",
    [
        "mallory@example.org",
        "alice@example.org.evil.example",
        "alice@sub.example.net",
        "x@example.net@evil.example",
        "x@evil.example@example.net",
        "example.org",
        "alice",
        "",
        "@example.net",
        "alice@example.org/phone",
        "x@evil.example/y@example.net",
        "Alice@example.org",
        "alice@EXAMPLE.org",
    ],
)
def test_whoever_is_not_listed_is_nobody(jid: str) -> None:
    assert access({"alice@example.org": "owner", "example.net": "viewer"}).person(jid) is None


def test_a_whole_domain_is_let_in_only_where_it_is_written() -> None:
    listed = access({"example.net": "viewer"})
    anybody = listed.person("anybody@example.net")
    assert anybody is not None
    assert (anybody.jid, anybody.role) == ("anybody@example.net", Role.VIEWER)
    assert listed.person("anybody@example.com") is None


def test_the_jid_itself_wins_over_its_domain_also_where_it_gives_less() -> None:
    listed = access({"example.net": "owner", "eve@example.net": {"role": "viewer", "read": ["gate"]}})
    eve = listed.person("eve@example.net")
    assert eve is not None
    assert eve.role is Role.VIEWER
    assert not eve.may_read("pump")


def test_the_agents_own_account_is_owner_whatever_is_written() -> None:
    me = access({OWN: "viewer"}).person(OWN)
    assert me is not None
    assert me.is_owner
    assert access({}).person("pi2@example.org") is None


@pytest.mark.parametrize(
    ("patterns", "matches"), [(("*",), False), (("lamp",), False), (("mqtt:*",), True), (("mqtt:lamp", "x"), True)]
)
def test_patterns_match_discovered_things_only_if_they_say_so(patterns: tuple[str, ...], matches: bool) -> None:
    someone = Person(jid="bob@example.org", role=Role.OPERATOR, acts_on=patterns, sees=patterns)
    assert someone.may_act("lamp", discovered=True) is matches
    assert someone.may_read("lamp", discovered=True) is matches


def test_a_pattern_for_discovered_things_matches_no_configured_one() -> None:
    someone = Person(jid="bob@example.org", role=Role.OPERATOR, acts_on=("mqtt:*",))
    assert not someone.may_act("lamp")


def test_owners_need_no_pattern_and_those_who_see_all_see_discovered_things_too() -> None:
    assert Person(jid="a@example.org", role=Role.OWNER).may_act("lamp", discovered=True)
    assert Person(jid="v@example.org", role=Role.VIEWER).may_read("lamp", discovered=True)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("needed", list(Role))
def test_roles_include_those_below(role: Role, needed: Role) -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.OWNER]
    assert Person(jid="x@example.org", role=role).at_least(needed) is (order.index(role) >= order.index(needed))


def test_the_list_can_be_walked() -> None:
    assert set(access({"a@example.org": "viewer", "example.net": "viewer"}).listed) == {"a@example.org", "example.net"}
