"""Block Kit in plain dicts. What Slack parses is built by `mrkdwn` alone; everything else is literal text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.limits import CONFIRM, LABEL, OPTION, TEXT, TITLE

Block = dict[str, Any]
Tokens = Mapping[str, str]  # action id -> opaque token; an action without one has no button


def plain_text(text: str, limit: int) -> dict[str, Any]:
    """A `plain_text` object: never parsed, `:smile:` stays text."""
    return {"type": "plain_text", "text": mrkdwn.plain(text, limit) or "-", "emoji": False}


def mrkdwn_object(text: str) -> dict[str, Any]:
    """A `mrkdwn` object of text that `mrkdwn` made. `verbatim`: Slack looks for no names and addresses in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Block:
    """The large line."""
    return {"type": "header", "text": plain_text(text, TITLE)}


def section(text: str) -> Block:
    """A paragraph of mrkdwn."""
    return {"type": "section", "text": mrkdwn_object(text)}


def context(*texts: str) -> Block:
    """Small grey mrkdwn."""
    return {"type": "context", "elements": [mrkdwn_object(text) for text in texts]}


def note(text: str, limit: int = 600) -> Block:
    """Small grey literal text."""
    return {"type": "context", "elements": [plain_text(text, limit)]}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def run(text: str, *, bold: bool = False, mono: bool = False) -> dict[str, Any]:
    """A piece of literal rich text."""
    style = {name: True for name, is_on in (("bold", bold), ("code", mono)) if is_on}
    return {"type": "text", "text": text or " ", **({"style": style} if style else {})}


def prose(*runs: dict[str, Any]) -> Block:
    """A paragraph of rich text."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(runs)}]}


def bullets(title: str, items: Iterable[str]) -> Block:
    """A bold line and a list under it; the items are literal."""
    rows = [{"type": "rich_text_section", "elements": [run(item)]} for item in items]
    first = {"type": "rich_text_section", "elements": [run(title, bold=True)]}
    return {"type": "rich_text", "elements": [first, {"type": "rich_text_list", "style": "bullet", "elements": rows}]}


def fixed_width(title: str, lines: Sequence[str]) -> Block:
    """A bold line and fixed-width lines under it, literal: what a command or a table is shown in."""
    first = [{"type": "rich_text_section", "elements": [run(title, bold=True)]}] if title else []
    box = {"type": "rich_text_preformatted", "elements": [run("\n".join(lines))]}
    return {"type": "rich_text", "elements": [*first, box]}


def button(label: str, action: str, token: str, *, style: str = "", confirm: dict[str, Any] | None = None) -> dict[str, Any]:
    """A button whose value is an opaque token and nothing else."""
    made: dict[str, Any] = {"type": "button", "action_id": action, "text": plain_text(label, LABEL), "value": token}
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    return made


def confirmation(title: str, text: str, yes: str, no: str = "Not yet") -> dict[str, Any]:
    """The dialog before a click counts."""
    return {
        "title": plain_text(title, CONFIRM["title"]),
        "text": plain_text(text, CONFIRM["text"]),
        "confirm": plain_text(yes, CONFIRM["confirm"]),
        "deny": plain_text(no, CONFIRM["deny"]),
    }


def actions(buttons: Sequence[dict[str, Any]], block_id: str = "") -> list[Block]:
    """The row of buttons; no row without buttons."""
    if not buttons:
        return []
    return [{"type": "actions", **({"block_id": block_id} if block_id else {}), "elements": list(buttons)}]


def option(text: str, value: str, description: str = "") -> dict[str, Any]:
    """A choice in a select."""
    made: dict[str, Any] = {"text": plain_text(text, OPTION), "value": value}
    if description:
        made["description"] = plain_text(description, OPTION)
    return made


def field(block_id: str, label: str, element: dict[str, Any], *, hint: str = "", optional: bool = False) -> Block:
    """An input of a modal."""
    made: Block = {"type": "input", "block_id": block_id, "label": plain_text(label, TEXT), "element": element}
    if optional:
        made["optional"] = True
    if hint:
        made["hint"] = plain_text(hint, TEXT)
    return made
