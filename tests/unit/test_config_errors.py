"""What people are told of a wrong configuration: file, key, value, remedy; all at once; never a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jidget.config.loader import read
from jidget.errors import ConfigError

Problems = Callable[[str], list[str]]

XMPP = '[xmpp]\njid = "pi@example.org"\n'
PUMP = '[things.pump]\ndriver = "simulated"\n'


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    """Return what is wrong with a file of this text, each line without the file's name."""

    def find(text: str) -> list[str]:
        file = tmp_path / "jidget.toml"
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read(file, {"JIDGET_XMPP_PASSWORD": "from-the-environment"})
        lines = str(caught.value).splitlines()
        assert all(line.startswith(f"{file}: ") for line in lines)
        assert caught.value.exit_code == 78
        return [line.removeprefix(f"{file}: ") for line in lines]

    return find


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "xmpp: missing. Write the table [xmpp]", id="no xmpp"),
        pytest.param(
            "[xmpp]",
            'xmpp.jid: missing. Write jid = "pi@example.org/agent" '
            '(The account, and the resource this agent is known by: "agent" if left out)',
            id="no jid",
        ),
        pytest.param(
            '[xmpp]\njid = "example.org"',
            'xmpp.jid = "example.org": only a server: the account\'s name is missing. Write "NAME@example.org"',
            id="no local part",
        ),
        pytest.param(
            '[xmpp]\njid = "pi@exam ple"',
            'xmpp.jid = "pi@exam ple": not a JID (domain doesn’t pass idna validation). '  # noqa: RUF001  # slixmpp's
            "A JID looks like name@example.org",
            id="no domain",
        ),
        pytest.param(
            '[xmpp]\njid = "xmpp:pi@example.org?join"',
            'xmpp.jid = "xmpp:pi@example.org?join": a JID is written without "xmpp:". Write "pi@example.org"',
            id="a URI",
        ),
        pytest.param(
            '[xmpp]\njid = "pi@example.org:5222"',
            'xmpp.jid = "pi@example.org:5222": not a JID: a port does not belong in it. Write xmpp.host and xmpp.port',
            id="a port in the JID",
        ),
        pytest.param(
            f"{XMPP}pasword_file = 'password'",
            'xmpp.pasword_file = ***: unknown key. Did you mean "password_file"?',
            id="a typo",
        ),
        pytest.param(
            f"{XMPP}colour = 'red'",
            'xmpp.colour = "red": unknown key. Known keys: host, port, security, ca_file, account, liveness, jid, '
            "password_file",
            id="an unknown key like no other",
        ),
        pytest.param(
            f"{XMPP}[thing.pump]\ndriver = 'system'",
            '[thing]: unknown key. Did you mean "things"?',
            id="an unknown table",
        ),
        pytest.param(
            f'{XMPP}host = "x"\nport = "5222"',
            'xmpp.port = "5222": not a whole number. Write it without quotes or point, such as 5',
            id="a number in quotes",
        ),
        pytest.param(
            f'{XMPP}host = "x"\nport = 70000', "xmpp.port = 70000: too large. Write 65535 or less", id="no port"
        ),
        pytest.param(
            f"{XMPP}port = 5222",
            "xmpp.port = 5222: a port without a host. Write the server's name in xmpp.host, or remove the port and let "
            "DNS decide",
            id="port without host",
        ),
        pytest.param(
            f'{XMPP}host = "example.org:5223"',
            'xmpp.host = "example.org:5223": a host with a port. Write host = "example.org" and port = 5223',
            id="host with port",
        ),
        pytest.param(
            f'{XMPP}host = "a b"',
            'xmpp.host = "a b": not a host. Write a name or an address: "xmpp.example.org"',
            id="no host",
        ),
        pytest.param(
            '[xmpp]\njid = ""',
            'xmpp.jid = "": not a JID: it is empty. A JID looks like name@example.org',
            id="an empty JID",
        ),
        pytest.param(
            '[xmpp]\njid = "pi@*"',
            'xmpp.jid = "pi@*": not a JID: its domain is no host name. A JID looks like name@example.org',
            id="a wildcard in the JID",
        ),
        pytest.param(
            f'{XMPP}password_file = ""', 'xmpp.password_file = "": no path. Write the name of a file', id="no path"
        ),
        pytest.param(
            f'{XMPP}ca_file = "a\\u0000b"',
            r'xmpp.ca_file = "a\u0000b": no path: it contains a NUL character. Write the name of a file',
            id="NUL in a path",
        ),
        pytest.param(
            f'{XMPP}password_file = "~no-such-user/password"',
            'xmpp.password_file = "~no-such-user/password": its "~" names nobody\'s home. Write the whole path',
            id="nobody's home",
        ),
        pytest.param(
            f"{XMPP}liveness = 1979-05-27",
            "xmpp.liveness = 1979-05-27: not a duration: a number and a unit in quotes is wanted, such as "
            '"500ms", "30s", "5m", "24h" or "30d"',
            id="a date",
        ),
        pytest.param(
            f'{XMPP}security = "startls"',
            'xmpp.security = "startls": not one of the choices. Write "auto" or "starttls" or "direct-tls". '
            'Did you mean "starttls"?',
            id="a choice",
        ),
        pytest.param(
            f"{XMPP}liveness = 10",
            "xmpp.liveness = 10: not a duration: a number and a unit in quotes is wanted, such as "
            '"500ms", "30s", "5m", "24h" or "30d". For 10 seconds write "10s"',
            id="a duration without unit",
        ),
        pytest.param(
            f'{XMPP}liveness = "10"',
            'xmpp.liveness = "10": not a duration: write a number and a unit in quotes, such as '
            '"500ms", "30s", "5m", "24h" or "30d"',
            id="a duration without unit, in quotes",
        ),
        pytest.param(
            f'{XMPP}liveness = "9999d"',
            'xmpp.liveness = "9999d": longer than a year. Write a duration such as '
            '"500ms", "30s", "5m", "24h" or "30d", at most "366d"',
            id="a very long duration",
        ),
        pytest.param(
            f'{XMPP}[report]\nmax_interval = "0s"',
            'report.max_interval = "0s": too short: write at least "10ms"',
            id="a duration of nothing",
        ),
        pytest.param(
            f'{XMPP}[report]\nmin_interval = "10m"',
            'report.min_interval = "10m": min_interval is "10m" and max_interval "5m": no report could be on time. '
            "Make max_interval the longer one",
            id="intervals against each other",
        ),
        pytest.param(
            f'{XMPP}[report]\nmin_interval = "1m"\n{PUMP}report.max_interval = "30s"',
            'things.pump.report.max_interval = "30s": min_interval is "1m" and max_interval "30s": no report could be '
            "on time. Make max_interval the longer one",
            id="a Thing's interval against the default",
        ),
        pytest.param(
            f"{XMPP}[report]\ndeadband = nan",
            "report.deadband = nan: not a finite number. Write a number such as 0.5",
            id="not a number",
        ),
        pytest.param(
            f"{XMPP}[report]\ndeadband = {'9' * 400}",
            "report.deadband = a very large number: not a number. Write it without quotes, such as 0.5",
            id="a number beyond all floats",
        ),
        pytest.param(
            f"{XMPP}{PUMP}report.deadband = 'small'",
            'things.pump.report.deadband = "small": neither a number nor a table of numbers by property. '
            "Write 0.2 or { temperature = 0.2 }",
            id="a deadband in words",
        ),
        pytest.param(
            f"{XMPP}{PUMP}report.deadband = {{ temperature = true }}",
            "things.pump.report.deadband.temperature = true: not a number. Write it without quotes, such as 0.5",
            id="a deadband of a property",
        ),
        pytest.param(
            f"things = 3\n{XMPP}",
            "things = 3: not a table. Write it as [things] with its keys below",
            id="not a table",
        ),
        pytest.param(
            f"{XMPP}[things.pump]",
            'things.pump.driver: missing. Write driver = "system" (Name of the driver; `jidget drivers` lists them)',
            id="no driver",
        ),
        pytest.param(
            f'{XMPP}[things."Green House"]\ndriver = "system"',
            'things."Green House": not a Thing id: small letters, digits, _ and -, beginning with a letter, '
            "at most 63. Write [things.green_house] and give it a label",
            id="not an id",
        ),
        pytest.param(
            f'{XMPP}[things.Status]\ndriver = "system"',
            "things.Status: not a Thing id: small letters, digits, _ and -, beginning with a letter, at most 63. "
            "Write [things.status] and give it a label",
            id="capitals",
        ),
        pytest.param(
            f'{XMPP}[things.status]\ndriver = "system"',
            'things.status: "status" is a command word, so nobody could name this Thing. Write [things.my_status]',
            id="a command word",
        ),
        pytest.param(
            f"{XMPP}{PUMP}pin = 17",
            "things.pump.pin = 17: unknown key. Known keys: label, aliases, timeout, report, safety, "
            "properties, driver, interval, toggles, options. What belongs to the driver goes to [things.pump.options]",
            id="an option of the driver in the wrong table",
        ),
        pytest.param(
            f'{XMPP}{PUMP}labl = "Pump"',
            'things.pump.labl = "Pump": unknown key. Did you mean "label"? '
            "What belongs to the driver goes to [things.pump.options]",
            id="a typo in a Thing",
        ),
        pytest.param(
            f'{XMPP}{PUMP}aliases = "lamp"',
            'things.pump.aliases = "lamp": not a list. Write it in brackets: ["…"]',
            id="not a list",
        ),
        pytest.param(
            f'{XMPP}{PUMP}aliases = ["lamp", 3]',
            'things.pump.aliases[1] = 3: not a text. Write it in quotes: "…"',
            id="an item of a list",
        ),
        pytest.param(
            f'{XMPP}{PUMP}aliases = ["Stop"]',
            'things.pump.aliases[0] = "Stop": "Stop" is a command word. Choose another name',
            id="a command word as alias",
        ),
        pytest.param(
            f'{XMPP}{PUMP}label = "a\\nb"',
            'things.pump.label = "a\\nb": contains characters that cannot be shown. Write plain text in one line',
            id="a line break in a label",
        ),
        pytest.param(
            f'{XMPP}{PUMP}label = "GATE"\n[things.gate]\ndriver = "system"',
            'things.pump.label = "GATE": [things.gate] is called "GATE" too, so nobody could tell which is meant. '
            "Choose another name",
            id="a label that is another's id",
        ),
        pytest.param(
            f'{XMPP}{PUMP}aliases = ["lamp"]\n[things.gate]\ndriver = "system"\naliases = ["gate2", "Lamp"]',
            'things.gate.aliases[1] = "Lamp": [things.pump] is called "Lamp" too, so nobody could tell which is meant. '
            "Choose another name",
            id="an alias that is another's alias",
        ),
        pytest.param(
            f'{XMPP}{PUMP}properties.level.aliases = ["Flow"]\nproperties.flow = {{}}',
            'things.pump.properties.level.aliases[0] = "Flow": the property flow is called that too. '
            "Choose another name",
            id="an alias that is another property",
        ),
        pytest.param(
            f"{XMPP}{PUMP}properties.level.scale = 0",
            "things.pump.properties.level.scale = 0: would make every value the same. "
            "Write a factor other than 0, or remove it",
            id="a scale of nothing",
        ),
        pytest.param(
            f"{XMPP}{PUMP}properties.Level.offset = 1",
            "things.pump.properties.Level: not a property id: small letters, digits and _, beginning with a letter, "
            "at most 63",
            id="not a property id",
        ),
        pytest.param(
            f"{XMPP}{PUMP}options = 3",
            "things.pump.options = 3: not a table. Write it as [things.pump.options] with its keys below",
            id="options that are no table",
        ),
    ],
)
def test_message(problems: Problems, text: str, message: str) -> None:
    assert problems(text) == [message]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param(
            '"alice@example.org/phone" = "owner"',
            'access."alice@example.org/phone": a full JID: rights belong to people, not to one of their clients. '
            'Write the bare JID: "alice@example.org"',
            id="a full JID",
        ),
        pytest.param(
            '"*" = "viewer"',
            'access."*": nobody may be let in by a wildcard. Name each person\'s JID, or a whole domain: example.org',
            id="a wildcard",
        ),
        pytest.param(
            '"bob@example.org" = "Owner"',
            'access."bob@example.org" = "Owner": not a role: write viewer, operator or owner. Did you mean "owner"?',
            id="a wrong role",
        ),
        pytest.param(
            '"bob@example.org" = { role = "opertor" }',
            'access."bob@example.org".role = "opertor": not a role: write viewer, operator or owner. '
            'Did you mean "operator"?',
            id="a wrong role in a table",
        ),
        pytest.param(
            '"bob@example.org" = 3',
            'access."bob@example.org" = 3: neither a role nor a table with one. '
            'Write "viewer", or { role = "operator", things = ["…"] }',
            id="no role at all",
        ),
        pytest.param(
            '"bob@example.org" = { role = "viewer", things = ["pump"] }',
            'access."bob@example.org" = {…}: a viewer acts on nothing. '
            'Remove things, write read = […] for what they see, or "operator"',
            id="a viewer who acts",
        ),
        pytest.param(
            '"bob@example.org" = { role = "owner", read = ["pump"] }',
            'access."bob@example.org" = {…}: an owner sees everything and acts on everything. '
            "Remove things and read, or the role",
            id="half an owner",
        ),
        pytest.param(
            '"bob@example.org" = { role = "operator", things = [] }',
            'access."bob@example.org" = {…}: an operator of nothing. '
            'Name the Things in things, or write role = "viewer"',
            id="an operator of nothing",
        ),
        pytest.param(
            '"bob@example.org" = { role = "viewer", read = [] }',
            'access."bob@example.org".read = []: too short. Write at least 1 of them, or remove the key',
            id="a viewer of nothing",
        ),
        pytest.param(
            '"bob@example.org" = { role = "operator", things = ["Pump"] }',
            'access."bob@example.org".things[0] = "Pump": not a pattern for Thing ids. '
            'Write an id, or parts of one with * for the rest: "gate*"',
            id="a label as pattern",
        ),
        pytest.param(
            '"bob@example.org" = { role = "operator", things = ["pump"], read = ["gate"] }',
            'access."bob@example.org".read = ["gate"]: they may act on pump but not see it. '
            "Add it to read, or write things without it",
            id="acting blindly",
        ),
        pytest.param(
            '"bob@example.org" = { role = "operator", read = ["gate"] }',
            'access."bob@example.org".read = ["gate"]: they may act on pump but not see it. '
            "Add it to read, or write things without it",
            id="acting on all, blindly",
        ),
        pytest.param(
            'example.net = "viewer"',
            'access.example.net = "viewer": unknown key. A JID or domain is written in quotes: '
            '"example.org" = "viewer". A table for one has: role, things, read',
            id="a domain without quotes",
        ),
        pytest.param(
            '"bob@example.org" = "viewer"\n"BOB@Example.org" = "owner"',
            'access."BOB@Example.org" = "owner": the same JID as "bob@example.org". Remove one of the two',
            id="somebody twice",
        ),
        pytest.param(
            '"PI@example.org" = "viewer"',
            'access."PI@example.org" = "viewer": this is the agent\'s own account, which is always owner. '
            "Remove the line",
            id="the agent itself",
        ),
    ],
)
def test_message_about_access(problems: Problems, entry: str, message: str) -> None:
    things = "[things.gate]\ndriver = 'system'\n"
    assert problems(f"{XMPP}[access]\n{entry}\n{PUMP}{things}") == [message]


