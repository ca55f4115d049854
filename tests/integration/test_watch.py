"""`jidget watch`: a process of its own, at real servers (DESIGN 4.2, 4.6)."""

import asyncio
import re
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import PUMP, running_app, write_config
from tests.support.command_line import Running, jidget, login, started
from tests.support.followers import Follower, Keeper, following
from tests.support.sensor_data import NODE
from tests.support.servers import FreshServers

from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer
from jidget.errors import Exit

THINGS = """
[things.greenhouse]
driver = "simulated"
interval = "100ms"
[things.greenhouse.options.properties]
temperature = { type = "number", unit = "Cel", waveform = "ramp", low = 10, high = 30, period = "2s" }
humidity = { type = "number", unit = "%RH", writable = true, initial = 55.0, precision = 0 }
count = { type = "integer", waveform = "counter" }
mode = { type = "enum", options = ["eco", "boost"], writable = true }
"""


def household(server: XmppServer, account: Accounts) -> tuple[Account, Account]:
    """Return a device's and its owner's account, who see each other."""
    alice = account(server, "alice")
    return account(server, "pi", contacts=(alice,)), alice


def owner(alice: Account) -> dict[str, str]:
    return {alice.jid: '"owner"'}


def batch(item: str, *counts: int, agent: str = "agent") -> str:
    """Write a batch of a meter's counts as an agent publishes it."""
    instants = "".join(f"<ts v='2026-11-21T12:00:{n:02}.000Z'><l n='count' v='{n}'/></ts>" for n in counts)
    return f"<resp xmlns='{NODE}' id='{item}'><nd id='meter' src='{agent}'>{instants}</nd></resp>"


@asynccontextmanager
async def pretending(pi: Account) -> AsyncIterator[Keeper]:
    """Log in as the agent with a client that publishes what an agent never would."""
    async with Keeper(pi, "agent") as keeper:
        keeper.xmpp.send_presence()
        yield keeper


async def publish_until_seen(device: Keeper, item: str, payload: str, *watchers: Running) -> None:
    """Publish an item again and again until each watcher has shown something."""
    async with asyncio.timeout(20):
        while not all(watcher.out for watcher in watchers):
            await device.publish(NODE, item, payload)
            await asyncio.sleep(0.05)


# ---- what is shown -------------------------------------------------------------------------------------------------


async def test_a_person_sees_the_current_values_first_and_then_what_arrives_in_columns(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        await follower.hears("greenhouse.count", 3)
        ended = await jidget("watch", pi.jid, *login(alice, tmp_path), "--count", "12")
    assert (ended.code, ended.err) == (0, "")
    now = [line for line in ended.lines if line.endswith("  (now)")]
    assert ended.lines[: len(now)] == now
    names = ("temperature", "humidity", "count", "mode")
    assert [line.split()[1] for line in now] == [f"greenhouse.{name}" for name in names]
    assert len(ended.lines) == len(now) + 12
    for line in ended.lines:
        assert re.fullmatch(r"\d\d:\d\d:\d\d  greenhouse\.\w+ +\S+( °C| %)?(  \(now\))?", line), line
    assert re.search(r"greenhouse\.temperature  \d\d(\.\d\d?)? °C$", ended.out, re.MULTILINE)
    assert re.search(r"greenhouse\.humidity     55 %  \(now\)$", ended.out, re.MULTILINE)
    assert re.search(r"greenhouse\.mode         eco  \(now\)$", ended.out, re.MULTILINE)
    columns = {re.sub(r"^(\S+ +\S+ +).*", r"\1", line).__len__() for line in ended.lines}
    assert len(columns) == 1, "one column for the values"
    assert "\x1b" not in ended.out, "no colours in a pipe"


async def test_a_script_gets_exactly_the_documented_objects_and_each_reading_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)) as agent:
        ended = await jidget("watch", f"{pi.jid}/agent", *login(alice, tmp_path), "--json", "--count", "24")
        gen = agent.app.store.gen
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.records) == 24
    for record in ended.records:
        assert list(record) == ["jid", "agent", "thing", "property", "value", "unit", "time", "flags", "seq"]
        assert (record["jid"], record["agent"], record["thing"]) == (pi.jid, "agent", "greenhouse")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        assert re.fullmatch(rf"{gen}-\d+", record["seq"])
        assert record["flags"] == []
    units = {(record["property"], record["unit"], type(record["value"])) for record in ended.records}
    assert units <= {
        ("temperature", "Cel", float),
        ("humidity", "%", float),
        ("count", "", int),
        ("mode", "", str),
    }
    counts = [record["value"] for record in ended.records if record["property"] == "count"]
    assert counts == list(range(counts[0], counts[0] + len(counts)))


