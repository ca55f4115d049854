"""Who may do what: default deny, rights by bare JID, then by domain (DESIGN 4.1, 4.4). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jidget.config.model import Grant, Role
from jidget.config.values import BROKER, DISCOVERED

THE_BROKER = "mqtt:broker"
"""Whose commands those are that come from the MQTT broker: a name that no JID has."""

_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.OWNER: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is let in, and what they may do.

    Attributes:
        jid: their bare JID.
        role: what kind of rights they have.
        acts_on: patterns of the Things they may act on.
        sees: patterns of the Things they may read; None for all.
    """

    jid: str
    role: Role
    acts_on: tuple[str, ...] = ()
    sees: tuple[str, ...] | None = None

    @property
    def is_owner(self) -> bool:
        """Whether they may do everything, to everybody."""
        return self.role is Role.OWNER

    @property
    def sees_feed(self) -> bool:
        """Whether they may follow the published readings, which tell of every Thing."""
        return self.is_owner or self.sees is None

    def at_least(self, role: Role) -> bool:
        """Whether their role includes `role`."""
        return _RANK[self.role] >= _RANK[role]

    def may_read(self, thing_id: str, *, discovered: bool = False) -> bool:
        """Whether they may know of this Thing and its values."""
        return self.is_owner or self.sees is None or _matches(thing_id, self.sees, discovered)

    def may_act(self, thing_id: str, *, discovered: bool = False) -> bool:
        """Whether they may write to this Thing and invoke its actions; never to one that they may not read."""
        if self.is_owner:
            return True
        granted = self.at_least(Role.OPERATOR) and _matches(thing_id, self.acts_on, discovered)
        return granted and self.may_read(thing_id, discovered=discovered)


class Access:
    """The access list. Whoever is not on it is nobody."""

    def __init__(self, grants: Mapping[str, Grant], own: str) -> None:
        """Take the grants by bare JID or domain, all normalised, the broker's among them, and our own bare JID."""
        self._grants = {jid: grant for jid, grant in grants.items() if jid != BROKER}
        self._broker = grants.get(BROKER)
        self._own = own

    @property
    def listed(self) -> Iterable[str]:
        """Return the bare JIDs and domains that are on the list."""
        return tuple(self._grants)

    def person(self, bare_jid: str) -> Person | None:
        """Return who a normalised bare JID is to us; None for a stranger. A full JID is nobody's."""
        if not bare_jid or "/" in bare_jid:
            return None
        if bare_jid == self._own:
            return Person(jid=bare_jid, role=Role.OWNER)
        if bare_jid == THE_BROKER:
            return None if self._broker is None else _person(bare_jid, self._broker)
        local, at, domain = bare_jid.partition("@")
        grant = self._grants.get(bare_jid)
        if grant is None and at and local:
            grant = self._grants.get(domain)
        return None if grant is None else _person(bare_jid, grant)


def _person(jid: str, grant: Grant) -> Person:
    return Person(jid=jid, role=grant.role, acts_on=grant.things, sees=grant.read)


def _matches(thing_id: str, patterns: Iterable[str], discovered: bool) -> bool:
    if discovered:
        meant = (p.removeprefix(DISCOVERED) for p in patterns if p.startswith(DISCOVERED))
    else:
        meant = (p for p in patterns if not p.startswith(DISCOVERED))
    return any(fnmatchcase(thing_id, pattern) for pattern in meant)