SIZES = '"50MB", "200MB" or "1GB"'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max_size = 200", f"max_size = 200: not a size: a number and a unit in quotes is wanted, such as {SIZES}"),
        (
            "max_size = 200000000",
            f"max_size = 200000000: not a size: a number and a unit in quotes is wanted, such as {SIZES}. "
            'For 200000000 bytes write "200MB"',
        ),
        ("max_size = true", f"max_size = true: not a size: a number and a unit in quotes is wanted, such as {SIZES}"),
        (
            'max_size = "200"',
            f'max_size = "200": not a size: write a number and a unit in quotes, such as {SIZES}',
        ),
        (
            'max_size = "-5MB"',
            f'max_size = "-5MB": not a size: write a number and a unit in quotes, such as {SIZES}',
        ),
        (
            f'max_size = "{"9" * 400}GB"',
            f'max_size = "{"9" * 58}…: not a size: write a number and a unit in quotes, such as {SIZES}',
        ),
        (
            'max_size = "19MB"',
            'max_size = "19MB": too small for a store and its log. Write at least "20MB"',
        ),
        ('max_size = "1001GB"', 'max_size = "1001GB": too large: write at most "1000GB"'),
        (
            'keep = "59s"',
            'keep = "59s": too short: whoever missed a reading could not ask for it. Write at least "1m"',
        ),
        (
            'keep = "3y"',
            'keep = "3y": not a duration: write a number and a unit in quotes, such as '
            '"500ms", "30s", "5m", "24h" or "30d"',
        ),
        ('durability = "fsync"', 'durability = "fsync": not one of the choices. Write "normal" or "full"'),
        ('kept = "1d"', 'kept = "1d": unknown key. Did you mean "keep"?'),
        ('path = ""', 'path = "": no path. Write the name of a file'),
        ('path = "/tmp"', 'path = "/tmp": a directory. Name a file in it: "/tmp/jidget.db"'),
    ],
)
def test_message_about_the_store(problems: Problems, line: str, message: str) -> None:
    assert problems(f"{XMPP}[store]\n{line}") == [f"store.{message}"]


