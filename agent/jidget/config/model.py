"""The configuration as the agent uses it: checked, normalised, durations in seconds."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from jidget.config.mqtt import MqttConfig
from jidget.config.sizes import Bytes, size
from jidget.config.things import Overlay, Table, ThingConfig
from jidget.config.values import (
    Distance,
    Host,
    LocalPath,
    Pause,
    Seconds,
    ThingId,
    ThingPattern,
    Whole,
    duration,
    one_of,
    wrong,
)

LEAST_STORE = 20_000_000
"""Bytes that a store must be allowed to take."""


class XmppLink(Table):
    """How to reach the server and what kind of account it is."""

    host: Host | None = Field(
        default=None,
        description="Server to connect to; without it the domain's SRV records decide",
        examples=["xmpp.example.org"],
    )
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port of host: 5222, or 5223 with direct TLS, if left out", examples=[5222]
    )
    security: Literal["auto", "starttls", "direct-tls"] = Field(
        default="auto", description="How TLS begins; auto tries both. The certificate is always verified"
    )
    ca_file: LocalPath | None = Field(
        default=None, description="PEM file of one more CA to trust, such as the server's own", examples=["ca.pem"]
    )
    account: Literal["own", "agents", "person"] = Field(
        default="own", description="Whose account it is: this agent's own, shared by several agents, or a person's"
    )
    liveness: Pause = duration("10s", "Silence after which the server is asked for a sign of life")


class XmppConfig(XmppLink):
    """The account and how to reach its server. `jid` is bare and normalised."""

    jid: str
    resource: str = "agent"
    password: SecretStr = SecretStr("")


def _room_to_work(size: int) -> int:
    if size < LEAST_STORE:
        raise wrong('too small for a store and its log. Write at least "20MB"')
    return size


def _worth_keeping(seconds: float) -> float:
    if seconds < 60:
        raise wrong('too short: whoever missed a reading could not ask for it. Write at least "1m"')
    return seconds


class StoreKeeping(Table):
    """What the store keeps, and how safely."""

    keep: Annotated[Seconds, AfterValidator(_worth_keeping)] = duration(
        "30d", "How long readings that the server has are kept; what it has not is kept as long as there is room"
    )
    max_size: Annotated[Bytes, AfterValidator(_room_to_work)] = size(
        "200MB", "Most that the store takes on the disk; readings that the server has go first, the oldest of them"
    )
    durability: Literal["normal", "full"] = Field(
        default="normal",
        description="normal: a crash loses nothing, a power cut at most the last half minute. full: every commit "
        "is on the disk before its readings are sent, which wears an SD card",
    )


class StoreConfig(StoreKeeping):
    """Where readings are kept until the server has them, and commands, so that none runs twice."""

    path: Path = Path("jidget.db")


class Role(StrEnum):
    """What a person may do: viewers read, operators also act, owners may everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"


def _role(value: object) -> object:
    if isinstance(value, str) and value not in tuple(Role):
        raise wrong(f"not a role: write {one_of(value, [role.value for role in Role])}")
    return value


class Grant(Table):
    """What one person, or everybody at one domain, may do.

    Attributes:
        role: the kind of rights.
        things: patterns of the Things they may act on: all of them for an owner, none for a viewer.
        read: patterns of the Things they see; None for all.
    """

    role: Annotated[Role, BeforeValidator(_role)] = Field(description="owner, operator or viewer")
    things: tuple[ThingPattern, ...] = Field(
        default=(), description="Things an operator may act on; all if left out", examples=[["pump", "gate*"]]
    )
    read: Annotated[tuple[ThingPattern, ...], Field(min_length=1)] | None = Field(
        default=None, description="Things a viewer or operator sees; all if left out", examples=[["greenhouse"]]
    )

    @model_validator(mode="before")
    @classmethod
    def _fit_role(cls, value: Any) -> Any:
        """Accept a role alone, and fill in or refuse `things` and `read` by role."""
        if isinstance(value, str):
            value = {"role": _role(value)}
        if not isinstance(value, dict):
            if isinstance(value, cls):
                return value
            raise wrong('neither a role nor a table with one. Write "viewer", or { role = "operator", things = ["…"] }')
        role, things = value.get("role"), value.get("things")
        if role == Role.OWNER:
            if things not in (None, ("*",)) or value.get("read") is not None:
                raise wrong("an owner sees everything and acts on everything. Remove things and read, or the role")
            return {**value, "things": ("*",)}
        if role == Role.VIEWER and things is not None:
            raise wrong('a viewer acts on nothing. Remove things, write read = […] for what they see, or "operator"')
        if role == Role.OPERATOR and things is None:
            return {**value, "things": ("*",)}
        if role == Role.OPERATOR and not things:
            raise wrong('an operator of nothing. Name the Things in things, or write role = "viewer"')
        return value


class ReportConfig(Table):
    """When a reading is published. Times in seconds."""

    min_interval: Seconds = duration("0s", "No more often than this")
    max_interval: Pause = duration("5m", "At least this often, even if nothing changed")
    deadband: Distance = Field(default=0.0, description="Change that is worth publishing, in the property's unit")


class Config(Table):
    """The whole configuration.

    Attributes:
        file: where it was read from.
        xmpp: account and server.
        access: rights by normalised bare JID or domain.
        store: where readings are kept, and for how long.
        report: defaults of the report policy.
        things: by id, in the order of the file; those with a driver.
        overlays: by id; what is said of devices that are discovered.
        mqtt: the broker whose devices become Things; None for none.
    """

    file: Path
    xmpp: XmppConfig
    access: dict[str, Grant] = Field(default={})
    store: StoreConfig = StoreConfig()
    report: ReportConfig = ReportConfig()
    things: dict[ThingId, ThingConfig] = Field(default={})
    overlays: dict[ThingId, Overlay] = Field(default={})
    mqtt: MqttConfig | None = None
