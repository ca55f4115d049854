"""Lights. A discovery payload's `schema` says how the light is spoken to: see the module of each."""

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.light_base import LightEntity
from jidget.mqtt.kinds.light_basic import BasicLight
from jidget.mqtt.kinds.light_json import JsonLight
from jidget.mqtt.kinds.light_template import TemplateLight
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates

_SCHEMAS: dict[str, type[LightEntity]] = {"basic": BasicLight, "json": JsonLight, "template": TemplateLight}


def build_light(config: EntityConfig, templates: Templates) -> LightEntity:
    """Return a light of the schema that the config names; `basic` if it names none.

    Raises:
        BadConfig: the schema is not known, or the config lacks what it cannot do without.
    """
    schema = str(config.keys.get("schema") or "basic").lower()
    if schema not in _SCHEMAS:
        raise BadConfig(f"schema should be one of {', '.join(_SCHEMAS)}, it is {schema[:40]!r}")
    return _SCHEMAS[schema](config, templates)