ANNOUNCED = "[mqtt]\nannounce = true\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            '[access]\nmqtt = "operator"',
            'access.mqtt = "operator": the rights of the MQTT broker, to which nothing is announced. '
            "Write announce = true in [mqtt]",
        ),
        (
            f'{ANNOUNCED}[access]\nmqtt = "owner"',
            'access.mqtt = "owner": who may write to the MQTT broker is nobody in particular. '
            'Write { role = "operator", things = ["…"] }',
        ),
        (
            f'{ANNOUNCED}[access.mqtt]\nrole = "operator"\nthings = ["mqtt:plug"]',
            'access.mqtt.things = ["mqtt:plug"]: what is on the broker is not announced to it again. '
            "Name Things that have a driver",
        ),
    ],
)
def test_rights_that_a_broker_cannot_have(problems: Problems, text: str, wrong: str) -> None:
    assert problems(f"{XMPP}{text}") == [wrong]


def test_a_device_of_a_broker_without_a_broker(problems: Problems) -> None:
    assert problems(f"{XMPP}[things.lamp]\nmatch = '0x00158d'\nlabel = 'Desk'") == [
        'things.lamp.match = "0x00158d": a device of the broker, but there is no broker. Write the table [mqtt]'
    ]


def test_later_keys_are_ordinary_typos_elsewhere(problems: Problems) -> None:
    (problem,) = problems(f"{XMPP}safety = 1")
    assert "unknown key" in problem


