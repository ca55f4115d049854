"""The short cut for bare paths, and the meter, change no result: all is as Jinja2 makes it."""

import json
import random
from contextlib import suppress
from typing import Any

import pytest
from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tests.support.mqtt_corpus import corpus

from jidget.mqtt import sandbox, templates
from jidget.mqtt.model import Message
from jidget.mqtt.templates import TemplateFailed, Templates

JSON = {
    "a": 1, "b": [1, 2, 3], "s": "abc", "f": 1.50, "n": None, "t": True, "d": {"x": {"y": "z"}, "items": 3},
    "28-4010": {"temp": 21.5}, "ü": " wide ", "in": 7, "0": "zero", "": "empty",
}  # fmt: skip


def message(payload: Any) -> Any:
    return Message(topic="t", payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode())


def result(call: Any, *arguments: Any, **named: Any) -> Any:
    """Return what comes of it, with "undefined" and "failed" for what Home Assistant does differently."""
    try:
        return call(*arguments, **named)
    except TemplateFailed as failed:
        return ("undefined" if failed.payload_counts else "failed",)


@pytest.fixture(scope="module")
def plain() -> Any:
    """Render with Jinja2 itself, with all filters, but neither the meter nor the short cut."""
    ours = sandbox.Sandbox()
    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"])
    builtin = environment.filters
    environment.filters = {**ours.filters, **{name: builtin[name] for name in builtin if name in ours.filters}}
    environment.filters.update({name: ours.filters[name] for name in ("float", "int", "round", "is_defined")})
    environment.tests = {**ours.tests, **environment.tests}
    environment.globals = {**ours.globals, "range": range}

    def rendered(template: Any, given: Any, **variables: Any) -> Any:
        ours.budget.renew()
        names = dict(variables)
        if given is not None:
            names["value"] = given.text
            with suppress(ValueError):
                names["value_json"] = json.loads(given.text)
        try:
            return environment.from_string(template.strip()).render(names).strip()
        except TemplateSyntaxError:
            return ("failed",)
        except TemplateError:
            return ("undefined",)
        except Exception:  # compared with whatever ours says
            return ("failed",)

    return rendered


