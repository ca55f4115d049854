"""A store that was put back from a copy does not give numbers again that consumers have seen (DESIGN 4.3)."""

from pathlib import Path

from tests.support.accounts import Accounts
from tests.support.agents import COUNTER, running_app, write_config
from tests.support.followers import Follower, following
from tests.support.logs import watching_log

from jidget.demo.xmpp_server import XmppServer


def kept(store: Path) -> dict[Path, bytes]:
    """Return all there is of a store, also what is noted beside it."""
    return {file: file.read_bytes() for file in store.parent.glob(f"{store.name}*")}


async def test_what_follows_has_numbers_of_its_own(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    pi, alice = account(server, "pi"), account(server, "alice")
    file = write_config(tmp_path, pi, {alice.jid: '"owner"'}, things=COUNTER)
    follower = Follower(alice, f"{pi.jid}/agent")
    async with following(follower):
        async with running_app(file) as agent:
            await follower.hears("meter.count", 5)
            store = agent.app.store.path
            gen = agent.app.store.gen
        copy = kept(store)
        async with running_app(file) as agent:
            heard = len(follower.rows("meter.count"))
            await follower.hears("meter.count", heard + 5)
            assert agent.app.store.gen == gen
        for part, content in copy.items():
            part.write_bytes(content)  # into the very same files
        with watching_log() as log:
            async with running_app(file) as agent:
                heard = len(follower.rows("meter.count"))
                await follower.hears("meter.count", heard + 5)
                new = agent.app.store.gen
                assert new != gen
        assert log.matching("it was put back from a copy")
    assert {batch.id.partition("-")[0] for batch in follower.batches()} == {gen, new}
