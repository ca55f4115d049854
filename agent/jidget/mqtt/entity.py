"""One entity of a device: what it shows, what can be set and done, and what that means in messages. No I/O.

A kind (`jidget.mqtt.kinds`) is a class of entities. It takes messages, keeps the values of its parts and Home
Assistant's word for its state, and turns what is to be set into publishes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget_drivers import Property, Scalar

UNKNOWN = "unknown"
"""Home Assistant's word for a state that nobody has told yet."""


class BadConfig(ValueError):
    """A discovery payload of which no entity can be made; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One value of an entity, as a property.

    Attributes:
        name: `""` for the value that the entity is there for (a switch's on, a sensor's reading, a light's on), else
            a slug such as `brightness`, `position`, `target`.
        property: its type, unit, range and options; its name is that of the part, or `state`: the bridge renames it.
    """

    name: str
    property: Property


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityAction:
    """Something that can be done: the parameters of `plan` (typed, with defaults) become the form's fields.

    Attributes:
        done: takes the same arguments once what `plan` returned was published: where no topic tells what became of it,
            it is assumed now. None where there is nothing to assume.
    """

    name: str
    summary: str
    plan: Callable[..., Sequence[Publish]]
    done: Callable[..., None] | None = None


class Entity(ABC):
    """One entity.

    Attributes:
        config: where it comes from.
        parts: its values, the main one first; may be empty (a button).
        actions: what can be done.
        topics: filters of all state topics, wildcards included; never of command topics.
        values: by part name; None while unknown. Missing names are unknown, too.
        state: as Home Assistant would say it (`on`, `21.5`, `heat`), for comparison.
        attributes: as Home Assistant would show them.
    """

    def __init__(self, config: EntityConfig) -> None:
        """Read the config.

        Raises:
            BadConfig: something that this kind cannot do without is missing or wrong.
        """
        self.config = config
        self.parts: tuple[Part, ...] = ()
        self.actions: tuple[EntityAction, ...] = ()
        self.topics: frozenset[str] = frozenset()
        self.values: dict[str, Scalar | None] = {}
        self.state: str = UNKNOWN
        self.attributes: dict[str, Any] = {}

    @abstractmethod
    def receive(self, message: Message) -> bool:
        """Take a message whose topic matches one of `topics`; return whether it told a value, even the same again.

        What makes no sense leaves the values as they were (a template that fails, a number out of range, an option
        that there is not). Never raises for what a payload holds.
        """

    def write(self, part: str, value: Scalar) -> Sequence[Publish]:
        """Return what to publish so that a writable part becomes `value`, which fits its property.

        Raises:
            WriteRefused: it cannot be done; nothing is published.
        """
        raise NotImplementedError(f"{type(self).__name__} has nothing to write")

    def wrote(self, part: str, value: Scalar) -> None:  # noqa: B027  # most kinds are told what became of it
        """Take notice that what `write` returned was published. Where no topic tells the state it is assumed now."""

    @property
    def expires_after(self) -> float | None:
        """Return for how many seconds a value holds after it was told; None for ever (`expire_after`)."""
        return None

    def expire(self) -> None:
        """Forget what was told: it has expired."""
        self.values = {}
        self.state = UNKNOWN

    @property
    def reverts_after(self) -> float | None:
        """Return after how many seconds what was told last is over by itself; None if it lasts (`off_delay`).

        Asked after each `receive` that told a value.
        """
        return None

    def revert(self) -> None:  # noqa: B027  # most kinds last
        """Go back: `reverts_after` is over."""


Values = Mapping[str, Scalar | None]
