"""Passwords: from a file, the service manager's credential or the environment; never from the configuration."""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jidget.config.notation import show_value
from jidget.config.problems import Problem
from jidget.config.values import expand_home

_LONGEST = 1024
"""Bytes: more than this is some other file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the password of one table of the configuration may lie.

    Attributes:
        table: the table.
        variable: the environment variable.
        credential: the credential of the service.
        needed: whether one cannot log in without. Where one can, it is only looked for if somebody is to log in.
    """

    table: str
    variable: str
    credential: str
    needed: bool = True

    def wanted(self, table: Mapping[str, object]) -> bool:
        """Whether a password is to be looked for, by what the table says."""
        return self.needed or "username" in table


XMPP = Source(table="xmpp", variable="JIDGET_XMPP_PASSWORD", credential="xmpp-password")
MQTT = Source(table="mqtt", variable="JIDGET_MQTT_PASSWORD", credential="mqtt-password", needed=False)


class NoPassword(Exception):
    """There is no usable password; `problem` says why, without saying what was found."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A password and what is doubtful about where it lay."""

    secret: str
    doubts: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return "Password(***)"


def find_password(password_file: str | None, base: Path, environ: Mapping[str, str], source: Source = XMPP) -> Password:
    """Return the password; `password_file` is as written in the configuration, relative to `base`.

    Without one it is empty, if the source says that it is not needed.

    Raises:
        NoPassword: there is none, or it cannot be read or used.
    """
    table, variable = (source.table,), source.variable
    if password_file is not None:
        path = base / expand_home(Path(password_file))
        problem = _At((*table, "password_file"), show_value(password_file))
        secret = _from_file(path, problem)
        return Password(secret=secret, doubts=tuple(_exposed(path, problem)))
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and is_there(credential := Path(directory) / source.credential):
        return Password(secret=_from_file(credential, _At(table, "")))
    if variable in environ:
        return Password(secret=_usable(environ[variable], f"the environment variable {variable}", _At(table, "")))
    if not source.needed:
        return Password(secret="")
    raise NoPassword(
        Problem(
            key=(*table, "password_file"),
            text='missing. Write the password into a file and name it: password_file = "password". '
            f"Or give it as the service's credential {source.credential}, or as {variable} in the environment",
        )
    )


def is_there(path: Path) -> bool:
    """Whether there is a file; one in a directory closed to us is, and reading it then says what is wrong."""
    try:
        return path.exists()
    except PermissionError:
        return True


@dataclass(frozen=True, slots=True)
class _At:
    """Where in the configuration the password was to come from."""

    key: tuple[str, ...]
    value: str

    def problem(self, text: str) -> Problem:
        return Problem(key=self.key, value=self.value, text=text)


def _from_file(path: Path, at: _At) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except FileNotFoundError:
        raise NoPassword(at.problem(f"there is no file {path}. Write the password into it, one line")) from None
    except IsADirectoryError:
        raise NoPassword(at.problem(f"{path} is a directory. Name the file with the password in it")) from None
    except OSError as error:
        raise NoPassword(
            at.problem(f"{path} cannot be read: {error.strerror}. Make it readable for the user that runs jidget")
        ) from None
    if len(content) > _LONGEST:
        raise NoPassword(at.problem(f"{path} is too long for a password. It must hold one line: the password"))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise NoPassword(at.problem(f"{path} is not a text in UTF-8. It must hold one line: the password")) from None
    return _usable(text.removesuffix("\n").removesuffix("\r"), str(path), at)


def _usable(text: str, source: str, at: _At) -> str:
    """Return the password if one can log in with it at all (RFC 8265 4.1: no control characters)."""
    if not text:
        raise NoPassword(at.problem(f"{source} is empty. Write the account's password there"))
    if "\n" in text:
        raise NoPassword(at.problem(f"{source} holds several lines. It must hold one: the password"))
    if not all(character.isprintable() or character == "\u00a0" for character in text):
        raise NoPassword(at.problem(f"{source} holds characters no password has. Write it anew, one line of text"))
    return text


def _exposed(path: Path, at: _At) -> Iterator[Problem]:
    mode = path.stat().st_mode
    if mode & stat.S_IRWXO:
        yield at.problem(f"everybody on this machine may read or change {path}. Run: chmod 600 {path}")
