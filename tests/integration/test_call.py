"""`jidget call`: a process of its own, at real servers; each of its exit codes really produced (DESIGN 4.2, 4.6)."""

import asyncio
import json
import socket
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import running_app, write_config
from tests.support.client import Client
from tests.support.command_line import jidget, login, started
from tests.support.followers import Follower, following
from tests.support.servers import FreshServers

from jidget.demo.agent_process import AgentProcess
from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.errors import Exit

THINGS = """
[things.pump]
driver = "simulated"
label = "Water pump"
interval = "100ms"
[things.pump.options]
record = "pump.record"
[things.pump.options.properties]
state = { type = "boolean", writable = true }

[things.tank]
driver = "simulated"
interval = "100ms"
[things.tank.options]
record = "tank.record"
faults = [
    { on = "write", do = "ignore", property = "deaf" },
    { on = "write", do = "slow", property = "slow", delay = "3s" },
]
[things.tank.options.properties]
level = { type = "number", unit = "%", waveform = "ramp", low = 0, high = 100 }
target = { type = "number", unit = "Cel", writable = true, min = 5, max = 30, initial = 20.0, precision = 1 }
mode = { type = "enum", options = ["eco", "boost"], writable = true }
deaf = { type = "boolean", writable = true }
slow = { type = "boolean", writable = true }
"""


def household(server: XmppServer, account: Accounts) -> tuple[Account, Account]:
    """Return a device's and its owner's account, who see each other."""
    alice = account(server, "alice")
    return account(server, "pi", contacts=(alice,)), alice


def owner(alice: Account) -> dict[str, str]:
    return {alice.jid: '"owner"'}


def writes(directory: Path, thing: str = "pump") -> list[str]:
    """Return what a Thing was really made to do: `property value`."""
    record = directory / f"{thing}.record"
    return [line.split(" ", 1)[1] for line in record.read_text().splitlines()] if record.exists() else []


# ---- 0: done -------------------------------------------------------------------------------------------------------


