"""What makes two IQs the same request."""

from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from tests.support.stanzas import incoming

from jidget.commands.model import Face
from jidget.xmpp.request import digest, request_of

DIFFERENT = [
    "<a xmlns='u'/>",
    "<b xmlns='u'/>",
    "<a xmlns='v'/>",
    "<a xmlns='u' x='1'/>",
    "<a xmlns='u' x='2'/>",
    "<a xmlns='u'>x</a>",
    "<a xmlns='u'><b/></a>",
    "<a xmlns='u'><b/><c/></a>",
    "<a xmlns='u'><b><c/></b></a>",
    "<a xmlns='u'><c/><b/></a>",
    "<a xmlns='u'><b/>x<c/></a>",
    "<a xmlns='u'><b>x</b><c/></a>",
]


def test_what_says_something_else_has_another_digest() -> None:
    for one, other in combinations(DIFFERENT, 2):
        assert digest(ET.fromstring(one)) != digest(ET.fromstring(other))


def test_what_says_the_same_has_the_same() -> None:
    one, other = "<a xmlns='u' x='1' y='2'><b/></a>", '<n:a y="2" x="1" xmlns:n="u"><n:b></n:b></n:a>'
    assert digest(ET.fromstring(one)) == digest(ET.fromstring(other))


def test_depth_does_not_matter() -> None:
    deep = "<a>" * 50_000 + "</a>" * 50_000
    assert len(digest(ET.fromstring(deep))) == 32


def test_the_key_is_of_full_jid_id_and_content() -> None:
    def key(sender: str = "alice@example.org/phone", id: str = "1", payload: str = "<a xmlns='u'/>") -> str | None:
        return request_of(incoming(payload, sender, id=id), Face.IQ).key

    assert key() == key()
    assert len({key(), key("alice@example.org/laptop"), key(id="2"), key(payload="<b xmlns='u'/>")}) == 4


def test_who_asks_and_how_old_it_is() -> None:
    request = request_of(incoming("<a xmlns='u'/>", "Alice@Example.org/Phone", age=3.5), Face.FORM)
    assert (request.jid, request.asker) == ("alice@example.org", "alice@example.org/Phone")
    assert request.face is Face.FORM
    assert request.age == pytest.approx(3.5, abs=1.0)


def test_what_had_to_wait_is_older_than_when_it_arrived() -> None:
    iq = incoming("<a xmlns='u'/>", age=3.5)
    assert request_of(replace(iq, arrived=iq.arrived - 60.0), Face.IQ).age == pytest.approx(63.5, abs=1.0)
    assert request_of(replace(iq, age=None), Face.IQ).age is None
