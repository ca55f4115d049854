"""Cameras that publish pictures. The last picture is kept for who asks; it is no value and in no stream."""

import base64
import binascii

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.common import MqttEntity
from jidget.mqtt.model import EntityConfig, Message
from jidget.mqtt.templates import Templates


class PictureEntity(MqttEntity):
    """Base of what publishes pictures.

    Attributes:
        picture: the last one; None before the first.
        content_type: its media type, as the config says or as its first bytes do; empty where neither does.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.picture: bytes | None = None
        self.content_type = self._declared_type = self.keys.text("content_type", "")
        encoding = self.keys.text("image_encoding")
        if encoding not in {None, "b64"}:
            raise BadConfig(f"image_encoding should be b64, it is {encoding!r:.40}")
        self._base64 = encoding == "b64"

    def take_picture(self, message: Message) -> bool:
        """Keep a picture; what is no base64 where it should be is left out. It tells no value."""
        picture = message.payload
        if self._base64:
            try:
                picture = base64.b64decode(picture)
            except (binascii.Error, ValueError):
                return False
        self.picture = picture
        self.took_picture()
        self.content_type = self._declared_type or _content_type(picture)
        return False

    def took_picture(self) -> None:  # not every kind shows that there is a new one
        """Take notice of a new picture."""


class Camera(PictureEntity):
    """A camera."""

    blocked_attributes = frozenset({"access_token", "brand", "model_name", "motion_detection"})

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.keys.state_topic("topic", needed=True)
        self.listen_raw("topic", self.take_picture)
        self.state = "idle"


def _content_type(picture: bytes) -> str:
    """Return the media type that a picture begins like."""
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"GIF8"):
        return "image/gif"
    if picture.startswith(b"RIFF") and picture[8:12] == b"WEBP":
        return "image/webp"
    return ""
