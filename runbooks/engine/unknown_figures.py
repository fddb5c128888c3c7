"""Words sentences whose figures could not be read: never "unknown of unknown", and no brackets that hold nothing known. Pure.

A template marks an unreadable figure (`AMOUNT` of bytes, `NUMBER` of anything else); no text of a host has these characters,
which are escaped before (`text.safe_text`).
"""

import re

AMOUNT, NUMBER = "\ue000", "\ue001"
_MARK = f"[{AMOUNT}{NUMBER}]"
_BRACKETS = re.compile(rf" ?\([^()]*{_MARK}[^()]*\)")
_NEITHER = re.compile(rf"({_MARK})(?: ([a-z]+))? of {_MARK}(?= ?([a-z]*))")
_SHARE = re.compile(rf"{_MARK}(?: [a-z]+)? of (?=[0-9])")
_WHOLE = re.compile(rf"([0-9](?: [KMGTP]?i?B)?(?: [a-z]+)?) of {_MARK}")
_NO_NOUN = frozenset({"", "available", "free", "left", "used", "now", "are", "is", "in", "at", "and", "may", "since", "while"})


def word_unknown(text: str) -> str:
    """Return the sentence without marks."""
    if AMOUNT not in text and NUMBER not in text:
        return text
    text = _BRACKETS.sub(lambda found: found[0] if re.search("[0-9]", found[0]) else "", text)
    text = _NEITHER.sub(_neither, text)
    text = _SHARE.sub("an unknown part of ", text)
    text = _WHOLE.sub(r"\1", text)
    text = re.sub(_MARK, "unknown", text)
    return re.sub(r"([.!?] )an unknown", r"\1An unknown", text)


def _neither(found: re.Match[str]) -> str:
    """Word `U of U tasks`, `U tasks of U` and `U of U available`, where not one of the two is known."""
    amount = "an unknown amount" if found[1] == AMOUNT else "an unknown number"
    if found[2]:
        return f"{amount} of {found[2]}"
    return amount if found[3] in _NO_NOUN else f"{amount} of"
