"""Templates that want to hurt: each is stopped before it takes 0.1 s of processor time, and none takes memory."""

import json
import sys
from subprocess import run
from typing import Any

import pytest

from jidget.mqtt.model import LARGEST_PAYLOAD, Message
from jidget.mqtt.templates import LONGEST_TEMPLATE, MOST_STRIKES, TemplateFailed, Templates, TooMuch

CPU_SECONDS = 0.5
"""Of one rendering: some 70 ms on a quiet machine; a busy one counts more."""
MEMORY_KIB = 20 * 1024

LOOPS = """
{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}{% endfor %}{% endfor %}
{% for a in range(3000) %}{% for b in range(3000) %}{% endfor %}{% endfor %}
{% for a in range(99999) if a < 0 %}{% endfor %}{% for a in range(99999) if a < 0 %}{% endfor %}
{% for a in range(99999) %}{% for b in range(99999) %}{% continue %}{% endfor %}{% endfor %}
{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}
{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}
{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}
{% for a in [[1]] recursive %}{{ loop([a]) }}{{ loop([a]) }}{% endfor %}
{% set n = namespace(x='a') %}{% for i in range(99999) %}{% set n.x = n.x + n.x %}{% endfor %}
{% set n = namespace(x='a') %}{% for i in range(99999) %}{% set n.x = n.x ~ n.x %}{% endfor %}
{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}
{% set n = namespace(x=(1,)) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}{% endfor %}{{ {n.x: 1} }}
{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}
{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = zip([n.x], [n.x]) | list %}{% endfor %}{{ n.x }}
{% set n = namespace(x=2) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}{{ n.x }}
{% set n = namespace(x={}) %}{% for i in range(99999) %}{% set n.x = combine(n.x, {i: n.x}) %}{% endfor %}{{ n.x }}
{% for i in range(99999) %}{{ value in value }}{% endfor %}
{% for i in range(99999) %}{{ value | upper | lower | length }}{% endfor %}
{% for i in range(99999) %}{% set x %}{{ value }}{% endset %}{% endfor %}
{% for i in range(99999) %}{% if value_json == value_json %}{% endif %}{% endfor %}
{% for i in range(99999) %}{{ value[::-1] | length }}{% endfor %}
{% for i in range(99999) %}{{ value.find('q') }}{% endfor %}
{% for i in range(99999) %}{{ value_json.index(7) }}{% endfor %}
{% for i in range(999) %}{{ value_json | sort | first }}{% endfor %}
{% for i in range(999) %}{{ value | tojson | length }}{% endfor %}
{% for i in range(9999) %}{{ value | md5 }}{% endfor %}
{{ range(99999) | map('string') | map('upper') | map('lower') | list | length }}
{{ range(99999) | list | sort | unique | list | length }}
{{ range(99999) | sum }}{{ range(99999) | join }}{{ range(99999) | batch(3) | list | length }}
{{ range(99999) | slice(99999999) | list | length }}
{{ [range(99999) | list] * 99999 }}
{{ cycler(*range(99999)) }}{{ dict(a=range(99999) | list) }}{{ set(range(99999)) }}
{{ flatten([range(99999) | list, range(99999) | list]) | length }}
{{ value | list | random }}{{ value.split('a') | length }}{{ value | batch(1) | list | length }}
{{ value | wordcount }}{{ value | title | length }}{{ value | slugify | length }}{{ value | urlencode | length }}
"""
GROWTH = """
{{ 'a' * 999999999 }}
{{ 999999999 * 'a' }}
{{ [1] * 999999999 }}
{{ (1, 2) * 999999999 }}
{{ '%0999999999d' % 1 }}
{{ '%*d' % (999999999, 1) }}
{{ '%.999999999f' % 1.5 }}
{{ '%(a)999999999s' % {'a': 1} }}
{{ '%999999999s' | format(1) }}
{{ '{:999999999}'.format(1) }}
{{ '{:{w}}'.format(1, w=999999999) }}
{{ '{:.999999999f}'.format(1.5) }}
{{ '{a:>999999999}'.format_map({'a': 1}) }}
{{ 'a'.ljust(999999999) }}
{{ 'a'.rjust(999999999) }}
{{ 'a'.center(999999999) }}
{{ 'a'.zfill(999999999) }}
{{ 'a' | center(999999999) }}
{{ '\\t'.expandtabs(999999999) }}
{{ '\\t'.expandtabs(tabsize=999999999) }}
{{ ('a' * 100000).replace('a', 'b' * 100000) }}
{{ ('a' * 100000) | replace('a', 'b' * 100000) }}
{{ ('a' * 100000) | replace('', 'b' * 100000) }}
{{ ('b' * 100000).join('a' * 100000) }}
{{ ('a' * 100000) | join('b' * 100000) }}
{{ 'a' | indent(999999999) }}
{{ [1, [2]] | tojson(999999999) }}
{{ ('a' * 100000).translate({97: 'b' * 100000}) }}
{{ 9 ** 999999999 }}
{{ 2 ** 9999999 ** 9 }}
{{ 9 ** 9 ** 9 ** 9 }}
{{ 1 | round(999999999) }}
{{ 1.5 | round(-999999999) }}
{{ (1).to_bytes(999999999, 'big') }}
{{ (1).to_bytes(length=999999999, byteorder='big') }}
{{ (('f' * 200000) | int(0, 16)) ** 2 }}
{{ (('f' * 200000) | int(0, 16)) // (('f' * 99999) | int(0, 16)) }}
{{ 1 | pack('999999999x') }}
{{ 'a' | pack('999999999s') }}
{{ now().strftime('%999999999Y') }}
{{ now().strftime('%Y' * 9999) }}
{{ 0 | timestamp_custom('%Y' * 9999) }}
{{ lipsum(n=99999) }}
{{ range(10 ** 9) | list }}
{{ range(999999999999999999999999) }}
{{ [[1] * 9999] * 9999 }}
{{ ['a' * 100000] * 9999 }}
{{ [['a' * 200000] * 9] | sum(start=[]) }}
{{ [[1] * 9999, [1] * 9999, [1] * 9999, [1] * 9999, [1] * 9999] | sum(start=[]) }}
{{ ('a' * 9999).encode('idna') }}
{{ ('a' * 9999).encode('punycode') }}
{% autoescape true %}{{ '&' * 200000 }}{% endautoescape %}
"""
PATTERNS = """
{{ ('a' * 40) | regex_match('(a+)+$b') }}
{{ ('a' * 40) | regex_search('(a|a)*b') }}
{{ ('a' * 40) | regex_search('(a|aa)+$b') }}
{{ ('a' * 40) is search('(x?a?)*b') }}
{{ ('a' * 40) is match('((a*)*)*b') }}
{{ ('a' * 9999) | regex_replace('a*a*a*a*b', '') }}
{{ ('a' * 9999) | regex_findall('(.*)(.*)(.*)b') }}
{{ ('a' * 40) | regex_findall_index('(.*?,){25}P') }}
{{ 'a' | regex_search('(?:(?:){60000}){60000}') }}
{{ ('a' * 9999) | regex_replace('a', 'b' * 9999) }}
{{ ('a' * 9999) | regex_replace('(a+)', '\\\\1\\\\1\\\\1\\\\1' * 99) }}
{{ 'a' | regex_search('(' * 250 + ')' * 250) }}
{{ 'a' | regex_search('a{65535}' * 60) }}
{{ ('a' * 200000) | regex_findall('a') | length }}
{{ strptime(' ' * 200000, ' %d ' * 20) }}
"""
ESCAPES = """
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ value.__class__ }}{{ (value | attr('__class__')).mro() }}
{{ self.__init__.__globals__ }}
{{ range.__self__.__import__('os') }}
{{ cycler.__init__.__globals__.os.popen('id').read() }}
{{ joiner.__init__.__globals__ }}{{ namespace.__init__.__globals__ }}
{{ '{0.__class__.__init__.__globals__}'.format(now) }}
{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}
{{ value_json.append(1) }}
{{ value_json.pop() }}{{ value_json.clear() }}
{% set n = namespace() %}{{ n.__class__.__init__.__globals__ }}
{% include '/etc/passwd' %}
{% import '/etc/passwd' as x %}
{% extends '/etc/passwd' %}
{{ (range(9) | map('string')).gi_frame.f_globals }}
{{ ([1] | map(attribute='__class__') | list)[0].mro() }}
{{ loop.__init__ }}{{ m.__call__ }}{{ context }}{{ environment }}
"""
SYNTAX = [
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ " + "-" * 4000 + "1 }}",
    "{{ " + "not " * 1500 + "1 }}",
    "{{ 1" + " + 1" * 1900 + " }}",
    "{{ 1" + "|e" * 2500 + " }}",
    "{{ a" + ".a" * 2500 + " }}",
    "{{ a" + "[0]" * 2500 + " }}",
    "{{ a" + "()" * 2500 + " }}",
    "{% if a %}" * 400 + "{% endif %}" * 400,
    "{% for a in b %}" * 250 + "{% endfor %}" * 250,
    "{{a}}" * 1600,
    "{{" * 4000,
    "{#" * 4000,
    "{% raw %}" + "{{" * 3000,
    "{{ '" + "\\" * 4000 + "' }}",
    "{{ " + "9" * 8000 + " }}",
    "{{ 1e" + "9" * 4000 + " }}",
    "{% set a = [0] %}" + "{% set a = [a, a] %}" * 350 + "{{ a }}",
    "{% set a = (0,) %}" + "{% set a = (a, a) %}" * 350 + "{{ {a: 1} }}",
    "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 350 + "{{ a }}",
    "{% set a = 'aaaaaaaa' %}" + "{% set a = a + a %}" * 350 + "{{ a }}",
    "{% set a %}aaaaaaaa{% endset %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 180 + "{{ a }}",
    "{{ 1 is defined" + " is defined" * 600 + " }}",
    "a" * (LONGEST_TEMPLATE + 1),
]
HOSTILE = [line for block in (LOOPS, GROWTH, PATTERNS, ESCAPES) for line in block.strip().splitlines()] + SYNTAX
PAYLOADS = [b"x", b"a" * LARGEST_PAYLOAD, json.dumps([[1, "b"]] * 20_000).encode()]

