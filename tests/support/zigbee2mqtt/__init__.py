"""Zigbee2MQTT, the program from npm, with a house of Zigbee devices that exist in memory only.

All of it is Zigbee2MQTT's own code, down to the bytes of Zigbee frames; `radio.cjs` takes the place of the adapter on a
serial port. `house` says which devices there are, `files` writes what Zigbee2MQTT keeps, `program` installs and runs
it.
"""
