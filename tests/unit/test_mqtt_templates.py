import json
import math
import subprocess
import sys
from typing import Any

import pytest

from jidget.mqtt import templates
from jidget.mqtt.model import Message
from jidget.mqtt.templates import TemplateFailed, Templates

JSON = {
    "a": 1, "b": [1, 2, 3], "s": "abc", "f": 1.50, "n": None, "t": True, "d": {"x": {"y": "z"}, "items": 3},
    "28-4010": {"temp": 21.5}, "ü": " wide ", "in": 7, "0": "zero", "": "empty",
}  # fmt: skip


def message(payload: Any) -> Any:
    return Message(topic="t", payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode())


def render(template: Any, payload: Any = JSON, **variables: Any) -> Any:
    return Templates().render(template, message(payload), **variables)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain text ", "plain text"),
        ("{{ value_json.f | float | round(1) }}", "1.5"),
        (
            "{{ 2.5 | round }}{{ 2.31 | round(1, 'ceil') }}{{ 2.39 | round(1, 'floor') }}{{ 2.3 | round(0, 'half') }}",
            "22.42.32",
        ),
        (
            "{{ 'x' | float(0) }}{{ 'x' | int(7) }}{{ '1f' | int(0, 16) }}"
            "{{ int('3.9') }}{{ 'x' | round(1, default=4) }}",
            "073134",
        ),
        ("{{ 'on' | bool }}{{ 'x' | bool('?') }}{{ bool(0) }}", "True?False"),
        ("{{ is_number('1e3') }}{{ 'nan' | is_number }}{{ '1' is is_number }}", "TrueFalseTrue"),
        ("{{ 5 | bitwise_and(4) }}{{ 5 | bitwise_or(2) }}{{ bitwise_xor(5, 1) }}", "474"),
        ("{{ '3' | multiply(2) }}{{ '3' | add(1.5) }}{{ 'x' | add(1, 9) }}", "6.04.59"),
        ("{{ 100 | log(10) }}{{ 16 | sqrt }}{{ pi | round(2) }}{{ atan2(1, 1) | round(3) }}", "2.04.03.140.785"),
        (
            "{{ [1, 2, 6] | average }}{{ median([3, 1, 2]) }}{{ average([], 5) }}{{ statistical_mode([1, 2, 2]) }}",
            "3.0252",
        ),
        (
            "{{ min(3, 1) }}{{ max([4, 2]) }}{{ [3, 1] | min }}{{ clamp(9, 1, 5) }}{{ 370 | wrap(0, 360) }}",
            "1415.010.0",
        ),
        ("{{ '{\"a\": [1]}' | from_json }}{{ 'x' | from_json('d') }}", "{'a': [1]}d"),
        ("{{ {'b': 1.0, 'a': [none, true, 'ü']} | to_json }}", '{"b":1.0,"a":[null,true,"ü"]}'),
        ("{{ {'b': 1, 'a': 2} | to_json(sort_keys=true, pretty_print=true) }}", '{\n  "a": 2,\n  "b": 1\n}'),
        (
            "{{ value_json.s is match('a.c') }}{{ 'xabc' is match('abc') }}{{ 'xabc' is search('ABC', true) }}",
            "TrueFalseTrue",
        ),
        (
            "{{ 'a1b22' | regex_replace('([0-9]+)', '<\\\\1>') }}{{ 'a1b22' | regex_findall('[0-9]+') }}",
            "a<1>b<22>['1', '22']",
        ),
        ("{{ 'a1b22' | regex_findall_index('[0-9]+', 1) }}{{ 'x-1' | regex_search('^x') }}", "22True"),
        (
            "{{ 'aGk=' | base64_decode }}{{ 'hi' | base64_encode }}{{ 'a' | md5 }}",
            "hiaGk=0cc175b9c0f1b6a831c399e269772661",
        ),
        (
            "{{ 258 | pack('>H') }}{{ 258 | pack('>H') | unpack('>H') }}{{ 'ff' | from_hex }}{{ 'a' | ord }}",
            "b'\\x01\\x02'258b'\\xff'97",
        ),
        (
            "{{ 0 | timestamp_utc }}|{{ 86400 | timestamp_custom('%d.%m.', false) }}|{{ 'x' | timestamp_utc('d') }}",
            "1970-01-01T00:00:00+00:00|02.01.|d",
        ),
        (
            "{{ '2026-01-02T03:04:05Z' | as_timestamp | int }}"
            "{{ as_datetime('2026-01-02 03:04').hour }}{{ as_datetime('x') }}",
            "17673230453None",
        ),
        (
            "{{ strptime('2026', '%Y').year }}{{ now().tzinfo is not none }}"
            "{{ (now() - utcnow()) < timedelta(seconds=9) }}",
            "2026TrueTrue",
        ),
        (
            "{{ true | iif('a', 'b') }}{{ iif(none, 1, 2, 3) }}"
            "{{ 'Ä bc' | slugify }}{{ 3 | ordinal }}{{ 12 | ordinal }}",
            "a3a_bc3rd12th",
        ),
        (
            "{{ [1, [2, [3]]] | flatten }}{{ flatten([1, [2, [3]]], 1) }}{{ [1, 2] | union([2]) | sort }}",
            "[1, 2, 3][1, 2, [3]][1, 2]",
        ),
        (
            "{{ combine({'a': {'b': 1}}, {'a': {'c': 2}}, recursive=true) }}"
            "{{ [1] | contains(1) }}{{ 'a' is string_like }}",
            "{'a': {'b': 1, 'c': 2}}TrueTrue",
        ),
        (
            "{{ zip([1], [2]) | list }}{{ 1.5 | typeof }}{{ set([1]) }}{{ [1] is list }}{{ urlencode({'a': 'b c'}) }}",
            "[(1, 2)]float{1}Trueb'a=b+c'",
        ),
        (
            "{{ states('sensor.x') }}{{ is_state('a', 'b') }}{{ state_attr('a', 'b') }}{{ has_value('a') }}",
            "unknownFalseNoneFalse",
        ),
    ],
)
def test_what_home_assistant_adds(template: Any, expected: Any) -> None:
    assert render(template) == expected


