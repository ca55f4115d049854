"""The agent as seen by a client that shares no code with it: xmpp.js."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import COUNTER, PUMP, running_app, write_config

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer

CLIENT = Path(__file__).parents[1] / "support" / "xmppjs"
LIMIT = 60.0


@pytest.fixture(params=["prosody", pytest.param("ejabberd", marks=pytest.mark.ejabberd)])
def server(request: pytest.FixtureRequest, fresh_prosody: Callable[..., Prosody]) -> XmppServer:
    """A server; Prosody without stream management, in which xmpp.js 0.14 sometimes counts one stanza too many."""
    if request.param == "prosody":
        return fresh_prosody(without={"smacks"})
    ejabberd: Ejabberd = request.getfixturevalue("ejabberd")
    return ejabberd


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    missing = "" if found else "node is not installed: sudo apt install nodejs"
    if not (CLIENT / "node_modules" / "@xmpp").is_dir():
        missing = f"xmpp.js is not installed: npm ci --prefix {CLIENT.relative_to(Path.cwd())}"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    if missing or found is None:
        pytest.skip(missing)
    return found


async def visit(node: str, person: Account, agent: str, *how: str) -> tuple[int, dict[str, Any]]:
    server = person.server
    address = (f"xmpps://{server.domain}:{server.tls_port}", server.domain, person.name, person.password, agent)
    process = await asyncio.create_subprocess_exec(
        node,
        str(CLIENT / "visitor.mjs"),
        *address,
        *how,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(server.ca_file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT):
        out, err = await process.communicate()
    assert out, err.decode()
    return process.returncode or 0, json.loads(out.decode().splitlines()[-1])


async def test_it_sees_readings_and_gives_commands(
    server: XmppServer, account: Accounts, tmp_path: Path, node: str
) -> None:
    alice, pi = account(server, "alice"), account(server, "pi")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=PUMP + COUNTER)
    async with running_app(file) as agent:
        code, seen = await visit(node, alice, f"{pi.jid}/agent")
        assert code == 0, seen
        record = agent.record.read_text().splitlines()
    assert "Water pump" in seen["presence"]
    counts = [int(r["v"]) for r in seen["readings"] if r["thing"] == "meter"]
    assert counts == sorted(counts)  # to a new contact Prosody may tell the last one twice
    assert all(r["kind"] == "l" and r["n"] == "count" for r in seen["readings"] if r["thing"] == "meter")
    assert seen["now"] == ["agent/1"]
    assert {"status", "read", "set", "do", "things", "help", "set/pump"} >= set(seen["commands"]) >= {"status", "set"}
    assert seen["form"]["status"] == "executing"
    assert {"target", "value"} <= set(seen["form"]["fields"])
    assert seen["result"]["status"] == "completed"
    assert seen["result"]["note"] == "pump.state: on (confirmed)"
    assert seen["result"]["fields"]["pump.state"] == "on"
    assert seen["result"]["fields"]["outcome"] == "done"
    assert seen["replies"] == ["pump.state: off (confirmed)"]
    assert seen["unknown"] == "item-not-found"
    assert [line.split()[-1] for line in record] == ["true", "false"]


async def test_it_is_refused_as_a_stranger(server: XmppServer, account: Accounts, tmp_path: Path, node: str) -> None:
    mallory, pi = account(server, "mallory"), account(server, "pi")
    file = write_config(tmp_path, pi, things=PUMP)
    async with running_app(file) as agent:
        code, seen = await visit(node, mallory, f"{pi.jid}/agent", "stranger")
        assert code == 0, seen
        assert not agent.record.exists()
    assert seen["refusal"] == "service-unavailable"
    assert seen["readings"] == seen["replies"] == []
