"""Servers for all tests: real ones, started on loopback by the tests themselves.

`prosody`, `ejabberd` and `mosquitto` run once for the whole session and are shared: make an account of your own with
`account`, and never stop, freeze or crash them. `server` runs a test on both XMPP servers. Whoever needs to harm a
server, or one that is configured otherwise, starts it with `fresh_prosody` or `fresh_server`.

The session's servers are started and used synchronously, so no event loop outlives a test.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.servers import FreshServers, require

from jidget.demo.ejabberd import Ejabberd
from jidget.demo.mosquitto import Mosquitto
from jidget.demo.prosody import Prosody
from jidget.demo.xmpp_server import XmppServer


@pytest.fixture(scope="session")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    require(Prosody)
    with Prosody(tmp_path_factory.mktemp("prosody")) as server:
        yield server


@pytest.fixture(scope="session")
def ejabberd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ejabberd]:
    require(Ejabberd)
    with Ejabberd(tmp_path_factory.mktemp("ejabberd")) as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    require(Mosquitto)
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(params=["prosody", pytest.param("ejabberd", marks=pytest.mark.ejabberd)])
def server(request: pytest.FixtureRequest) -> XmppServer:
    """Each of the shared XMPP servers in turn."""
    chosen = request.getfixturevalue(request.param)
    assert isinstance(chosen, XmppServer)
    return chosen


@pytest.fixture
def account() -> Accounts:
    """Make fresh accounts: `account(server, "pi", contacts=(alice,))`."""
    return Accounts()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[FreshServers]:
    """Start servers of one's own: `fresh_server(Ejabberd, hibernation=5)`."""
    with ExitStack() as stack:
        yield FreshServers(tmp_path, stack)


@pytest.fixture
def fresh_prosody(fresh_server: FreshServers) -> Callable[..., Prosody]:
    """Start a Prosody of one's own: `fresh_prosody(pep=False)`."""
    return partial(fresh_server, Prosody)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Put levels and handlers back that a test of the command line set for the whole process."""
    loggers = [logging.getLogger(name) for name in (None, "jidget", "slixmpp", "asyncio")]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for ejabberd by name; those on both servers carry the mark in their parameter."""
    for item in items:
        if "ejabberd" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.ejabberd)
