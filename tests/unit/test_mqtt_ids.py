"""Names of discovered devices: whose is whose."""

import pytest

from jidget.mqtt import ids as ids_module
from jidget.mqtt.ids import Ids, TooManyNames, property_candidates
from jidget.mqtt.model import Device, EntityConfig


class Kept(dict[str, str]):
    """Facts that are kept."""

    def fact(self, name: str) -> str | None:
        return self.get(name)

    def facts(self, prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): text for name, text in self.items() if name.startswith(prefix)}

    def keep_fact(self, name: str, text: str) -> bool:
        self[name] = text
        return True

    def drop_fact(self, name: str) -> None:
        del self[name]


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


# ---- limits --------------------------------------------------------------------------------------------------------


def one_of(number: int) -> Device:
    return Device(identifiers=(f"0x{number}",), name=f"Plug {number}")


def test_who_announces_ever_more_devices_does_not_fill_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "MOST_DEVICES", 5)
    kept = Kept()
    before = ids(kept)
    before.device(BOILER)
    before.keep()
    names = ids(kept)
    for number in range(50):
        names.make_room(there={"plug_0"})
        names.device(one_of(number))
        names.keep()
    assert len(kept) <= 5
    assert names.knows("boiler")  # which is only away
    assert names.knows("plug_0")
    assert names.device(BOILER).thing_id == "boiler"
    assert names.device(one_of(0)).thing_id == "plug_0"


def test_of_too_many_devices_that_are_all_there_the_last_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "MOST_DEVICES", 3)
    names = ids(Kept(), "heater")
    for number in range(3):
        names.device(one_of(number))
    names.make_room(there={f"plug_{number}" for number in range(3)})
    with pytest.raises(TooManyNames, match="names for 3 devices"):
        names.device(one_of(3))
    assert names.device(one_of(3), "heater").thing_id == "heater"  # whom the configuration speaks of has a name


def test_properties_that_come_and_go_are_forgotten_once_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "MOST_PROPERTIES", 10)
    names = ids(Kept())
    bound = names.device(BOILER)
    for number in range(10):
        names.property(bound, f"sensor {number}", "", [f"value_{number}"])
    names.prune(bound, {"value_1"})
    assert len(bound.properties) == 10
    names.property(bound, "sensor x", "", ["x"])
    names.prune(bound, {"value_1", "x"})
    assert set(bound.properties.values()) == {"value_1", "x"}


def test_a_device_with_ever_more_identifiers_keeps_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "MOST_IDENTIFIERS", 4)
    names = ids(Kept())
    for number in range(20):
        names.device(Device(identifiers=("0x01", f"other{number}"), name="Boiler"))
    bound = names.device(BOILER)
    assert bound.identifiers == {"0x01", "other0", "other1", "other2"}
