"""Renders a fix as an engineer wants to see it before approving it. The input is the server's JSON, and none of it is trusted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from triagebook.bot.render.style import Style
from triagebook.runbooks.engine.citing import cgroups_of
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.faces.fix_meanings import commands_of, meaning_of
from triagebook.tools.times import relative

LIMIT = 400
OPEN = ("proposed", "approved")  # a plan that may still be carried out
COLUMN = 14  # in which what is said of a label begins
PROSE = ("outcome", "means", "next", "host", "because", "fix", "disruption", "asked by", "reason", "approvals")
CGROUP = 4096  # the end of a path is its owner's to choose, so all of it is shown


def render_fix(fix: Mapping[str, Any], now: datetime | None = None, room: int | None = None) -> str:
    """Return the whole fix: the change, its commands, risk and undo, the requester, the expiry, and the digest to approve.

    `room`: how many columns a terminal has.
    """
    return "\n".join(part for line in _lines(fix, now or datetime.now(UTC)) for part in _fit(line, room)) + "\n"


def render_fixes(fixes: Sequence[Mapping[str, Any]], now: datetime | None = None, room: int | None = None) -> str:
    """Return a table with one fix per line, or a block for each where the terminal is narrower than that."""
    if not fixes:
        return "No fixes.\n"
    moment = now or datetime.now(UTC)
    columns = ("id", "state", "host", "risk", "runbook", "requester")
    return table((*columns, "expires"), [[*(str(fix[name]) for name in columns), _expiry(fix, moment)] for fix in fixes], room)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int | None = None, longest: int = 80) -> str:
    """Return a table whose columns are as wide as their widest cell; a block for each row where a terminal is narrower."""
    cells = [[name.replace("_", " ") for name in columns], *[[safe_text(cell, longest) for cell in row] for row in rows]]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    if room is not None and sum(widths) + 2 * len(widths) - 2 > room:
        return "".join(line + "\n" for row in cells[1:] for line in _block(cells[0], row, Style(width=room)))
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in cells)


def _block(names: Sequence[str], row: Sequence[str], style: Style) -> Iterator[str]:
    column = max(map(len, names)) + 4
    yield row[0]
    for name, cell in zip(names[1:], row[1:], strict=True):
        if cell:
            yield from style.row(f"  {name}", cell, column, is_quoted=True)


def _fit(line: str, room: int | None) -> list[str]:
    """Break a long line of prose below its own beginning, so that no word of it ever stands where a label does.

    What is to be compared or copied as it is (a command, a path, a digest) is not broken.
    """
    label, text = line[:COLUMN], line[COLUMN:]
    if room is None or len(line) <= room or label.strip() not in PROSE:
        return [line]
    return Style(width=room).row(label.rstrip(), text, COLUMN, is_quoted=True)


def _lines(fix: Mapping[str, Any], now: datetime) -> Iterator[str]:
    plan = fix["plan"]
    yield f"{fix['id']}  {fix['state'].upper()}"
    if plan is None:
        yield f"  DO NOT APPROVE: {safe_text(fix['problem'], LIMIT)}"
        return
    yield from _state_lines(fix, plan)
    yield from _change(plan)
    yield from _people(fix, plan, now)
    yield f"  digest      {fix['digest']}"


def _state_lines(fix: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[str]:
    """Say first how it ended or stands, and what to do next: whoever applied it reads no further."""
    meaning = meaning_of(str(fix["state"]), str(plan["action"]), str(plan["order"].get("step", "")))
    if fix["outcome"]:
        yield f"  outcome     {_text(fix['outcome'])}"
    if meaning is None:
        return
    yield f"  means       {meaning.says}"
    if meaning.advice:
        yield f"  next        {meaning.advice}"
    for line in commands_of(meaning, _text(fix["id"]), _text(plan["host"])):
        yield f"    {line}"


def _change(plan: Mapping[str, Any]) -> Iterator[str]:
    key, machine = _text(plan["host_key"]) or "none", _text(plan["machine_id"])[:12] or "none"
    yield f"  host        {_text(plan['host'])}  (key {key}, machine {machine})"
    yield f"  because     {_text(plan['summary'])}"
    yield f"  fix         {_text(plan['title'])}"
    for path in cgroups_of(str(plan["culprit"]), ((str(fact["id"]), str(fact["value"])) for fact in plan["facts"])):
        yield f"  cgroup      {safe_text(path, CGROUP)}"
    for change in plan["changes"]:
        yield f"  change      {_text(change['what'])}: {_text(change['now'])} -> {_text(change['then'])}"
    for line in plan["commands"]:
        yield f"  command     {_text(line)}"
    yield f"  risk        {_text(plan['risk'])}"
    yield f"  disruption  {_text(plan['disruption'])}"
    for line in plan["undo_commands"]:
        yield f"  undo        {_text(line)}"
    if plan["undo"] != "captured":
        yield "  undo        NONE: this cannot be undone"
    for fact in plan["facts"]:
        yield f"  rests on    {_text(fact['id'])} = {_text(fact['value'])}"
    yield f"  runbook     {_text(plan['runbook_id'])}@{_text(plan['runbook_version'])}  ({_text(plan['runbook_digest'])[:24]})"


def _people(fix: Mapping[str, Any], plan: Mapping[str, Any], now: datetime) -> Iterator[str]:
    yield f"  asked by    {_text(plan['requester'])}  ({_text(plan['requester_account'])}, {fix['created_at']})"
    if plan["reason"]:
        yield f"  reason      (unverified) {safe_text(plan['reason'], 300)}"
    yield f"  approvals   {_text(fix['approvals'])}"
    for vote in fix["votes"]:
        emergency = f"  BREAK-GLASS: {_text(vote['break_glass'])}" if vote["break_glass"] else ""
        yield f"  {vote['decision']:<10}  {_text(vote['person'])}  ({_text(vote['account'])}, {vote['at']}){emergency}"
    yield f"  expires     {_expiry(fix, now)}"


def _expiry(fix: Mapping[str, Any], now: datetime) -> str:
    """Return when the plan expires, in the reader's zone, and how soon that is while it can still be carried out."""
    text = str(fix["expires_at"])
    try:
        moment = datetime.fromisoformat(text)
        shown = f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    except (ValueError, OverflowError):
        return safe_text(text, 40)
    return f"{shown} ({relative(moment, now)})" if fix["state"] in OPEN else shown


def _text(value: object) -> str:
    return safe_text(" ".join(str(value).split()), LIMIT)
