"""Names of discovered devices: whose is whose."""

from jidget.mqtt.ids import Ids, property_candidates
from jidget.mqtt.model import Device, EntityConfig


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


def test_entities_that_the_configuration_speaks_of_leave_the_names_of_the_others() -> None:
    kept = Kept()
    for _ in range(3):
        now = ids(kept, "desk")
        named = [now.device(BOILER, wanted).thing_id for wanted in ("", "desk", "", "desk", "")]
        assert named == ["boiler", "desk", "boiler", "desk", "boiler"]
        now.keep()


def test_who_uses_the_identifier_of_another_does_not_get_its_name() -> None:
    kept = Kept()
    now = ids(kept)
    now.device(BOILER)
    now.device(Device(identifiers=("0x02",), name="Stove"))
    now.device(Device(identifiers=("0x02", "0x01"), name="Both"))
    now.keep()
    for each in (now, ids(kept)):
        assert each.device(BOILER).thing_id == "boiler"
        assert each.device(Device(identifiers=("0x02",))).thing_id == "stove"


def test_long_names_are_ids_however_many_there_are() -> None:
    now = ids(Kept())
    for number in range(1_100):
        made = now.device(Device(identifiers=(str(number),), name="a" * 80)).thing_id
        assert len(made) <= 63


def test_two_of_one_name_are_told_apart_by_what_they_are() -> None:
    """As with Zigbee lamps: the light has effects, and so has a selection of its own."""
    now = ids(Kept())
    lamp = now.device(Device(identifiers=("0x01",), name="Lamp"))
    light, select = (
        EntityConfig(kind=kind, topic=kind, object_id="lamp_effect", keys={}) for kind in ("light", "select")
    )
    assert now.property(lamp, "light", "effect", property_candidates(light, "Lamp", "effect", alone=True)) == "effect"
    assert now.property(lamp, "select", "", property_candidates(select, "Lamp", "", alone=True)) == "effect_select"


def test_a_lock_has_a_state_and_can_be_locked() -> None:
    lock = EntityConfig(kind="lock", topic="lock", object_id="front_door", keys={})
    assert property_candidates(lock, "Front door", "", alone=True)[0] == "state"
    assert property_candidates(lock, "Front door", "lock", alone=True)[0] == "lock"
