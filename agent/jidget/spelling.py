"""Did you mean: the nearest of the words that would have been right."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like `word`, ignoring case, or None where none is near."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    folded = word.casefold()
    found = get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    if found:
        return by_folded[found[0]]
    starts = [whole for short, whole in by_folded.items() if folded and short.startswith(folded)]
    return min(starts, key=len) if starts else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` with a leading blank, or nothing."""
    near = nearest(word, candidates)
    return f' Did you mean "{near}"?' if near else ""