def test_variables_of_commands() -> None:
    one = Templates()
    assert one.render('{ "position": {{ position }} }', None, position=40) == '{ "position": 40 }'
    assert one.render("{{ value }}", None, value=21.5) == "21.5"
    assert one.render("{{ value | int }}", None, value=21.5) == "21"
    assert one.render("{{ volume | default('none') }}", None, value=None) == "none"
    assert one.render("{{ value_json.x }}", message({"x": 1}), value="overruled") == "1"


def test_a_payload_that_is_no_json_leaves_value_json_undefined() -> None:
    assert render("{{ value_json is defined }}", b"{") == "False"
    assert render("{{ value }}", b" {\n") == "{"
    assert render("{{ value_json }}", b"{") == ""
    assert render("{{ value_json is defined }}", b"[" * 100_000) == "False"


@pytest.mark.parametrize(
    ("template", "payload_counts"),
    [
        ("{{ value_json.nothing.at_all }}", True),
        ("{{ value_json.nothing | is_defined }}", True),
        ("{{ (value_json.nothing | is_defined) ~ '' }}", True),
        ("{{ nothing.at_all ~ '' }}", True),
        ("{{ value_json.s | float }}", False),
        ("{{ value_json.nothing | float ~ '' }}", True),
        ("{{ 1 / 0 }}", False),
    ],
)
def test_which_failures_leave_the_payload(template: Any, payload_counts: Any) -> None:
    with pytest.raises(TemplateFailed) as failure:
        render(template)
    assert failure.value.payload_counts is payload_counts
    assert str(failure.value)


@pytest.mark.parametrize("template", ["{{ x", "{% if %}", "{{ x | no_such_filter }}", "{% endfor %}", "{{ 1 +  }}"])
def test_what_is_no_template(template: Any) -> None:
    one = Templates()
    for _ in range(2):
        with pytest.raises(TemplateFailed):
            one.check(template)
        with pytest.raises(TemplateFailed):
            one.render(template, message(JSON))
    one.check("{{ value_json.x }}")
    one.check("{{ value | float }}")
    one.check("text")


def test_a_payload_that_is_no_text() -> None:
    with pytest.raises(TemplateFailed, match="no text"):
        render("{{ value }}", b"\xff")


def test_templates_are_compiled_once_and_not_kept_for_ever(monkeypatch: Any) -> None:
    compiled = []
    real = templates._compile

    def counted(text: str) -> Any:
        compiled.append(text)
        return real(text)

    monkeypatch.setattr(templates, "_compile", counted)
    monkeypatch.setattr(templates, "MOST_TEMPLATES", 3)
    one = Templates()
    for text in ("a", "b", "c", "a", "c", "d", "a"):
        one.render(text, None)
    assert compiled == ["a", "b", "c", "d", "a"]


def test_jinja_is_not_imported_for_bare_paths() -> None:
    code = (
        "import sys; from jidget.mqtt.templates import Templates; from jidget.mqtt.model import Message;"
        "m = Message(topic='t', payload=b'{\"x\": 1}'); t = Templates();"
        "print([t.render(s, m) for s in ('{{ value_json.x }}', 'a', "
        "'{{ value }}', '{{ value_json[\"x\"] | is_defined }}')]);"
        "print('jinja2' in sys.modules); t.render('{{ 1 + 1 }}', m); print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['1', 'a', '{\"x\": 1}', '1']", "False", "True"]


def test_numbers_are_written_as_python_does() -> None:
    for number in (0.1, 1e22, 1e-7, 100000.0, -0.0, 12345678901234567890, math.pi):
        assert render("{{ value_json }}", number) == str(json.loads(json.dumps(number)))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("T=21.5,H=40.0,P=1013.2", r"^T=(-?\d+\.\d+),H=(\d+\.\d+),P=(.*)$"),
        ("x" * 5000 + "7", r"[0-9]+"),
        ("key: value; other: thing", r"(\w+): (\w+)"),
        ("state=on,power=12.5 W", r"power=([0-9.]+)\s*W"),
        ("aa:bb:cc:dd:ee:ff", r"^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$"),
        ("single_left", r"^(?:single|double|hold)_(?:left|right)$"),
        ("2026-11-21T17:00:00Z", r"^(\d{4})-(\d\d)-(\d\d)T.*Z$"),
    ],
)
def test_regular_expressions_that_devices_use_are_tried(text: str, pattern: str) -> None:
    assert Templates().render("{{ value | regex_search(p) }}", message(text.encode()), p=pattern) == "True"