async def test_done_is_0_and_prints_the_sentence(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    options = login(alice, tmp_path)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        said = await jidget("call", pi.jid, "set", "target=pump.state", "value=on", *options)
        assert (said.code, said.out, said.err) == (0, "pump.state: on (confirmed)\n", "")
        told = await jidget("call", f"{pi.jid}/agent", "set/tank", "target=21.5", "mode=boost", *options, "--json")
        assert (told.code, told.err) == (0, "")
        assert json.loads(told.out) == {
            "outcome": "done",
            "note": "tank.target: 21.5 °C (confirmed)\ntank.mode: boost (confirmed)",
            "fields": {"tank.target": "21.5 °C", "tank.mode": "boost"},
        }
    assert writes(tmp_path) == ["state true"]
    assert writes(tmp_path, "tank") == ["target 21.5", 'mode "boost"']


async def test_reading_and_looking_around(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    options = login(alice, tmp_path)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        read, status, things, done = await asyncio.gather(
            jidget("call", pi.jid, "read", "target=tank.target", *options, "--json"),
            jidget("call", pi.jid, "status", *options),
            jidget("call", pi.jid, "things", *options),
            jidget("call", pi.jid, "do", "target=tank.calibrate", "arguments=offset=1.5", *options),
        )
    assert [ended.code for ended in (read, status, things, done)] == [0, 0, 0, 0]
    assert json.loads(read.out)["fields"] == {"tank.target": "20.0 °C"}
    assert "pump" in status.out
    assert "tank" in things.out
    assert done.out == "tank calibrate: done\n"
    assert writes(tmp_path, "tank") == ["calibrate() 1.5"]


# ---- the same again ------------------------------------------------------------------------------------------------


async def test_the_same_key_is_done_once_and_tells_the_first_outcome_again(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    arguments = ["call", pi.jid, "set", "target=pump.state", "value=on", *login(alice, tmp_path)]
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        first = await jidget(*arguments, "--id", "evening 1")
        await jidget("call", pi.jid, "set/pump", "state=off", *login(alice, tmp_path))
        again = await jidget(*arguments, "--id", "evening 1", "--json")
        other = await jidget(*arguments, "--id", "evening 2")
    assert (first.code, first.out) == (0, "pump.state: on (confirmed)\n")
    assert again.code == 0
    record = json.loads(again.out)
    assert record["outcome"] == "done"
    assert record["note"].startswith("pump.state: on (confirmed)\nAsked before (")
    assert "nothing was moved again" in record["note"]
    assert "Now pump.state: off" in record["note"]
    assert record["fields"] == {"pump.state": "off"}
    assert other.code == 0
    assert writes(tmp_path) == ["state true", "state false", "state true"]


async def test_two_at_the_same_time_with_the_same_key_move_it_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    """Both log in as the same resource, so the server may end one of them: that one does not know the outcome."""
    pi, alice = household(server, account)
    arguments = ["call", pi.jid, "set", "target=pump.state", "value=on", *login(alice, tmp_path), "--id", "k", "--json"]
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        both = await asyncio.gather(jidget(*arguments), jidget(*arguments))
        after = await jidget(*arguments)
    assert {ended.code for ended in both} <= {Exit.OK, Exit.UNKNOWN, Exit.NOT_SENT}
    assert after.code == 0
    assert json.loads(after.out)["outcome"] == "done"
    assert writes(tmp_path) == ["state true"]
    assert not any("Traceback" in ended.err for ended in both)


# ---- 2: usage ------------------------------------------------------------------------------------------------------


async def test_missing_fields_are_listed_and_nothing_is_done(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    options = login(alice, tmp_path)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget("call", pi.jid, "set", *options)
        told = await jidget("call", pi.jid, "set/pump", *options, "--json")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    lines = ended.err.splitlines()
    assert lines[0] == "set needs fields. One value at a time."
    assert lines[1].startswith("  target=…  What to set [pump.state, tank.target, tank.mode, tank.deaf, tank.slow]")
    assert lines[2].startswith("  value=…   Value (on, off, a number, …)")
    assert lines[3] == "  for=…     For how long (10m; empty: for good)"
    assert told.code == Exit.USAGE
    assert json.loads(told.out) == {"outcome": "usage", "note": "set/pump needs fields: state", "fields": {}}
    assert not writes(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "JID, COMMAND"),
        (["pi@localhost"], "COMMAND"),
        (["pi@localhost", "set", "on"], "'on' is not of the form field=value"),
        (["pi@localhost", "set", "=on"], "'=on' is not of the form field=value"),
        (["localhost", "status"], "'localhost' is not a JID"),
        (["pi@localhost", "status", "--key", "x"], "unknown argument: --key"),
    ],
)
def test_wrong_arguments_are_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    from jidget.cli.main import main  # noqa: PLC0415  # only here

    assert main(["call", *arguments]) == Exit.USAGE
    assert says in capsys.readouterr().err


# ---- 3: refused ----------------------------------------------------------------------------------------------------


async def test_refusals_are_3_and_say_why(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    bob, mallory = account(server, "bob"), account(server, "mallory")
    access = owner(alice) | {bob.jid: '"viewer"'}
    async with running_app(write_config(tmp_path, pi, access, things=THINGS)):
        value, field, unknown, viewer, stranger = await asyncio.gather(
            jidget("call", pi.jid, "set", "target=tank.target", "value=99", *login(alice, tmp_path)),
            jidget("call", pi.jid, "set", "target=pump.state", *login(alice, tmp_path)),
            jidget("call", pi.jid, "fly", *login(alice, tmp_path), "--json"),
            jidget("call", pi.jid, "set", "target=pump.state", "value=on", *login(bob, tmp_path)),
            jidget("call", pi.jid, "set", "target=pump.state", "value=on", *login(mallory, tmp_path)),
        )
    assert [ended.code for ended in (value, field, unknown, viewer, stranger)] == [Exit.REFUSED] * 5
    assert value.err == "Refused: tank.target: 99.0 is out of range: 5 to 30 °C\n"
    assert field.err == "Refused: say what to set pump.state to: on or off\n"
    assert json.loads(unknown.out)["note"].startswith('Refused: there is no command "fly"')
    assert viewer.err.startswith("Refused: you may not use set here")
    assert stranger.err == (
        f"Refused: {pi.jid}/agent does not answer you: you are not in its access list, or it is not there\n"
    )
    assert not any(ended.out for ended in (value, field, viewer, stranger))
    assert not writes(tmp_path)
    assert not writes(tmp_path, "tank")


async def test_a_field_given_twice_is_refused(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget(
            "call", pi.jid, "set", "target=pump.state", "value=on", "value=off", *login(alice, tmp_path)
        )
    assert ended.code == Exit.REFUSED
    assert ended.err == "Refused: the field value takes one value, not 2\n"
    assert not writes(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        ("set", "target=pump.state", "value=on"),
        ("set/pump", "state=on"),
        ("do", "target=tank.calibrate", "arguments=offset=1.5"),
    ],
)
async def test_what_a_person_must_confirm_is_refused_and_told_how(
    prosody: Prosody, account: Accounts, tmp_path: Path, fields: tuple[str, ...]
) -> None:
    pi, alice = household(prosody, account)
    things = f"{THINGS}[things.pump.safety]\nconfirm = true\n[things.tank.safety.target]\nconfirm = true\n"
    async with running_app(write_config(tmp_path, pi, owner(alice), things=things)):
        ended = await jidget("call", pi.jid, *fields, *login(alice, tmp_path))
        told = await jidget("call", pi.jid, *fields, *login(alice, tmp_path), "--json")
    assert (ended.code, ended.out) == (Exit.REFUSED, "")
    note = (
        f"Refused: {fields[0]}: a person must confirm this with a code. "
        "Say it in chat, or execute the form in a chat program"
    )
    assert ended.err == f"{note}\n"
    assert told.code == Exit.REFUSED
    assert json.loads(told.out) == {"outcome": "refused", "note": note, "fields": {}}
    assert set(writes(tmp_path)) <= {"state false"}, "it goes to safe when the agent starts"
    assert not writes(tmp_path, "tank")


# ---- 4: not sent ---------------------------------------------------------------------------------------------------


async def test_an_agent_that_is_offline_is_4(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    ended = await jidget("call", pi.jid, "set", "target=pump.state", "value=on", *login(alice, tmp_path), "--json")
    assert ended.code == Exit.NOT_SENT
    assert json.loads(ended.out) == {"outcome": "not sent", "note": f"{pi.jid}/agent is offline", "fields": {}}


async def test_no_server_no_such_server_or_an_untrusted_one_is_4(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    call = ["call", pi.jid, "set", "target=pump.state", "value=on"]
    untrusted = login(alice, tmp_path)
    del untrusted[untrusted.index("--ca-file") :]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        down, doubtful = await asyncio.gather(
            jidget(*call, *login(alice, tmp_path, port=taken.getsockname()[1])), jidget(*call, *untrusted)
        )
    assert (down.code, doubtful.code) == (Exit.NOT_SENT, Exit.NOT_SENT)
    assert down.err.startswith(f"{prosody.host}:")
    assert down.err.endswith("; nothing was sent\n")
    assert "certificate" in doubtful.err
    assert "Traceback" not in doubtful.err


# ---- 5: unknown ----------------------------------------------------------------------------------------------------


async def test_what_cannot_be_confirmed_is_5(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget("call", pi.jid, "set", "target=tank.deaf", "value=on", *login(alice, tmp_path), "--json")
    assert ended.code == Exit.UNKNOWN
    record = json.loads(ended.out)
    assert record["outcome"] == "unconfirmed"
    assert record["note"] == "tank.deaf: on sent, unconfirmed: it reads off"
    assert record["fields"] == {"tank.deaf": "off"}


SLOWLY = ("set/tank", "mode=boost", "slow=on")
"""A command that has moved one thing and is then busy with the other."""


async def _until_driving(directory: Path) -> None:
    """Wait until `SLOWLY` is half done."""
    async with asyncio.timeout(20):
        while not writes(directory, "tank"):  # noqa: ASYNC110  # a file
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", [Prosody, pytest.param(Ejabberd, marks=pytest.mark.ejabberd)])
async def test_an_agent_that_dies_in_the_middle_is_5_as_soon_as_the_server_knows(
    kind: type[Prosody] | type[Ejabberd], fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(kind, hibernation=1)  # for so long the agent's session waits for another connection
    pi, alice = household(server, account)
    file = write_config(tmp_path, pi, owner(alice), things=THINGS)
    watcher = Follower(alice, f"{pi.jid}/agent")
    async with AgentProcess(tmp_path / "agent", file) as agent, following(watcher):
        await watcher.sees()
        async with started("call", pi.jid, *SLOWLY, *login(alice, tmp_path)) as call:
            await _until_driving(tmp_path)
            agent.kill()
            async with asyncio.timeout(10):
                ended = await call.ended()
    assert ended.code == Exit.UNKNOWN
    assert ended.err == f"{pi.jid}/agent went offline before it answered; whether it was done is not known\n"
    assert writes(tmp_path, "tank") == ['mode "boost"']


async def test_a_link_that_is_lost_in_the_middle_is_5_at_once_and_asking_again_tells(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    """Somebody logs in with the caller's resource, and the server ends the caller's stream."""
    pi, alice = household(server, account)
    resource = f"-call-{sha256(b'evening').hexdigest()[:16]}"
    arguments = ["call", pi.jid, *SLOWLY, *login(alice, tmp_path), "--id", "evening", "--json"]
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        async with started(*arguments) as call:
            await _until_driving(tmp_path)
            begun = asyncio.get_running_loop().time()
            async with Client(alice, resource):
                ended = await call.ended()
        assert asyncio.get_running_loop().time() - begun < 2.5
        again = await jidget(*arguments)
    assert ended.code == Exit.UNKNOWN
    record = json.loads(ended.out)
    assert record["outcome"] == "unknown"
    assert record["note"].endswith("; whether it was done is not known")
    assert again.code == 0
    assert json.loads(again.out)["outcome"] == "done"
    assert writes(tmp_path, "tank") == ['mode "boost"', "slow true"]


# ---- 77: login refused ---------------------------------------------------------------------------------------------


async def test_a_wrong_password_is_77(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    ended = await jidget("call", pi.jid, "status", *login(alice, tmp_path, password="not this one"), "--json")
    assert ended.code == Exit.LOGIN_REFUSED
    assert f"refused the password of {alice.jid}" in ended.err


# ---- as whom -------------------------------------------------------------------------------------------------------


async def test_without_any_it_is_the_agents_own_account_and_that_disturbs_nobody(
    ejabberd: Ejabberd, account: Accounts, tmp_path: Path
) -> None:
    """The agent's own account owns it. On ejabberd a second login can keep readings from others."""
    pi, alice = household(ejabberd, account)
    file = write_config(tmp_path, pi, owner(alice), things=THINGS)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(file) as agent:
        await follower.hears("tank.level", 3)
        ended = await jidget("call", pi.jid, "set/pump", "state=on", "--config", file)
        await follower.hears("pump.state", 2)
        await agent.stop()
    assert (ended.code, ended.out) == (0, "pump.state: on (confirmed)\n")
    seqs = [int(batch.id.rpartition("-")[2]) for batch in follower.batches()]
    assert seqs == list(range(1, len(seqs) + 1)), "nobody missed anything"