@pytest.mark.parametrize(
    ("jid", "why"),
    [
        ("pi@example.org/my barn", "has a blank in it"),
        ("pi@example.org/status", "is a command word"),
        ("pi@example.org/pump", "is also the id of a Thing"),
    ],
)
def test_resource_that_chat_could_not_begin_with(problems: Problems, jid: str, why: str) -> None:
    resource = jid.partition("/")[2]
    assert problems(f'[xmpp]\njid = "{jid}"\naccount = "agents"\n{PUMP}') == [
        f'xmpp.jid = "{jid}": with account = "agents" chat begins with the resource, and "{resource}" {why}. '
        "Give the JID another resource: NAME@SERVER/barn"
    ]


def test_all_problems_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems(
        """
        colour = "red"
        [xmpp]
        jid = "example.org"
        port = 5222
        securty = "starttls"
        [access]
        "alice@example.org" = "boss"
        [things.pump]
        driver = "gpio-output"
        interval = 10
        aliases = ["gate"]
        [things.gate]
        driver = 3
        properties.state.offset = "x"
        [report]
        min_interval = "10m"
        """
    )
    assert [problem.partition(" = ")[0] for problem in found] == [
        "colour",
        "xmpp.jid",
        "xmpp.port",
        "xmpp.securty",
        'access."alice@example.org"',
        "things.pump.interval",
        "things.pump.aliases[0]",
        "things.gate.driver",
        "things.gate.properties.state.offset",
        "report.min_interval",
    ]


SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    "text",
    [
        f'{XMPP}password = "{SECRET}"',
        f"[xmpp]\npassword = '{SECRET}'",
        f'{XMPP}pasword = "{SECRET}"',
        f'{XMPP}api_key = "{SECRET}"',
        f'{XMPP}token = ["{SECRET}"]',
        f'my_secret = "{SECRET}"\n{XMPP}',
        f'{XMPP}[mqtt]\npassword = "{SECRET}"',
        f'{XMPP}[things.pump]\ndriver = "x"\npassword = "{SECRET}"',
        f'{XMPP}[access]\n"bob@example.org" = {{ role = "owner", password = "{SECRET}" }}',
        f"xmpp.password = {SECRET}",
        f"{XMPP}password = {SECRET}",
        f"{XMPP}password: {SECRET}",
        f'{XMPP}password = "{SECRET}',
        f'{XMPP}password = "{SECRET}"x',
        f'{XMPP}password = """\n{SECRET}"""x',
        f'xmpp = {{ jid = "pi@example.org", password = "{SECRET}" ',
        f'xmpp = {{ jid = "pi@example.org", password = {SECRET} }}',
    ],
)
def test_secrets_are_never_echoed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jidget.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(file, {"JIDGET_XMPP_PASSWORD": "another"})
    assert "correct" not in str(caught.value)
    assert "battery" not in str(caught.value)
    assert str(file) in str(caught.value)
    assert caught.value.__cause__ is None  # pydantic's own error, with its input, must not show up in a traceback


@pytest.mark.parametrize(("before", "table"), [("", "xmpp"), ("[mqtt]\n", "mqtt")])
def test_a_password_in_the_file_is_refused_and_where_to_put_it_is_said(
    problems: Problems, before: str, table: str
) -> None:
    assert problems(f'{XMPP}{before}password = "{SECRET}"') == [
        f"{table}.password = ***: a password does not belong in this file. Write it into a file of its own that only "
        'you can read, and name that: password_file = "password"'
    ]


def test_names_of_things_do_not_hide_their_values(problems: Problems) -> None:
    (problem,) = problems(f'{XMPP}[things.token]\ndriver = "x"\ninterval = 5')
    assert problem.startswith("things.token.interval = 5: ")


def test_control_characters_of_the_file_do_not_reach_the_terminal(problems: Problems) -> None:
    (problem,) = problems(f'{XMPP}"\\u001b[31m" = "\\u009b1m\\u202e"')
    assert problem.isprintable()
    assert problem.startswith(r'xmpp."\u001b[31m" = "\u009b1m\u202e": unknown key')


def test_long_values_are_shortened(problems: Problems) -> None:
    (problem,) = problems(f'{XMPP}host = "{"x" * 5000} "')
    assert len(problem) < 200