def test_bare_paths_are_what_jinja_makes_of_them(plain: Any) -> None:
    choose = random.Random(5)
    names = ["a", "b", "s", "f", "n", "t", "d", "x", "y", "zz", "items", "keys", "get", "count", "in", "is", "none",
             "real", "upper", "_a", "__class__", "28-4010", "ü", "0", "", "temp", "a b"]  # fmt: skip
    values = [JSON, {}, [], [JSON, "q"], "text", "", 7, -0.0, 1e22, 1.0, True, None, [[1, [2]]], {"a": {"b": None}},
              b"no json", b"", b" 7 ", b"\xc3\xbc", b'"quoted"', b"NaN"]  # fmt: skip
    short, seen = 0, set()
    for _ in range(4000):
        path = choose.choice(["value", "value_json", "value_json", "value_json"])
        for _ in range(choose.choice([0, 1, 1, 2, 3])):
            name = choose.choice(names)
            quote = choose.choice("'\"")
            step = choose.choice([f"[{quote}{name}{quote}]", f"[ {quote}{name}{quote} ]", f"[{choose.randrange(3)}]"])
            path += f".{name}" if name.isidentifier() and choose.random() < 0.5 else step
        path += choose.choice(["", "", " | is_defined", "|is_defined"])
        template = choose.choice(["{{ %s }}", "{{%s}}", "{{- %s -}}", " {{ %s }}\n", "{{  %s  }}"]) % path
        short += isinstance(templates._compile(template), templates._Path)
        given = message(choose.choice(values))
        expected = plain(template, given)
        if isinstance(expected, str) and " at 0x" in expected:
            continue
        seen.add(expected)
        assert result(Templates().render, template, given) == expected, (template, given.payload)
    assert short > 2000
    assert {("undefined",), "", "None", "1", "r", "True", "1e+22"} <= seen


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(3) %}{{ i }},{% endfor %}",
        "{% for i in b if i > 1 %}{{ loop.index }}/{{ loop.length }}{% else %}none{% endfor %}",
        "{% for k, v in value_json.items() %}{{ k }}={{ v }};{{ loop.last }}{% endfor %}",
        "{% for i in [[1, [2]], 3] recursive %}"
        "{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% endfor %}",
        "{% for i in range(9) %}{% if i == 2 %}{% continue %}"
        "{% elif i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "{% set ns = namespace(x=0) %}{% for i in value_json.b %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
        "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}[{{ a }}]{% endset %}"
        "{{ c }}{% set d | upper %}x{% endset %}{{ d }}",
        "{% macro m(x, y=2) %}<{{ x }}{{ y }}{{ caller() if caller else '' }}>{% endmacro %}"
        "{{ m(1) }}{% call m(3) %}!{% endcall %}",
        "{% block x %}in{% endblock %}{{ self.x() }}"
        "{% filter upper %}ab{% endfilter %}{% with q = 3 %}{{ q }}{% endwith %}",
        "{% do value_json.get('a') %}{{ value_json.get('q', 'no') }}{{ value_json.s.upper() }}",
        "{{ 'a' ~ 1 ~ none ~ [1] ~ q }}{{ 'x' * 3 }}{{ [1] * 2 + [3] }}{{ (1, 2) }}{{ {'a': [1]} }}{{ () }}",
        "{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 10 }}{{ 7 / 2 }}{{ -3 }}{{ +3 }}{{ 1 - 2 }}",
        "{{ 1 < 2 <= 2 != 3 }}{{ 'b' in 'abc' }}{{ 4 not in [4] }}{{ 1 == 1.0 and not false or x }}",
        "{{ value_json.b[1:] }}{{ value_json.s[::-1] }}{{ value_json['b'][-1] }}{{ value_json.b[9] }}",
        "{{ '%.2f|%5s|%-4d|%%' % (1.234, 'ab', 7) }}{{ '%s' | format(3) }}{{ '{:>5}{a!r:.2}'.format('x', a='yy') }}",
        "{{ value_json.b | map('string') | join('-') }}{{ [{'k': 1}, {'k': 2}] | map(attribute='k') | list }}",
        "{{ [{'k': 1}, {'k': 2}] | sum('k') }}{{ value_json.b | sum(start=4) }}{{ [{'k': 1}] | join(',', 'k') }}",
        "{{ value_json.b | select('gt', 1) | list }}"
        "{{ value_json.b | reject('odd') | list }}{{ [3, 1] | sort | first }}",
        "{{ value_json | tojson }}{{ {'b': 1, 'a': 2} | dictsort }}"
        "{{ [1, 1] | unique | list }}{{ 'abc' | batch(2) | list }}",
        "{{ 'abc' | replace('b', 'x') | upper | center(7) | trim }}"
        "{{ 'a b' | wordcount }}{{ 'abcdef' | truncate(4, true, '') }}",
        "{{ q | default('d') }}{{ '' | default('d', true) }}"
        "{{ q is defined }}{{ none is none }}{{ 4 is divisibleby 2 }}",
        "{{ 'x' if value_json.t else 'y' }}{{ 'x' if q }}"
        "{{ [1, 2] | length }}{{ 'abc' | list | last }}{{ 'ab' | first }}",
        "{% if value_json.a == 1 %}one{% elif 2 %}two{% else %}three{% endif %}{% raw %}{{ raw }}{% endraw %}{# no #}",
        "{{ {0: 'off', 1: 'low'}[value_json.a] | default('') }}{{ ((float(value_json.f) * 99) | round(0)) + 1 }}",
        "{{ q.r }}",
        "{{ 1 + 'x' }}",
        "{{ 'x' | float }}",
        "{{ [] | first }}",
        "{{ value_json.n.x }}",
        "{{ value_json() }}",
        "{{ undefined_function() }}",
        "{{ 1 / 0 }}",
        "{{ value_json.b.append(3) }}",
        "{% set values = {None: None, 'idle': 'off'} %}{{ values[value_json['n']] }}",
        "{{ joiner(',')() }}{{ cycler(1, 2).next() }}{{ dict(a=1) }}"
        "{{ range(2, 5) | list }}{{ dict.fromkeys([1], 2) }}",
    ],
)
def test_the_meter_changes_no_result(plain: Any, template: Any) -> None:
    given = message(JSON)
    assert result(Templates().render, template, given, b=[1, 2, 3]) == plain(template, given, b=[1, 2, 3])


def test_the_corpus_is_rendered_as_jinja_does(plain: Any) -> None:
    pairs = set()
    for row in corpus():
        found = [value for key, value in row["payload"].items() if key.endswith("template") and isinstance(value, str)]
        pairs |= {(template, state["payload"]) for template in found for state in row.get("states", ())}
    assert len(pairs) > 1000
    for template, payload in sorted(pairs):
        given = message(payload.encode())
        assert result(Templates().render, template, given) == plain(template, given), template
