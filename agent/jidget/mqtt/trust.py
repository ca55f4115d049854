"""TLS to a broker: whom we trust and how we prove who we are. Certificates are always verified."""

import ssl

from jidget.config.mqtt import MqttConfig


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def context(config: MqttConfig) -> ssl.SSLContext:
    """Return what TLS needs, from the files as they are now: a renewed certificate counts at the next connection.

    Raises:
        OSError: a file cannot be read or used (`ssl.SSLError` among them).
    """
    made = ssl.create_default_context()
    made.sslsocket_class = _Socket
    if config.ca_file is not None:
        made.load_verify_locations(cafile=config.ca_file)
    if config.cert_file is not None:
        made.load_cert_chain(config.cert_file, config.key_file, password=lambda: "")  # never ask at the terminal
    return made
