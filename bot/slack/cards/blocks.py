"""Builds Block Kit elements as plain dicts. Only `mrkdwn` builds text that Slack parses; all other text is literal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.limits import CONFIRM, LABEL, OPTION, TEXT, TITLE

Block = dict[str, Any]
Tokens = Mapping[str, str]  # action id -> opaque token; an action without one has no button


def plain_text(text: str, limit: int) -> dict[str, Any]:
    """Return a `plain_text` object, which Slack never parses: `:smile:` stays text."""
    return {"type": "plain_text", "text": mrkdwn.plain(text, limit) or "-", "emoji": False}


def mrkdwn_object(text: str) -> dict[str, Any]:
    """Return a `mrkdwn` object of text that `mrkdwn` made. `verbatim` keeps Slack from linking names and addresses."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Block:
    """Return a header block."""
    return {"type": "header", "text": plain_text(text, TITLE)}


def section(text: str) -> Block:
    """Return a section block: a paragraph of mrkdwn."""
    return {"type": "section", "text": mrkdwn_object(text)}


def context(*texts: str) -> Block:
    """Return a context block: small grey mrkdwn."""
    return {"type": "context", "elements": [mrkdwn_object(text) for text in texts]}


def note(text: str, limit: int = 600) -> Block:
    """Return a context block of small grey literal text."""
    return {"type": "context", "elements": [plain_text(text, limit)]}


def divider() -> Block:
    """Return a divider block."""
    return {"type": "divider"}


def run(text: str, *, bold: bool = False, mono: bool = False) -> dict[str, Any]:
    """Return a piece of literal rich text."""
    style = {name: True for name, is_on in (("bold", bold), ("code", mono)) if is_on}
    return {"type": "text", "text": text or " ", **({"style": style} if style else {})}


def prose(*runs: dict[str, Any]) -> Block:
    """Return a paragraph of rich text."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(runs)}]}


def runs(text: str) -> list[dict[str, Any]]:
    """Return literal rich text in which what stands between backticks is code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its pair is a character like any other
        return [run(text)]
    return [run(piece, mono=number % 2 == 1) for number, piece in enumerate(pieces) if piece] or [run("")]


def bullets(title: str, items: Iterable[str]) -> Block:
    """Return a bold line and a list of literal items under it; commands between backticks are shown as code."""
    rows = [{"type": "rich_text_section", "elements": runs(item)} for item in items]
    first = {"type": "rich_text_section", "elements": [run(title, bold=True)]}
    return {"type": "rich_text", "elements": [first, {"type": "rich_text_list", "style": "bullet", "elements": rows}]}


def fixed_width(title: str, lines: Sequence[str]) -> Block:
    """Return a bold line and literal fixed-width lines under it, for commands and tables."""
    first = [{"type": "rich_text_section", "elements": [run(title, bold=True)]}] if title else []
    box = {"type": "rich_text_preformatted", "elements": [run("\n".join(lines))]}
    return {"type": "rich_text", "elements": [*first, box]}


def button(label: str, action: str, token: str, *, style: str = "", confirm: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a button whose value is an opaque token and nothing else."""
    made: dict[str, Any] = {"type": "button", "action_id": action, "text": plain_text(label, LABEL), "value": token}
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    return made


def confirmation(title: str, text: str, yes: str, no: str = "Not yet") -> dict[str, Any]:
    """Return the dialog that asks for confirmation of a click."""
    return {
        "title": plain_text(title, CONFIRM["title"]),
        "text": plain_text(text, CONFIRM["text"]),
        "confirm": plain_text(yes, CONFIRM["confirm"]),
        "deny": plain_text(no, CONFIRM["deny"]),
    }


def actions(buttons: Sequence[dict[str, Any]], block_id: str = "") -> list[Block]:
    """Return the row of buttons; an empty list without buttons."""
    if not buttons:
        return []
    return [{"type": "actions", **({"block_id": block_id} if block_id else {}), "elements": list(buttons)}]


def feedback_buttons(action: str, right: tuple[str, str], wrong: tuple[str, str]) -> Block:
    """Return the two small buttons that ask whether an answer was right; each is a label and its token."""
    (yes, yes_token), (no, no_token) = right, wrong
    element = {
        "type": "feedback_buttons",
        "action_id": action,
        "positive_button": {"text": plain_text(yes, LABEL), "value": yes_token},
        "negative_button": {"text": plain_text(no, LABEL), "value": no_token},
    }
    return {"type": "context_actions", "elements": [element]}


def option(text: str, value: str, description: str = "") -> dict[str, Any]:
    """Return an option of a select."""
    made: dict[str, Any] = {"text": plain_text(text, OPTION), "value": value}
    if description:
        made["description"] = plain_text(description, OPTION)
    return made


def field(block_id: str, label: str, element: dict[str, Any], *, hint: str = "", optional: bool = False) -> Block:
    """Return an input block of a modal."""
    made: Block = {"type": "input", "block_id": block_id, "label": plain_text(label, TEXT), "element": element}
    if optional:
        made["optional"] = True
    if hint:
        made["hint"] = plain_text(hint, TEXT)
    return made
