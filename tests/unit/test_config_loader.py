"""Finding the file, reading it, the password and where it lies, and what comes out."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jidget import log
from jidget.config import load, loader
from jidget.config.loader import find, read
from jidget.config.model import LEAST_STORE, Config, Grant, Role
from jidget.config.secrets import NoPassword, find_password
from jidget.config.sizes import parse_size
from jidget.config.things import ThingConfig
from jidget.errors import ConfigError
from jidget.store.upkeep import LEAST_SIZE

MINIMAL = '[xmpp]\njid = "pi@example.org"\n'
ENVIRON = {"JIDGET_XMPP_PASSWORD": "from the environment"}
NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jidget.toml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture(autouse=True)
def _fresh_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_secrets", set())


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be a user who may not read everything, even where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def failure(file: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(file, ENVIRON if environ is None else environ)
    return str(caught.value)


# ---- what comes out ------------------------------------------------------------------------------------------------

FULL = """
[xmpp]
jid = "Pi@Example.ORG/barn"
password_file = "password"
host = "[::1]"
security = "direct-tls"
account = "agents"
liveness = "2s"

[access]
"Alice@Example.org" = "owner"
"bob@example.org" = { role = "operator", things = ["pump", "gate*"] }
"carol@example.org" = "operator"
"eve@example.org" = { role = "operator", things = ["gate"], read = ["gate"] }
"EXAMPLE.net" = { role = "viewer" }

[report]
min_interval = "500ms"
max_interval = "1m"
deadband = 1

[things.pump]
driver = "gpio-output"
label = "Pump"
aliases = ["Water"]
interval = "1,5s"
timeout = "250 ms"
[things.pump.options]
pin = 17
[things.pump.report]
deadband = { state = 0.5 }
[things.pump.properties.state]
offset = -0.4
scale = 2
precision = 1
label = "Running"
aliases = ["runs"]

