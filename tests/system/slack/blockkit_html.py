"""Block Kit as HTML, for screenshots and for tests that read a card as a person does. Only the blocks that the cards use.

It shows what Slack shows: mrkdwn is parsed with its forms, links and mentions stand out as such, and every other text is
literal. A text that broke out of its place would therefore be seen.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any

STYLE = """
body{margin:0;background:#fff;color:#1d1c1d;
  font:15px/1.46 Lato,'Noto Sans','DejaVu Sans','Noto Color Emoji',sans-serif}
.message{padding:12px 16px;width:600px;display:flex;gap:8px}
.avatar{width:36px;height:36px;border-radius:6px;background:#0b4f6c;color:#fff;font-weight:700;text-align:center;
  line-height:36px;flex:none}
.body{flex:1;min-width:0}
.from{font-weight:900}
.app{font-size:10px;background:#ddd;color:#555;border-radius:2px;padding:1px 3px;margin:0 6px;vertical-align:2px}
.time{color:#616061;font-size:12px}
h3{font-size:18px;line-height:1.3;margin:8px 0 4px}
.block{margin:6px 0;overflow-wrap:anywhere;white-space:pre-wrap}
.context{color:#616061;font-size:13px;margin:4px 0}
.context div{margin:1px 0}
pre,code{font:12px/1.5 'DejaVu Sans Mono',monospace;background:#f8f8f8;border:1px solid #ddd}
pre{border-radius:4px;padding:8px;margin:3px 0;white-space:pre-wrap;overflow-wrap:anywhere}
code{border-radius:3px;padding:1px 3px;color:#c01343}
ul{margin:2px 0;padding-left:22px}
.buttons{display:flex;gap:8px;flex-wrap:wrap;margin:10px 0 2px}
.feedback{display:flex;gap:6px;margin:8px 0 0}
.feedback button{border:0;background:#f8f8f8;color:#616061;font-weight:400;line-height:24px;padding:0 8px}
button{font:inherit;font-size:13px;font-weight:700;line-height:28px;border:1px solid #bbb;border-radius:4px;background:#fff;
  padding:0 12px;color:#1d1c1d}
button.primary{background:#007a5a;border-color:#007a5a;color:#fff}
button.danger{border-color:#e01e5a;color:#e01e5a}
.mention{background:#e8f5fa;color:#1264a3;padding:0 2px;border-radius:3px}
a{color:#1264a3}
.modal{width:520px;border:1px solid #ccc;border-radius:8px;padding:0 20px 14px;margin:12px}
.title{font-weight:900;font-size:20px;padding:14px 0;border-bottom:1px solid #eee}
.foot{display:flex;justify-content:flex-end;gap:8px;border-top:1px solid #eee;padding-top:12px;margin-top:12px}
label{font-weight:700;display:block;margin-top:10px}
.input{border:1px solid #999;border-radius:4px;padding:6px 10px;margin:4px 0;min-height:22px}
.input.tall{min-height:60px}
.hint{color:#616061;font-size:13px}
hr{border:0;border-top:1px solid #ddd;margin:14px 0}
"""
_MRKDWN = re.compile(r"`([^`\n]+)`|<([^<>]+)>|\*([^*\n]+)\*|(?<!\w)_([^_\n]+)_(?!\w)|~([^~\n]+)~")


def page(surfaces: Sequence[Mapping[str, Any]]) -> str:
    """An HTML page of messages and views."""
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(map(surface, surfaces))}"


def surface(payload: Mapping[str, Any]) -> str:
    """A message, a modal or App Home."""
    inner = "".join(map(block, payload["blocks"]))
    if "type" not in payload:
        top = "<span class=from>triagebook</span><span class=app>APP</span><span class=time>14:00</span>"
        return f"<div class=message><div class=avatar>tb</div><div class=body>{top}{inner}</div></div>"
    if payload["type"] == "home":
        return f"<div class=modal>{inner}</div>"
    styles = {"close": "plain", "submit": "primary"}
    buttons = "".join(f"<button class={styles[name]}>{_plain(payload[name])}</button>" for name in styles if name in payload)
    return f"<div class=modal><div class=title>{_plain(payload['title'])}</div>{inner}<div class=foot>{buttons}</div></div>"


def block(found: Mapping[str, Any]) -> str:
    """One block. KeyError for a type the cards do not use."""
    return _BLOCKS[found["type"]](found)


def _plain(text: Mapping[str, Any]) -> str:
    return escape(text["text"])


def _text(text: Mapping[str, Any]) -> str:
    return mrkdwn(text["text"]) if text["type"] == "mrkdwn" else _plain(text)


def mrkdwn(text: str) -> str:
    """Slack's markup as HTML, with links, mentions and dates as Slack makes them."""
    made, end = "", 0
    for found in _MRKDWN.finditer(text):
        made += escape(unescape(text[end : found.start()])) + _form(found)
        end = found.end()
    return made + escape(unescape(text[end:]))


def _form(found: re.Match[str]) -> str:
    code, angle, bold, italic, struck = found.groups()
    if code is not None:
        return f"<code>{escape(unescape(code))}</code>"
    if angle is not None:
        return _angle(angle)
    name, inner = ("b", bold) if bold is not None else ("i", italic) if italic is not None else ("s", struck)
    return f"<{name}>{mrkdwn(inner)}</{name}>"


def _angle(inner: str) -> str:
    target, _, label = inner.partition("|")
    if target.startswith("!date^"):
        at = datetime.fromtimestamp(int(target.split("^")[1]), UTC)
        return escape(f"{at:%b} {at.day}, {at:%H:%M}")
    if target[0] in "@#!":
        return f"<span class=mention>{escape(label or target)}</span>"
    return f"<a href='{escape(target)}'>{escape(unescape(label or target))}</a>"


def _rich(found: Mapping[str, Any]) -> str:
    return "".join(map(_rich_element, found["elements"]))


def _rich_element(element: Mapping[str, Any]) -> str:
    inner = "".join(map(_run, element["elements"]))
    if element["type"] == "rich_text_list":
        return f"<ul>{inner}</ul>"
    if element["type"] == "rich_text_preformatted":
        return f"<pre>{inner}</pre>"
    return f"<div class=block>{inner}</div>"


def _run(run: Mapping[str, Any]) -> str:
    if run["type"] == "rich_text_section":
        return f"<li>{''.join(map(_run, run['elements']))}</li>"
    style, text = run.get("style", {}), escape(run["text"])
    text = f"<code>{text}</code>" if style.get("code") else text
    return f"<b>{text}</b>" if style.get("bold") else text


def _element(element: Mapping[str, Any]) -> str:
    if element["type"] == "button":
        return f"<button class={element.get('style', 'plain')}>{_plain(element['text'])}</button>"
    chosen = element.get("initial_option")
    value = escape(str(element.get("initial_value", ""))) if chosen is None else f"{_plain(chosen['text'])} ▾"
    empty = "" if value or "placeholder" not in element else f"<span class=hint>{_plain(element['placeholder'])}</span>"
    return f"<div class='input {'tall' if element.get('multiline') else ''}'>{value}{empty}</div>"


def _feedback(element: Mapping[str, Any]) -> str:
    """The two buttons of `feedback_buttons`, each with the thumb that Slack puts before its label."""
    thumbs = (("👍", "positive_button"), ("👎", "negative_button"))
    return "".join(f"<button class=plain>{thumb} {_plain(element[name]['text'])}</button>" for thumb, name in thumbs)


def _input(found: Mapping[str, Any]) -> str:
    optional = " <span class=hint>(optional)</span>" if found.get("optional") else ""
    hint = f"<div class=hint>{_plain(found['hint'])}</div>" if "hint" in found else ""
    return f"<label>{_plain(found['label'])}{optional}</label>{_element(found['element'])}{hint}"


_BLOCKS = {
    "header": lambda found: f"<h3>{_plain(found['text'])}</h3>",
    "section": lambda found: f"<div class=block>{_text(found['text'])}</div>",
    "context": lambda found: "<div class=context>" + "".join(f"<div>{_text(item)}</div>" for item in found["elements"]) + "</div>",
    "divider": lambda _found: "<hr>",
    "rich_text": _rich,
    "actions": lambda found: f"<div class=buttons>{''.join(map(_element, found['elements']))}</div>",
    "context_actions": lambda found: f"<div class=feedback>{''.join(map(_feedback, found['elements']))}</div>",
    "input": _input,
}
