"""What goes wrong between us and the broker, in words that say what to check."""

import socket
import ssl

from jidget.config.mqtt import MqttConfig
from jidget.errors import JidgetError
from jidget_drivers import DeviceUnavailable, WriteRefused


class MqttError(JidgetError):
    """Something about MQTT failed."""


class MqttUnavailable(MqttError, DeviceUnavailable):
    """There is no connection: nothing was published."""


class MqttRefused(MqttError, WriteRefused):
    """It cannot be published, or the broker did not take it: nothing was published."""


class OutcomeUnknown(MqttError, TimeoutError):
    """It was published, but the broker did not confirm it: it may have been delivered, now or later."""


class ConnectFailed(MqttUnavailable):
    """The broker was not reached, or let us not in.

    Attributes:
        too_new: whether another version of the protocol is worth trying.
        certain: whether the broker said so itself.
    """

    def __init__(self, text: str, *, too_new: bool = False, certain: bool = False) -> None:
        super().__init__(text)
        self.too_new = too_new
        self.certain = certain


UNSUPPORTED_VERSION = 0x84
_BAD_CLIENT_ID = 0x85
_BAD_PASSWORD = 0x86
_NOT_AUTHORIZED = 0x87
_BANNED = 0x8A
_TAKEN_OVER = 0x8E


def unusable_files(error: OSError) -> ConnectFailed:
    """Return that the files for TLS, which were fine at the start, are no longer."""
    why = error.strerror or error
    return ConnectFailed(f"mqtt.ca_file, cert_file or key_file cannot be used any more: {why}. Put them back")


def unreachable(config: MqttConfig, error: BaseException | None) -> ConnectFailed:
    """Return why there is no connection, by what the operating system or OpenSSL said."""
    return ConnectFailed(f"the MQTT broker {config.address}: {_why_unreachable(config, error)}")


def _why_unreachable(config: MqttConfig, error: BaseException | None) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return _why_untrusted(error)
        case ssl.SSLError() | ConnectionResetError() | BrokenPipeError() if config.tls:
            return "does not speak TLS there. Write its port for TLS in mqtt.port (usually 8883), or tls = false"
        case socket.gaierror() | UnicodeError():
            return "no such host. Check mqtt.host, and that this machine has a network"
        case ConnectionRefusedError():
            return f"nothing listens there. Start the broker, or check mqtt.host and mqtt.port{_other_port(config)}"
        case TimeoutError():
            return "does not answer. Check mqtt.host, mqtt.port and the firewall"
        case OSError():
            return f"cannot be reached: {error.strerror or error}. Check mqtt.host and the network"
    return f"cannot be reached: {error}. Check mqtt.host and mqtt.port"


def _why_untrusted(error: ssl.SSLCertVerificationError) -> str:
    why = error.verify_message.rstrip(".")
    if "expired" in why or "not yet valid" in why:
        return f"its certificate is not valid today ({why}). Renew it, and check this machine's clock"
    if "mismatch" in why or "not valid for" in why:
        return f"its certificate is for another name ({why}). Write the name it is for in mqtt.host"
    return f"its certificate is not trusted ({why}). Name the CA that issued it: mqtt.ca_file"


def _other_port(config: MqttConfig) -> str:
    usual = 8883 if config.tls else 1883
    return "" if config.port == usual else f" (usually {usual})"


def refused(config: MqttConfig, code: int, reason: str) -> ConnectFailed:
    """Return what a CONNACK with a refusal means (MQTT 5 3.2.2.2)."""
    who = f"the user {config.username}" if config.username else "who gives no user name"
    match code:
        case _ if code == UNSUPPORTED_VERSION:
            text = "speaks neither MQTT 5 nor 3.1.1"
            return ConnectFailed(f"the MQTT broker {config.address} {text}", too_new=True, certain=True)
        case _ if code == _BAD_CLIENT_ID:
            text = f"does not take the client id {config.client_id}. Write another one in mqtt.client_id"
        case _ if code in (_BAD_PASSWORD, _NOT_AUTHORIZED) and config.username:
            text = f"refuses {who} ({reason}). Check mqtt.username and its password, and the broker's access list"
        case _ if code in (_BAD_PASSWORD, _NOT_AUTHORIZED):
            text = f"refuses {who} ({reason}). Write mqtt.username and mqtt.password_file"
        case _ if code == _BANNED:
            text = f"has banned us ({reason}). Ask who runs it"
        case _:
            text = f"refuses us for now ({reason})"
    return ConnectFailed(f"the MQTT broker {config.address} {text}", certain=True)


def ended_early(config: MqttConfig) -> ConnectFailed:
    """Return what it may mean that the broker ended the connection instead of answering."""
    if config.tls and config.cert_file is None:
        remedy = "It may want a client certificate: mqtt.cert_file and key_file"
    elif config.tls:
        remedy = "It may not trust the client certificate in mqtt.cert_file"
    else:
        remedy = "If this is its port for TLS write tls = true; else check that it is an MQTT broker"
    text = f"the MQTT broker {config.address} ended the connection without an answer. {remedy}"
    return ConnectFailed(text, too_new=True)


def unanswered(config: MqttConfig) -> ConnectFailed:
    """Return that it took the connection and then said nothing."""
    return ConnectFailed(
        f"the MQTT broker {config.address} takes connections and does not answer. Check that it is one, and whether it "
        "hangs"
    )


def lost(config: MqttConfig, code: int, reason: str, *, said: bool) -> str:
    """Return why a connection ended; `said` is whether the broker gave the reason itself."""
    if said and code == _TAKEN_OVER:
        return (
            f"another client logged in to the MQTT broker {config.address} as {config.client_id}. "
            "Give each its own name: mqtt.client_id"
        )
    if said:
        return f"the MQTT broker {config.address} ended the connection: {reason}"
    return f"the connection to the MQTT broker {config.address} was lost"


def not_published(topic: str, reason: str) -> MqttRefused:
    """Return that the broker did not take a message."""
    return MqttRefused(f"the MQTT broker does not let us publish to {topic}: {reason}. Check its access list")
