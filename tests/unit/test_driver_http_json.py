"""The http-json driver against a real server on loopback."""

import base64
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.hardware_http import JsonServer, Page, Request

from jidget.demo.pki import Authority
from jidget_drivers import DeviceUnavailable, DriverError, InvalidReading, MissingLibrary, Scalar, WriteRefused
from jidget_drivers.http_client import MOST_CONTENT
from jidget_drivers.http_json import HttpJson
from jidget_drivers.http_json_options import HttpJsonOptions
from jidget_drivers.testing import check_driver

SECRET = "correct horse"


@pytest.fixture
def server() -> Iterator[JsonServer]:
    with JsonServer(lambda _: Page('{"power": 12.5, "relay": {"on": true}}')) as started:
        yield started


def asking(url: str, **more: Any) -> HttpJson:
    return HttpJson(HttpJsonOptions.model_validate({"url": url, "properties": {"power": {"unit": "W"}}, **more}))


async def read(driver: HttpJson) -> dict[str, Scalar]:
    async with driver:
        return dict(await driver.read())


# ---- reading ------------------------------------------------------------------------------------------------------


async def test_values_are_at_their_keys(server: JsonServer) -> None:
    properties = {"power": {"unit": "W"}, "on": {"key": "/relay/on", "type": "boolean"}}
    assert await read(asking(f"{server.url}/status?id=0", properties=properties)) == {"power": 12.5, "on": True}
    assert [request.path for request in server.requests] == ["/status?id=0"]


async def test_each_reading_is_a_request_and_the_server_may_have_been_away(server: JsonServer) -> None:
    async with asking(server.url) as driver:
        assert await driver.read() == {"power": 12.5}
        server.answer = lambda _: Page('{"power": 13}')
        assert await driver.read() == {"power": 13}
        server.stop()
        with pytest.raises(DeviceUnavailable, match=f"nobody listens at 127.0.0.1 port {server.port}. Is it on"):
            await driver.read()


@pytest.mark.parametrize(
    ("page", "error", "says"),
    [
        (Page("<html>"), InvalidReading, "it is no JSON"),
        (Page(""), InvalidReading, "it is no JSON .*: nothing"),
        (Page('{"power": NaN}'), InvalidReading, "NaN is not a number"),
        (Page('{"power": null}'), InvalidReading, "power: power is null"),
        (Page('{"watts": 1}'), InvalidReading, "the JSON has no power: instead of 'power' there is 'watts'"),
        (Page("[" + "1," * MOST_CONTENT + "1]"), InvalidReading, f"the page has more than {MOST_CONTENT} bytes"),
        (Page("{}", 404), DeviceUnavailable, r"there is no such page: check url \(status 404 Not Found\)"),
        (Page("{}", 401), DeviceUnavailable, "who asks: check user and password_file"),
        (Page("{}", 429), DeviceUnavailable, "lengthen interval"),
        (Page("{}", 503), DeviceUnavailable, "it answers status 503 Service Unavailable"),
        (Page("", 304), DeviceUnavailable, "status 304"),
        (Page('{"power"', promise=100), DeviceUnavailable, "its answer makes no sense|the connection broke"),
        (Page("{}", 302, {"Location": "/again"}), DeviceUnavailable, "it sends us on more than 5 times"),
        (Page("{}", 302, {"Location": "file:///etc/passwd"}), DeviceUnavailable, "it sends us on to file:"),
    ],
)
async def test_what_is_wrong_is_said_without_what_may_be_secret(
    server: JsonServer, page: Page, error: type[Exception], says: str
) -> None:
    server.answer = lambda _: page
    with pytest.raises(error, match=says) as failed:
        await read(asking(f"{server.url}/status?apikey=hidden"))
    assert f"{server.url}/status:" in str(failed.value)
    assert "hidden" not in str(failed.value)


async def test_a_server_that_does_not_answer_in_time(server: JsonServer) -> None:
    go_on = threading.Event()

    def answer(_: Request) -> Page:
        go_on.wait(30)
        return Page()

    server.answer = answer
    with pytest.raises(DeviceUnavailable, match=r"no answer within 0.1 s"):
        await read(asking(server.url, timeout="100ms"))
    go_on.set()


