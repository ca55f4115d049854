"""The table `[mqtt]`: what is filled in, where its password may lie, what is wrong and what is doubtful."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jidget import log
from jidget.config.broker import client_id
from jidget.config.loader import read
from jidget.config.mqtt import MqttConfig
from jidget.demo.pki import Authority
from jidget.errors import ConfigError

XMPP = '[xmpp]\njid = "pi@example.org/barn"\n[access]\n"alice@example.org" = "owner"\n[mqtt]\n'
ENVIRON = {"JIDGET_XMPP_PASSWORD": "another"}

Problems = Callable[[str], list[str]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log, "_secrets", set())
    return tmp_path / "jidget.toml"


@pytest.fixture
def problems(file: Path) -> Problems:
    def find(text: str) -> list[str]:
        file.write_text(XMPP + text)
        with pytest.raises(ConfigError) as caught:
            read(file, ENVIRON)
        return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]

    return find


def broker(file: Path, text: str = "", **environ: str) -> MqttConfig:
    file.write_text(XMPP + text)
    config = read(file, ENVIRON | environ).config.mqtt
    assert config is not None
    return config


# ---- what comes out ------------------------------------------------------------------------------------------------


def test_without_the_table_there_is_no_broker(file: Path) -> None:
    file.write_text(XMPP.removesuffix("[mqtt]\n"))
    assert read(file, ENVIRON | {"JIDGET_MQTT_PASSWORD": "x"}).config.mqtt is None


def test_defaults(file: Path) -> None:
    config = broker(file)
    assert (config.host, config.port, config.tls, config.username) == ("localhost", 1883, False, None)
    assert (config.discovery_prefix, config.include, config.exclude) == ("homeassistant", None, ())
    assert (config.birth, config.diagnostics, config.settings) == (True, False, False)
    assert config.password.get_secret_value() == ""
    assert config.address == "localhost:1883"


def test_everything_the_table_may_say(file: Path) -> None:
    pki = Authority(file.parent / "pki")
    ours = pki.issue("jidget", client=True)
    (file.parent / "secret").write_text("hunter2hunter2\n")
    (file.parent / "secret").chmod(0o600)
    config = broker(
        file,
        f'host = "::1"\ntls = true\nca_file = "pki/ca.pem"\ncert_file = "{ours.certificate}"\nkey_file = "{ours.key}"\n'
        'username = "pi"\npassword_file = "secret"\nclient_id = "barn"\ndiscovery_prefix = "home/ha"\nbirth = false\n'
        'include = ["kitchen*"]\nexclude = ["kind:update", "area:Garage"]\ndiagnostics = true\nsettings = true\n',
    )
    assert (config.host, config.port, config.address) == ("::1", 8883, "[::1]:8883")
    assert (config.ca_file, config.cert_file, config.key_file) == (pki.ca_file, ours.certificate, ours.key)
    assert (config.username, config.password.get_secret_value()) == ("pi", "hunter2hunter2")
    assert (config.client_id, config.discovery_prefix, config.birth) == ("barn", "home/ha", False)
    assert (config.include, config.exclude) == (("kitchen*",), ("kind:update", "area:Garage"))
    assert (config.diagnostics, config.settings) == (True, True)


@pytest.mark.parametrize(("text", "port"), [("", 1883), ("tls = true", 8883), ("tls = true\nport = 1883", 1883)])
def test_ports(file: Path, text: str, port: int) -> None:
    assert broker(file, text).port == port


def test_a_client_id_is_readable_short_stable_and_each_ones_own(file: Path) -> None:
    made = broker(file).client_id
    assert made == client_id("pi@example.org", "barn") == broker(file, "tls = true").client_id
    assert made.startswith("jidget-barn-")
    ids = [client_id(jid, resource) for jid in ("a@b", "b@b") for resource in ("barn", "Scheune 7/ö", "世界", "x" * 99)]
    assert len(set(ids)) == len(ids)
    for each in ids:  # MQTT 3.1.1 3.1.3.1: what every broker takes, but for the hyphens
        assert len(each) <= 23
        assert each.replace("-", "").isalnum()
        assert each.isascii()


# ---- the password --------------------------------------------------------------------------------------------------


def test_password_from_file_then_credential_then_environment(file: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "JIDGET_MQTT_PASSWORD": "of the environment"}
    user = 'username = "pi"\n'

    def found(text: str = user) -> str:
        return broker(file, text, **environ).password.get_secret_value()

    assert found() == "of the environment"
    (credentials / "mqtt-password").write_text("of the service\n")
    assert found() == "of the service"
    (tmp_path / "secret").write_text("of the file\n")
    assert found(f'{user}password_file = "secret"') == "of the file"
    assert found("") == ""  # who is nobody needs none


def test_a_user_without_a_password_is_allowed(file: Path) -> None:
    assert broker(file, 'username = "pi"').password.get_secret_value() == ""


def test_the_password_is_nowhere_to_be_seen(file: Path) -> None:
    config = broker(file, 'username = "pi"', JIDGET_MQTT_PASSWORD="hunter2hunter2")
    assert "hunter2" not in f"{config!r} {config} {config.model_dump_json()}"
    assert log.redact("it is hunter2hunter2.") == "it is ***."


def test_an_unusable_password_file(problems: Problems, file: Path) -> None:
    assert problems('username = "pi"\npassword_file = "nowhere"') == [
        f'mqtt.password_file = "nowhere": there is no file {file.parent / "nowhere"}. Write the password into it, '
        "one line"
    ]


# ---- what is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pot = 1", 'mqtt.pot = 1: unknown key. Did you mean "port"?'),
        ("tls = 'yes'", 'mqtt.tls = "yes": neither true nor false. Write one of them, without quotes'),
        ("host = 'x:1883'", 'mqtt.host = "x:1883": a host with a port. Write host = "x" and port = 1883'),
        ("password_file = 'x'", 'mqtt.password_file = "x": a password without a user. Write username, or remove'),
        ("tls = true\nkey_file = 'x'", 'mqtt.key_file = "x": a private key without a certificate. Write cert_file'),
        ("client_id = 'a+b'", 'mqtt.client_id = "a+b": not a client id: letters, digits and any of _-.:@, at most 64'),
        ("discovery_prefix = '#'", 'mqtt.discovery_prefix = "#": not the beginning of a topic'),
        ("include = []", "mqtt.include = []: too short. Write at least 1 of them, or remove the key"),
        (
            "exclude = ['knd:x']",
            "Write one of device, entity, kind, category, area, model, origin before the colon. Did ",
        ),
        ("exclude = ['tv: x']", 'For a name with a colon in it write "device:tv: x"'),
        ("exclude = ['kind:']", 'mqtt.exclude[0] = "kind:": not a pattern. Write a name, or parts of one with *'),
        ("formats = ['knx']", 'mqtt.formats[0] = "knx": not one of the choices. Write "zigbee2mqtt" or "tasmota"'),
        ("topics.pump.properties.x = { unit = 'W' }", "properties.x = {…}: neither told nor set. Write topic or"),
        (
            "topics.pump.properties.x.topic = 'a'\n[things.pump]\ndriver = 'system'",
            "mqtt.topics.pump: [things.pump] is another Thing of this id. Choose another id for one of the two",
        ),
        (
            "topics.pump.properties.x.topic = 'a'\n[things.pump]\nmatch = '0x01'",
            "mqtt.topics.pump: [things.pump] is another Thing of this id. Choose another id for one of the two",
        ),
    ],
)
def test_messages(problems: Problems, text: str, message: str) -> None:
    (problem,) = problems(text)
    assert message in problem


def test_a_thing_on_topics_may_be_spoken_of(file: Path) -> None:
    config = broker(file, "topics.pump.properties.x.topic = 'a'\n[things.pump]\nmatch = 'mqtt.topics.pump'")
    assert config.topics["pump"].properties["x"].topic == "a"


def test_certificates_without_tls(problems: Problems, file: Path) -> None:
    ca_file = Authority(file.parent / "pki").ca_file
    assert problems(f'ca_file = "{ca_file}"')[0].endswith("there is nothing to verify without TLS. Write tls = true")


def test_certificates_that_cannot_be_used(problems: Problems, file: Path) -> None:
    pki = Authority(file.parent / "pki")
    ours, theirs = pki.issue("ours", client=True), pki.issue("theirs", client=True)
    (file.parent / "notes").write_text("buy seeds\n")

    def problem(cert: object, key: object) -> str:
        (only,) = problems(f'tls = true\ncert_file = "{cert}"\nkey_file = "{key}"')
        return only

    assert problem("nowhere", ours.key) == (
        f'mqtt.cert_file = "nowhere": {file.parent / "nowhere"} cannot be read: No such file or directory. '
        "Make it readable for the user that runs jidget"
    )
    assert "it is not the private key of" in problem(ours.certificate, theirs.key)
    assert "Both must be in PEM form" in problem("notes", ours.key)
    assert "Both must be in PEM form" in problem(ours.certificate, "notes")
    (without_key,) = problems(f'tls = true\ncert_file = "{ours.certificate}"')
    assert without_key.endswith("or name the key in mqtt.key_file")
    (authority,) = problems('tls = true\nca_file = "notes"')
    assert authority.startswith('mqtt.ca_file = "notes": ')
    assert "is no certificate in PEM form" in authority


# ---- what is doubtful ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("", None),
        ("port = 8883", "mqtt.port = 8883: the usual port for TLS. Write tls = true"),
        ("port = 8883\ntls = true", None),
        (
            'username = "pi"\nhost = "broker.example.org"',
            'mqtt.host = "broker.example.org": the password goes over the network for everybody to read. '
            "Write tls = true",
        ),
        ('username = "pi"\nhost = "127.0.0.1"', None),
        ('username = "pi"\nhost = "broker.example.org"\ntls = true', None),
        ('host = "broker.example.org"', None),
    ],
)
def test_doubts(file: Path, text: str, doubt: str | None) -> None:
    file.write_text(XMPP + text)
    warnings = read(file, ENVIRON | {"JIDGET_MQTT_PASSWORD": "hunter2"}).warnings
    assert warnings == ((f"{file}: {doubt}",) if doubt else ())
