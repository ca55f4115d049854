"""Settings of the driver `http-json`: which page, who asks, and what is in the answer."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.extraction import ExtractedProperty
from jidget_drivers.option_types import Duration, LocalPath
from jidget_drivers.text_values import takes_value


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or re.search(r"[\x00-\x20]", url):
        raise ValueError("it is no address of a page: write http://… or https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no name and password in an address, where logs show them: write user and password_file")
    return url


Url = Annotated[str, AfterValidator(_check_url)]


def without_query(url: str) -> str:
    """Return `url` as messages may show it: what follows the question mark may be a secret."""
    return url.partition("#")[0].partition("?")[0]


class HttpWrite(DriverOptions):
    """The request that sets a property."""

    url: Url = Field(description="Where to; {value} in it becomes the value, percent-encoded.")
    method: Literal["POST", "PUT", "PATCH", "GET"] = Field(default="POST", description="Kind of the request.")
    body: str | None = Field(
        default=None,
        description='What is sent, such as {"on": {json}}: {json} becomes the value as JSON, {value} as text.',
    )
    content_type: str = Field(
        default="application/json", pattern=r"^[\w.+-]+/[\w.+-]+(; *[\w-]+=[\w-]+)*$", description="What body is."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if "{value}" not in self.url and not takes_value(self.body or ""):
            raise ValueError("neither url nor body has {value} or {json}, so that every value would do the same")
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET has no body: write method, or put {value} into url")
        return self


class HttpProperty(ExtractedProperty):
    """One property: what it is, where in the JSON it stands, and what sets it."""

    write: HttpWrite | None = Field(default=None, description="The request that sets it.")


class HttpJsonOptions(DriverOptions):
    """Which page, who asks, and what is in the answer."""

    url: Url = Field(description="Address of the page, http:// or https://.")
    properties: dict[str, HttpProperty] = Field(
        min_length=1, description="Its properties by name; key left out means the name itself."
    )
    timeout: Duration = Field(
        default=4.0, gt=0, description="Time that a request may take, redirections included. Below the Thing's."
    )
    user: str | None = Field(default=None, min_length=1, description="Name for basic authentication.")
    password_file: LocalPath | None = Field(default=None, description="File with the password of user.")
    token_file: LocalPath | None = Field(default=None, description="File with a token, sent as Authorization: Bearer.")
    ca_file: LocalPath | None = Field(
        default=None, description="Certificate to trust besides the system's, for a device with one of its own (PEM)."
    )

    @property
    def secret_file(self) -> Path | None:
        """Return the file with the password or token."""
        return self.password_file or self.token_file

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together")
        if self.user is not None and self.token_file is not None:
            raise ValueError("either user and password_file, or token_file")
        for name, spec in self.properties.items():
            spec.declared(name)
            if self.secret_file is not None and spec.write is not None and _origin(spec.write.url) != _origin(self.url):
                raise ValueError(f"{name}: what sets it is at another address than url, which must not get the secret")
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError("ca_file is for https://")
        return self


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