async def test_a_gap_is_told_what_comes_twice_is_shown_once_and_another_agents_readings_not(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    async with pretending(pi) as device:
        watching = started("watch", pi.jid, *login(alice, tmp_path), "--json", "--count", "5")
        person = started("watch", f"{pi.jid}/barn", *login(alice, tmp_path), "--count", "2")
        async with watching as script, person as watcher:
            await publish_until_seen(device, "0a1b2c3d-7", batch("0a1b2c3d-7", 1, 2), script)
            await publish_until_seen(device, "ffffffff-1", batch("ffffffff-1", 50, agent="barn"), watcher)
            for seq, count in ((7, 1), (8, 3), (11, 4), (10, 5)):
                await device.publish(NODE, f"0a1b2c3d-{seq}", batch(f"0a1b2c3d-{seq}", count))
            await device.publish(NODE, "ffffffff-3", batch("ffffffff-3", 51, agent="barn"))
            ended, seen = await script.ended(), await watcher.ended()
    shown = [record.get("event") or record["value"] for record in ended.records]
    assert shown == [1, 2, 3, "gap", 4, 5]
    assert ended.records[3] == {"event": "gap", "from": "0a1b2c3d-9", "to": "0a1b2c3d-10"}
    assert ended.code == 0
    assert [line.split()[-1] for line in seen.lines if "meter" in line] == ["50", "51"]
    assert "batch ffffffff-2 is missing" in seen.lines


async def test_what_a_terminal_should_not_get_is_taken_out(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    hostile = (
        f"<resp xmlns='{NODE}' id='a-1'><nd id='me\u009bter' src='agent'><ts v='2026-11-21T12:00:00.000Z'>"
        "<s n='te&#10;xt' v='\u009b31mred\u202e&#10;second line'/><q n='nan' v='NaN' u='V'/><q n='ok' v='1.5' u='V'/>"
        "</ts><ts v='0001-01-01T00:00:00.000+14:00'><l n='early' v='1'/></ts>"
        "<ts v='9999-12-31T23:59:59.999Z'><l n='late' v='2' h='true' zz='true'/></ts></nd></resp>"
    )
    async with pretending(pi) as device, started("watch", pi.jid, *login(alice, tmp_path), "--count", "3") as watcher:
        await publish_until_seen(device, "a-1", hostile, watcher)
        ended = await watcher.ended()
    assert ended.code == 0
    assert len(ended.lines) == 3
    assert "\u009b" not in ended.out
    assert "\u202e" not in ended.out
    assert "te xt" in ended.lines[0]
    assert ended.lines[1].endswith("1.5 V")
    assert ended.lines[2].endswith("2  (late)")


async def test_colours_only_where_they_are_wanted(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget("watch", pi.jid, *login(alice, tmp_path), "--count", "2", env={"FORCE_COLOR": "1"})
    assert ended.code == 0
    assert "\x1b[36m" in ended.out


# ---- how it ends ---------------------------------------------------------------------------------------------------


async def test_ends_in_time_and_says_so_where_that_was_too_soon(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        options = [pi.jid, *login(alice, tmp_path), "--json", "--for", "600ms"]
        enough, missing = await asyncio.gather(jidget("watch", *options), jidget("watch", *options, "--count", "10000"))
    assert (enough.code, enough.err) == (0, "")
    assert 1 <= len(enough.records) <= 20
    assert missing.code == Exit.FAILED
    assert re.fullmatch(r"\d+ of 10000 readings did not come in time\n", missing.err)


async def test_ctrl_c_ends_it_quietly(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    watching = started("watch", pi.jid, *login(alice, tmp_path))
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)), watching as watcher:
        await watcher.prints_lines(3)
        watcher.interrupt(signal.SIGINT)
        ended = await watcher.ended()
    assert (ended.code, ended.err) == (130, "")


async def test_a_reader_that_has_seen_enough_ends_it_quietly(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    command = shlex.join([sys.executable, "-m", "jidget", "watch", pi.jid, *login(alice, tmp_path), "--json"])
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{command} | head -n 3; echo ${{PIPESTATUS[0]}}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    assert err == b""
    assert out.splitlines()[-1] == b"141"
    assert len(out.splitlines()) == 4


async def test_a_server_that_goes_and_never_comes_back_is_told_in_the_end(
    fresh_server: FreshServers, account: Accounts, tmp_path: Path
) -> None:
    server = fresh_server(Prosody)
    pi, alice = household(server, account)
    watching = started("watch", pi.jid, *login(alice, tmp_path), "--json", "--for", "6s")
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)), watching as watcher:
        await watcher.prints_lines(3)
        await server.astop()
        ended = await watcher.ended()
    assert ended.code == Exit.FAILED
    told = [line for line in ended.err.splitlines() if not line.endswith(" is offline")]  # the agent, a moment before
    assert re.fullmatch(r"(the connection was lost|the server ended the stream).*\. Trying again", told[0])
    assert re.fullmatch(rf"there is no link in the end: {server.host}:{server.port} cannot be reached.*", told[1])
    assert len(told) == 2


# ---- as whom and where ---------------------------------------------------------------------------------------------


async def test_logs_in_as_the_environment_says_by_direct_tls(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    env = {"JIDGET_CLIENT_JID": alice.jid, "JIDGET_CLIENT_PASSWORD": alice.password}
    where = ["--host", server.host, "--port", server.tls_port, "--security", "direct-tls", "--ca-file", server.ca_file]
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget("watch", pi.jid, *where, "--json", "--count", "1", env=env)
    assert (ended.code, ended.err) == (0, "")


async def test_without_any_it_is_the_agents_own_account_and_that_disturbs_nobody(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    file = write_config(tmp_path, pi, owner(alice), things=THINGS)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(file) as agent:
        await follower.hears("greenhouse.count", 3)
        ended = await jidget("watch", pi.jid, "--json", "--count", "20", env={"JIDGET_CONFIG": str(file)})
        await agent.stop()
        await follower.sees("unavailable")
    assert (ended.code, ended.err) == (0, "")
    counts = [int(row.value) for row in follower.rows("greenhouse.count")]
    assert counts == list(range(counts[0], counts[0] + len(counts))), "others went on seeing everything"
    assert len(follower.presences()) == 2, "and that the agent came and went, once"


async def test_a_wrong_password_is_77(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(server, account)
    ended = await jidget("watch", pi.jid, *login(alice, tmp_path, password="not this one"))
    assert ended.code == Exit.LOGIN_REFUSED
    assert f"refused the password of {alice.jid}" in ended.err
    assert ended.err.count("\n") == 1
    assert not ended.out


async def test_a_certificate_that_nobody_vouches_for(prosody: Prosody, account: Accounts, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    options = login(alice, tmp_path)
    del options[options.index("--ca-file") :]
    ended = await jidget("watch", pi.jid, *options)
    assert ended.code == Exit.FAILED
    assert "certificate" in ended.err
    assert "ca_file" in ended.err or "--ca-file" in ended.err, "and how to trust it"
    assert "Traceback" not in ended.err


async def test_nobody_listens_there(account: Accounts, prosody: Prosody, tmp_path: Path) -> None:
    pi, alice = household(prosody, account)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        ended = await jidget("watch", pi.jid, *login(alice, tmp_path, port=taken.getsockname()[1]))
    assert ended.code == Exit.FAILED
    assert ended.err.startswith(f"jidget: {prosody.host}:")
    assert "cannot be reached" in ended.err
    assert ended.err.count("\n") == 1


# ---- who is not there, or not for us -------------------------------------------------------------------------------


async def test_an_agent_that_is_offline_is_waited_for_and_that_is_said(
    prosody: Prosody, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(prosody, account)
    file = write_config(tmp_path, pi, owner(alice), things=PUMP)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower), running_app(file):  # a life before, which leaves its last values
        await follower.hears("pump.state", 1)
    async with started("watch", pi.jid, *login(alice, tmp_path), "--count", "1") as watcher:
        said = await watcher.prints(lambda err: err.count("\n") >= 1, err=True)
        assert said == f"{pi.jid}/agent is offline; its readings come when it is back\n"
        assert re.fullmatch(r"\S+  pump\.state        off  \(now\)\n", watcher.out), "what it said last"
        async with running_app(file):
            ended = await watcher.ended()
    assert ended.code == 0
    assert f"{pi.jid}/agent is there" in ended.err
    assert len(ended.lines) == 2


async def test_a_stranger_is_told_why_there_is_nothing_to_see(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = household(server, account)
    mallory = account(server, "mallory")
    async with running_app(write_config(tmp_path, pi, owner(alice), things=THINGS)):
        ended = await jidget("watch", pi.jid, *login(mallory, tmp_path), "--for", "300ms", "--count", "1")
    assert ended.code == Exit.FAILED
    assert not ended.out
    assert ended.err.splitlines()[0] == (
        f"{pi.jid} does not show {mallory.jid} its readings: its owner has to put {mallory.jid} on its access list. "
        "They come as soon as that is done"
    )


async def test_somebody_new_on_the_list_sees_them_at_once(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, bob = account(server, "pi"), account(server, "bob")
    async with running_app(write_config(tmp_path, pi, {bob.jid: '"viewer"'}, things=THINGS)):
        ended = await jidget("watch", pi.jid, *login(bob, tmp_path), "--count", "3")
    assert (ended.code, ended.err) == (0, "")
    assert len([line for line in ended.lines if "(now)" not in line]) == 3


# ---- what is asked for wrongly -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["pi"], 2, "'pi' is not a JID such as pi@example.org"),
        (["pi@localhost", "--count", "0"], 2, "'0' is not a whole number above 0"),
        (["pi@localhost", "--for", "soon"], 2, "soon"),
        (["pi@localhost", "--port", "99999", "--host", "h"], 2, "'99999' is not a port"),
        (["pi@localhost", "--as", "alice@localhost", "--port", "5222"], 78, "--port needs --host"),
        (["pi@localhost", "--as", "alice"], 78, "--as alice: not a JID such as alice@example.org"),
        (["pi@localhost", "--as", "a@localhost"], 78, "no password for a@localhost: give --password-file FILE"),
        (["pi@localhost", "--password-file", "x"], 78, "--password-file needs --as"),
        (["pi@localhost", "--as", "a@localhost", "--password-file", "none"], 78, "--password-file none: "),
        (["pi@localhost", "--as", "a@localhost", "--password-file", "empty"], 78, "the file is empty"),
        (
            ["pi@localhost", "--as", "a@localhost", "--password-file", "good", "--ca-file", "none"],
            78,
            "--ca-file none: no such file",
        ),
        (
            ["pi@localhost", "--as", "a@localhost", "--password-file", "good", "--ca-file", "empty"],
            78,
            "--ca-file empty: no certificates in PEM format",
        ),
        (["pi@localhost", "--config", "none.toml"], 78, "none.toml"),
    ],
)
def test_says_what_is_wrong(  # noqa: PLR0917  # pytest's
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from jidget.cli.main import main  # noqa: PLC0415  # only here

    monkeypatch.chdir(tmp_path)
    for name in ("JIDGET_CLIENT_JID", "JIDGET_CLIENT_PASSWORD", "JIDGET_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    Path("empty").touch()
    Path("good").write_text("a password\n")
    assert main(["watch", *arguments]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out
