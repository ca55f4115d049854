"""From a login to a stream with a bound resource, by each way there is."""

import asyncio
from collections.abc import Callable

from jidget.errors import JidgetError, LinkError
from jidget.xmpp.certificate import CertificateUntrusted, trust
from jidget.xmpp.login import Login
from jidget.xmpp.managed_stream import ManagedStream
from jidget.xmpp.stream import OnStanza
from jidget.xmpp.stream_management import StreamManagement

_DIRECT_TLS_PORTS = (5223, 443)


async def open_stream(
    login: Login,
    on_stanza: OnStanza,
    on_bound: Callable[[ManagedStream], None] = lambda _: None,
    *,
    timeout: float,
    earlier: StreamManagement | None = None,
) -> ManagedStream:
    """Log in and return the bound stream; every stanza that comes in is given to `on_stanza`, in order.

    Args:
        login: as whom, and where.
        on_stanza: given each stanza as soon as it is there.
        on_bound: given the stream when stanzas can be sent, before the first one is received.
        timeout: seconds for each way to connect.
        earlier: a session to take over; if the server has forgotten it, a new one is begun.

    Raises:
        LoginRefused: the server refused the password, or offers only ways that would show it the password.
        CertificateUntrusted: the server's certificate does not verify.
        LinkError: anything else; trying again may help.
    """
    error: JidgetError | None = None
    context = trust(login)
    for security in _securities(login):
        stream = ManagedStream(
            login, security, on_stanza, context, patience=timeout / 3, earlier=earlier, on_bound=on_bound
        )
        try:
            async with asyncio.timeout(timeout):
                await stream.open()
        except CertificateUntrusted:
            await stream.discard()
            raise
        except LinkError as failed:
            await stream.discard()
            if error is None or stream.greeted:  # else the first way got as far, and is the likelier one
                error = failed
        except TimeoutError:
            await stream.discard()
            error = error or LinkError(f"{login.address} did not finish the login within {timeout:g} s")
        except BaseException:
            await stream.discard()
            raise
        else:
            return stream
    raise error or LinkError("no way to connect")


def _securities(login: Login) -> tuple[str, ...]:
    if login.security != "auto" or not login.host:
        return (login.security,)
    both = ("starttls", "direct-tls")
    return both[::-1] if login.port in _DIRECT_TLS_PORTS else both
