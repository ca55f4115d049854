"""Without a configured host the domain's SRV records decide (RFC 6120 3.2.1, XEP-0368)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.accounts import Accounts
from tests.support.agents import QUICK, running_app, write_config
from tests.support.dns import Srv, name_server
from tests.support.logs import watching_log
from tests.support.strangers import swallowing

from jidget.demo.prosody import Prosody

DOMAIN = "home.example"
TARGET = "xmpp.hoster.example"
STARTTLS, DIRECT = f"_xmpp-client._tcp.{DOMAIN}", f"_xmpps-client._tcp.{DOMAIN}"


@pytest.fixture
def home(fresh_prosody: Callable[..., Prosody]) -> Prosody:
    return fresh_prosody(DOMAIN)


@pytest.mark.parametrize("kind", [STARTTLS, DIRECT], ids=["starttls", "direct"])
async def test_logs_in_where_a_record_points_to(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    pi = account(home, "pi")
    port = home.port if kind == STARTTLS else home.tls_port
    file = write_config(tmp_path, pi, host=None, port=None, security="auto")
    with watching_log() as log:
        async with name_server(monkeypatch, {kind: [Srv(0, 5, port, TARGET)]}, [TARGET]) as zone, running_app(file):
            await log.says(f"logged in to {DOMAIN} as {pi.jid}/agent")  # its certificate names the domain only
    assert {STARTTLS, DIRECT} <= set(zone.asked)
    assert TARGET in zone.asked


async def test_goes_on_to_the_next_record_where_nobody_answers(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {STARTTLS: [Srv(5, 0, home.port, TARGET), Srv(1, 0, 1, "down.hoster.example")]}
    file = write_config(tmp_path, account(home, "pi"), host=None, port=None, security="auto")
    with watching_log() as log:
        async with name_server(monkeypatch, records, [TARGET, "down.hoster.example"]), running_app(file):
            await log.says("logged in to")
    assert not log.matching("no link")


async def test_goes_on_to_the_next_record_where_packets_are_swallowed(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_config(tmp_path, account(home, "pi"), host=None, port=None, security="auto")
    with watching_log() as log, swallowing() as nowhere:
        records = {STARTTLS: [Srv(1, 0, nowhere, TARGET), Srv(5, 0, home.port, TARGET)]}
        async with name_server(monkeypatch, records, [TARGET]), running_app(file):
            await log.says("logged in to")
    assert not log.matching("no link")


async def test_only_the_wanted_kind_of_record_is_followed(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {STARTTLS: [Srv(0, 0, 1, TARGET)], DIRECT: [Srv(9, 0, home.tls_port, TARGET)]}
    file = write_config(tmp_path, account(home, "pi"), host=None, port=None, security="direct-tls")
    with watching_log() as log:
        async with name_server(monkeypatch, records, [TARGET]) as zone, running_app(file):
            await log.says("logged in to")
    assert STARTTLS not in zone.asked


@pytest.mark.parametrize("kind", [STARTTLS, DIRECT], ids=["starttls", "direct"])
async def test_an_untrusted_certificate_is_that_of_the_records_target(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    port = home.port if kind == STARTTLS else home.tls_port
    file = write_config(tmp_path, account(home, "pi"), host=None, port=None, security="auto", ca_file=None)
    with watching_log() as log:
        async with name_server(monkeypatch, {kind: [Srv(0, 5, port, TARGET)]}, [TARGET]), running_app(file):
            said = await log.says("no link")
    assert f"the certificate of {DOMAIN} for {DOMAIN} (SHA-256 " in said


async def test_a_reason_for_a_lost_link_is_not_one_of_an_earlier_attempt(
    home: Prosody, account: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {DIRECT: [Srv(0, 0, 1, TARGET)], STARTTLS: [Srv(0, 0, home.port, TARGET)]}
    file = write_config(tmp_path, account(home, "pi"), host=None, port=None, security="auto")
    with watching_log() as log:
        async with name_server(monkeypatch, records, [TARGET]), running_app(file, replace(QUICK, first_pause=5)):
            await log.says("logged in to")
            await home.astop()
            said = await log.says("no link")
    assert "refused" not in said
