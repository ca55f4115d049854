"""The directory of Things: finding the one a person means."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator

from jidget.spelling import did_you_mean
from jidget.things.host import Thing
from jidget.things.values import shorten
from jidget_drivers import Property

LONGEST_NAME = 200
"""Characters: what is longer than a Thing's and a property's name together names nothing."""


class NotFound(LookupError):
    """No Thing or property of that name among those the asker may see; the text suggests near ones."""


class Directory:
    """All Things, by id, label and alias."""

    def __init__(self, things: Iterable[Thing]) -> None:
        self._things = {thing.id: thing for thing in things}

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: Thing) -> None:
        """Add a Thing, or put it in the place of the one of the same id."""
        self._things[thing.id] = thing

    def remove(self, thing_id: str) -> None:
        """Forget a Thing."""
        del self._things[thing_id]

    def get(self, thing_id: str) -> Thing | None:
        """Return the Thing with this id."""
        return self._things.get(thing_id)

    def find(self, text: str, *, may: Callable[[Thing], bool], act: bool) -> Thing:
        """Return the Thing that `text` names, among those `may` allows.

        Found by exact id, then label or alias; a unique prefix is enough to read, never to act.

        Raises:
            NotFound: no such Thing, or only a guess where acting needs certainty.
        """
        wanted = fold(text)
        things = [thing for thing in self._things.values() if may(thing)]
        for thing in things:
            if thing.id == wanted:
                return thing
        named = [t for t in things if wanted in (fold(t.label), *(fold(alias) for alias in t.aliases))]
        if len(named) == 1:
            return named[0]
        if named:
            raise NotFound(f'"{shorten(text)}" could be {", ".join(t.id for t in named)}: use the id')
        begun = [t for t in things if wanted and (t.id.startswith(wanted) or fold(t.label).startswith(wanted))]
        if len(begun) == 1:
            if not act:
                return begun[0]
            raise NotFound(f'there is no "{shorten(text)}". Did you mean "{begun[0].id}"? Acting needs the whole name')
        names = [name for t in things for name in (t.id, t.label, *t.aliases)]
        listing = (
            f" There are: {', '.join(t.id for t in things[:8])}{' …' if len(things) > 8 else ''}." if things else ""
        )
        raise NotFound(f'there is no "{shorten(text)}".{did_you_mean(shorten(text), names) or listing}')

    def resolve(self, text: str, *, may: Callable[[Thing], bool], act: bool) -> tuple[Thing, Property | None]:
        """Return the Thing and, if named, the property of `THING` or `THING.PROPERTY`.

        Raises:
            NotFound: either is unknown; the text suggests near names.
        """
        thing_part, dot, property_part = text.strip().rpartition(".")
        if dot:
            try:
                return self.find(text, may=may, act=True), None  # a label may hold a dot
            except NotFound:
                thing = self.find(thing_part, may=may, act=act)
                return thing, find_property(thing, property_part)
        return self.find(text, may=may, act=act), None


def find_property(thing: Thing, text: str) -> Property:
    """Return the property that `text` names: by id, then alias or label.

    Raises:
        NotFound: the Thing has no such property.
    """
    wanted = fold(text)
    aliases = {fold(alias): name for alias, name in thing.property_aliases.items()}
    name = wanted if wanted in thing.properties else aliases.get(wanted, wanted)
    if name in thing.properties:
        return thing.properties[name]
    labelled = [p for p in thing.properties.values() if fold(p.label) == wanted]
    if wanted and len(labelled) == 1:
        return labelled[0]
    names = (*thing.properties, *thing.property_aliases)
    has = ", ".join(thing.properties) or "none"
    hint = did_you_mean(shorten(text), names) or f" It has: {has}."
    raise NotFound(f'{thing.id} has no property "{shorten(text)}".{hint}')


def fold(text: str) -> str:
    """Return a name as names are compared: whatever its case and however its accents are encoded.

    What is too long to be one becomes nothing, which nothing is called.
    """
    text = text.strip()
    return unicodedata.normalize("NFC", text.casefold()) if len(text) <= LONGEST_NAME else ""
