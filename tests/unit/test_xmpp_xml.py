"""XML: nothing that leaves us may end the stream."""

from xml.etree import ElementTree as ET

import pytest

from jidget.xmpp.xml import element, error_reply, escape, legal, parse_jid, result_reply, serialise, text_of

HOSTILE = [
    "plain",
    "<a b='c' d=\"e\">&amp;</a> ]]>",
    "tab\tline\n",
    "äöü ☃ 🌱 \U0001f600",
    "\x00\x01\x08\x0b\x0c\x0e\x1f",
    "\ufffe\uffff",
    "\ud800 alone \udfff",
    "\x7f\x9f\u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_and_attribute_survives_or_is_replaced(text: str) -> None:
    made = element("{urn:x}a", {"b": text}, text, element("{urn:x}c", None, text))
    back = ET.fromstring(f"<root xmlns='jabber:client'>{serialise(made)}</root>")[0]
    assert back.text == legal(text)
    assert (back.get("b") or "").split() == legal(text).split()  # XML 1.0 3.3.3 turns a line break in one into a blank
    assert back[0].text == legal(text)
    assert ET.fromstring(f"<a b='{escape(text)}' c=\"{escape(text)}\">{escape(text)}</a>").text == legal(text)


def test_illegal_characters_become_one_mark_each() -> None:
    assert legal("a\x00b\ud800c\uffff") == "a\ufffdb\ufffdc\ufffd"
    assert legal("tab\t lf\n cr\r ü 🌱") == "tab\t lf\n cr\r ü 🌱"


def test_namespaces_are_declared_where_they_change() -> None:
    inner = element("{urn:a}in", None, element("{urn:b}deep"), element("{jabber:client}back"))
    made = element("{jabber:client}iq", {"type": "get"}, inner)
    assert serialise(made) == (
        "<iq type='get'><in xmlns='urn:a'><deep xmlns='urn:b'/><back xmlns='jabber:client'/></in></iq>"
    )
    assert serialise(element("{urn:a}in"), "urn:a") == "<in/>"


def test_attributes_of_namespaces() -> None:
    made = element("{urn:a}x", {"{http://www.w3.org/XML/1998/namespace}lang": "en", "{urn:b}y": "1", "{urn:b}z": "2"})
    back = ET.fromstring(serialise(made))
    assert back.attrib == made.attrib


def test_mixed_content_keeps_its_order() -> None:
    text = "<p xmlns='urn:a'>one<b>two</b>three<b/>four</p>"
    assert serialise(ET.fromstring(text)) == text


def test_what_is_none_is_left_out() -> None:
    assert element("{urn:a}x", {"a": None, "b": ""}).attrib == {"b": ""}
    assert element("{urn:a}x", None, "one ", "two").text == "one two"


def test_text_of_a_child() -> None:
    parent = ET.fromstring("<a><b>x</b><c/></a>")
    assert (text_of(parent, "b"), text_of(parent, "c"), text_of(parent, "d")) == ("x", "", None)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("Alice@Example.ORG/Phone", "alice@example.org/Phone"),
        ("example.org", "example.org"),
        ("", None),
        (None, None),
        ("@example.org", None),
        ("a b@example.org", None),
        ("a@" + "x" * 2000, None),
    ],
)
def test_jids_are_normalised_or_none(text: str | None, full: str | None) -> None:
    jid = parse_jid(text)
    assert (jid.full if jid is not None else None) == full


def test_an_error_says_what_and_to_whom() -> None:
    request = ET.fromstring("<iq xmlns='jabber:client' type='set' id='7' from='a@b/c' to='us@b/d'><x xmlns='u'/></iq>")
    reply = error_reply(request, "bad-request", "no <x/>", kind="modify", application=ET.Element("{urn:a}why"))
    assert (reply.get("type"), reply.get("to"), reply.get("id"), reply.get("from")) == ("error", "a@b/c", "7", None)
    (error,) = reply
    assert error.get("type") == "modify"
    stanzas = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
    assert [child.tag for child in error] == [f"{stanzas}bad-request", f"{stanzas}text", "{urn:a}why"]
    assert error.findtext(f"{stanzas}text") == "no <x/>"
    assert [child.tag for child in error_reply(request, "forbidden")[0]] == [f"{stanzas}forbidden"]


def test_a_result_goes_back_under_the_same_id() -> None:
    request = ET.fromstring("<iq xmlns='jabber:client' type='get' id='8' from='a@b/c'><x xmlns='u'/></iq>")
    reply = result_reply(request, element("{urn:a}y"))
    assert serialise(reply) == "<iq type='result' to='a@b/c' id='8'><y xmlns='urn:a'/></iq>"
