"""The JSON Schema of the file says the same as the loader, as far as a schema can."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jidget.config.document import json_schema
from jidget.config.loader import read
from jidget.config.values import COMMAND_WORDS, THING_ID
from jidget.errors import ConfigError

XMPP = '[xmpp]\njid = "pi@example.org"\n'
PUMP = '[things.pump]\ndriver = "simulated"\n'

GOOD = [
    XMPP,
    '[xmpp]\njid = "Pi@example.org/the barn"',
    f'{XMPP}password_file = "password"\nca_file = "~/ca.pem"',
    f'{XMPP}host = "::1"\nport = 5222\nsecurity = "starttls"\naccount = "person"\nliveness = "2s"',
    f'{XMPP}[access]\n"a@b.org" = "owner"\n"b@b.org" = "operator"\n"b.org" = "viewer"',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "owner" }}\n"b@b.org" = {{ role = "operator" }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "operator", things = ["pump", "gate*"], read = ["*"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "viewer", read = ["pump"] }}',
    f'{XMPP}[report]\nmin_interval = "500ms"\nmax_interval = "1,5 H"\ndeadband = 0.5',
    f"{XMPP}[store]",
    f"{XMPP}[store]\npath = 'x.db'\nkeep = '1,5 D'\nmax_size = '1.5 gib'\ndurability = 'full'",
    PUMP + XMPP,
    f'{XMPP}{PUMP}label = "Pumpe für Öl"\naliases = ["water", "Wasser"]\ninterval = "30s"\ntimeout = "1 min"',
    f"{XMPP}{PUMP}report = {{ min_interval = '1s', max_interval = '1d', deadband = 2 }}",
    f"{XMPP}{PUMP}report.deadband = {{ temperature = 0.2, cpu_load = 1 }}",
    f'{XMPP}{PUMP}properties.level = {{ offset = -0.4, scale = 2, precision = 1, label = "x", aliases = ["y"] }}',
    f"{XMPP}{PUMP}[things.pump.options]\nanything = [1, {{ a = 'b' }}]",
    f"{XMPP}[mqtt]",
    f"{XMPP}[mqtt]\nhost = '::1'\nport = 1884\nusername = 'jidget'\npassword_file = 'x'\nclient_id = 'jidget-a.b'",
    f"{XMPP}[mqtt]\ntls = true\nca_file = 'ca.pem'\ncert_file = 'c.pem'\nkey_file = 'c.key'\nbirth = false",
    f"{XMPP}[mqtt]\ndiscovery_prefix = 'home/ha'\ninclude = ['kitchen*', 'area:Küche: oben']\nexclude = []",
    f"{XMPP}[mqtt]\nexclude = ['*_linkquality', 'kind:update', 'device:0x*']\ndiagnostics = true\nsettings = true",
    f"{XMPP}[mqtt]\nformats = ['homie']\n[mqtt.topics.boiler]\nqos = 1\nlabel = 'The boiler'\narea = 'Cellar'\n"
    "available = { topic = 'b', path = 'x', online = '1', offline = '0' }\n[mqtt.topics.boiler.properties]\n"
    "t = { topic = 'b/1', path = 'data[0].t', unit = '°C', expires = 60 }\nm = { set_topic = 'b/2', type = 'text' }\n"
    "c = { topic = 'b/3', type = 'choice', options = ['eco'], set_topic = 'b/4', set_payload = '{{ value }}' }",
]

BAD = [
    "",
    "[xmpp]",
    "xmpp = 3",
    '[xmpp]\njid = "example.org"',
    "[xmpp]\njid = 3",
    f'{XMPP}password = "x"',
    f'{XMPP}port = "5222"\nhost = "x"',
    f"{XMPP}port = 5222",
    f'{XMPP}port = 0\nhost = "x"',
    f'{XMPP}host = "a b"',
    f'{XMPP}security = "none"',
    f'{XMPP}account = "mine"',
    f'{XMPP}password_file = ""',
    f"{XMPP}liveness = 10",
    f'{XMPP}liveness = "10"',
    f'{XMPP}liveness = "-10s"',
    f'{XMPP}[access]\n"a@b.org/phone" = "owner"',
    f'{XMPP}[access]\n"*" = "owner"',
    f'{XMPP}[access]\n"a@b.org" = "boss"',
    f'{XMPP}[access]\n"a@b.org" = ["owner"]',
    f'{XMPP}[access]\n"a@b.org" = {{ things = ["pump"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "owner", things = ["*"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "owner", read = ["*"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "viewer", things = ["pump"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "operator", things = [] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "operator", things = "pump" }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "operator", things = ["Pump"] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "viewer", read = [] }}',
    f'{XMPP}[access]\n"a@b.org" = {{ role = "viewer", colour = "red" }}',
    f"{XMPP}[report]\nmin_interval = 0",
    f"{XMPP}[report]\ndeadband = -1",
    f"{XMPP}[report]\ndeadband = {{ temperature = 1 }}",
    f"{XMPP}[things.pump]\nlabel = 'x'",
    f"{XMPP}[things.Pump]\ndriver = 'x'",
    f"{XMPP}[things.status]\ndriver = 'x'",
    f"{XMPP}[things.pump]\ndriver = ''",
    f"{XMPP}{PUMP}pin = 17",
    f"{XMPP}{PUMP}label = 'a\\u0000b'".replace("'", '"'),
    f"{XMPP}{PUMP}label = '{'x' * 65}'",
    f"{XMPP}{PUMP}aliases = ['']",
    f"{XMPP}{PUMP}options = 3",
    f"{XMPP}{PUMP}report.deadband = 'x'",
    f"{XMPP}{PUMP}report.deadband = true",
    f"{XMPP}{PUMP}report.deadband.Temp = 1",
    f"{XMPP}{PUMP}properties.Level = {{}}",
    f"{XMPP}{PUMP}properties.level.scale = 0",
    f"{XMPP}{PUMP}properties.level.precision = 1.5",
    f"{XMPP}{PUMP}safety = {{ safe = [] }}",
    f"{XMPP}{PUMP}safety = {{ max_on = 5 }}",
    f"{XMPP}{PUMP}safety = {{ state = {{ rate_limit = 'often' }} }}",
    f"{XMPP}{PUMP}safety = {{ interlock = ['Heater'] }}",
    f"{XMPP}{PUMP}toggles = true",
    f"{XMPP}mqtt = true",
    f"{XMPP}[mqtt]\nhost = ''",
    f"{XMPP}[mqtt]\nport = 0",
    f"{XMPP}[mqtt]\nannounce = 'yes'",
    f"{XMPP}[mqtt]\npassword = 'x'",
    f"{XMPP}[mqtt]\npassword_file = 'x'",
    f"{XMPP}[mqtt]\nusername = ''",
    f"{XMPP}[mqtt]\ntls = 'yes'",
    f"{XMPP}[mqtt]\nca_file = '/dev/null'",
    f"{XMPP}[mqtt]\ncert_file = '/dev/null'",
    f"{XMPP}[mqtt]\ntls = true\nkey_file = 'c.key'",
    f"{XMPP}[mqtt]\nclient_id = 'a/b'",
    f"{XMPP}[mqtt]\nformats = ['knx']",
    f"{XMPP}[mqtt]\ntopics.Boiler.properties.t = {{ topic = 'a' }}",
    f"{XMPP}[mqtt]\ntopics.boiler = {{ properties = {{}} }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ unit = 'W' }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ topic = 'a/+' }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ topic = 'a', path = 'a..b' }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ topic = 'a', type = 'choice' }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ topic = 'a', expires = 0 }}",
    f"{XMPP}[mqtt]\ntopics.boiler.properties.t = {{ topic = 'a', set_topic = 'b', expires = 5 }}",
    f"{XMPP}[mqtt]\ntopics.boiler = {{ qos = 3, properties.t = {{ topic = 'a' }} }}",
    f"{XMPP}[mqtt]\nclient_id = ''",
    f"{XMPP}[mqtt]\ndiscovery_prefix = 'home/#'",
    f"{XMPP}[mqtt]\ndiscovery_prefix = 'home/'",
    f"{XMPP}[mqtt]\ninclude = []",
    f"{XMPP}[mqtt]\ninclude = 'kitchen'",
    f"{XMPP}[mqtt]\nexclude = ['']",
    f"{XMPP}[mqtt]\nexclude = ['colour:red']",
    f"{XMPP}[mqtt]\nexclude = ['kind:']",
    f"{XMPP}[mqtt]\nbirth = 'true'",
    f"{XMPP}[mqtt]\ndiagnostics = 1",
    f"{XMPP}[store]\nmax_size = 200",
    f"{XMPP}[store]\nmax_size = '200'",
    f"{XMPP}[store]\nkeep = 30",
    f"{XMPP}[store]\npath = ''",
    f"{XMPP}[store]\ndurability = 'fsync'",
    f"{XMPP}[store]\nsize = '1GB'",
]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema: dict[str, Any] = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def loads(text: str, directory: Path) -> bool:
    file = directory / "jidget.toml"
    file.write_text(text)
    try:
        read(file, {}, password=False)
    except ConfigError as error:
        return "cannot be read" in str(error)  # files beside the configuration are no matter of its schema
    return True


@pytest.mark.parametrize("text", GOOD)
def test_schema_takes_what_the_loader_takes(validator: Draft202012Validator, tmp_path: Path, text: str) -> None:
    assert loads(text, tmp_path)
    validator.validate(tomllib.loads(text))


@pytest.mark.parametrize("text", BAD)
def test_schema_refuses_what_the_loader_refuses(validator: Draft202012Validator, tmp_path: Path, text: str) -> None:
    assert not loads(text, tmp_path)
    assert not validator.is_valid(tomllib.loads(text))


def test_defaults_fit_their_own_schema(validator: Draft202012Validator) -> None:
    checked = 0
    for definition in (json_schema(), *json_schema()["$defs"].values()):
        for name, field in definition["properties"].items():
            if "default" in field:
                validator.evolve(schema={**field, "$defs": json_schema()["$defs"]}).validate(field["default"])
                checked += 1
            assert field.get("description"), name
            for example in field.get("examples", ()):
                validator.evolve(schema={**field, "$defs": json_schema()["$defs"]}).validate(example)
    assert checked > 10


def test_defaults_are_those_of_the_loader(validator: Draft202012Validator, tmp_path: Path) -> None:
    defs = json_schema()["$defs"]
    text = f"{XMPP}{PUMP}[report]\n"
    written = {
        key: json.dumps(field["default"])
        for table, key in (("XmppTable", "liveness"), ("XmppTable", "security"), ("XmppTable", "account"))
        for field in (defs[table]["properties"][key],)
    }
    thing = {key: json.dumps(defs["ThingConfig"]["properties"][key]["default"]) for key in ("interval", "timeout")}
    report = {
        key: json.dumps(defs["ReportConfig"]["properties"][key]["default"])
        for key in defs["ReportConfig"]["properties"]
    }
    kept = {
        key: json.dumps(defs["StoreTable"]["properties"][key]["default"]) for key in ("keep", "max_size", "durability")
    }
    explicit = (
        XMPP
        + "".join(f"{key} = {value}\n" for key, value in written.items())
        + PUMP
        + "".join(f"{key} = {value}\n" for key, value in thing.items())
        + "[store]\n"
        + "".join(f"{key} = {value}\n" for key, value in kept.items())
        + "[report]\n"
        + "".join(f"{key} = {value}\n" for key, value in report.items())
    )
    file = tmp_path / "jidget.toml"
    file.write_text(text)
    left_out = read(file, {}, password=False).config
    file.write_text(explicit)
    assert read(file, {}, password=False).config == left_out


def test_reserved_words_look_like_ids() -> None:
    # else the pattern alone would refuse them and the list would be dead
    assert all(THING_ID.fullmatch(word) for word in COMMAND_WORDS)