[things.gate]
driver = "simulated"
report = { deadband = 2, max_interval = "2m" }
"""


def test_everything_a_file_may_say(tmp_path: Path) -> None:
    file = tmp_path / "jidget.toml"
    file.write_text(FULL)
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "password").chmod(0o600)
    loaded = read(file, {})
    config = loaded.config
    assert loaded.warnings == ()
    assert config.file == file
    xmpp = config.xmpp
    assert (xmpp.jid, xmpp.resource, xmpp.password.get_secret_value()) == ("pi@example.org", "barn", "hunter2")
    assert (xmpp.host, xmpp.port, xmpp.security, xmpp.ca_file) == ("::1", 5223, "direct-tls", None)
    assert (xmpp.account, xmpp.liveness) == ("agents", 2.0)
    assert config.access == {
        "alice@example.org": Grant(role=Role.OWNER),
        "bob@example.org": Grant(role=Role.OPERATOR, things=("pump", "gate*")),
        "carol@example.org": Grant(role=Role.OPERATOR),
        "eve@example.org": Grant(role=Role.OPERATOR, things=("gate",), read=("gate",)),
        "example.net": Grant(role=Role.VIEWER),
    }
    assert (config.report.min_interval, config.report.max_interval, config.report.deadband) == (0.5, 60.0, 1.0)
    assert list(config.things) == ["pump", "gate"]
    pump, gate = config.things.values()
    assert (pump.driver, pump.label, pump.aliases) == ("gpio-output", "Pump", ("Water",))
    assert (pump.interval, pump.timeout, pump.options) == (1.5, 0.25, {"pin": 17})
    assert (pump.report.min_interval, pump.report.max_interval, pump.report.deadband) == (None, None, {"state": 0.5})
    state = pump.properties["state"]
    assert (state.offset, state.scale, state.precision) == (-0.4, 2.0, 1)
    assert (state.label, state.aliases) == ("Running", ("runs",))
    assert (gate.report.max_interval, gate.report.deadband) == (120.0, 2.0)


def test_defaults(file: Path) -> None:
    file.write_text(f'{MINIMAL}[things.pump]\ndriver = "simulated"\n')
    config = load(file, ENVIRON)
    xmpp, thing = config.xmpp, config.things["pump"]
    assert (xmpp.resource, xmpp.host, xmpp.port, xmpp.security) == ("agent", None, None, "auto")
    assert (xmpp.account, xmpp.liveness, xmpp.ca_file) == ("own", 10.0, None)
    assert (config.report.min_interval, config.report.max_interval, config.report.deadband) == (0.0, 300.0, 0.0)
    assert (thing.interval, thing.timeout, thing.label, thing.aliases) == (10.0, 5.0, "", ())
    assert (thing.report.deadband, thing.properties, thing.options) == (None, {}, {})
    assert config.access == {}


# ---- the store -----------------------------------------------------------------------------------------------------


def test_the_store_lies_where_the_system_wants_it_else_beside_the_file(file: Path) -> None:
    def place(**environ: str) -> Path:
        return read(file, ENVIRON | environ).config.store.path

    assert place() == file.parent / "jidget.db"
    assert place(STATE_DIRECTORY="") == file.parent / "jidget.db"
    assert place(STATE_DIRECTORY="/var/lib/jidget") == Path("/var/lib/jidget/jidget.db")
    assert place(STATE_DIRECTORY="/var/lib/jidget:/var/lib/other") == Path("/var/lib/jidget/jidget.db")
    file.write_text(f'{MINIMAL}[store]\npath = "kept.db"\n')
    assert place(STATE_DIRECTORY="/var/lib/jidget") == file.parent / "kept.db"
    file.write_text(f'{MINIMAL}[store]\npath = "/var/lib/kept.db"\n')
    assert place() == Path("/var/lib/kept.db")


def test_what_the_store_keeps(file: Path) -> None:
    store = read(file, ENVIRON).config.store
    assert (store.keep, store.max_size, store.durability) == (30 * 86400, 200_000_000, "normal")
    file.write_text(f'{MINIMAL}[store]\nkeep = "12h"\nmax_size = "1,5 GB"\ndurability = "full"\n')
    store = read(file, ENVIRON).config.store
    assert (store.keep, store.max_size, store.durability) == (12 * 3600, 1_500_000_000, "full")


@pytest.mark.parametrize(
    ("text", "size"),
    [("20MB", 20_000_000), (" 20 mb ", 20_000_000), ("0.5GB", 500_000_000), ("64MiB", 67_108_864), ("1gib", 1 << 30)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_the_least_size_is_one_that_the_store_can_keep_to() -> None:
    assert LEAST_STORE == LEAST_SIZE


def test_a_store_in_a_directory_that_is_not_there_is_doubtful(tmp_path: Path, file: Path) -> None:
    file.write_text(f'{MINIMAL}[store]\npath = "usb/jidget.db"\n')
    (missing,) = [line for line in read(file, ENVIRON).warnings if "store.path" in line]
    assert f": there is no directory {tmp_path / 'usb'}, so readings would be kept in memory only. " in missing
    (tmp_path / "usb").mkdir()
    assert missing not in read(file, ENVIRON).warnings


@pytest.mark.parametrize(
    ("more", "port"),
    [
        ('host = "x"', 5222),
        ('host = "x"\nsecurity = "starttls"', 5222),
        ('host = "x"\nsecurity = "direct-tls"', 5223),
        ('host = "x"\nport = 443\nsecurity = "direct-tls"', 443),
        ('security = "direct-tls"', None),
    ],
)
def test_port_of_a_given_host(file: Path, more: str, port: int | None) -> None:
    file.write_text(MINIMAL + more)
    assert read(file, ENVIRON).config.xmpp.port == port


@pytest.mark.parametrize(
    ("role", "things"), [(Role.OWNER, ("*",)), (Role.OPERATOR, ("*",)), (Role.VIEWER, ())], ids=str
)
def test_what_a_role_alone_may_act_on(role: Role, things: tuple[str, ...]) -> None:
    grant = Grant(role=role)
    assert grant.things == things
    assert grant.read is None


def test_code_gives_seconds_as_numbers() -> None:
    assert ThingConfig(driver="x", interval=0.5, timeout="2s").interval == 0.5


def test_nothing_changes_once_loaded(file: Path) -> None:
    config = read(file, ENVIRON).config
    with pytest.raises(ValueError, match="frozen"):
        config.xmpp.jid = "eve@example.org"  # type: ignore[misc]  # that is the point


def test_no_secret_in_any_representation(file: Path) -> None:
    file.write_text(f'{MINIMAL}[things.pump]\ndriver = "x"\noptions.password = "option-secret"\n')
    loaded = read(file, {"JIDGET_XMPP_PASSWORD": "hunter2hunter2"})
    shown = f"{loaded!r} {loaded} {loaded.config!r} {loaded.config.xmpp} {loaded.config.xmpp.model_dump_json()}"
    assert "hunter2" not in shown
    assert "option-secret" not in shown
    assert loaded.config.xmpp.password.get_secret_value() == "hunter2hunter2"


def test_the_password_is_concealed_in_the_log(file: Path) -> None:
    read(file, {"JIDGET_XMPP_PASSWORD": "hunter2hunter2"})
    assert log.redact("it is hunter2hunter2.") == "it is ***."


# ---- the search ----------------------------------------------------------------------------------------------------


def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    system = tmp_path / "etc" / "jidget.toml"
    system.parent.mkdir()
    monkeypatch.setattr(loader, "SYSTEM", system)
    with pytest.raises(ConfigError) as caught:
        find(None, {})
    for word in (str(tmp_path / "jidget.toml"), str(system), "$JIDGET_CONFIG", "--config", "README"):
        assert word in str(caught.value)
    system.write_text(MINIMAL)
    assert find(None, {}) == system
    (tmp_path / "jidget.toml").write_text(MINIMAL)
    assert find(None, {"JIDGET_CONFIG": ""}) == Path("jidget.toml")
    assert find(None, {"JIDGET_CONFIG": "named.toml"}) == Path("named.toml")
    assert find(Path("given.toml"), {"JIDGET_CONFIG": "named.toml"}) == Path("given.toml")


def test_the_file_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jidget.toml").write_text(MINIMAL)
    with pytest.raises(ConfigError, match=r"nope\.toml: there is no such file\. Name the right one with --config"):
        read(None, ENVIRON | {"JIDGET_CONFIG": "nope.toml"})


def test_the_file_in_the_current_directory_has_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jidget.toml").write_text(MINIMAL)
    assert read(None, ENVIRON).config.file == tmp_path / "jidget.toml"


# ---- unreadable files ----------------------------------------------------------------------------------------------


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert failure(tmp_path) == (
        f"{tmp_path}: a directory, not a file. Name the file in it: {tmp_path / 'jidget.toml'}"
    )


def test_a_path_through_a_file(file: Path) -> None:
    assert failure(file / "x") == f"{file / 'x'}: cannot be read: Not a directory. Check the path"


def test_a_file_we_may_not_read(file: Path) -> None:
    file.chmod(0)
    with without_privileges():
        user = os.geteuid()
        said = failure(file)
    assert said == f"{file}: user {user} may not read it. Change its owner or mode, or run as another user"


def test_a_file_in_a_directory_closed_to_us_is_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "etc"
    closed.mkdir(mode=0)
    monkeypatch.setattr(loader, "HERE", Path("/nowhere/jidget.toml"))
    monkeypatch.setattr(loader, "SYSTEM", closed / "jidget.toml")
    with without_privileges(), pytest.raises(ConfigError, match="may not read it"):
        read(None, ENVIRON)
    closed.chmod(0o700)


def test_not_utf_8(file: Path) -> None:
    file.write_bytes(b'[xmpp]\njid = "m\xfcller@example.org"\n')
    assert failure(file) == f"{file}: line 2: not UTF-8 (byte 0xfc). Save the file as UTF-8"


def test_byte_order_mark_and_windows_line_ends_are_fine(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert read(file, ENVIRON).config.xmpp.jid == "pi@example.org"


def test_an_endless_file_is_not_read_to_its_end() -> None:
    assert "larger than 1 MiB" in failure(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "[xmpp]\njid = pi@example.org\n",
            "line 2, column 7: not TOML: invalid value: jid = pi@example.org. Text and durations are written in "
            'quotes: "pi@example.org", "30s"',
            id="no quotes",
        ),
        pytest.param(
            "[xmpp]\njid 'x'\n",
            "line 2, column 5: not TOML: expected '=' after a key in a key/value pair: jid 'x'. "
            'Write KEY = VALUE; a JID as a key is written in quotes: "alice@example.org" = "owner"',
            id="no equals sign",
        ),
        pytest.param(
            "[access]\nalice@example.org = 'owner'\n",
            "line 2, column 6: not TOML: expected '=' after a key in a key/value pair: alice@example.org = 'owner'. "
            'Write KEY = VALUE; a JID as a key is written in quotes: "alice@example.org" = "owner"',
            id="a JID as key",
        ),
        pytest.param(
            "[things.pump]\ndriver = 'a'\n[things.pump]\n",
            "line 3, column 13: not TOML: cannot declare ('things', 'pump') twice: [things.pump]. "
            "The same table stands further up. Put the keys of both into one",
            id="a table twice",
        ),
        pytest.param(
            "[xmpp]\njid = 'a'\njid = 'b'\n",
            "line 3, column 10: not TOML: cannot overwrite a value: jid = 'b'. The same key stands further up. "
            "Remove one of the two",
            id="a key twice",
        ),
        pytest.param(
            "things = [",
            "not TOML: invalid value at the end of the file. Text and durations are written in quotes: "
            '"pi@example.org", "30s"',
            id="cut off",
        ),
        pytest.param("a = 2024-02-31", "line 1, column 5: not TOML: invalid date or datetime: a = ", id="no such day"),
        pytest.param("a = " + "[" * 100_000, "tables or lists are nested too deeply. Write them flat", id="nested"),
        pytest.param("a = " + "9" * 5000, "not TOML: exceeds the limit", id="a number of 5000 digits"),
        pytest.param("\x00", "line 1, column 1: not TOML: invalid statement: \ufffd. ", id="binary"),
    ],
)
def test_not_toml(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    said = failure(file)
    assert said.startswith(f"{file}: {message}")
    assert "\n" not in said


# ---- the password --------------------------------------------------------------------------------------------------


def test_password_from_file_then_credential_then_environment(tmp_path: Path, file: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert read(file, environ).config.xmpp.password.get_secret_value() == "from the environment"
    (credentials / "xmpp-password").write_text("from the credential\n")
    assert read(file, environ).config.xmpp.password.get_secret_value() == "from the credential"
    password = tmp_path / "secret.txt"
    password.write_text("from the file\r\n")
    password.chmod(0o600)
    file.write_text(f'{MINIMAL}password_file = "secret.txt"')
    assert read(file, environ).config.xmpp.password.get_secret_value() == "from the file"


def test_blanks_belong_to_a_password(tmp_path: Path, file: Path) -> None:
    assert read(file, {"JIDGET_XMPP_PASSWORD": " a b "}).config.xmpp.password.get_secret_value() == " a b "


def test_no_password_anywhere(file: Path) -> None:
    assert failure(file, {}) == (
        f'{file}: xmpp.password_file: missing. Write the password into a file and name it: password_file = "password". '
        "Or give it as the service's credential xmpp-password, or as JIDGET_XMPP_PASSWORD in the environment"
    )


def test_what_never_logs_in_needs_no_password(file: Path) -> None:
    file.write_text(f'{MINIMAL}password_file = "nowhere"')
    config = read(file, {}, password=False).config
    assert config.xmpp.password.get_secret_value() == ""


def test_an_empty_variable_is_no_password(file: Path) -> None:
    assert failure(file, {"JIDGET_XMPP_PASSWORD": ""}) == (
        f"{file}: xmpp: the environment variable JIDGET_XMPP_PASSWORD is empty. Write the account's password there"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty. Write the account's password there"),
        (b"\n", "is empty. Write the account's password there"),
        (b"hunter2\nhunter3\n", "holds several lines. It must hold one: the password"),
        (b"hunter2\x00\n", "holds characters no password has. Write it anew, one line of text"),
        (b"hunter2\xff\n", "is not a text in UTF-8. It must hold one line: the password"),
        (b"hunter2" * 1000, "is too long for a password. It must hold one line: the password"),
    ],
    ids=["empty", "empty line", "several lines", "NUL", "not UTF-8", "long"],
)
def test_unusable_password_files(tmp_path: Path, file: Path, content: bytes, complaint: str) -> None:
    password = tmp_path / "password"
    password.write_bytes(content)
    file.write_text(f'{MINIMAL}password_file = "password"')
    said = failure(file)
    assert said == f'{file}: xmpp.password_file = "password": {password} {complaint}'
    assert "hunter" not in said


def test_a_password_file_that_is_not_there(tmp_path: Path, file: Path) -> None:
    file.write_text(f'{MINIMAL}password_file = "nowhere"')
    assert failure(file) == (
        f'{file}: xmpp.password_file = "nowhere": there is no file {tmp_path / "nowhere"}. '
        "Write the password into it, one line"
    )


def test_a_password_file_that_is_a_directory(tmp_path: Path, file: Path) -> None:
    (tmp_path / "secrets").mkdir()
    file.write_text(f'{MINIMAL}password_file = "secrets"')
    assert "secrets is a directory. Name the file with the password in it" in failure(file)


def test_a_password_file_we_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2")
    (tmp_path / "password").chmod(0)
    with without_privileges(), pytest.raises(NoPassword) as caught:
        find_password("password", tmp_path, {})
    assert caught.value.problem.value == '"password"'
    assert caught.value.problem.text == (
        f"{tmp_path / 'password'} cannot be read: Permission denied. Make it readable for the user that runs jidget"
    )


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_password_that_everybody_may_read_is_doubtful(
    tmp_path: Path, file: Path, mode: int, exposed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2")
    password.chmod(mode)
    file.write_text(f'{MINIMAL}password_file = "password"\n[access]\n"a@b.org" = "owner"\n[things.x]\ndriver = "x"')
    warning = (
        f'{file}: xmpp.password_file = "password": everybody on this machine may read or change {password}. '
        f"Run: chmod 600 {password}"
    )
    expected = (warning,) if exposed else ()
    assert read(file, {}).warnings == expected
    with caplog.at_level(logging.WARNING):
        load(file, {})
    assert tuple(caplog.messages) == expected


# ---- other files and doubts ----------------------------------------------------------------------------------------


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUeUlfHRKFZcMwMYYC9uO2/8Ib6OgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjEwOTM0MzdaGA8yMTI2MTAyODA5
MzQzN1owEjEQMA4GA1UEAwwHVGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABLco0t1L2fJEonvF5HG/2g13Y0WJTUQS+EPCvFVNvIWDj7LhxHXmxAYjfGkt
JXOkqNqnTlVy4ObDTNIbOnZLmNujUzBRMB0GA1UdDgQWBBR5Go2qE8X+B1YP85Po
vLdTwh1ApzAfBgNVHSMEGDAWgBR5Go2qE8X+B1YP85PovLdTwh1ApzAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDTVdfoFAwUVIHQ2PxFawvBVrkK
6cN5/mbI7amhyL7sAwIgLDS2CcFSEU7YEgpqymnBAfWagTarUp6Pglh6rIpucQY=
-----END CERTIFICATE-----
"""


