"""update: https://www.home-assistant.io/integrations/update.mqtt/."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jidget.mqtt.entity import UNKNOWN, BadConfig, EntityAction
from jidget.mqtt.kinds.common import MqttEntity, on_off
from jidget.mqtt.kinds.versions import is_newer
from jidget.mqtt.model import EntityConfig, NotJson, Publish, parse_json
from jidget.mqtt.templates import Templates
from jidget_drivers import Kind, Unit

_LONGEST_SUMMARY = 255


class Update(MqttEntity):
    """Firmware. The parts: whether there is a newer one, `installed` and `latest` version, `progress` in percent.

    The action `install`, where the device takes it.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        keys = self.keys
        self._told: dict[str, Any] = {
            "installed_version": None,
            "latest_version": None,
            "title": keys.text("title"),
            "release_summary": keys.text("release_summary"),
            "release_url": keys.text("release_url"),
            "in_progress": False,
            "update_percentage": None,
        }
        self.parts = (
            self.part("", Kind.BOOLEAN, description="a newer version is there"),
            self.part("installed", Kind.STRING, description="version"),
            self.part("latest", Kind.STRING, description="version"),
            self.part("progress", Kind.NUMBER, unit=Unit.PERCENT, minimum=0, maximum=100),
        )
        self._payload = keys.text("payload_install")
        if keys.command_topic() is not None and self._payload is not None:
            self.actions = (EntityAction(name="install", summary="Install the latest version.", plan=self._install),)
        if not self.listen("state_topic", self._heard, keep=True):
            raise BadConfig("state_topic is missing")
        self.listen("latest_version_topic", self._heard_latest, "latest_version_template")
        self._refresh()
        self.values = {}

    def _heard(self, text: str) -> bool:
        if not text or text == "{}":
            return False
        try:
            told = parse_json(text)
        except NotJson:
            told = text
        fields = _fields(told) if isinstance(told, dict) else {"installed_version": text}
        if not fields:
            return False
        if "update_percentage" in fields:
            fields = {"in_progress": fields["update_percentage"] is not None} | fields
        self._told.update(fields)
        return self._refresh()

    def _heard_latest(self, text: str) -> bool:
        if not text:
            return False
        self._told["latest_version"] = text
        return self._refresh()

    def _refresh(self) -> bool:
        told = self._told
        installed, latest = told["installed_version"], told["latest_version"]
        newer = None if installed is None or latest is None else is_newer(latest, installed)
        progress = told["update_percentage"] if told["in_progress"] else None
        summary = told["release_summary"]
        self.values = {"": newer, "installed": installed, "latest": latest, "progress": progress}
        self.state = on_off(newer) if newer is not None else UNKNOWN
        self.show(
            **told
            | {"update_percentage": progress, "release_summary": summary[:_LONGEST_SUMMARY] if summary else summary}
        )
        return True

    def _install(self) -> Sequence[Publish]:
        return (self.publish("command_topic", self._payload, template_key=""),)


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, list | dict) else value if isinstance(value, str) else str(value)


def _url(value: Any) -> str | None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return value if parts is not None and parts.scheme and parts.netloc else None


def _flag(value: Any) -> bool | None:
    words = {"1": True, "true": True, "yes": True, "on": True, "enable": True}
    words |= {"0": False, "false": False, "no": False, "off": False, "disable": False}
    if isinstance(value, str):
        return words.get(value.lower().strip())
    return value != 0 if isinstance(value, bool | int | float) else None


def _percent(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100 else None


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "installed_version": _text,
    "latest_version": _text,
    "title": _text,
    "release_summary": _text,
    "release_url": _url,
    "entity_picture": _url,
    "in_progress": _flag,
    "update_percentage": _percent,
}


def _fields(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update tells; nothing if any of it is wrong or unknown: Home Assistant takes all or none."""
    fields = {}
    for name, value in told.items():
        check = _CHECKS.get(name)
        if check is None:
            return {}
        taken = check(value)
        if taken is None and not (name == "update_percentage" and value is None):
            return {}
        fields[name] = taken
    fields.pop("entity_picture", None)
    return fields