async def test_no_such_host() -> None:
    with pytest.raises(DeviceUnavailable, match=r"no such host: plug.invalid. Check url"):
        await read(asking("http://plug.invalid/"))


# ---- who asks, and whom one believes -------------------------------------------------------------------------------


def with_secret(tmp_path: Path, text: str = f"{SECRET}\n") -> Path:
    path = tmp_path / "secret"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("options", "header"),
    [
        (lambda file: {"token_file": file}, f"Bearer {SECRET}"),
        (
            lambda file: {"user": "ann", "password_file": file},
            f"Basic {base64.b64encode(f'ann:{SECRET}'.encode()).decode()}",
        ),
    ],
)
async def test_the_secret_goes_to_the_server_and_nowhere_else(
    server: JsonServer,
    tmp_path: Path,
    options: Callable[[Path], dict[str, Any]],
    header: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with JsonServer(lambda _: Page('{"power": 1}')) as elsewhere:
        first = asking(server.url, **options(with_secret(tmp_path)))
        assert await read(first) == {"power": 12.5}
        server.answer = lambda request: Page(
            status=307, headers={"Location": "/here" if request.path == "/" else f"{elsewhere.url}/there"}
        )
        assert await read(first) == {"power": 1}
        server.answer = lambda _: Page(status=401)
        with pytest.raises(DeviceUnavailable) as failed:
            await read(first)
        assert [request.headers.get("authorization") for request in server.requests] == [header] * 4
        assert [request.headers.get("authorization") for request in elsewhere.requests] == [None]
    for said in (str(failed.value), repr(failed.value), caplog.text, repr(first.options)):
        assert SECRET not in said
        assert header.split()[1] not in said


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "x" * 5000, "ключ"])
async def test_a_file_without_a_usable_secret_is_named(tmp_path: Path, content: str) -> None:
    driver = asking("http://127.0.0.1:9/", token_file=with_secret(tmp_path, content))
    with pytest.raises(DeviceUnavailable, match=r"secret: (it should have one line|a token is plain ASCII)") as failed:
        await read(driver)
    assert not content.strip() or content.strip() not in str(failed.value)


async def test_a_missing_secret_is_said_before_anybody_is_asked(tmp_path: Path, server: JsonServer) -> None:
    with pytest.raises(DeviceUnavailable, match="nothing: the secret cannot be read: No such file"):
        await read(asking(server.url, token_file=tmp_path / "nothing"))
    assert server.requests == []


async def test_a_certificate_counts_only_from_an_authority_one_trusts(tmp_path: Path, server: JsonServer) -> None:
    authority = Authority(tmp_path / "ca")
    page = Page('{"power": 2}')
    with JsonServer(lambda _: page, authority.issue("127.0.0.1")) as secure:
        assert await read(asking(secure.url, ca_file=authority.ca_file)) == {"power": 2}
        with pytest.raises(DeviceUnavailable, match=r"its certificate is not trusted: .*needs ca_file"):
            await read(asking(secure.url))
        page = Page(status=302, headers={"Location": server.url})
        with pytest.raises(DeviceUnavailable, match="it sends us on to http:, which is less safe"):
            await read(asking(secure.url, ca_file=authority.ca_file))
        assert server.requests == []
    distrusted = pytest.raises(DeviceUnavailable, match=r"its certificate is not trusted: .*127.0.0.1")
    with JsonServer(lambda _: page, authority.issue("plug.example")) as other, distrusted:
        await read(asking(other.url, ca_file=authority.ca_file))
    with pytest.raises(DeviceUnavailable, match="secret: no certificate can be read from it"):
        await read(asking("https://127.0.0.1/", ca_file=with_secret(tmp_path)))
    with pytest.raises(DeviceUnavailable, match=r"no TLS with it .*is it http:// after all"):
        await read(asking(server.url.replace("http:", "https:")))


# ---- setting ------------------------------------------------------------------------------------------------------


