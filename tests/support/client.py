"""A plain slixmpp client, for what tests need to see from outside. It knows nothing of our own code."""

import asyncio
from types import TracebackType
from typing import Any, Self

from slixmpp import ClientXMPP
from tests.support.accounts import Account

_LOGIN_LIMIT = 20.0
_GOODBYE_LIMIT = 5.0
_REFUSALS = ("failed_all_auth", "ssl_invalid_chain", "connection_failed", "stream_error", "disconnected")


class LoginFailedError(Exception):
    """The client did not get in; the text is slixmpp's name of the event that said so."""


class Client:
    """Logs in when entered and out when left. Use `xmpp` for everything between; presence is up to the test.

    Args:
        account: who.
        resource: as which resource.
        direct_tls: direct TLS instead of STARTTLS.
        port: another one than the server's own, such as a proxy's.
        password: another one than the right one.
        plugins: names of slixmpp plugins.
    """

    def __init__(
        self,
        account: Account,
        resource: str = "client",
        *,
        direct_tls: bool = False,
        port: int | None = None,
        password: str | None = None,
        plugins: tuple[str, ...] = (),
    ) -> None:
        server = account.server
        self._address = (server.host, port or (server.tls_port if direct_tls else server.port))
        self.xmpp = ClientXMPP(f"{account.jid}/{resource}", password or account.password)
        self.xmpp.ca_certs = server.ca_file
        self.xmpp.enable_direct_tls = direct_tls
        self.xmpp.enable_starttls = not direct_tls
        for plugin in plugins:
            self.xmpp.register_plugin(plugin)

    async def __aenter__(self) -> Self:
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def note(event: str) -> Any:
            def handler(_: object) -> None:
                if not outcome.done():
                    outcome.set_result(event)

            return handler

        for event in ("session_start", *_REFUSALS):
            self.xmpp.add_event_handler(event, note(event))
        connecting = self.xmpp.connect(*self._address)
        event = ""
        try:
            async with asyncio.timeout(_LOGIN_LIMIT):
                event = await outcome
        finally:
            if event != "session_start":
                self.xmpp.cancel_connection_attempt()
                connecting.cancel()
                self.xmpp.abort()
        if event != "session_start":
            raise LoginFailedError(event)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.xmpp.cancel_connection_attempt()
        if self.xmpp.is_connected():
            gone = self.xmpp.disconnected
            self.xmpp.disconnect(wait=1.0)
            try:
                async with asyncio.timeout(_GOODBYE_LIMIT):
                    await asyncio.shield(gone)
            except TimeoutError:
                self.xmpp.abort()
