"""Renders an incident record for people: Markdown, or HTML in one file without scripts. What a host or a person said is text in it.

The record's data stands at the end of each form, so that the file can be verified without the server: the form is rendered again
from that data, and has to be the same.
"""

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triagebook.bot.render import markdown
from triagebook.bot.render.terminal import clean, json_line
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.runbooks.engine.text import why_unreadable
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.record import events_of
from triagebook.tools.times import rfc3339

MARKDOWN_START, MARKDOWN_END = "```json\n", "```\n"
HTML_START, HTML_END = '<pre id="record">', "</pre>"
STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#111}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}td,th{border:1px solid #bbb;padding:.25em .5em;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}th{background:#f2f2f2}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:11px}"
    "@media print{body{margin:0;max-width:none;font-size:10pt}tr{break-inside:avoid}thead{display:table-header-group}"
    "details{display:none}}"
)
VERIFY = "triagebook audit verify --record FILE --key KEY"
PROOF = (
    "Each line of the log above is proven by the data below: its row, the path to the signed checkpoint, and one row that "
    "seals the whole record. Check it without the server, with the verifier key that you kept:"
)


@dataclass(frozen=True)
class Section:
    """One table of a record, with its title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def render_record(record: Mapping[str, Any], form: str) -> str:
    """Return a record in one of the forms markdown, html, json. Raises TrustError: a line of it is no audit row."""
    if form == "json":
        return json_line(record)
    return clean(_markdown(record) if form == "markdown" else _html(record))


def read_record(text: str) -> tuple[str, Any]:
    """Return the form of a record's file and the data in it. Raises UsageError: there is none."""
    try:
        if text.startswith("{"):
            return "json", json.loads(text)
        if text.startswith("<!doctype html>"):
            inner = text[text.rindex(HTML_START) + len(HTML_START) : text.rindex(HTML_END)]
            return "html", json.loads(html.unescape(inner))
        inner = text[text.rindex(MARKDOWN_START) + len(MARKDOWN_START) : text.rindex(MARKDOWN_END)]
        return "markdown", json.loads(inner)
    except json.JSONDecodeError as error:
        raise UsageError(f"this is no incident record of triagebook: {why_unreadable(error)}", reason="usage") from None
    except (ValueError, RecursionError):
        message = "this is no incident record of triagebook: its data is neither JSON nor in a page that `triagebook record` wrote"
        raise UsageError(message, reason="usage") from None


def find_difference(text: str, record: Mapping[str, Any], form: str) -> str:
    """Say in which line a file shows something else than its data; empty where it shows just that."""
    try:
        wanted = render_record(record, form)
    except (TrustError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return f"the data of the record cannot be shown: {error}"
    given, made = text.splitlines(), wanted.splitlines()
    for number, line in enumerate(made, 1):
        if number > len(given) or given[number - 1].rstrip() != line.rstrip():
            return f"line {number} of the file does not show what the record's data says"
    return "" if len(given) == len(made) else f"line {len(made) + 1} of the file is not of the record"


def _markdown(record: Mapping[str, Any]) -> str:
    lines = [f"# {markdown.escape(_title(record))}", "", markdown.escape(_span(record)), ""]
    for section in _sections(record):
        rows = [[markdown.escape(cell.replace("`", "'")) for cell in row] for row in section.rows]
        lines += [f"## {section.title}", "", *markdown.table(section.columns, rows), ""]
    return "\n".join([*lines, "## Proof", "", PROOF, "", f"    {VERIFY}", "", MARKDOWN_START]) + json_line(record) + MARKDOWN_END


def _html(record: Mapping[str, Any]) -> str:
    title = html.escape(_title(record))
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1><p>{html.escape(_span(record))}</p>",
    ]
    for section in _sections(record):
        heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in section.columns)
        head += [f"<h2>{section.title}</h2><table><thead><tr>{heads}</tr></thead><tbody>"]
        head += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows]
        head += ["</tbody></table>"]
    checkpoint = html.escape(str(record["checkpoint"]))
    head += [f"<h2>Proof</h2><p>{PROOF}</p><pre>{VERIFY}</pre><pre>{checkpoint}</pre><details><summary>Data</summary>"]
    data = html.escape(json_line(record).rstrip("\n"), quote=False)
    return "\n".join([*head, f"{HTML_START}{data}{HTML_END}</details></body></html>"]) + "\n"


def _title(record: Mapping[str, Any]) -> str:
    about = f" on {record['host']}" if record["host"] and record["subject"] != record["host"] else ""
    return f"Incident record: {record['subject']}{about}"


def _span(record: Mapping[str, Any]) -> str:
    cut = f" {record['left_out']} older lines are left out." if record["left_out"] else ""
    return f"From {record['since']} to {record['until']}, {len(record['lines'])} lines of the audit log.{cut}"


def _sections(record: Mapping[str, Any]) -> Iterator[Section]:
    if record["alerts"]:
        yield Section("Alerts", ("Since", "Alert", "State", "What the host was found to have", "Evidence"), _alert_rows(record))
    if record["fixes"]:
        yield Section("Fixes", ("Fix", "State", "Change", "Asked by", "Decided by", "How it ended"), _fix_rows(record))
    rows = [_log_row(index, event) for index, event in events_of(record)]
    yield Section("Log", ("Time", "What", "Who", "About", "Row"), rows)


def _alert_rows(record: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            alert["first_at"],
            f"{alert['name']} ({alert['source']}, {alert['id'][:12]})",
            alert["state"] + (f", sent again {alert['repeats']} times" if alert["repeats"] else ""),
            " ".join(filter(None, (alert["cause"] or alert["problem"], alert["says"], alert["diagnosis"]))),
            "; ".join(alert["evidence"]),
        ]
        for alert in record["alerts"]
    ]


def _fix_rows(record: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for fix in record["fixes"]:
        plan = fix["plan"] or {}
        changes = [f"{change['what']}: {change['now']} -> {change['then']}" for change in plan.get("changes", ())]
        votes = [f"{vote['person']} ({vote['decision']}, {vote['at']})" for vote in fix["votes"]]
        state = f"{fix['state']} {fix['updated_at']}"
        rows.append(
            [fix["id"], state, "; ".join(changes) or fix["problem"], plan.get("requester", ""), "; ".join(votes), fix["outcome"]]
        )
    return rows


def _log_row(index: int, event: AuditEvent) -> list[str]:
    outcome = "" if event.outcome == "ok" else f" {event.outcome} {event.reason}"
    detail = ", ".join(f"{name} {value}" for name, value in event.detail.items() if value)
    about = [event.fix, event.runbook, f"plan {event.plan_digest[:12]}" if event.plan_digest else "", detail]
    who = " ".join(filter(None, (event.person or event.service, f"({event.account})" if event.account else "", event.channel)))
    return [rfc3339(event.at), event.action + outcome, who, "; ".join(filter(None, about)), str(index)]
