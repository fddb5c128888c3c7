"""Wildcards in names: `*` is any text, `?` any one character, all else stands for itself.

ssh_config(5) has them (PATTERNS, with `!` before a pattern that takes the match back), and so have policies.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


def matches_list(name: str, patterns: Iterable[str]) -> bool:
    """At least one pattern matches and no negated one does. A list of negated patterns alone matches nothing."""
    is_matched = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if matches(name, pattern[1:]):
                return False
        elif matches(name, pattern):
            is_matched = True
    return is_matched


def matches(name: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """One pattern without negation. Brackets mean themselves: `[host]:22` is no character set, as in fnmatch(3)."""
    if not ignore_case and "*" not in pattern and "?" not in pattern:
        return name == pattern
    return _compile(pattern, ignore_case).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _compile(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
