"""The configuration file as people write it, and its JSON Schema."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from jidget.config.model import Grant, ReportConfig, Role, StoreKeeping, XmppLink
from jidget.config.mqtt import MqttLink
from jidget.config.things import AnyThing, Table
from jidget.config.values import AccountJid, BareJid, LocalPath, ThingId, ThingPattern

_PATTERNS = {"type": "array", "minItems": 1, "items": TypeAdapter(ThingPattern).json_schema()}


def _grant_table(role: Role, **keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"role": {"const": role.value}, **keys},
        "required": ["role"],
        "additionalProperties": False,
    }


_GRANT_SCHEMA = {
    "description": "A role alone, or a table that says which Things it is for",
    "anyOf": [
        {"type": "string", "enum": [role.value for role in Role]},
        _grant_table(Role.OWNER),
        _grant_table(Role.OPERATOR, things=_PATTERNS, read=_PATTERNS),
        _grant_table(Role.VIEWER, read=_PATTERNS),
    ],
}


class XmppTable(XmppLink):
    """The account and how to reach its server."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"port": ["host"]}})

    jid: AccountJid = Field(
        description='The account, and the resource this agent is known by: "agent" if left out',
        examples=["pi@example.org/agent"],
    )
    password_file: LocalPath | None = Field(
        default=None,
        description="File with the password; else the credential xmpp-password, else JIDGET_XMPP_PASSWORD",
        examples=["password"],
    )


class StoreTable(StoreKeeping):
    """Where readings are kept until the server has them, and commands, so that none runs twice."""

    path: LocalPath | None = Field(
        default=None,
        description="The store's file; its directory must be there. If left out jidget.db, in $STATE_DIRECTORY if "
        "systemd gives one, else beside this file",
        examples=["jidget.db"],
    )


class MqttTable(MqttLink):
    """The MQTT broker whose devices become Things."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"password_file": ["username"], "key_file": ["cert_file"]},
            "dependentSchemas": {
                name: {"properties": {"tls": {"const": True}}, "required": ["tls"]} for name in ("ca_file", "cert_file")
            },
        }
    )

    password_file: LocalPath | None = Field(
        default=None,
        description="File with the user's password; else the credential mqtt-password, else JIDGET_MQTT_PASSWORD",
        examples=["mqtt-password"],
    )


class Document(Table):
    """The file `jidget.toml`."""

    xmpp: XmppTable = Field(description="The account and how to reach its server")
    access: dict[BareJid, Annotated[Grant, WithJsonSchema(_GRANT_SCHEMA)]] = Field(
        default={},
        description='Who may do what, by bare JID or domain; nobody else gets anything. "mqtt" is everybody who may '
        "write to the MQTT broker, to which Things are announced with mqtt.announce",
    )
    store: StoreTable = Field(default=StoreTable(), description="What is kept on the disk, where and for how long")
    report: ReportConfig = Field(default=ReportConfig(), description="When readings are published: defaults")
    things: dict[ThingId, AnyThing] = Field(default={}, description="The Things by id")
    mqtt: MqttTable | None = Field(
        default=None, description="The MQTT broker whose devices become Things; none if left out"
    )


class _TomlSchema(GenerateJsonSchema):
    """A schema of what TOML can say: a key is left out, never null; keys of a table fit their pattern or are wrong."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        result = super().default_schema(schema)
        if result.get("default") is None or "$ref" in result:
            result.pop("default", None)
        return result

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        return result

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        return False


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file. What only the whole shows is left to `jidget check`."""
    schema = Document.model_json_schema(schema_generator=_TomlSchema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "jidget.toml"}
