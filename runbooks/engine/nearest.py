"""The nearest right word, for messages about a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` (did you mean 'room'?)`, or the choices when none is near and they are few, or nothing."""
    known = sorted(set(choices))
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (one of: {', '.join(known)})" if 0 < len(known) <= 12 else ""
