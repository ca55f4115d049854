"""Names of discovered devices: whose is whose."""

from jidget.mqtt.ids import Ids
from jidget.mqtt.model import Device


class Kept(dict[str, str]):
    """Facts that are kept."""

    def facts(self, prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): text for name, text in self.items() if name.startswith(prefix)}

    def keep_fact(self, name: str, text: str) -> bool:
        self[name] = text
        return True


BOILER = Device(identifiers=("0x01",), name="Boiler")


def ids(kept: Kept, *taken: str) -> Ids:
    made = Ids(kept, taken)
    made.wake()
    return made


def test_a_device_keeps_its_name() -> None:
    kept = Kept()
    before = ids(kept)
    assert before.device(BOILER).thing_id == "boiler"
    before.keep()
    renamed = Device(identifiers=("0x01",), name="Kettle")
    assert ids(kept).device(renamed).thing_id == "boiler"


def test_a_name_that_the_configuration_gives_to_another_is_not_shared() -> None:
    kept = Kept()
    before = ids(kept)
    before.device(BOILER)
    before.keep()
    now = ids(kept, "boiler")
    other = Device(identifiers=("mqtt.topics.boiler",))
    assert now.device(other, "boiler").thing_id == "boiler"
    assert now.device(BOILER).thing_id == "boiler_2"
    now.keep()
    again = ids(kept, "boiler")
    assert again.device(BOILER).thing_id == "boiler_2"
    assert again.device(other, "boiler").thing_id == "boiler"
