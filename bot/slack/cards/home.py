"""Builds the App Home: fixes waiting for this person, own diagnoses, locked hosts, and whether the audit log is intact."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from triagebook.bot.render.text import STATUS_WORDS
from triagebook.bot.slack.cards import mrkdwn, names
from triagebook.bot.slack.cards.approval import change_line
from triagebook.bot.slack.cards.blocks import (
    Block,
    Tokens,
    actions,
    button,
    confirmation,
    context,
    divider,
    fixed_width,
    header,
    note,
    prose,
    run,
)
from triagebook.bot.slack.cards.limits import PAYLOAD, VIEW_BLOCKS, Part, fit
from triagebook.bot.slack.cards.wording import digest, undo_text
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.fixes.audit_log import AuditReport
from triagebook.tools.fixes.views import FixView, LockView

MAX_RUNS, MAX_LOCKS, MAX_WAITING = 8, 10, 20
_LINK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9_./?=&%-]*")


@dataclass(frozen=True)
class PendingFix:
    """A fix that this person may decide on, with the tokens of its buttons."""

    fix: FixView
    tokens: Tokens


@dataclass(frozen=True)
class RecentRun:
    """A diagnosis this person requested. `said` is its headline, `link` the card's permalink or empty."""

    host: str
    status: str
    said: str
    at: str
    link: str = ""


@dataclass(frozen=True)
class Health:
    """The audit log as last verified. Without a report it was not verified, which does not mean it is intact."""

    report: AuditReport | None = None
    checked_at: str = ""


def home(waiting: Sequence[PendingFix], runs: Sequence[RecentRun], locks: Sequence[LockView], health: Health) -> dict[str, Any]:
    """Return the view for `views.publish`."""
    parts: list[Part | Block] = [header(f"Waiting for you ({len(waiting)})"), *_pending_fixes(waiting)]
    parts += [divider(), header("Your runs"), *_runs(runs)]
    parts += [divider(), header("Locked hosts"), *_locks(locks)]
    parts += [divider(), header("Audit log"), _health(health)]
    blocks, _omitted = fit(parts, VIEW_BLOCKS, PAYLOAD - 200, "on the command line (triagebook fix list)")
    return {"type": "home", "blocks": blocks}


def _pending_fixes(waiting: Sequence[PendingFix]) -> Iterator[Part | Block]:
    if not waiting:
        yield note("Nothing waits for your decision.")
    for number, item in enumerate(waiting[:MAX_WAITING]):
        yield from _one(item, 2 + number)
    if len(waiting) > MAX_WAITING:
        yield note(f"{len(waiting) - MAX_WAITING} more wait: triagebook fix list")


def _one(item: PendingFix, spare: int) -> Iterator[Part]:
    """Return the block of one fix and its row of buttons. If room is short, both are left out together."""
    fix, plan = item.fix, item.fix.plan
    if plan is None:
        yield Part(note(f"⛔ DO NOT APPROVE {fix.id}: {fix.problem}"), spare)
        return
    lines = [*(f"# {change.what}: {change.now} -> {change.then}" for change in plan.changes), *plan.commands]
    undo = [mrkdwn.exact(line) for line in plan.undo_commands]
    title = f"{plan.host}: {mrkdwn.plain(plan.title)}, risk {plan.risk}, {undo_text(plan.undo)}"
    shown = [mrkdwn.exact(line) for line in lines]
    is_whole = sum(map(len, (*shown, *undo))) < 2000
    if is_whole:
        yield Part(fixed_width(title, shown), spare, 0)
        if undo:
            yield Part(fixed_width("Undo", undo), spare, 0)
    else:
        yield Part(prose(run(title, bold=True), run("\nToo large for this page: see Details.")), spare, 0)
    who = f"asked by {mrkdwn.escape(plan.requester)} · {mrkdwn.escape(fix.approvals)} · expires {mrkdwn.date(fix.expires_at)}"
    yield Part(context(f"{who} · {mrkdwn.code(fix.id)} plan {mrkdwn.code(digest(fix.digest))}"), spare, 0)
    yield Part(note(f"Disruption: {plan.disruption}"), spare, 0)
    if plan.reason:
        yield Part(note(f"In the requester's words, not verified: {plan.reason}"), spare, 0)
    for row in actions(list(_buttons(item, is_whole))):
        yield Part(row, spare, 1)


def _buttons(item: PendingFix, is_whole: bool) -> Iterator[dict[str, Any]]:
    plan, tokens = item.fix.plan, item.tokens
    if plan is None:
        return
    if is_whole and names.APPROVE in tokens:
        dialog = confirmation(f"Approve on {plan.host}?", change_line(plan), "Approve")
        yield button("Approve", names.APPROVE, tokens[names.APPROVE], style="primary", confirm=dialog)
    if names.DENY in tokens:
        yield button("Deny…", names.DENY, tokens[names.DENY], style="danger")
    if names.DETAILS in tokens:
        yield button("Details", names.DETAILS, tokens[names.DETAILS])


def _runs(runs: Sequence[RecentRun]) -> Iterator[Part | Block]:
    if not runs:
        yield note("None yet.")
    for item in runs[:MAX_RUNS]:
        link = f" · <{_amp(item.link)}|open>" if _LINK.fullmatch(item.link) else ""
        title = f"{mrkdwn.plain(item.host, mrkdwn.NAME)} {STATUS_WORDS.get(item.status, item.status)}: "
        yield Part(prose(run(title, bold=True), run(mrkdwn.plain(item.said, 240))), 1)
        yield Part(context(f"{mrkdwn.date(item.at)}{link}"), 1, 0)


def _amp(link: str) -> str:
    return link.replace("&", "&amp;")


def _locks(locks: Sequence[LockView]) -> Iterator[Part | Block]:
    if not locks:
        yield note("None that you may see.")
    for lock in locks[:MAX_LOCKS]:
        text = f"🔒 {mrkdwn.code(lock.host)} by {mrkdwn.escape(lock.person)} since {mrkdwn.date(lock.taken_at)}"
        yield Part(context(f"{text} · {mrkdwn.code(lock.fix)}"), 1)
        yield Part(note(lock.reason, 300), 1, 0)
    if len(locks) > MAX_LOCKS:
        yield note(f"{len(locks) - MAX_LOCKS} more hosts are locked: triagebook lock list")


def _health(health: Health) -> Block:
    report, at = health.report, mrkdwn.date(health.checked_at) if health.checked_at else "never"
    if report is None:
        return context(f"❔ Not verified: it is unknown whether the log is intact (last verified: {at}).")
    if report.holds:
        root = mrkdwn.code(report.root[:12])
        return context(f"🟢 Intact: {report.size} rows, {report.checkpoints} checkpoints, root {root} (verified {at}).")
    first = report.problems[0] if report.problems else None
    says = f": {mrkdwn.escape(first.says)} (row {first.row})" if first else ""
    return context(f"🔴 FAILS VERIFICATION{says}. Stop approving and call your triagebook administrator (verified {at}).")
