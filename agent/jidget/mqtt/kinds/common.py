"""What the kinds have in common: listening, value templates, attributes, command templates, publishes.

Rules are those of Home Assistant's MQTT integration (https://www.home-assistant.io/integrations/mqtt/), as it
behaves where that differs from its documents.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from jidget.mqtt.entity import UNKNOWN, BadConfig, Entity, Part
from jidget.mqtt.kinds.keys import Keys
from jidget.mqtt.kinds.payloads import bytes_literal, json_object, known_encoding
from jidget.mqtt.model import EntityConfig, Message, NotJson, Publish, mend
from jidget.mqtt.templates import TemplateFailed, Templates
from jidget.mqtt.topics import has_wildcard, matches
from jidget_drivers import Kind, Property, Scalar, WriteRefused

NULL = "None"
"""What a template makes of JSON's null, and what people publish, for "unknown"."""
LONGEST_STATE = 255
"""Characters of a state; what is longer is not taken."""

# Attributes that belong to the entity itself; a device's own attributes cannot set them.
_OWN_WORDS = """assumed_state available device_class device_info entity_category entity_picture extra_state_attributes
    entity_registry_enabled_default force_update icon friendly_name should_poll state supported_features unique_id
    unit_of_measurement"""
_OWN_ATTRIBUTES = frozenset(_OWN_WORDS.split())


