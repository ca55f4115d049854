"""What Home Assistant finds when it starts: it was set up by a user, who has a token, and there is a broker."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from jidget.demo.loopback import LOOPBACK
from jidget.demo.mosquitto import Mosquitto

MQTT_ENTRY = "0" * 31 + "1"
"""The id of its entry for the broker."""
_CONFIGURATION = """homeassistant:
  name: Test
  latitude: 0
  longitude: 0
  unit_system: metric
  time_zone: UTC
http:
  server_host: {host}
  server_port: {port}
api:
websocket_api:
config:
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: debug
"""
_DONE = ["user", "core_config", "analytics", "integration"]
_LONG_AGO = "2025-01-01T00:00:00+00:00"
_LIFETIME = 86400 * 365


def plant(directory: Path, port: int, broker: Mosquitto) -> str:
    """Write its configuration directory; return the user's token."""
    storage = directory / ".storage"
    storage.mkdir(parents=True)
    write_configuration(directory, port)
    user, refresh, key = (secrets.token_hex(16) for _ in range(3))
    _store(storage, "onboarding", {"done": _DONE}, version=4)
    _store(storage, "auth", _auth(user, refresh, key))
    _store(storage, "core.config_entries", {"entries": [_mqtt(broker)]}, minor=5)
    return _token(refresh, key)


def write_configuration(directory: Path, port: int) -> None:
    """Write what a user writes by hand."""
    text = _CONFIGURATION.format(host=LOOPBACK, port=port)
    (directory / "configuration.yaml").write_text(text, encoding="utf-8")


def _store(storage: Path, key: str, data: Any, *, version: int = 1, minor: int = 1) -> None:
    stored = {"version": version, "minor_version": minor, "key": key, "data": data}
    (storage / key).write_text(json.dumps(stored), encoding="utf-8")


def _auth(user: str, refresh: str, key: str) -> dict[str, Any]:
    groups = ("system-admin", "system-users", "system-read-only")
    token = {
        "id": refresh,
        "user_id": user,
        "client_id": None,
        "client_name": "tests",
        "client_icon": None,
        "token_type": "long_lived_access_token",
        "created_at": _LONG_AGO,
        "access_token_expiration": float(_LIFETIME),
        "token": secrets.token_hex(64),
        "jwt_key": key,
        "last_used_at": None,
        "last_used_ip": None,
        "expire_at": None,
        "credential_id": None,
        "version": None,
    }
    person = {
        "id": user,
        "group_ids": ["system-admin"],
        "is_owner": True,
        "is_active": True,
        "name": "Alice",
        "system_generated": False,
        "local_only": False,
    }
    known = [{"id": group, "name": group} for group in groups]
    return {"users": [person], "groups": known, "credentials": [], "refresh_tokens": [token]}


def _mqtt(broker: Mosquitto) -> dict[str, Any]:
    return {
        "created_at": _LONG_AGO,
        "modified_at": _LONG_AGO,
        "data": {"broker": broker.host, "port": broker.port, "protocol": "3.1.1"},
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "mqtt",
        "entry_id": MQTT_ENTRY,
        "minor_version": 2,
        "options": {"discovery": True, "discovery_prefix": "homeassistant"},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": "broker",
        "unique_id": None,
        "version": 1,
    }


def _token(refresh: str, key: str) -> str:
    """Return an access token as Home Assistant issues it: a JWT (RFC 7519) that names the refresh token."""
    now = int(time.time())
    claims = {"iss": refresh, "iat": now - 60, "exp": now + _LIFETIME}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64(hmac.new(key.encode(), signed, hashlib.sha256).digest())).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
