"""The approval card shows exactly what would change on which host. A card that cannot be shown whole cannot be approved."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from triagebook.bot.slack.cards import mrkdwn, names
from triagebook.bot.slack.cards.blocks import (
    Block,
    Tokens,
    actions,
    button,
    confirmation,
    context,
    fixed_width,
    header,
    note,
    prose,
    run,
)
from triagebook.bot.slack.cards.limits import FALLBACK, MESSAGE_BLOCKS, PAYLOAD, Card, Part, card, fit, is_whole, size
from triagebook.bot.slack.cards.wording import digest, undo_text
from triagebook.runbooks.engine.citing import cgroups_of
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.plan import Plan
from triagebook.tools.faces.fix_meanings import meaning_of
from triagebook.tools.fixes.views import FixView, VoteView

TITLES: Mapping[str, str] = {
    "proposed": "🔷 APPROVAL NEEDED",
    "approved": "⏳ APPROVED, NOT YET APPLIED",
    "running": "⏳ APPLYING",
    "reverting": "⏳ REVERTING",
    "validated": "🟢 DONE AND VALIDATED",
    "unresolved": "🟡 APPLIED, NOT SHOWN TO HELP",
    "reverted": "↩ REVERTED",
    "failed": "🔴 FAILED",
    "unknown": "🟣 OUTCOME UNKNOWN",
    "denied": "⛔ DENIED",
    "withdrawn": "⚪ WITHDRAWN",
    "expired": "⚪ EXPIRED",
    "stale": "🟡 STALE: THE HOST HAS CHANGED SINCE",
}
UNSAID = frozenset({"proposed", "validated", "reverted"})  # the title says it all
NEXT_SAID = frozenset({"unresolved", "failed", "unknown"})  # what to do about the others is said by their buttons
BUTTONS: Mapping[str, tuple[str, ...]] = {
    "proposed": (names.APPROVE, names.DENY, names.DETAILS, names.WITHDRAW),
    "approved": (names.APPLY, names.DETAILS, names.WITHDRAW),
    "validated": (names.REVERT, names.PERSIST, names.DETAILS),
    "unresolved": (names.REVERT, names.DETAILS),
    "stale": (names.REPLAN, names.DETAILS),
    "expired": (names.REPLAN, names.DETAILS),
}
LABELS: Mapping[str, str] = {
    names.DETAILS: "Details",
    names.WITHDRAW: "Withdraw",
    names.REVERT: "Revert…",
    names.PERSIST: "Make permanent…",
    names.REPLAN: "Re-plan…",
}
OVER = frozenset({"denied", "withdrawn", "expired", "stale", "reverted", "validated"})  # nobody needs the commands any more
UNDO = "undo"
SHOW = "in `triagebook fix show`"
VIEW_ROOM = 1000  # bytes of a modal besides its blocks
SHORT = 60  # characters of a change that fits on one line


@dataclass(frozen=True)
class Called:
    """Holds whom a card calls, as mentions of Slack, and how many more may approve."""

    mentions: tuple[str, ...] = ()
    others: int = 0


Mentions = Mapping[str, str]  # person -> Slack user id
NOBODY: Mentions = MappingProxyType({})


def approval(fix: FixView, tokens: Tokens, mentions: Mentions = NOBODY, called: Called | None = None) -> Card:
    """Return the card of a fix in its present state. Every copy is the same, but only one calls those who may approve."""
    text = fallback(fix, mentions)
    plan = fix.plan
    if plan is None:
        return card([header("⛔ DO NOT APPROVE"), prose(run(mrkdwn.plain(fix.problem))), _identity(fix, None)], text)
    whole = [*_top(fix, plan, mentions, called), *_plan(plan, is_over=fix.state in OVER), *_people(fix, plan, mentions)]
    blocks = [*whole, *_vote_row(fix, plan, tokens)]
    if is_whole(blocks, MESSAGE_BLOCKS, PAYLOAD - size(text)):
        return Card(tuple(blocks), text)
    top, *rest = whole
    return card([top, _too_large(fix), *(Part(block, 1) for block in rest), *_vote_row(fix, plan, _cautious(tokens))], text, SHOW)


def details(fix: FixView, tokens: Tokens, mentions: Mentions = NOBODY) -> list[Block]:
    """Return the blocks of a modal that shows the whole plan, with the same button to approve it."""
    plan = fix.plan
    if plan is None:
        return list(approval(fix, {}, mentions).blocks)
    facts = [f"{mrkdwn.exact(fact.id, 120)} = {mrkdwn.exact(fact.value, 120)}" for fact in plan.facts]
    order = [f"{mrkdwn.exact(name, 60)}={mrkdwn.exact(value, 200)}" for name, value in plan.order.items()]
    ids = (("host key", plan.host_key), ("machine", plan.machine_id), ("boot", plan.boot_id), ("plan digest", fix.digest))
    top, *whole = [*_top(fix, plan, mentions), *_plan(plan), *_people(fix, plan, mentions)]
    more = [
        Part(fixed_width("Rests on", facts or ["nothing"]), 2, len(facts)),
        Part(fixed_width("Order sent to the host once signed", order), 2, len(order)),
        Part(fixed_width("Exactly", [f"{name:<12} {mrkdwn.exact(value or 'none', 120)}" for name, value in ids]), 2),
    ]
    room = PAYLOAD - VIEW_ROOM
    row = _vote_row(fix, plan, tokens)
    parts: list[Part | Block] = [top, *whole, *more, *row]
    if not is_whole([top, *whole, *row], MESSAGE_BLOCKS - 1, room - 200):
        parts = [top, _too_large(fix), *(Part(block, 1) for block in whole), *more, *_vote_row(fix, plan, _cautious(tokens))]
    return fit(parts, MESSAGE_BLOCKS, room, SHOW)[0]


def fallback(fix: FixView, mentions: Mentions = NOBODY) -> str:
    """Return the card as plain text."""
    return mrkdwn.fallback(_plain_lines(fix, mentions), FALLBACK)


def change_line(plan: Plan) -> str:
    """Return all changes of a plan in one line: `host01: TasksMax of worker.service: 24 -> 64`."""
    return f"{plan.host}: {'; '.join(f'{item.what}: {item.now} -> {item.then}' for item in plan.changes)}"


def voters(fix: FixView, mentions: Mentions, decision: str = "approve") -> str:
    """Return the people who decided that way, as mentions if their Slack id is known."""
    found = [_voter(vote, mentions) for vote in fix.votes if vote.decision == decision]
    return ", ".join(found)


def _voter(vote: VoteView, mentions: Mentions) -> str:
    emergency = f" (BREAK-GLASS: {mrkdwn.escape(vote.break_glass)})" if vote.break_glass else ""
    return f"{mrkdwn.person(mentions.get(vote.person, vote.person))}{emergency}"


def _too_large(fix: FixView) -> Block:
    return note(f"⚠ Too large to show completely, so it cannot be approved here: triagebook fix show {fix.id}")


def _cautious(tokens: Tokens) -> Tokens:
    """Return the buttons without those that approve or apply."""
    return {name: token for name, token in tokens.items() if name not in {names.APPROVE, names.APPLY}}


def _top(fix: FixView, plan: Plan, mentions: Mentions, called: Called | None = None) -> Iterator[Block]:
    yield header(f"{TITLES[fix.state]} · {plan.host}")
    if called is not None and called.mentions and fix.state == "proposed":
        more = f" or {called.others} more" if called.others else ""
        yield context(f"Please decide: {', '.join(called.mentions)}{more}")
    if fix.outcome:
        yield prose(run(mrkdwn.plain(fix.outcome, 600), bold=True))
    meaning = meaning_of(fix.state, plan.action, plan.order.get("step", ""))
    if meaning and fix.state not in UNSAID:
        advice = meaning.advice if fix.state in NEXT_SAID else ""
        yield note(f"{meaning.says} {advice}".strip().removesuffix(":"))
    if fix.state in {"approved", "running"}:
        yield context(f"Approved by {voters(fix, mentions) or 'nobody'}")
    if fix.state == "denied":
        yield context(f"Denied by {voters(fix, mentions, 'deny') or 'nobody'}")


def _changes(plan: Plan) -> list[str]:
    lines = []
    for item in plan.changes:
        now, then = mrkdwn.exact(item.now), mrkdwn.exact(item.then)
        is_short = len(now) + len(then) < SHORT and "->" not in now + then
        lines += [mrkdwn.exact(item.what), *([f"  {now} -> {then}"] if is_short else [f"  now   {now}", f"  then  {then}"])]
    return lines or ["No single value: see the commands."]


def _plan(plan: Plan, *, is_over: bool = False) -> Iterator[Block]:
    """Return every line that an approver approves. None may be left out, so none is a `Part`."""
    yield prose(run(mrkdwn.plain(plan.title), bold=True), run(f"\nbecause {mrkdwn.plain(plan.summary, 600)}"))
    cgroups = cgroups_of(plan.culprit, ((fact.id, fact.value) for fact in plan.facts))
    yield fixed_width("Change", [*_changes(plan), *(f"cgroup {mrkdwn.exact(path)}" for path in cgroups)])
    if is_over:
        return
    yield fixed_width("Exact commands", [mrkdwn.exact(line) for line in plan.commands] or ["none"])
    if plan.undo_commands:
        yield fixed_width("Undo", [mrkdwn.exact(line) for line in plan.undo_commands])
    undo = "" if plan.undo_commands and plan.undo != "none" else ". It CANNOT be undone."
    risk = [run("Risk ", bold=True), run(f"{plan.risk}{undo}\n"), run("Disruption ", bold=True), run(mrkdwn.plain(plan.disruption))]
    yield prose(*risk)


def _people(fix: FixView, plan: Plan, mentions: Mentions) -> Iterator[Block]:
    who = mrkdwn.person(mentions.get(plan.requester, plan.requester))
    yield context(f"Asked by {who} ({mrkdwn.code(plan.requester_account)}) {mrkdwn.date(fix.created_at)}")
    if plan.reason:
        yield prose(run("In the requester's words, not verified: ", bold=True), run(mrkdwn.plain(plan.reason, 300)))
    given = voters(fix, mentions)
    approvals = f"Approvals: {mrkdwn.escape(fix.approvals)}{f' · {given}' if given else ''}"
    until = f" · expires {mrkdwn.date(fix.expires_at)}" if fix.state in {"proposed", "approved"} else ""
    yield context(f"{approvals}{until}")
    yield _identity(fix, plan)


def _identity(fix: FixView, plan: Plan | None) -> Block:
    book = f" · {mrkdwn.code(f'{plan.runbook_id}@{plan.runbook_version}')}" if plan else ""
    return context(f"{mrkdwn.code(fix.id)} · plan {mrkdwn.code(digest(fix.digest))}{book}")


def _vote_row(fix: FixView, plan: Plan, tokens: Tokens) -> list[Block]:
    wanted = [name for name in BUTTONS.get(fix.state, ()) if name in tokens and _is_possible(name, plan)]
    return actions([_button(name, tokens[name], plan) for name in wanted])


def _is_possible(name: str, plan: Plan) -> bool:
    """Tell whether a button applies to this plan: some changes have no undo, and only a live change can be made permanent."""
    if name == names.REVERT:
        return plan.undo != "none" and plan.action != UNDO
    return name != names.PERSIST or (plan.order.get("step") == "live" and plan.action != UNDO)


def _button(name: str, token: str, plan: Plan) -> dict[str, object]:
    what = change_line(plan)
    if name == names.APPROVE:
        return button("Approve", name, token, style="primary", confirm=confirmation(f"Approve on {plan.host}?", what, "Approve"))
    if name == names.APPLY:
        return button("Apply now", name, token, style="primary", confirm=confirmation(f"Change {plan.host}?", what, "Apply now"))
    if name == names.DENY:
        return button("Deny…", name, token, style="danger")
    return button(LABELS[name], name, token)


def _plain_lines(fix: FixView, mentions: Mentions) -> Iterator[str]:
    plan = fix.plan
    if plan is None:
        yield f"DO NOT APPROVE {fix.id}: {fix.problem}"
        return
    yield f"{TITLES[fix.state]}: {change_line(plan)}"
    if fix.outcome:
        yield fix.outcome
    yield f"{plan.title}, because {plan.summary}"
    yield from (f"Command: {line}" for line in plan.commands)
    yield f"Risk {plan.risk}, {undo_text(plan.undo)}. Disruption: {plan.disruption}"
    yield f"Asked by {plan.requester}. In the requester's words, not verified: {plan.reason}"
    yield f"Approvals: {fix.approvals}. Expires {fix.expires_at}. {fix.id}, plan {digest(fix.digest)}"
