"""The agent's own errors, named by what the process then does; the text tells a person what to check."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `jidget run` and, where they say so, of the other verbs (sysexits.h for 77 and 78)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_SENT = 4
    UNKNOWN = 5
    LOGIN_REFUSED = 77
    CONFIG = 78


class JidgetError(Exception):
    """Base of the agent's errors. Shown to people without a traceback; `exit_code` is what the process ends with."""

    exit_code = Exit.FAILED


class ConfigError(JidgetError):
    """The configuration is wrong: one message a problem, each naming file, key, value and remedy."""

    exit_code = Exit.CONFIG


class LoginRefused(JidgetError):
    """The server refused our password. Fatal if it never worked."""

    exit_code = Exit.LOGIN_REFUSED


class ReplacedError(JidgetError):
    """Another client logged in with our full JID and the server ended our stream with `<conflict/>`."""

    exit_code = Exit.CONFIG


class LinkError(JidgetError):
    """The link to the server failed or was lost: the supervisor connects again."""


class StanzaError(JidgetError):
    """The peer answered our request with an error stanza (RFC 6120 8.3).

    Attributes:
        condition: the defined condition, such as `item-not-found`.
        text: what the peer says about it; may be empty.
        application: local name of the application-specific condition; may be empty.
    """

    def __init__(self, condition: str, text: str = "", application: str = "") -> None:
        super().__init__(f"{condition}{': ' + text if text else ''}")
        self.condition = condition
        self.text = text
        self.application = application


class RequestTimeout(LinkError):
    """The peer did not answer our request in time."""


class PublishRefused(JidgetError):
    """The server will not take what we publish; the text is its reason."""
