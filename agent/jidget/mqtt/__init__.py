"""The bridge: devices on an MQTT broker as Things. Everything about topics and payloads is in here."""