def test_what_is_set_is_found_again(server: JsonServer) -> None:
    held = {"power": 0.5, "mode": "eco", "on": False}

    def answer(request: Request) -> Page:
        if request.method == "POST":
            assert request.headers["content-type"] == "application/json"
            held.update(json.loads(request.body))
        if request.path.startswith("/mode?to="):
            held["mode"] = {"eco": "eco", "a%26b%20c": "a&b c"}[request.path.removeprefix("/mode?to=")]
        return Page(json.dumps(held))

    server.answer = answer
    properties = {
        "power": {"write": {"url": server.url, "body": '{"power": {json}}'}},
        "on": {"type": "boolean", "write": {"url": server.url, "body": '{"on": {json}}'}},
        "mode": {"type": "string", "write": {"url": f"{server.url}/mode?to={{value}}", "method": "GET"}},
    }
    writes: dict[str, Scalar] = {"power": -2.25, "on": True, "mode": "a&b c"}
    check_driver(HttpJson, {"url": server.url, "properties": properties}, writes=writes)


@pytest.mark.parametrize(
    ("page", "error", "says"),
    [
        (Page(status=400), WriteRefused, "power was not set: it answers status 400"),
        (Page(status=403), WriteRefused, "it does not allow this"),
        (Page(status=302, headers={"Location": "/"}), WriteRefused, "it wants to be asked elsewhere"),
        (Page(status=500), DriverError, "power was not set: it answers status 500"),
    ],
)
async def test_a_refusal_is_told_from_a_failure(
    server: JsonServer, page: Page, error: type[Exception], says: str
) -> None:
    server.answer = lambda _: page
    async with asking(server.url, properties=settable(server.url)) as driver:
        with pytest.raises(error, match=says) as failed:
            await driver.write("power", 1)
        assert type(failed.value) is error
        assert len(server.requests) == 1
        server.stop()
        with pytest.raises(DeviceUnavailable, match="nobody listens"):
            await driver.write("power", 1)


async def test_nobody_knows_what_became_of_a_request_without_an_answer(server: JsonServer) -> None:
    go_on = threading.Event()

    def answer(_: Request) -> Page:
        go_on.wait(30)
        return Page()

    server.answer = answer
    async with asking(server.url, properties=settable(server.url), timeout="100ms") as driver:
        with pytest.raises(TimeoutError, match=r"no answer within 0.1 s; power may have changed"):
            await driver.write("power", 1)
    go_on.set()


def settable(url: str) -> dict[str, Any]:
    return {"power": {"write": {"url": url, "body": "{value}"}}}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "plug.lan/status"}, "it is no address of a page"),
        ({"url": "ftp://plug.lan/"}, "it is no address of a page"),
        ({"url": "http:///status"}, "it is no address of a page"),
        ({"url": "http://plug.lan:99999/"}, "it is no address of a page"),
        ({"url": "http://plug.lan/\r\nX: y"}, "it is no address of a page"),
        ({"url": "http://ann:secret@plug.lan/"}, "no name and password in an address"),
        ({"user": "ann"}, "user and password_file go together"),
        ({"user": "ann", "password_file": "p", "token_file": "t"}, "either user and password_file, or token_file"),
        ({"ca_file": "ca.pem"}, "ca_file is for https"),
        ({"properties": settable("http://evil.example/"), "token_file": "t"}, "must not get the secret"),
        ({"properties": {"x": {"write": {"url": "http://plug.lan/on"}}}}, "neither url nor body has {value}"),
        (
            {"properties": {"x": {"write": {"url": "http://a/{value}", "method": "GET", "body": "{value}"}}}},
            "a GET has no body",
        ),
        ({"verify": False}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        HttpJsonOptions.model_validate({"url": "http://plug.lan/", "properties": {"power": {}}, **settings})


# ---- the library --------------------------------------------------------------------------------------------------


def test_without_aiohttp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jidget_drivers.http_client", raising=False)
    monkeypatch.delattr("jidget_drivers.http_client", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingLibrary, match=r"http-json needs aiohttp, which jidget\[http\] brings"):
        asking("http://plug.lan/")


def test_the_library_is_only_imported_for_who_has_such_a_thing() -> None:
    code = "import sys, jidget_drivers.http_json; sys.exit('aiohttp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
