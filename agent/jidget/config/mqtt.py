"""The broker whose devices become Things, as people write it: `[mqtt]`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StrictBool, WithJsonSchema

from jidget.config.topics import PlainThings
from jidget.config.values import Host, LocalPath, Whole, wrong
from jidget.spelling import did_you_mean

SUBJECTS = ("device", "entity", "kind", "category", "area", "model", "origin")
"""What the patterns of `include` and `exclude` may be about; they begin with it and a colon."""

Format = Literal["zigbee2mqtt", "tasmota", "shelly", "homie"]
FORMATS: tuple[Format, ...] = ("zigbee2mqtt", "tasmota", "shelly", "homie")
"""Ways in which devices announce themselves, besides Home Assistant's discovery."""

_CLIENT_ID = r"[0-9A-Za-z_.:@-]{1,64}"
_PREFIX = r"[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*"
_LONGEST_NAME = 256
_CONTROLS = r"\x00-\x1f\x7f"
_TEXT = f"[^{_CONTROLS}]"
_PLAIN = f"[^:{_CONTROLS}]"


def _client_id(text: str) -> str:
    if not re.fullmatch(_CLIENT_ID, text):
        raise wrong("not a client id: letters, digits and any of _-.:@, at most 64. Write such a one or remove the key")
    return text


def _prefix(text: str) -> str:
    if not re.fullmatch(_PREFIX, text):
        raise wrong(
            'not the beginning of a topic: letters, digits, _ and -, in levels: "homeassistant", "home/discovery"'
        )
    return text


def _entity_pattern(text: str) -> str:
    subject, colon, pattern = text.partition(":")
    if colon and subject not in SUBJECTS:
        near = did_you_mean(subject, SUBJECTS)
        raise wrong(
            f'nothing has a "{subject}". Write one of {", ".join(SUBJECTS)} before the colon.{near}'.rstrip(".")
            + ("" if near else f'. For a name with a colon in it write "device:{text}"')
        )
    if not (pattern if colon else text).strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise wrong('not a pattern. Write a name, or parts of one with * for the rest: "kitchen*", "kind:update"')
    return text


def _name(text: str) -> str:
    if not text or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise wrong("not a user name. Write the broker's name for this agent, or remove the key")
    return text


_SOMETHING = rf"[^\s{_CONTROLS}]"
_SOMETHING_PLAIN = rf"[^:\s{_CONTROLS}]"

EntityPattern = Annotated[
    str,
    AfterValidator(_entity_pattern),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_NAME,
            "pattern": f"^({'|'.join(SUBJECTS)}):{_TEXT}*{_SOMETHING}{_TEXT}*$|^{_PLAIN}*{_SOMETHING_PLAIN}{_PLAIN}*$",
        }
    ),
]
"""A shell pattern (`*`, `?`, `[abc]`) for what is bridged: of names, or after a subject and a colon of that."""
UserName = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME, "pattern": r"^[^\x00-\x1f\x7f]*$"}),
]


class MqttLink(BaseModel):
    """How to reach the broker, and which of its devices are bridged."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Host = Field(default="localhost", description="The broker", examples=["broker.example.org"])
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Its port: 1883, or 8883 with TLS, if left out", examples=[8883]
    )
    username: UserName | None = Field(
        default=None, description="The broker's name for this agent; without it nobody is named", examples=["jidget"]
    )
    tls: StrictBool = Field(default=False, description="Whether to use TLS. The certificate is always verified")
    ca_file: LocalPath | None = Field(
        default=None, description="PEM file of one more CA to trust, such as the broker's own", examples=["ca.pem"]
    )
    cert_file: LocalPath | None = Field(
        default=None, description="PEM file of a certificate that says who we are", examples=["client.pem"]
    )
    key_file: LocalPath | None = Field(
        default=None, description="PEM file of its private key, if that is not in cert_file", examples=["client.key"]
    )
    client_id: (
        Annotated[str, AfterValidator(_client_id), WithJsonSchema({"type": "string", "pattern": f"^{_CLIENT_ID}$"})]
        | None
    ) = Field(
        default=None,
        description="What the broker calls our connection, and the name in our status topic jidget/CLIENT_ID/status; "
        "made from the JID if left out",
        examples=["jidget-barn"],
    )
    discovery_prefix: Annotated[
        str, AfterValidator(_prefix), WithJsonSchema({"type": "string", "pattern": f"^{_PREFIX}$"})
    ] = Field(default="homeassistant", description="First levels of the topics where devices announce themselves")
    formats: tuple[Format, ...] = Field(
        default=FORMATS,
        description="What is understood besides Home Assistant's discovery: by which other ways devices announce "
        "themselves; all of them if left out",
        examples=[["zigbee2mqtt", "tasmota"]],
    )
    topics: PlainThings = Field(
        default={},
        description="Things on topics that nobody announces, by id",
        examples=[{"boiler": {"properties": {"temperature": {"topic": "boiler/state", "path": "t", "unit": "°C"}}}}],
    )
    include: Annotated[tuple[EntityPattern, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Bridge only what one of these patterns fits: names of devices or entities, or SUBJECT:PATTERN "
        f"with one of {', '.join(SUBJECTS)}; everything if left out",
        examples=[["kitchen*", "area:Garage"]],
    )
    exclude: tuple[EntityPattern, ...] = Field(
        default=(),
        description="Leave out what one of these patterns fits, even if it is included",
        examples=[["*_linkquality", "kind:update", "area:Garage"]],
    )
    diagnostics: StrictBool = Field(
        default=False, description="Whether values by which a device tells how it is are shown with the others"
    )
    settings: StrictBool = Field(
        default=False, description="Whether a device's settings are shown with its other values"
    )
    announce: StrictBool = Field(
        default=False,
        description="Whether to announce this agent's own Things to the broker, as Home Assistant discovers devices. "
        "Who may write to the broker may set them if access.mqtt says so",
    )
    birth: StrictBool = Field(
        default=True,
        description="Whether to ask devices to announce themselves again, as Home Assistant does when it starts",
    )


class MqttConfig(MqttLink):
    """The broker, complete: port and client id are there, files have absolute paths."""

    port: Annotated[Whole, Field(ge=1, le=65535)] = 1883
    client_id: str = "jidget"
    password: SecretStr = SecretStr("")
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
