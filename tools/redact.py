"""Secrets are cut out before text is stored, sent or logged. Works on a stream: a secret split between chunks is one.

Rules look at the shape of a value (a key block, a token's prefix, credentials in a URL) and at the name beside it,
because masking by name alone misses most of them. What is cut is replaced by `***`, its name stays.
"""

import re
from collections.abc import Callable

from triagebook.runbooks.engine.text import safe_text

MASK = "***"
MAX_LINE = 64 * 1024  # characters; a longer line is cut, not split, so that no secret can straddle the cut
CUT = "... (line cut)"
LONGEST_REASON = 300  # characters

_NAMES = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|access|private|secret|account|auth)[-_]?key)"
_NAME = rf"{_NAMES}s?(?:[-_.\d][\w.-]{{0,20}})?"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',;&|)}\]]+)"""
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"  # fillers of Hangul, which are letters and show nothing
_Rule = tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]]
_NAME_WORDS = ("pass", "pwd", "secret", "token", "credential", "key")
# Of each rule: what must occur for it to fit, in small letters (most texts have none of it), what fits, what stays of it.
_RULES: tuple[_Rule, ...] = (
    # scheme://user:secret@host, also without a user
    (("://",), re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,200}):[^\s/@]{1,500}@", re.IGNORECASE), rf"\1:{MASK}@"),
    (
        ("bearer", "basic", "digest", "negotiate", "aws4-"),
        re.compile(r"\b(Bearer|Basic|Digest|Negotiate|AWS4-HMAC-SHA256)\s+[A-Za-z0-9+/=._~:-]{8,}", re.IGNORECASE),
        rf"\1 {MASK}",
    ),
    (("akia", "asia", "aroa", "aida"), re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"), MASK),  # AWS access key ids
    (("xox", "xapp-"), re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"), MASK),  # Slack
    (("gh", "github_pat_"), re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"), MASK),
    # of random letters, which are never all small: a name such as sk-bratislava-frontend-web-01 is a host
    (("glpat-", "sk-"), re.compile(r"\b(?:glpat-(?=[\w-]*[A-Z])[\w-]{16,}|sk-(?=[\w-]*[A-Z])[\w-]{20,})"), MASK),
    (("eyj",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), MASK),  # a JSON web token
    # "--db-password hunter2": the value is the next word of an argument list
    (_NAME_WORDS, re.compile(rf"((?<!\S)-{{1,2}}[\w.-]{{0,40}}?{_NAMES})\s+(?!-){_VALUE}", re.IGNORECASE), rf"\1 {MASK}"),
    # password=..., "api_key": "...", AWS_SECRET_ACCESS_KEY=...
    (_NAME_WORDS, re.compile(rf"""({_NAME}["']?\s{{0,3}}[=:]\s{{0,3}}){_VALUE}""", re.IGNORECASE), rf"\1{MASK}"),
)
_ANY_WORD = re.compile("|".join(sorted({word for words, _pattern, _replacement in _RULES for word in words}))).search
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


class Redactor:
    """Redacts text fed in chunks of any size. What `feed` and `finish` return together is free of known secrets."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_inside_key = False

    def feed(self, chunk: str) -> str:
        """The redacted form of every line that is complete by now."""
        *lines, pending = (self._pending + chunk).split("\n")
        self._pending = pending[: MAX_LINE + 1]  # the rest of an overlong line is dropped as it comes
        return "".join(self._line(line, "\n") for line in lines)

    def finish(self) -> str:
        """The redacted last line, without a line end. A key block that never ended stays hidden."""
        pending, self._pending = self._pending, ""
        return self._line(pending, "") if pending else ""

    def _line(self, line: str, end: str) -> str:
        if len(line) > MAX_LINE:
            line = line[:MAX_LINE] + CUT
        kept = ""
        while line:
            if self._is_inside_key:
                found = _END.search(line)
                if found is None:
                    return kept
                self._is_inside_key = False
                line = line[found.end() :]
                continue
            found = _BEGIN.search(line)
            kept += _redact_words(line[: found.start()] if found else line)
            if found is None:
                break
            kept += f"{MASK} private key {MASK}"
            self._is_inside_key = True
            line = line[found.end() :]
        return kept + end


def redact(text: str) -> str:
    """The text without secrets of the shapes known here."""
    if len(text) <= MAX_LINE and "\n" not in text and "-----BEGIN" not in text:  # a line without a key block
        return _redact_words(text)
    redactor = Redactor()
    return redactor.feed(text) + redactor.finish()


def clean_text(text: str, limit: int) -> str:
    """What somebody wrote, fit to be stored, shown and logged: one line without secrets and unprintable characters."""
    return safe_text(redact(" ".join(text.split())), limit)


def has_visible_text(text: str) -> bool:
    """Say whether somebody who reads it sees a letter or a digit: a space of no width is no reason."""
    return any(letter.isalnum() and letter not in _BLANK_LETTERS for letter in text)


def clean_reason(text: str, limit: int = LONGEST_REASON) -> str:
    """Return a reason as `clean_text` does; empty where nobody could read one."""
    return clean_text(text, limit) if has_visible_text(text) else ""


def _redact_words(text: str) -> str:
    # letters beyond ASCII fit some of ASCII when case is ignored (the Kelvin sign is a k): then every rule is tried
    folded = text.lower()
    if text.isascii() and not _ANY_WORD(folded):
        return text
    for words, pattern, replacement in _RULES:
        if not text.isascii() or any(word in folded for word in words):
            text = pattern.sub(replacement, text)
    return text