class MqttEntity(Entity):
    """Base of all kinds: `listen` to topics in `__init__`, `publish` in `write` and actions, `show` attributes.

    Attributes:
        keys: the config's, by type.
        blocked_attributes: besides those that no entity may set from its JSON attributes.
    """

    blocked_attributes: frozenset[str] = frozenset()

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config)
        self.keys = Keys(config.keys)
        self._templates = templates
        self._names: dict[str, Any] = {"entity_id": f"{config.kind}.{config.object_id}", "name": config.name}
        self._qos = self.keys.integer("qos", 0)
        if self._qos not in {0, 1, 2}:
            raise BadConfig(f"qos should be 0, 1 or 2, it is {self._qos}")
        self._retain = self.keys.flag("retain")
        self._encoding = known_encoding(self.keys.text("encoding", "utf-8"))
        self._exact: dict[str, list[Callable[[Message], bool]]] = {}
        self._wild: list[tuple[str, Callable[[Message], bool]]] = []
        self._shown: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._optimistic = self.keys.flag("optimistic")
        for name in config.keys:  # now, not when somebody waits for what a command does
            if name.endswith("command_template"):
                self.template(name)
        self._listen_attributes()

    # --- what comes in ------------------------------------------------------------------------------------------

    def listen(
        self,
        topic_key: str,
        take: Callable[[str], bool],
        template_key: str = "value_template",
        *,
        keep: bool = False,
        **variables: Any,
    ) -> bool:
        """Have `take` called with the text of each message on the topic under `topic_key`, if there is one.

        The text is what the template under `template_key` makes of the message, or the payload if there is no
        template. Where the template uses what is not defined, Home Assistant hands on the payload as it came; with
        `keep`, nothing. `take` returns whether that told a value. `variables` are the template's, besides the message.

        Returns:
            Whether there is such a topic.

        Raises:
            BadConfig: what is under the keys is no topic or no template.
        """
        read = self.reader(template_key, keep=keep, **variables)

        def heard(message: Message) -> bool:
            text = read(message)
            return text is not None and take(text)

        return self.listen_raw(topic_key, heard)

    def reader(
        self, template_key: str = "value_template", *, keep: bool = False, **variables: Any
    ) -> Callable[[Message], str | None]:
        """Return what makes the text of a message, as `listen` says; it returns None where there is none to take.

        Raises:
            BadConfig: what is under the key is no template.
        """
        template = self.template(template_key)
        if template is None:
            return self.decode

        def read(message: Message) -> str | None:
            return self._rendered(message, template, keep, variables)

        return read

    def listen_raw(self, topic_key: str, take: Callable[[Message], bool]) -> bool:
        """Have `take` called with each message on the topic under `topic_key`, undecoded; return whether there is one.

        Raises:
            BadConfig: what is under the key is no topic filter.
        """
        topic = self.keys.state_topic(topic_key)
        if topic is None:
            return False
        self.topics |= {topic}
        if has_wildcard(topic):
            self._wild.append((topic, take))
        else:
            self._exact.setdefault(topic, []).append(take)
        return True

    def template(self, template_key: str) -> str | None:
        """Return the template under a key, if there is one.

        Raises:
            BadConfig: what is there is no template.
        """
        template = self.keys.text(template_key)
        if template is not None:
            try:
                self._templates.check(template)
            except TemplateFailed as failed:
                raise BadConfig(f"{template_key}: {failed}") from None
        return template

    def receive(self, message: Message) -> bool:
        """Take a message; return whether it told a value."""
        told = False
        for take in self._exact.get(message.topic, ()):
            told = take(message) or told
        for topic, take in self._wild:
            if matches(topic, message.topic):
                told = take(message) or told
        return told

    def decode(self, message: Message) -> str | None:
        """Return a payload as text in the config's `encoding`; None if it is none, or the config says it is bytes."""
        if not self._encoding:
            return None
        try:
            return message.text if self._encoding == "utf-8" else message.payload.decode(self._encoding)
        except ValueError:
            return None

    def object_in(self, message: Message) -> dict[str, Any] | None:
        """Return the JSON object that a payload is; None if it is none. To be changed by nobody: others see it, too."""
        if self._encoding not in {"utf-8", ""}:
            return json_object(self.decode(message) or "")
        try:
            told = message.json
        except NotJson:
            return None
        return told if isinstance(told, dict) else None

    def _rendered(self, message: Message, template: str, keep: bool, variables: dict[str, Any]) -> str | None:
        text = self.decode(message)
        if text is None:
            return None
        if self._encoding != "utf-8":
            message = Message(topic=message.topic, payload=text.encode("utf-8", "replace"), retained=message.retained)
        try:
            return mend(self._templates.render(template, message, **self._context(template), **variables))
        except TemplateFailed as failed:
            return text if failed.payload_counts and not keep else None

    def _context(self, template: str) -> dict[str, Any]:
        """Return what every template may use: its names, and `this`, the entity as Home Assistant has it."""
        if "this" not in template:
            return self._names
        return self._names | {"this": self._names | {"state": self.state, "attributes": self.attributes}}

    # --- what it shows ------------------------------------------------------------------------------------------

    def show(self, /, **attributes: Any) -> None:
        """Set Home Assistant's attributes of this kind; those that a device gives itself come on top."""
        self._shown.update(attributes)
        self.attributes = self._shown | self._extra

    def part(self, name: str, kind: Kind, **fields: Any) -> Part:
        """Return a part called `name` whose property is of `kind`; `fields` are further ones of `Property`."""
        return Part(name=name, property=Property(name=name or "state", kind=kind, **fields))

    def tell(self, value: Scalar | None, state: str) -> bool:
        """Set the main part's value and Home Assistant's word for it; return True: a value was told."""
        self.values[""] = value
        self.state = state
        return True

    def take_attributes(self, told: Mapping[str, Any]) -> bool:
        """Take the attributes that a device gives itself; return whether that told a value: of few kinds it does."""
        blocked = _OWN_ATTRIBUTES | self.blocked_attributes
        self._extra = {name: value for name, value in told.items() if name not in blocked}
        self.show()
        return False

    def _listen_attributes(self) -> None:
        template = self.keys.text("json_attributes_template")
        read = self.reader("json_attributes_template")

        def heard(message: Message) -> bool:
            # the message's own JSON is parsed once, however many entities take their attributes from it
            told = self.object_in(message) if template is None else json_object(read(message) or "")
            return told is not None and self.take_attributes(told)

        self.listen_raw("json_attributes_topic", heard)

    def assumes(self, topic_key: str = "state_topic") -> bool:
        """Whether what was set is taken to be so at once: `optimistic`, or there is no topic that would tell."""
        return self._optimistic or self.keys.text(topic_key) is None

    # --- what goes out ------------------------------------------------------------------------------------------

    def publish(
        self, topic_key: str, payload: Any, template_key: str = "command_template", **variables: Any
    ) -> Publish:
        """Return the message that sends `payload` to the topic under `topic_key`.

        The template under `template_key`, if there is one, makes the payload: `value` is `payload` in it.

        Raises:
            WriteRefused: there is no such topic, or the template failed.
        """
        topic = self.keys.command_topic(topic_key)
        if topic is None:
            raise WriteRefused(f"its publisher gave no {topic_key}")
        return Publish(
            topic=topic, payload=self.command(payload, template_key, **variables), qos=self._qos, retain=self._retain
        )

    def command(self, value: Any, template_key: str = "command_template", **variables: Any) -> str | bytes:
        """Return the payload for `value`: what the command template makes of it, or its text.

        Raises:
            WriteRefused: the template failed.
        """
        template = self.keys.text(template_key)
        if template is None:
            return value if isinstance(value, bytes) else mend(str(value))
        try:
            rendered = self._templates.render(template, None, value=value, **(self._context(template) | variables))
        except TemplateFailed as failed:
            raise WriteRefused(f"its publisher's {template_key} failed: {failed}") from failed
        return bytes_literal(mend(rendered))


def on_off(value: bool | None) -> str:
    """Return Home Assistant's word for a state of two values."""
    return UNKNOWN if value is None else "on" if value else "off"


def parse_number(text: str) -> int | float | None:
    """Return the finite number that `text` is, an int if it is written as one; None if it is none."""
    try:
        number = float(text)
        if not math.isfinite(number):
            return None
        return int(text) if text.strip().lstrip("+-").isdecimal() else number
    except (ValueError, OverflowError):
        return None


def whole(number: float) -> int | float:
    """Return an int where a number is whole: `21` is sent, not `21.0`."""
    return int(number) if isinstance(number, float) and number.is_integer() else number
