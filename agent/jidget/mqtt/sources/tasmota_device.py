"""What a Tasmota device says of itself in `tasmota/discovery/MAC/config`."""

from dataclasses import dataclass
from typing import Any

from jidget.mqtt.model import Device
from jidget.mqtt.sources.source import Publisher, as_list, as_object, as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TasmotaDevice:
    """A device.

    Attributes:
        mac: twelve hexadecimal digits.
        told: all that it says.
        options: `SetOption`s that matter, by number.
        command, stat, telemetry: what its topics begin with, with a `/` at the end.
        online: the last will's opposite.
        off, on, toggle, hold: its words for what outputs and buttons do.
        publisher: what its entities have in common.
    """

    mac: str
    told: dict[str, Any]
    options: dict[str, Any]
    command: str
    stat: str
    telemetry: str
    online: str
    off: str
    on: str
    toggle: str
    hold: str
    publisher: Publisher

    @property
    def state(self) -> str:
        """Return the topic of the state of its outputs."""
        return f"{self.telemetry}STATE"

    @property
    def sensor(self) -> str:
        """Return the topic of its readings."""
        return f"{self.telemetry}SENSOR"

    @property
    def watched(self) -> tuple[str, ...]:
        """Return what must be heard besides the topics of its entities: its last will, and its answers."""
        return (f"{self.telemetry}LWT", f"{self.stat}+")

    def option(self, number: int) -> bool:
        """Return whether a `SetOption` is on."""
        return self.options.get(str(number)) == 1

    def numbers(self, name: str) -> list[int]:
        """Return a list of whole numbers; what is none of them is 0."""
        return [each if isinstance(each, int) else 0 for each in as_list(self.told.get(name))][:64]

    def names(self, name: str) -> list[str]:
        """Return a list of texts; what is none is empty."""
        return [as_text(each) for each in as_list(self.told.get(name))][:64]

    @classmethod
    def of(cls, mac: str, told: dict[str, Any], topic: str) -> "TasmotaDevice | str":
        """Return the device that a payload describes, or why it describes none."""
        prefixes, words = [as_text(each) for each in as_list(told.get("tp"))], as_list(told.get("state"))
        full, own = as_text(told.get("ft")), as_text(told.get("t"))
        if not full or not own or len(prefixes) < 3 or not all(prefixes[:3]) or len(words) < 2:
            return "this describes no Tasmota device: ft, t, tp or state is missing"
        off, on, toggle, hold = [as_text(each) for each in [*words, "", ""]][:4]
        begins = full if full.endswith("/") else f"{full}/"
        roots = [begins.replace("%prefix%", each).replace("%topic%", own) for each in prefixes]
        roots = [each.replace("%hostname%", as_text(told.get("hn"))).replace("%id%", mac) for each in roots]
        online = as_text(told.get("onln")) or "Online"
        device = Device(
            identifiers=("mac:" + ":".join(mac[at : at + 2] for at in range(0, 12, 2)).lower(),),
            name=as_text(told.get("dn")) or own,
            manufacturer="Tasmota",
            model=as_text(told.get("md")),
            version=as_text(told.get("sw")),
        )
        availability = {
            "topic": f"{roots[2]}LWT",
            "payload_available": online,
            "payload_not_available": as_text(told.get("ofln")) or "Offline",
        }
        sleeps = told.get("dslp") == 1  # it is not there most of the time, and tells when it is
        return cls(
            mac=mac,
            told=told,
            options=as_object(told.get("so")),
            command=roots[0],
            stat=roots[1],
            telemetry=roots[2],
            online=online,
            off=off or "OFF",
            on=on or "ON",
            toggle=toggle or "TOGGLE",
            hold=hold or "HOLD",
            publisher=Publisher(
                topic=topic,
                device=device,
                origin="Tasmota",
                shared={} if sleeps else {"availability": [availability]},
                announced_on=(topic, f"{topic.rpartition('/')[0]}/sensors"),
            ),
        )
