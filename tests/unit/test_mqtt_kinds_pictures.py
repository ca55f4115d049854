"""Cameras and images: the last picture is kept, and is in no stream."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.mqtt_entities import TOPIC, entity_of, tell

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds.camera import Camera, PictureEntity
from jidget.mqtt.kinds.image import Image

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


def picture_of(kind: str, **keys: Any) -> PictureEntity:
    entity = entity_of(kind, **keys)
    assert isinstance(entity, PictureEntity)
    return entity


def test_a_camera_keeps_the_last_picture() -> None:
    camera = picture_of("camera", topic=TOPIC)
    assert isinstance(camera, Camera)
    assert (camera.picture, camera.parts, camera.state) == (None, (), "idle")
    assert not tell(camera, b"\xff\xd8\xff\xe0 first")
    assert camera.content_type == "image/jpeg"
    assert not tell(camera, PNG)
    assert (camera.picture, camera.content_type, camera.values) == (PNG, "image/png", {})


def test_base64() -> None:
    image = picture_of("image", image_topic=TOPIC, image_encoding="b64", content_type="image/x-own")
    tell(image, base64.b64encode(PNG))
    assert (image.picture, image.content_type) == (PNG, "image/x-own")
    tell(image, "a")  # a length that no base64 has
    assert image.picture == PNG


def test_an_image_may_tell_where_it_is() -> None:
    image = picture_of("image", url_topic=TOPIC, url_template="{{ value_json.url }}")
    assert isinstance(image, Image)
    assert not tell(image, '{"url": "https://example.org/a.png"}')
    for nonsense in ("ftp://example.org/a", "example.org", "http://[", "{}"):
        tell(image, f'{{"url": "{nonsense}"}}')
    assert (image.url, image.picture) == ("https://example.org/a.png", None)
    assert datetime.fromisoformat(image.state).tzinfo is UTC


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("camera", {}),
        ("camera", {"topic": 5, "image_encoding": "jpeg"}),
        ("camera", {"topic": "a/#/b"}),
        ("image", {}),
        ("image", {"image_topic": "a", "url_topic": "b"}),
        ("image", {"image_topic": "a", "content_type": ["x"]}),
    ],
)
def test_a_config_that_cannot_be(kind: str, keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        entity_of(kind, **keys)