CHILD = """
import json, resource, sys, time
from jidget.mqtt.model import Message
from jidget.mqtt.templates import TemplateFailed, Templates
templates, payloads = json.load(sys.stdin)
results = []
def attempt(template, message):
    message.json if message.payload[:1] == b"[" else None
    one = Templates()
    began = time.process_time()
    try:
        text = one.render(template, message)
    except TemplateFailed as failed:
        text = None
    return time.process_time() - began, None if text is None else len(text)
attempt("{{ 1 }}", Message(topic="t", payload=b"x"))
messages = [Message(topic="t", payload=payload.encode()) for payload in payloads]
[attempt("{{ value_json }}{{ 1 }}", message) for message in messages]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for template in templates:
    for message in messages:
        seconds, length = attempt(template, message)
        results.append((template, len(message.payload), seconds, length))
json.dump({"results": results, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}, sys.stdout)
"""


@pytest.fixture(scope="module")
def measured() -> Any:
    given = json.dumps([HOSTILE, [payload.decode() for payload in PAYLOADS]])
    done = run([sys.executable, "-c", CHILD], input=given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_no_template_takes_long(measured: Any) -> None:
    assert len(measured["results"]) == len(HOSTILE) * len(PAYLOADS)
    slow = [
        (template[:80], size, seconds) for template, size, seconds, _ in measured["results"] if seconds > CPU_SECONDS
    ]
    assert slow == []


def test_nor_much_memory(measured: Any) -> None:
    assert measured["kib"] < MEMORY_KIB


def test_nor_makes_long_texts(measured: Any) -> None:
    assert all(length is None or length <= LARGEST_PAYLOAD for _, _, _, length in measured["results"])


@pytest.mark.parametrize("template", ESCAPES.strip().splitlines())
def test_nothing_gets_out(template: Any) -> None:
    message = Message(topic="t", payload=b"[7]")
    try:
        text = Templates().render(template, message)
    except TemplateFailed:
        text = ""
    assert not any(word in text for word in ("class", "module", "root:", "uid=", "globals", "built-in")), text
    assert message.json == [7]


def test_what_costs_too_much_is_given_up() -> None:
    templates, greedy = (
        Templates(),
        "{% for i in range(value | int) %}{% for j in range(value | int) %}{% endfor %}{% endfor %}",
    )
    small, large = Message(topic="t", payload=b"3"), Message(topic="t", payload=b"9999")
    assert templates.render(greedy, small) == ""
    for _ in range(MOST_STRIKES):
        with pytest.raises(TooMuch, match="steps"):
            templates.render(greedy, large)
        if _ < MOST_STRIKES - 1:
            assert templates.render(greedy, small) == ""
    with pytest.raises(TooMuch, match="any more"):
        templates.render(greedy, small)


def test_a_template_that_is_too_long_is_refused_and_not_kept() -> None:
    templates, message = Templates(), Message(topic="t", payload=b"1")
    long = "{{ value }}" + " " * LONGEST_TEMPLATE
    with pytest.raises(TemplateFailed, match="characters"):
        templates.render(long, message)
    assert templates.render(long[:LONGEST_TEMPLATE], message) == "1"
