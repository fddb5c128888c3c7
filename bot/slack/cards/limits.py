"""Fits cards to Slack's limits, kept in one table. The least important detail is left out first, and the card says so.

Numbers: docs.slack.dev (Block Kit reference), the validators of slack_sdk, and what Slack was seen to refuse (a payload
near 13 000 characters). Lengths are of what is sent, after escaping.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
REFUSED = 13_000  # bytes of blocks and text as JSON
PAYLOAD = 12_500
FALLBACK = 3000  # characters of a message's text
SECTION = 3000
TITLE = 150  # of a header
LABEL = 75  # of a button
OPTION, OPTIONS, OPTION_VALUE = 75, 100, 150
TEXT = 150  # labels and hints of ours; Slack allows 2000
VALUE, ID = 2000, 255
ELEMENTS, CONTEXT_ELEMENTS, CONTEXT_ACTIONS = 25, 10, 5
VIEW_TITLE, METADATA = 24, 3000
CONFIRM: Mapping[str, int] = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
RICH = 3000  # characters of a rich text block, kept as for a section
SHORTER = (1500, 700, 300, 150, 80)  # characters of a text when room is very short
FRAME = ("header", "actions", "context_actions", "input")  # what makes a card or a form one
PLACES: Mapping[str, int] = {"header": TITLE, "button": LABEL, "section": SECTION, "context": SECTION, "input": 2000}


@dataclass(frozen=True)
class Part:
    """A block and its rank: 0 always stays; the larger the rank, the sooner it is left out. It holds `count` details."""

    block: dict[str, Any]
    spare: int = 0
    count: int = 1


@dataclass(frozen=True)
class Card:
    """A message: its blocks, and plain text that says the same."""

    blocks: tuple[dict[str, Any], ...]
    text: str
    omitted: int = 0

    def payload(self) -> dict[str, Any]:
        """Return the arguments of `chat.postMessage` and `chat.update` that this card sets."""
        return {"text": self.text, "blocks": list(self.blocks)}


def card(parts: Iterable[Part | dict[str, Any]], text: str, where: str = "in the thread") -> Card:
    """Return a message within all limits. `where` says where to find what was left out."""
    blocks, omitted = fit(parts, MESSAGE_BLOCKS, PAYLOAD - size(text), where)
    return Card(tuple(blocks), text, omitted)


def fit(parts: Iterable[Part | dict[str, Any]], blocks: int, room: int, where: str) -> tuple[list[dict[str, Any]], int]:
    """Return the blocks that fit, and how many details were left out.

    When all that may go is gone, long texts are cut shorter and shorter; at last blocks go that should have stayed.
    """
    kept = [part if isinstance(part, Part) else Part(part) for part in parts]
    kept = [Part(clip(part.block), part.spare, part.count) for part in kept]
    omitted, cuts = 0, iter(SHORTER)
    while len(kept) + (omitted > 0) > blocks or _size(kept, omitted, where) > room:
        spare = max((part.spare for part in kept), default=0)
        if spare == 0 and (most := next(cuts, 0)):
            kept = [Part(clip(part.block, most), part.spare, part.count) for part in kept]
            continue
        going = [number for number, part in enumerate(kept) if part.spare == spare and (spare or part.block["type"] not in FRAME)]
        if not going:
            raise ValueError(f"{len(kept)} blocks, {_size(kept, omitted, where)} bytes: more than {blocks} blocks or {room} bytes")
        omitted += kept.pop(going[-1]).count
    shown = [part.block for part in kept]
    if omitted:
        at = len(shown) - 1 if shown and shown[-1]["type"] == "actions" else len(shown)
        shown.insert(at, _more(omitted, where))
    return shown, omitted


def is_whole(blocks: Sequence[dict[str, Any]], most: int, room: int) -> bool:
    """Tell whether these blocks fit as they are, with nothing cut and nothing left out."""
    return len(blocks) <= most and size(list(blocks)) <= room and all(clip(block) == block for block in blocks)


def clip(block: dict[str, Any], most: int = SECTION) -> dict[str, Any]:
    """Return the block with each text cut to `most` characters. mrkdwn is cut before an unfinished entity or span."""
    if block["type"] == "rich_text":
        return {**block, "elements": _clip_runs(block["elements"], [min(most, RICH)])}
    if block["type"] == "section" and "text" in block:
        return {**block, "text": _clip_text(block["text"], most)}
    if block["type"] == "context":
        shown = [_clip_text(item, most) if "text" in item else item for item in block["elements"][:CONTEXT_ELEMENTS]]
        return {**block, "elements": shown}
    return block


def size(value: Any) -> int:
    """Return the size in bytes as JSON with everything but ASCII escaped, the longer of the two ways to write it."""
    return len(json.dumps(value).encode())


def problems(payload: Mapping[str, Any]) -> list[str]:
    """Return what Slack would refuse in a message or a view."""
    return list(_problems(payload))


def _problems(payload: Mapping[str, Any]) -> Iterator[str]:
    is_view = "type" in payload
    most = VIEW_BLOCKS if is_view else MESSAGE_BLOCKS
    blocks = payload["blocks"]
    if not 1 <= len(blocks) <= most:
        yield f"{len(blocks)} blocks"
    if size(payload) > REFUSED:
        yield f"{size(payload)} bytes"
    if not is_view and not 1 <= len(payload["text"]) <= FALLBACK:
        yield f"text of {len(payload['text'])}"
    for name in ("title", "submit", "close"):
        if is_view and len(payload.get(name, {}).get("text", "")) > VIEW_TITLE:
            yield f"{name} of {len(payload[name]['text'])}"
    if len(payload.get("private_metadata", "")) > METADATA:
        yield "private_metadata"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        yield "block_id twice"
    for number, block in enumerate(blocks):
        yield from (f"blocks[{number}] {problem}" for problem in _block_problems(block))


def _block_problems(block: Mapping[str, Any]) -> Iterator[str]:
    kind, elements = block["type"], block.get("elements", [])
    if kind in {"actions", "context"} and not 1 <= len(elements) <= (ELEMENTS if kind == "actions" else CONTEXT_ELEMENTS):
        yield f"{kind} of {len(elements)} elements"
    if kind == "context_actions" and not 1 <= len(elements) <= CONTEXT_ACTIONS:
        yield f"{kind} of {len(elements)} elements"
    if kind == "actions" and len({element["action_id"] for element in elements}) != len(elements):
        yield "action_id twice"
    if kind == "rich_text" and _length(block) > RICH:
        yield f"rich_text of {_length(block)}"
    yield from _text_problems(block, kind)


def _text_problems(node: Any, place: str) -> Iterator[str]:
    """Return the texts, ids and values below a node that exceed the limit of their place."""
    if isinstance(node, Mapping):
        kind = node.get("type", place)
        if kind in {"mrkdwn", "plain_text"}:
            if not 1 <= len(node["text"]) <= PLACES.get(place, SECTION):
                yield f"{place} text of {len(node['text'])}"
            return
        for name, most in (("action_id", ID), ("block_id", ID), ("value", VALUE if kind == "button" else OPTION_VALUE)):
            if len(node.get(name, "")) > most:
                yield f"{name} of {len(node[name])}"
        if len(node.get("options", ())) > OPTIONS:
            yield f"{len(node['options'])} options"
        for name, value in node.items():
            inner = {"option": OPTION, "options": OPTION}.get(name)
            if name == "confirm" and isinstance(value, Mapping) and "title" in value:
                yield from (f"confirm {part}" for part, most in CONFIRM.items() if len(value[part]["text"]) > most)
            elif inner:
                yield from (f"option of {len(item['text']['text'])}" for item in value if len(item["text"]["text"]) > inner)
            else:
                yield from _text_problems(value, kind)
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield from _text_problems(item, place)


def _more(omitted: int, where: str) -> dict[str, Any]:
    noun = "detail" if omitted == 1 else "details"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": f"{omitted} more {noun} {where}.", "verbatim": True}]}


def _size(parts: Sequence[Part], omitted: int, where: str) -> int:
    return size([part.block for part in parts] + ([_more(omitted, where)] if omitted else []))


def _clip_text(item: dict[str, Any], limit: int) -> dict[str, Any]:
    text = item["text"]
    if len(text) <= limit:
        return item
    text = text[: limit - 2]
    for opening, closing in (("&", ";"), ("<", ">")):
        if text.rfind(opening) > text.rfind(closing):
            text = text[: text.rfind(opening)]
    return {**item, "text": text + ("`" if text.count("`") % 2 else "") + "…"}


def _clip_runs(elements: Sequence[dict[str, Any]], room: list[int]) -> list[dict[str, Any]]:
    """Return rich text elements with at most `room[0]` characters in all; the rest is left out."""
    kept = []
    for element in elements:
        if room[0] <= 0:
            break
        if "elements" in element:
            kept.append({**element, "elements": _clip_runs(element["elements"], room)})
            continue
        text = element.get("text", "")
        kept.append(element if len(text) <= room[0] else {**element, "text": text[: room[0] - 1] + "…"})
        room[0] -= len(text)
    return kept


def _length(node: Any) -> int:
    if isinstance(node, Mapping):
        return len(node["text"]) if node.get("type") == "text" else sum(_length(item) for item in node.get("elements", ()))
    return 0
