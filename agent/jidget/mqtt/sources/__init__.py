"""The ways in which devices announce themselves, one module each. All become configs of Home Assistant's discovery."""

from collections.abc import Sequence

from jidget.config.mqtt import MqttConfig
from jidget.mqtt.sources.homeassistant import HomeAssistant
from jidget.mqtt.sources.homie import Homie
from jidget.mqtt.sources.plain import Plain
from jidget.mqtt.sources.shelly import Shelly
from jidget.mqtt.sources.source import Source
from jidget.mqtt.sources.tasmota import Tasmota
from jidget.mqtt.sources.zigbee2mqtt import Zigbee2Mqtt


def sources_of(config: MqttConfig) -> Sequence[Source]:
    """Return what a configuration wants to be understood. Of a device that several announce, the first has it."""
    wanted = set(config.formats)
    listed: list[Source] = [Plain(config.topics)] if config.topics else []  # nobody takes away what a person wrote
    listed.append(HomeAssistant(config.discovery_prefix))
    if "zigbee2mqtt" in wanted:
        listed.append(Zigbee2Mqtt(config.discovery_prefix))
    if "tasmota" in wanted:
        listed.append(Tasmota())
    if "shelly" in wanted:
        listed.append(Shelly(config.client_id))
    if "homie" in wanted:
        listed.append(Homie())
    return listed
