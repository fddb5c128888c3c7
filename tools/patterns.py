"""Wildcards in names: `*` is any text, `?` any one character, all else stands for itself.

ssh_config(5) has them (PATTERNS, with `!` before a pattern that takes the match back), and so have policies.
"""

from collections.abc import Iterable


def matches_list(name: str, patterns: Iterable[str], *, ignore_case: bool = False) -> bool:
    """At least one pattern matches and no negated one does. A list of negated patterns alone matches nothing."""
    is_matched = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if matches(name, pattern[1:], ignore_case=ignore_case):
                return False
        elif matches(name, pattern, ignore_case=ignore_case):
            is_matched = True
    return is_matched


def matches(name: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """One pattern without negation. Brackets mean themselves: `[host]:22` is no character set, as in fnmatch(3).

    A star takes as little as it can, and only the last one seen takes more when the rest does not fit. So the time grows with
    the two lengths at most, whatever the pattern: a regular expression of many stars would try every way to share the name.
    """
    if ignore_case:
        name, pattern = name.lower(), pattern.lower()
    at = place = 0
    star = resume = -1
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return not pattern[place:].strip("*")