def test_ca_file_beside_the_configuration(tmp_path: Path, file: Path) -> None:
    file.write_text(f'{MINIMAL}ca_file = "ca.pem"')
    assert failure(file) == (
        f'{file}: xmpp.ca_file = "ca.pem": {tmp_path / "ca.pem"} cannot be read: No such file or directory. '
        "Name the PEM file with the CA's certificate"
    )
    (tmp_path / "ca.pem").write_text("no certificate\n")
    assert "ca.pem is no certificate in PEM form. It begins with -----BEGIN CERTIFICATE-----" in failure(file)
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    assert read(file, ENVIRON).config.xmpp.ca_file == tmp_path / "ca.pem"


def doubts(file: Path, text: str) -> list[str]:
    file.write_text(MINIMAL + text)
    return [warning.removeprefix(f"{file}: ") for warning in read(file, ENVIRON).warnings]


THING = '\n[things.pump]\ndriver = "x"\n'


def test_doubtful_grants(file: Path) -> None:
    assert doubts(file, f'[access]\n"alice@example.org" = "owner"{THING}') == []
    assert doubts(file, f'[access]\n"example.net" = "viewer"{THING}') == []
    assert doubts(file, f'[access]\n"example.net" = "operator"{THING}') == [
        'access."example.net" = "operator": this is everybody at the server "example.net". '
        'For one person write "NAME@example.net"'
    ]
    assert doubts(file, f'[access]\nalice = "viewer"{THING}') == [
        'access.alice = "viewer": this is everybody at the server "alice". For one person write "NAME@alice"'
    ]
    assert doubts(file, f'[access]\n"a@b.org" = {{ role = "operator", things = ["pmup", "p*", "x*"] }}{THING}') == [
        'access."a@b.org".things = "pmup": there is no such Thing. Did you mean "pump"?',
        'access."a@b.org".things = "x*": there is no such Thing. Add the Thing, or remove the name',
    ]


def test_a_configuration_without_people_or_things_says_so(file: Path) -> None:
    assert doubts(file, "") == [
        "things: there are none, so there is nothing to read. Write a [things.NAME]",
        'access: nobody but the account itself may see anything. Write [access] and "NAME@SERVER" = "owner"',
    ]


def test_a_config_can_be_built_in_code(tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "file": tmp_path / "x.toml",
            "xmpp": {"jid": "pi@localhost", "password": "secret"},
            "access": {"bob@localhost": "operator"},
            "things": {"pump": {"driver": "simulated", "interval": 0.1}},
        }
    )
    assert config.xmpp.resource == "agent"
    assert config.access["bob@localhost"].things == ("*",)
    assert config.things["pump"].interval == 0.1
