"""How long a session waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. The defaults are meant for real networks.

    Attributes:
        login: from the first packet to a bound resource.
        fresh: how old a proof of a live link may be for a command to count as fresh (DESIGN 4.5).
        first_pause: the longest pause after a first failure; each further one may be twice as long.
        longest_pause: the longest pause of all.
        stable: of link, after which the next loss begins with short pauses again.
        replaced: before we come back after another client took our resource.
        replaced_twice: in which a second replacement ends the process (DESIGN 3).
        refused: between attempts with a password that once worked (DESIGN 3).
        untrusted: between looks at a certificate that does not verify.
        provision: before a server that had no PEP for us is asked again.
        settle: that trouble must last before contacts are told of it, so that a hiccup tells them nothing.
        rarely: between changes of our presence that are merely nice to know.
    """

    login: float = 30.0
    fresh: float = 30.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    stable: float = 30.0
    replaced: float = 10.0
    replaced_twice: float = 600.0
    refused: float = 900.0
    untrusted: float = 300.0
    provision: float = 300.0
    settle: float = 5.0
    rarely: float = 600.0
