"""Makes text safe for Slack, so that nothing from strangers is parsed, and reads Slack's own forms back as plain words.

Four places, four forms. `plain` is for prose in `plain_text` and rich text, which Slack does not parse. `escape` is for
mrkdwn and for a message's fallback text, `code` for a name inside mrkdwn, `exact` for commands in a preformatted rich
text, where nothing is parsed either and each character must stay what it is.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import unescape

from triagebook.runbooks.engine.text import safe_text

NAME, PROSE, LINE, TEXT = 80, 400, 800, 3000  # characters
LINE_BYTES = 800  # of a line as JSON: one host's emoji, of twelve bytes each, must not hide the lines after it
EXACT = 3500  # more than a block holds: a line that was cut is never taken for whole

_CONTROL = re.compile(r"<(?=[!@#]|[A-Za-z][A-Za-z0-9+.-]*:)")  # how Slack's own forms begin
_SCHEME = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20}):(?=//)|\b(mailto|tel):", re.IGNORECASE)
_FORM = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_USER_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
_TYPED = str.maketrans("\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u00a0", '"""""\'\' ')  # a telephone's quotes
_ANGLE, _GRAVE = "\u2039", "\u02cb"  # look like < and `, and mean nothing to Slack


def plain(value: object, limit: int = PROSE) -> str:
    """Return one line of at most `limit` characters with no link, no mention and no bidirectional control."""
    text = _SCHEME.sub(lambda found: f"{found[1] or found[2]}[:]", safe_text(" ".join(str(value).split()), limit))
    text = _CONTROL.sub(_ANGLE, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def exact(value: object, limit: int = EXACT) -> str:
    """Return a line unchanged but for escaped control and bidirectional characters; only for preformatted rich text."""
    return safe_text(str(value), limit)


def escape(value: object, limit: int = PROSE) -> str:
    """Return `plain` text with `&`, `<` and `>` escaped for mrkdwn and fallback text, and nothing that opens or ends
    a code span. `limit` counts before escaping.
    """
    text = plain(value, limit).replace("`", _GRAVE)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(value: object, limit: int = NAME) -> str:
    """Return a code span that nothing inside can end: no formatting, emoji or link comes of it."""
    return f"`{escape(value, limit) or '-'}`"


def fallback(lines: Iterable[str], limit: int = TEXT) -> str:
    """Return lines for notifications and screen readers, at most `limit` bytes as JSON; "-" if there are none."""
    kept: list[str] = []
    room = limit - len("\\n\\u2026")
    for line in lines:
        text = _line(line)
        room -= len(json.dumps(text))
        if room < 0:
            return "\n".join([*kept, "…"])
        kept.append(text)
    return "\n".join(kept) or "-"


def _line(line: str) -> str:
    limit = LINE
    while len(json.dumps(text := escape(line, limit))) > LINE_BYTES:
        limit = limit * 3 // 4
    return text


def date(moment: str, form: str = "{date_short_pretty} {time}") -> str:
    """Return an RFC 3339 time shown in the reader's time zone; clients that cannot do that show UTC."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return escape(moment, NAME)
    return f"<!date^{int(at.timestamp())}^{form}|{utc(at)}>"


def utc(at: datetime) -> str:
    """Return a time as `2026-11-23 14:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def is_user(text: str) -> bool:
    """Tell whether the text is a Slack user id."""
    return _USER.fullmatch(text) is not None


def person(text: str) -> str:
    """Return a mention for a Slack user id, else the name as inert text."""
    return f"<@{text}>" if is_user(text) else escape(text, NAME) or "unknown"


def user_group(text: str) -> str:
    """Return a mention for the id of a user group, else nothing."""
    return f"<!subteam^{text}>" if _USER_GROUP.fullmatch(text) else ""


def words(text: str) -> str:
    """Return what a person typed, with Slack's forms as the words they stand for and typographic quotes as plain ones.

    `<http://host01.example|host01.example>` is what Slack makes of `host01.example`. A mention keeps its id: `@U012`.
    """
    return unescape(_FORM.sub(_word, text)).translate(_TYPED)


def _word(found: re.Match[str]) -> str:
    target, label = found[1], found[2]
    if target[:1] in {"@", "#"}:
        return target if target[0] == "@" else f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return label or re.sub(r"^(?:mailto|tel):", "", target)
