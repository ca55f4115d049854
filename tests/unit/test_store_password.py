"""A password that once worked is known again after a restart, another one is not, and none can be read in the file."""

from pathlib import Path

import pytest
from tests.support.stores import killed, no_room

from jidget.store.known_password import KnownPassword
from jidget.store.store import Store

JID = "pi@example.org"
SECRET = "correct horse battery staple"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


async def known(store: Store, jid: str = JID, password: str = SECRET) -> bool:
    return await KnownPassword(store, jid, password).look()


async def test_a_password_is_known_once_it_has_worked_also_after_a_crash(path: Path) -> None:
    async with killed(path) as store:
        password = KnownPassword(store, JID, SECRET)
        assert not await password.look()
        assert not await known(store)  # to look is not to have worked
        password.note()
    for _ in range(2):
        async with Store(path) as store:
            assert await known(store)


@pytest.mark.parametrize(("jid", "password"), [(JID, SECRET + "r"), (JID, ""), ("pi2@example.org", SECRET)])
async def test_another_password_or_account_is_not_known(path: Path, jid: str, password: str) -> None:
    async with Store(path) as store:
        one = KnownPassword(store, JID, SECRET)
        await one.look()
        one.note()
        other = KnownPassword(store, jid, password)
        assert not await other.look()
        other.note()
        assert await known(store, jid, password)
        assert not await known(store)  # the last one that worked is the one that is known


async def test_the_password_is_not_in_the_file(path: Path) -> None:
    async with Store(path) as store:
        password = KnownPassword(store, JID, SECRET)
        await password.look()
        password.note()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert SECRET.encode() not in content
    assert b"correct" not in content


async def test_a_store_that_fails_is_told_when_it_is_back(path: Path) -> None:
    async with Store(path, try_again=0) as store:
        password = KnownPassword(store, JID, SECRET)
        await password.look()
        with no_room():
            store.append([])
            password.note()
            assert store.trouble
            password.note()
            assert not await known(store)
        await store._come_back()
        assert not await known(store)
        password.note()
        assert await known(store)
