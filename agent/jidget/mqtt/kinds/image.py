"""Images: pictures, or addresses of pictures. As with cameras the last one is kept for who asks."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.camera import PictureEntity
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates


class Image(PictureEntity):
    """A picture that changes now and then.

    Attributes:
        url: where the last picture is, if its publisher tells addresses; nothing is fetched from there.
    """

    def __init__(self, config: EntityConfig, templates: Templates) -> None:
        super().__init__(config, templates)
        self.url = ""
        pictures = self.listen_raw("image_topic", self.take_picture)
        addresses = self.listen("url_topic", self._told_url, "url_template")
        if pictures == addresses:
            raise BadConfig("an image has either an image_topic or a url_topic")

    def _told_url(self, text: str) -> bool:
        try:
            parts = urlsplit(text)
        except ValueError:
            return False
        if parts.scheme in {"http", "https"} and parts.hostname:
            self.url = text
            self.took_picture()
        return False

    def took_picture(self) -> None:
        """Take notice of a new picture: Home Assistant's state of an image is when it came."""
        self.state = datetime.now(UTC).isoformat()
