"""The safety rules of outputs, as people and their clients meet them on real servers."""

from pathlib import Path

from tests.support.accounts import Accounts
from tests.support.agents import running_app, until, write_config
from tests.support.people import Person, friends
from tests.support.proxy import ChaosProxy

from jidget.demo.xmpp_server import XmppServer

RELAY = """
[things.{name}]
driver = "simulated"
interval = "100ms"
[things.{name}.options]
record = "{name}.record"
state_file = "{name}.state"
[things.{name}.options.properties]
state = {{ type = "boolean", writable = true }}
[things.{name}.safety]
{rules}
"""


def moves(directory: Path, name: str) -> list[str]:
    """Return what a relay was really set to, as the JSON values of its record."""
    path = directory / f"{name}.record"
    return [line.split(" ", 2)[2] for line in path.read_text().splitlines()] if path.exists() else []


async def told(person: Person, text: str) -> None:
    """Wait until a person is told something."""
    await person.until(lambda _: text in person.replies())


async def test_without_a_link_for_long_outputs_go_to_safe_and_stay_there(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    things = RELAY.format(name="pump", rules='on_disconnect = "1s"\non_start = "restore"')
    async with ChaosProxy(server.host, server.port) as proxy:
        file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=things, port=proxy.port)
        async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
            assert await person.asks("pump on") == "pump.state: on (confirmed)"
            proxy.refuse()
            proxy.cut()
            await until(lambda: moves(tmp_path, "pump")[-1] == "false")
            before = moves(tmp_path, "pump")
            proxy.accept()
            await until(lambda: agent.app.session.since is not None)
            await person.asks("read pump")
            assert moves(tmp_path, "pump") == before, "it never restores"


async def test_the_time_on_is_limited_and_whoever_had_it_on_is_told(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice, bob = account(server, "pi"), account(server, "alice"), account(server, "bob")
    grants = {alice.jid: '"owner"', bob.jid: '{ role = "operator", things = ["pump"] }'}
    file = write_config(tmp_path, pi, grants, things=RELAY.format(name="pump", rules='max_on = "1s"'))
    async with (
        running_app(file) as agent,
        friends(owner := Person(alice, agent.jid), operator := Person(bob, agent.jid)),
    ):
        await operator.asks("pump on")
        for person in (owner, operator):
            await told(person, "pump.state was set to off: max_on is 1s")
        assert moves(tmp_path, "pump")[-1] == "false"
        assert await operator.asks("pump on for 2s") == "Refused: pump.state may be on for 1s at most (max_on)"


async def test_a_switch_for_a_while_goes_back_by_itself(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=RELAY.format(name="pump", rules="safe = false"))
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        said = await person.asks("pump on for 2 s")
        assert said.startswith("pump.state: on (confirmed), off again at ")
        await until(lambda: moves(tmp_path, "pump") == ["false", "true", "false"])
        assert not any("the time it was set for" in text for text in person.replies()), (
            "nobody is told of what is expected"
        )


async def test_what_is_interlocked_is_never_on_together_whoever_is_first(
    server: XmppServer, account: Accounts, tmp_path: Path
) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    things = RELAY.format(name="pump", rules='interlock = ["heater"]') + RELAY.format(
        name="heater", rules="safe = false"
    )
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=things)
    async with running_app(file) as agent, friends(person := Person(alice, agent.jid)):
        for name in ("pump", "heater") * 4:
            person.says(f"{name} on")
        await person.until(lambda _: len(person.replies()) == 8)
        on = [name for name in ("pump", "heater") if moves(tmp_path, name)[-1] == "true"]
        assert len(on) == 1
        other = "heater" if on == ["pump"] else "pump"
        assert "true" not in moves(tmp_path, other)
        said = f"Refused: {on[0]}.state is on, so {other}.state stays off (interlock)"
        assert await person.asks(f"{other} on") == said
        assert await person.asks("stop") == "\n".join(f"{name}.state: off (confirmed)" for name in ("pump", "heater"))
        assert await person.asks(f"{other} on") == f"{other}.state: on (confirmed)"


async def test_a_button_switches_without_any_network(account: Accounts, server: XmppServer, tmp_path: Path) -> None:
    pi = account(server, "pi")
    button = """
[things.button]
driver = "simulated"
interval = "100ms"
toggles = "lamp"
[things.button.options.properties]
state = { type = "boolean", waveform = "square", period = "1s" }
"""
    things = button + RELAY.format(name="lamp", rules='min_on = "10ms"')
    file = write_config(tmp_path, pi, things=things, host="127.0.0.1", port=1)
    async with running_app(file):
        await until(lambda: moves(tmp_path, "lamp")[:4] == ["false", "true", "false", "true"])
