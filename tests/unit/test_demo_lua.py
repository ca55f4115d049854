"""What is written into Prosody's files."""

from pathlib import Path

import pytest

from jidget.demo.prosody import LuaValue, encode, lua


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (600, "600"),
        (0.5, "0.5"),
        ("SHA-1", '"SHA-1"'),
        ("käse", '"käse"'),
        ('a "b" \\c', r'"a \"b\" \\c"'),
        ("one\r\ntwo\0", r'"one\r\ntwo\000"'),
        ("\x001", r'"\0001"'),
        (Path("/tmp/x"), '"/tmp/x"'),
        ([], "{  }"),
        (["tls", 5222], '{ "tls"; 5222 }'),
        (("a",), '{ "a" }'),
        ({"rate": "3kb/s"}, '{ ["rate"] = "3kb/s" }'),
        ({False: {}, "a@b": True}, '{ [false] = {  }; ["a@b"] = true }'),
    ],
)
def test_lua(value: LuaValue, text: str) -> None:
    assert lua(value) == text


@pytest.mark.parametrize(
    ("name", "file"),
    [("pi", "pi"), ("home.example", "home%2eexample"), ("pi-3_b", "pi%2d3%5fb"), ("ü", "%c3%bc")],
)
def test_names_of_files(name: str, file: str) -> None:
    assert encode(name) == file
